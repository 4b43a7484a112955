"""What is shown while something takes long, and in which colours: on terminals only, unless FORCE_COLOR asks.

NO_COLOR takes the colours off, FORCE_COLOR puts them into pipes, TERM=dumb has neither colours nor a spinner.
"""

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any, Protocol

import click

from mlserverless.cli import width

if TYPE_CHECKING:
    from rich.console import Console

LONG_S = 1.0  # a step that took longer leaves a line behind
PART = "…"  # begins a word that says how far the step is, and not that another has begun
QUIET = click.option("--quiet", "-q", is_flag=True, help="No progress and no notes; errors are shown.")


class Tell(Protocol):
    """What a long task is handed: called with the number of its steps, then with a word for each that begins."""

    def __call__(self, word: str, total: int | None = None) -> None: ...


def console(*, stderr: bool = False, file: IO[str] | None = None, **given: Any) -> "Console":
    """Return what prints tables and text: wide in a pipe, as wide as the terminal on one."""
    from rich.console import Console

    wide = {} if stderr or file else {"width": width()}
    return Console(stderr=stderr, file=file, **{"highlight": False, **wide, **given})


def say(text: str, style: str = "") -> None:
    """Print ``text`` on the standard error, in the colour ``style`` where there are colours."""
    if style and (sys.stderr.isatty() or os.environ.get("FORCE_COLOR")):
        console(stderr=True).print(text, style=style, markup=False, soft_wrap=True)
    else:
        click.echo(text, err=True)  # without importing rich


def lively(stream: IO[str]) -> bool:
    """Return whether ``stream`` can show what moves."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


@contextmanager
def steps(*, quiet: bool = False, lines: bool = False, file: IO[str] | None = None) -> Iterator[Tell]:
    """Show a spinner, the step's word, a bar where the number of steps is known, and the time, on a terminal.

    ``lines``: a step that took more than a second leaves its line, in a pipe as well. ``file``: another stream
    than the standard error.
    """
    stream = file or sys.stderr
    if quiet or not (lines or lively(stream)):
        yield _silent
        return
    shown = console(stderr=not file, file=file, force_terminal=stream.isatty() or None)
    state: dict[str, Any] = {"word": "", "begin": time.monotonic()}

    def over() -> None:
        took = time.monotonic() - state["begin"]
        if lines and state["word"] and took >= LONG_S:
            shown.print(f"{took:6.1f} s  {state['word']}", markup=False, soft_wrap=True)

    def begin(word: str) -> None:
        if word not in (state["word"], "") and not word.startswith(PART):
            over()
            state.update(word=word, begin=time.monotonic())

    if lively(stream):
        yield from _moving(shown, begin, state)
    else:

        def tell(word: str, total: int | None = None) -> None:  # noqa: ARG001 - what only a bar shows
            begin(word)

        yield tell
    over()


def _silent(word: str, total: int | None = None) -> None:
    """Take a step's word, and show nothing."""


def _moving(shown: "Console", begin: Callable[[str], None], state: dict[str, Any]) -> Iterator[Tell]:
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = SpinnerColumn(), TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn()
    with Progress(*columns, console=shown, transient=True) as bar:
        task = bar.add_task("", total=None)

        def tell(word: str, total: int | None = None) -> None:
            if total is not None:
                bar.update(task, total=total)
            elif word.startswith(PART):
                bar.update(task, description=f"{state['word']} {word}")
            else:
                begin(word)
                bar.update(task, description=word, advance=1)

        yield tell
