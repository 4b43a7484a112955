"""Measure every figure, print the table, write the JSON; end with 1 where a bar falls short.

Usage: python -m security [--short] [--fuzz-seconds N] [--json FILE] [NAME…]     (tests/ on the path)
A NAME is one of the modules below; without any, all are measured.
"""

import argparse
import sys

from helpers.figures import run

# Each has ``measure(scale) -> list[Figure]``; the quick ones first.
MODULES = (
    *("imports", "addresses", "rebinding", "golden", "bombs", "canaries", "origins"),
    *("images", "models", "runtimes", "fuzz"),
)

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="security", description=__doc__)
    parser.add_argument("--fuzz-seconds", type=int, help="for each parser; 60, or 5 in the shortened form")
    sys.exit(run("security", MODULES, "security", parser))
