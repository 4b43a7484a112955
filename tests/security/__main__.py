"""Measure every figure, print the table, write the JSON; end with 1 where a bar falls short.

Usage: python -m security [--short] [--fuzz-seconds N] [--json FILE] [NAME…]     (tests/ on the path)
A NAME is one of the modules below; without any, all are measured.
"""

import argparse
import json
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from security.figures import Figure, Scale

# Each has ``measure(scale) -> list[Figure]``; the quick ones first.
MODULES = (
    *("imports", "addresses", "rebinding", "golden", "bombs", "canaries", "origins"),
    *("images", "models", "runtimes", "fuzz"),
)


def measure(names: list[str], scale: Scale) -> list[tuple[Figure, float]]:
    """Return the figures of the modules ``names``, each with the seconds that its module took."""
    found: list[tuple[Figure, float]] = []
    for name in names:
        print(f"measuring: {name} …", file=sys.stderr, flush=True)
        start = time.monotonic()
        figures = import_module(f"security.{name}").measure(scale)
        found += [(figure, time.monotonic() - start) for figure in figures]
    return found


def show(found: list[tuple[Figure, float]]) -> None:
    """Print the table, and a line a skip that the summary of `make test` repeats."""
    table = Table("figure", "bar", "measured", "held", "seconds", title="Security")
    for figure, seconds in found:
        held = "skipped" if figure.skipped else "yes" if figure.held else "NO"
        table.add_row(figure.name, figure.bar, figure.measured or figure.skipped, held, f"{seconds:.0f}")
    Console(width=None if sys.stdout.isatty() else 160).print(table)
    for figure, _ in found:
        if figure.skipped:
            print(f"SKIPPED [1] security: {figure.name}: {figure.skipped}")


def as_json(found: list[tuple[Figure, float]], scale: Scale) -> dict[str, Any]:
    """Return what the JSON file says."""
    figures = [{**figure._asdict(), "seconds": round(seconds, 1)} for figure, seconds in found]
    return {"scale": scale._asdict(), "python": sys.version.split()[0], "figures": figures}


def main() -> int:
    """Measure, print, write; return the exit code."""
    parser = argparse.ArgumentParser(prog="security", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(MODULES))
    parser.add_argument("--short", action="store_true", help="the shortened form")
    parser.add_argument("--fuzz-seconds", type=int, help="for each parser; 60, or 5 in the shortened form")
    parser.add_argument("--json", type=Path, default=Path(".cache/security.json"))
    given = parser.parse_args()
    if unknown := set(given.names) - set(MODULES):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; known are {', '.join(MODULES)}")
    seconds = given.fuzz_seconds if given.fuzz_seconds is not None else 5 if given.short else 60
    scale = Scale(given.short, seconds)
    found = measure(given.names or list(MODULES), scale)
    show(found)
    given.json.parent.mkdir(parents=True, exist_ok=True)
    given.json.write_text(json.dumps(as_json(found, scale), indent=2, ensure_ascii=False) + "\n")
    print(f"written: {given.json}")
    return 0 if all(figure.held for figure, _ in found) else 1


if __name__ == "__main__":
    sys.exit(main())
