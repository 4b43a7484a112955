"""What a page of the documentation has its reader type, and what it shows as the answer."""

import contextlib
import os
import re
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import NamedTuple

MARK = "\x1e"  # the record separator, which no command prints
SECONDS = 900  # for all of a page's commands
FAILS = re.compile(r"# exits with (\d)$")


class Command(NamedTuple):
    """A command as it is typed, the lines shown below it, and the exit code that the page tells of."""

    text: str
    shown: tuple[str, ...]
    code: int


class Done(NamedTuple):
    """A command, what it printed on both of its outputs, and its exit code (None: never run)."""

    command: Command
    printed: str
    code: int | None

    @property
    def missing(self) -> tuple[str, ...]:
        """The lines that the page shows and the command did not print; "…" stands for anything, as do numbers."""
        printed = [masked(line) for line in self.printed.splitlines()]
        return tuple(line for line in self.command.shown if not any(alike(line, other) for other in printed))


def masked(line: str) -> str:
    """Return a line with its numbers and sums as ``#`` and runs of spaces as one: they differ between machines."""
    return " ".join(re.sub(r"[0-9a-f]{64}|\d[\d.,]*(?:e[-+]\d+)?", "#", line).split())


def alike(shown: str, printed: str) -> bool:
    """Tell whether a line shown is what was printed, which is masked already."""
    return re.fullmatch(".*".join(map(re.escape, masked(shown).split("…"))), printed) is not None


def blocks(page: str, kind: str) -> list[str]:
    """Return the fenced blocks of a ``kind``."""
    return re.findall(rf"^```{kind}\n(.*?)^```$", page, re.S | re.M)


def commands(page: str) -> list[Command]:
    """Return the commands of a page's ``console`` blocks, in order; a backslash at a line's end continues it."""
    found = []
    for block in blocks(page, "console"):
        first, *parts = re.split(r"^\$ ", block, flags=re.M)
        if first:
            raise ValueError(f"a console block begins with {first!r}, which is no command")
        for part in parts:
            text, *shown = re.split(r"(?<!\\)\n", part.rstrip("\n"))
            fails = FAILS.search(text)
            found.append(Command(text, tuple(filter(str.strip, shown)), int(fails[1]) if fails else 0))
    return found


def typed(page: str, folder: Path, environment: dict[str, str]) -> list[Done]:
    """Type a page's commands into a shell in ``folder``; return what became of each. A wrong code ends it."""
    todo = commands(page)
    script = "".join(
        f"printf '{MARK}'\n{one.text}\ncode=$?; printf '{MARK}%s{MARK}' $code; [ $code = {one.code} ] || exit 1\n"
        for one in todo
    )
    with tempfile.TemporaryFile("w+") as printed:
        # A session of its own, so that what was left in the background is ended with it.
        shell = subprocess.Popen(
            ["bash", "-c", script],
            cwd=folder,
            env=environment,
            stdout=printed,
            stderr=printed,
            start_new_session=True,
        )
        try:
            shell.wait(SECONDS)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(shell.pid, signal.SIGTERM)
            shell.wait()
        printed.seek(0)
        pieces = printed.read().split(MARK)[
            1:
        ]  # of each command: what it printed, its code, what came before the next
    return [
        Done(one, pieces[3 * i], int(pieces[3 * i + 1])) if 3 * i + 1 < len(pieces) else Done(one, "", None)
        for i, one in enumerate(todo)
    ]
