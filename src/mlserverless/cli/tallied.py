"""How far a batch has come: a bar on a terminal, now and then a line elsewhere; on standard error."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

from mlserverless.batch.rows import Tally

SHOWN_S = 0.2  # between two pictures of the bar
LINE_S = 30.0  # between two lines
FADING = 0.8  # how much of the rate is that of before the last picture


class _Rate:
    """Items a second, of late."""

    def __init__(self) -> None:
        self._rows, self._at, self.value = 0, time.monotonic(), 0.0

    def learn(self, rows: int, now: float) -> None:
        """Take in that there are ``rows`` now."""
        late = (rows - self._rows) / max(now - self._at, 1e-9)
        self.value = late if not self.value else FADING * self.value + (1 - FADING) * late
        self._rows, self._at = rows, now

    def begin(self, rows: int) -> None:
        """Count from ``rows`` on."""
        self._rows, self._at = rows, time.monotonic()


@contextmanager
def progress(total: int | None, *, quiet: bool) -> Iterator[Callable[[Tally], None]]:
    """Lend what is called with the tally before the first item and after each; ``total`` is what it comes to."""
    if quiet:
        yield lambda _: None
    elif sys.stderr.isatty():
        with _bar(total) as show:
            yield _every(SHOWN_S, show)
    else:
        yield _every(LINE_S, lambda tally, rate: click.echo(_line(tally, rate, total), err=True))


def _every(seconds: float, show: Callable[[Tally, float], None]) -> Callable[[Tally], None]:
    rate, due = _Rate(), [0.0]

    def tell(tally: Tally) -> None:
        now = time.monotonic()
        if not due[0]:
            rate.begin(tally.rows)  # what was there before says nothing of how fast this run is
        elif now < due[0]:
            return
        else:
            rate.learn(tally.rows, now)
            show(tally, rate.value)
        due[0] = now + seconds

    return tell


def _line(tally: Tally, rate: float, total: int | None) -> str:
    of = "" if total is None else f" of {total:,} ({100 * tally.rows / max(total, 1):.0f} %)"
    left = "" if total is None or not rate else f", {_duration((total - tally.rows) / rate)} left"
    return f"{tally.rows:,}{of}, {rate:,.1f}/s{left}, {_problems(tally)}"


def _problems(tally: Tally) -> str:
    number = sum(tally.problems.values())
    return f"{number:,} problem{'' if number == 1 else 's'}"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


@contextmanager
def _bar(total: int | None) -> Iterator[Callable[[Tally, float], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn

    columns = (SpinnerColumn(), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]}"))
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=total, rate="starting")

        def show(tally: Tally, rate: float) -> None:
            left = "" if total is None or not rate else f" · {_duration((total - tally.rows) / rate)} left"
            bar.update(task, completed=tally.rows, rate=f"{rate:,.1f}/s{left} · {_problems(tally)}")

        yield show
