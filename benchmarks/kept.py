"""Processes that are kept and asked in turn, a few requests each: the machine's speed drifts within seconds."""

import contextlib
import json
import statistics
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from tempfile import TemporaryFile
from typing import IO, Any, NamedTuple

from benchmarks.children import EMPTY, Command, Failed, environment

AT_A_TIME = 3  # requests: what the last one left in the caches is gone with the first of them
UNCOUNTED = 2  # turns, that warm up
END_S = 10.0


class Spent(NamedTuple):
    """What requests took, one after the other: the median in milliseconds, CPU milliseconds for each."""

    wall: float
    cpu: float


class Kept:
    """A process that has given its ``first`` answer and waits to be asked again (benchmarks/subjects/again.py)."""

    def __init__(self, process: "subprocess.Popen[str]", errors: IO[str]) -> None:
        self._process, self._errors = process, errors
        self.first = self._line()

    def ask(self, requests: int) -> Spent:
        """Return what so many requests took; raise Failed where it ends, as it does where it answers wrongly."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # the line that is missing says so
            self._process.stdin.write(f"{requests}\n")
            self._process.stdin.flush()
        told: dict[str, Any] = json.loads(self._line())
        return Spent(statistics.median(told["ms"]), 1000 * told["cpu_s"] / requests)

    def _line(self) -> str:
        assert self._process.stdout is not None
        if line := self._process.stdout.readline().strip():
            return line
        self._errors.seek(0)
        told = self._errors.read().strip().splitlines()[-12:]
        raise Failed(f"{self._process.args} ended with {self._process.wait()}: " + "\n".join(told))


@contextmanager
def kept(command: Command) -> Iterator[Kept]:
    """Yield the process of ``command``, with which it ends when the block does."""
    EMPTY.mkdir(parents=True, exist_ok=True)
    with TemporaryFile("w+", errors="replace") as errors:
        process = subprocess.Popen(
            list(command.argv),
            cwd=EMPTY,
            env=environment(command.env),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        try:
            yield Kept(process, errors)
        finally:
            with contextlib.suppress(BrokenPipeError, subprocess.TimeoutExpired):
                process.communicate(timeout=END_S)  # its input ends, and so does it
            process.kill()
            process.wait()


def in_turn(commands: Mapping[str, Command], turns: int) -> dict[str, list[Spent]]:
    """Return what ``turns`` took of each command, all of them side by side; each turn begins with another one.

    Raises Failed where they do not answer alike.
    """
    found: dict[str, list[Spent]] = {name: [] for name in commands}
    names = list(commands)
    with contextlib.ExitStack() as stack:
        processes = {name: stack.enter_context(kept(command)) for name, command in commands.items()}
        if len({process.first for process in processes.values()}) != 1:
            raise Failed(f"the answers differ: { {name: process.first for name, process in processes.items()} }")
        for turn in range(UNCOUNTED + turns):
            at = turn % len(names)
            for name in names[at:] + names[:at]:
                spent = processes[name].ask(AT_A_TIME)
                if turn >= UNCOUNTED:
                    found[name].append(spent)
    return found
