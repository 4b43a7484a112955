"""What is called otherwise by now: the former name still works, says so, and goes at the version that it names.

docs/reference/versions.md has the policy.
"""

import sys
from collections.abc import Sequence
from typing import NamedTuple

PAGE = "docs/reference/versions.md"


class Renamed(NamedTuple):
    """An option that had another name. ``new`` empty: its value is an argument now."""

    old: str
    new: str
    shown: str  # what to write today, for the warning
    gone: str  # the version that does without it


def warn(command: str, old: str, shown: str, gone: str) -> None:
    """Tell on the standard error that ``old`` is deprecated, and what to write instead."""
    sys.stderr.write(f"{command}: {old} is deprecated, and goes in {gone}: write {shown}. See {PAGE}.\n")


def modern(command: str, args: Sequence[str], renamed: Sequence[Renamed]) -> list[str]:
    """Return ``args`` with today's names, having warned of each former one once."""
    known, told = {one.old: one for one in renamed}, set[str]()
    made: list[str] = []
    for number, word in enumerate(args):
        if word == "--":
            return [*made, *args[number:]]
        name, equals, value = word.partition("=")
        if (one := known.get(name)) is None:
            made.append(word)
            continue
        if name not in told:
            warn(command, one.old, one.shown, one.gone)
            told.add(name)
        if one.new:
            made.append(f"{one.new}{equals}{value}")
        elif equals:
            made.append(value)
    return made
