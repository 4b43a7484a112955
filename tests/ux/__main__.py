"""Measure what it is like to use it, print the table, write the JSON; end with 1 where a bar falls short.

Usage: python -m ux [--short] [--json FILE] [NAME…]     (tests/ on the path)
A NAME is one of the modules below; without any, all are measured.
"""

import argparse
import sys

from helpers.figures import run

# Each has ``measure(scale) -> list[Figure]``.
MODULES = ("command", "page", "contract", "protocol", "signals", "docs", "newcomer", "fleet", "killed")

if __name__ == "__main__":
    sys.exit(run("ux", MODULES, "ux", argparse.ArgumentParser(prog="ux", description=__doc__)))
