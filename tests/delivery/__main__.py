"""Measure what becomes of events, print the table, write the JSON; end with 1 where a bar falls short.

Usage: python -m delivery [--short] [--json FILE] [NAME…]     (tests/ on the path)
A NAME is one of the modules below; without any, all are measured.
"""

import argparse
import sys

from helpers.figures import run

# Each has ``measure(scale) -> list[Figure]``.
MODULES = ("conformance", "generated", "batches", "simulation", "kills")

if __name__ == "__main__":
    sys.exit(run("delivery", MODULES, "events", argparse.ArgumentParser(prog="delivery", description=__doc__)))
