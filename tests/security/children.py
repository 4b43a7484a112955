"""Work done in child processes, one a piece, so that what crashes or hangs takes only itself along."""

import os
import resource
import select
import signal
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

ENDED = 0.02  # seconds between looks at which children have ended
TOLD = 400  # characters of a crashed child's stderr that are kept


class Outcome(NamedTuple):
    """What came of one child: ``crash``, ``hang``, or the word and the text that its work returned."""

    word: str
    said: str = ""


class _Child(NamedTuple):
    number: int
    place: int
    pipe: int
    until: float


def run(
    works: Iterable[Callable[[Path], Outcome]], *, parallel: int, seconds: float
) -> Iterator[tuple[int, Outcome]]:
    """Run each work in a child forked for it, ``parallel`` at most at a time; yield its number and its outcome.

    A work is given a folder that the works after it are given again. A child that takes more than ``seconds`` is
    killed: a hang. The children are forked from here, so nothing that does not survive that may be running.
    """
    with tempfile.TemporaryDirectory() as folder:
        places = [Path(folder) / str(i) for i in range(parallel)]
        for place in places:
            place.mkdir()
        running: dict[int, _Child] = {}
        waiting = enumerate(works)
        more = True
        while more or running:
            while more and len(running) < parallel:
                if (following := next(waiting, None)) is None:
                    more = False
                    break
                free = min(set(range(parallel)) - {child.place for child in running.values()})
                pid, pipe = _fork(following[1], places[free])
                running[pid] = _Child(following[0], free, pipe, time.monotonic() + seconds)
            select.select([child.pipe for child in running.values()], [], [], ENDED) if running else None
            for pid, child in list(running.items()):
                if outcome := _ended(pid, child, places[child.place]):
                    del running[pid]
                    yield child.number, outcome


def _fork(work: Callable[[Path], Outcome], place: Path) -> tuple[int, int]:
    reading, writing = os.pipe()
    if pid := os.fork():
        os.close(writing)
        return pid, reading
    code = 1
    try:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        os.close(reading)
        os.dup2(os.open(place / "stderr", os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
        os.write(writing, "\n".join(work(place)).encode(errors="replace")[:4096])  # what a pipe takes at once
        code = 0
    finally:
        os._exit(code)  # no handler of the parent's may run here


def _ended(pid: int, child: _Child, place: Path) -> Outcome | None:
    ended, status = os.waitpid(pid, os.WNOHANG)
    late = not ended and time.monotonic() > child.until
    if late:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    elif not ended:
        return None
    word, _, said = os.read(child.pipe, 4096).decode(errors="replace").partition("\n")
    os.close(child.pipe)
    if late:
        return Outcome("hang")
    if os.WIFSIGNALED(status) or os.WEXITSTATUS(status) or not word:
        errors = (place / "stderr").read_bytes()[-TOLD:].decode(errors="replace")
        return Outcome("crash", f"status {status}: {errors}")
    return Outcome(word, said)
