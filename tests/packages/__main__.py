"""Measure the packages that are built, print the table, write the JSON; end with 1 where a bar falls short.

Measured whole, docs/reference/package-sizes.md is written anew as well.

Usage: python -m packages [--short] [--json FILE] [NAME…]     (tests/ on the path)
A NAME is one of the modules below; without any, all are measured.
"""

import argparse
import json
import sys
from pathlib import Path

from helpers.figures import run
from packages import sizes

# Each has ``measure(scale) -> list[Figure]``.
MODULES = ("sizes", "runtimes", "telemetry", "cold", "rebuilt", "faults", "deploying", "images")
JSON, PAGE = Path(".cache/packages.json"), Path("docs/reference/package-sizes.md")


def main() -> int:
    """Measure; return 1 where a bar falls short."""
    code = run("packages", MODULES, "packages", argparse.ArgumentParser(prog="packages", description=__doc__))
    if len(sys.argv) == 1:
        PAGE.write_text(sizes.page(json.loads(JSON.read_text(encoding="utf-8"))["figures"]), encoding="utf-8")
        print(f"written: {PAGE}")
    return code


if __name__ == "__main__":
    sys.exit(main())
