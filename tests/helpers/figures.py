"""Figures: what was measured, the bar it is held to, whether it holds; told as a table and as JSON."""

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table


class Figure(NamedTuple):
    """One line of the table. ``details`` goes into the JSON only; ``skipped`` says why it was not measured."""

    name: str
    bar: str
    measured: str = ""
    held: bool = False
    details: dict[str, Any] = {}  # noqa: RUF012 - a NamedTuple default is never written to
    skipped: str = ""


class Scale(NamedTuple):
    """How much is tried: all of it, or the shortened form that `make test` runs."""

    short: bool
    fuzz_seconds: int  # a parser

    def of(self, whole: int, shortened: int) -> int:
        """Return ``whole``, or ``shortened`` in the shortened form."""
        return shortened if self.short else whole


def skip(name: str, bar: str, reason: str) -> Figure:
    """Return a figure that this machine cannot measure; where nothing may be skipped it has failed."""
    return Figure(name, bar, skipped=reason, held=os.environ.get("MLSERVERLESS_GATES") != "required")


def measure(package: str, names: Sequence[str], scale: Scale) -> list[tuple[Figure, float]]:
    """Return the figures of the package's modules ``names``, each with the seconds that its module took."""
    found: list[tuple[Figure, float]] = []
    for name in names:
        print(f"measuring: {name} …", file=sys.stderr, flush=True)
        start = time.monotonic()
        figures = import_module(f"{package}.{name}").measure(scale)
        found += [(figure, time.monotonic() - start) for figure in figures]
    return found


def show(title: str, found: list[tuple[Figure, float]]) -> None:
    """Print the table, and below it a line a skip (the summary of `make test` repeats it) or a bar not held."""
    table = Table("figure", "bar", "measured", "held", "seconds", title=title.capitalize())
    for figure, seconds in found:
        held = "skipped" if figure.skipped else "yes" if figure.held else "NO"
        table.add_row(figure.name, figure.bar, figure.measured or figure.skipped, held, f"{seconds:.0f}")
    Console(width=None if sys.stdout.isatty() else 160).print(table)
    for figure, _ in found:
        if figure.skipped:
            print(f"SKIPPED [1] {title}: {figure.name}: {figure.skipped}")
    for figure, _ in found:  # last, where the end of a long log is looked at first
        if not figure.held:
            print(f"NOT HELD {title}: {figure.name}: {figure.measured or figure.skipped} (bar: {figure.bar})")


def as_json(found: list[tuple[Figure, float]], scale: Scale) -> dict[str, Any]:
    """Return what the JSON file says."""
    figures = [{**figure._asdict(), "seconds": round(seconds, 1)} for figure, seconds in found]
    return {"scale": scale._asdict(), "python": sys.version.split()[0], "figures": figures}


def run(package: str, modules: Sequence[str], title: str, parser: argparse.ArgumentParser) -> int:
    """Measure what the command line names, or all; print, write; return 1 where a bar falls short."""
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(modules))
    parser.add_argument("--short", action="store_true", help="the shortened form")
    parser.add_argument("--json", type=Path, default=Path(f".cache/{title}.json"))
    given = parser.parse_args()
    if unknown := set(given.names) - set(modules):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; known are {', '.join(modules)}")
    seconds = getattr(given, "fuzz_seconds", None)
    scale = Scale(given.short, seconds if seconds is not None else 5 if given.short else 60)
    found = measure(package, given.names or modules, scale)
    show(title, found)
    given.json.parent.mkdir(parents=True, exist_ok=True)
    given.json.write_text(json.dumps(as_json(found, scale), indent=2, ensure_ascii=False) + "\n")
    print(f"written: {given.json}")
    return 0 if all(figure.held for figure, _ in found) else 1
