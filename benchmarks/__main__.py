"""Measure how fast this is beside floors and peers, print the table, draw it; end with 1 where a bar falls short.

Each part's figures are kept in .cache/bench/PART.json, so that one can be measured again alone; the page
docs/explanation/performance.md and its plots are made of all of them. Leave the machine alone meanwhile.

Usage: python -m benchmarks [--short] [--no-page] [PART…]     (the root and tests/ on the path)
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from datetime import date
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks import venvs
from benchmarks.children import ROOT, Failed
from helpers.figures import Figure, Scale, show

# Each has ``measure(scale) -> list[Figure]``; in the order of the page.
PARTS = ("cold", "entry", "warm", "batches", "threads", "calls", "peers", "servers", "load", "scaling")
CACHE = Path(".cache/bench")


def machine() -> dict[str, Any]:
    """Return what it was measured on."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.strip()
    return {
        "date": date.today().isoformat(),
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "commit": commit,
    }


def measured(part: str, scale: Scale) -> list[tuple[Figure, float]]:
    """Measure one part and keep its figures."""
    print(f"measuring: {part} …", file=sys.stderr, flush=True)
    start = time.monotonic()
    try:
        figures: list[Figure] = import_module(f"benchmarks.{part}").measure(scale)
    except Failed as error:  # the other parts' figures are told all the same
        figures = [Figure(part, "can be measured", str(error)[:500])]
    seconds = time.monotonic() - start
    kept = {"machine": machine(), "short": scale.short, "figures": [figure._asdict() for figure in figures]}
    CACHE.mkdir(parents=True, exist_ok=True)
    (CACHE / f"{part}.json").write_text(json.dumps(kept, indent=2, ensure_ascii=False) + "\n")
    return [(figure, seconds) for figure in figures]


def main() -> int:
    """Measure what the command line names, or all; return 1 where a bar falls short."""
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--short", action="store_true", help="fewer runs, to see that all of it works")
    parser.add_argument("--no-page", action="store_true", help="leave the page and the plots as they are")
    given = parser.parse_args()
    if unknown := set(given.parts) - set(PARTS):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; known are {', '.join(PARTS)}")
    scale = Scale(given.short, 0)
    found = [pair for part in given.parts or PARTS for pair in measured(part, scale)]
    show("speed", found)
    if not given.no_page:
        from benchmarks import page

        try:
            page.write(CACHE, PARTS)
        except venvs.Unavailable as error:
            print(f"no plots: {error}")
    return 0 if all(figure.held for figure, _ in found) else 1


if __name__ == "__main__":
    sys.exit(main())
