"""Measure how models are read, converted and certified; print the table, write JSON; 1 where a bar falls short.

Usage: python -m modelling [--short] [--json FILE] [NAME…]     (tests/ on the path)
A NAME is one of the modules below; without any, all are measured.
"""

import argparse
import sys

from helpers.figures import run

# Each has ``measure(scale) -> list[Figure]``.
MODULES = ("public", "presets", "resizing", "conversions", "mistakes", "mutants", "readers", "tutorials")


def main() -> int:
    """Measure; return 1 where a bar falls short."""
    return run("modelling", MODULES, "models", argparse.ArgumentParser(prog="modelling", description=__doc__))


if __name__ == "__main__":
    sys.exit(main())
