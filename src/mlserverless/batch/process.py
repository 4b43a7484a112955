"""A worker process: started, given items, read from; see :mod:`mlserverless.batch.worker`."""

import json
import os
import subprocess
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from signal import Signals
from typing import Any

from mlserverless.batch.engine import Item

READ = 1 << 18
WORDS = (sys.executable, "-P", "-m", "mlserverless.batch.worker")
LEAVE_S = 10.0


class Task:
    """An item on its way: how often it was tried, and what came of it, the wire form as text."""

    __slots__ = ("attempts", "item", "result")

    def __init__(self, item: Item) -> None:
        self.item, self.attempts = item, 0
        self.result: bytes | None = None


class Process:
    """One worker process. ``under_way`` are the tasks it has not answered, by index.

    ``suspects`` are those over one of which an earlier process died: each is tried ``alone``, before others are.
    """

    def __init__(self, wanted: dict[str, Any], suspects: Iterable[Task] = ()) -> None:
        self.under_way: dict[int, Task] = {}
        self.suspects = deque(suspects)
        self.ready, self.alone = False, False
        self._read = bytearray()
        # Few arenas for many threads: else what one thread has freed another cannot have, and memory grows.
        environment = {"MALLOC_ARENA_MAX": "2", **os.environ}
        self._child = subprocess.Popen(  # noqa: S603 - this package's own module
            WORDS, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0, env=environment
        )
        self._write(json.dumps(wanted).encode() + b"\n")

    def fileno(self) -> int:
        """Return the descriptor that answers can be waited for on."""
        assert self._child.stdout is not None
        return self._child.stdout.fileno()

    def give(self, tasks: list[Task], *, alone: bool = False) -> None:
        """Have the process try the ``tasks``."""
        self.alone = alone
        for task in tasks:
            task.attempts += 1
            self.under_way[task.item.index] = task
        self._write(b"".join(json.dumps(task.item).encode() + b"\n" for task in tasks))

    def room(self, most: int) -> int:
        """Return how many more tasks it can be given, of which ``most`` are under way at a time."""
        if not self.ready or self.suspects or (self.alone and self.under_way):
            return 0
        return most - len(self.under_way)

    def try_suspect(self) -> None:
        """Give the next suspect, where there is one and nothing else is under way."""
        if self.ready and self.suspects and not self.under_way:
            self.give([self.suspects.popleft()], alone=True)

    def lines(self) -> Iterator[bytes] | None:
        """Return the whole lines that have come, having waited for any; None once the process has ended."""
        more = os.read(self.fileno(), READ)
        if not more:
            return None
        self._read += more
        if b"\n" not in more:  # a part of a long one
            return iter(())
        *whole, rest = self._read.split(b"\n")
        self._read = rest
        return iter(map(bytes, whole))

    def ended(self) -> str:
        """Say how the process ended, once it has."""
        code = self._child.wait()
        return f"was killed by {Signals(-code).name}" if code < 0 else f"ended with {code}"

    def close(self) -> None:
        """End the process: at once where it is in the middle of something."""
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        if self.under_way or not self.ready:
            self._child.kill()
        with suppress(OSError):
            self._child.stdin.close()
        try:
            self._child.wait(LEAVE_S)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        self._child.stdout.close()

    def _write(self, data: bytes) -> None:
        assert self._child.stdin is not None
        with suppress(BrokenPipeError):  # it is told by the end of its answers that it has ended
            view = memoryview(data)
            while view:
                view = view[self._child.stdin.write(view) :]
