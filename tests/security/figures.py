"""A figure: what was measured, the bar it is held to, and whether it holds."""

import os
from typing import Any, NamedTuple


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
