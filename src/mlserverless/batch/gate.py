"""How many requests an endpoint is asked at a time: fewer where it says that it is busy, more while it is not.

As TCP does it (RFC 5681): one more after as many good answers as there are turns, half as many after a refusal.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Closed(Exception):
    """The gate was closed: no more requests are to be sent."""


class Gate:
    """Turns, at most ``most`` at a time, for any number of threads."""

    def __init__(self, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._changed = threading.Condition()
        self._clock, self._most, self._limit = clock, most, float(most)
        self._busy, self._closed = 0, False
        self._halved = self._not_before = clock()

    @property
    def limit(self) -> int:
        """How many turns there are at a time now."""
        return int(self._limit)

    @contextmanager
    def turn(self) -> Iterator[float]:
        """Wait for a turn and hold it for the ``with`` block; yields when it began. Raises Closed."""
        with self._changed:
            while not self._closed and (self._busy >= self.limit or self._clock() < self._not_before):
                self._changed.wait(max(self._not_before - self._clock(), 0.0) or None)
            if self._closed:
                raise Closed
            self._busy += 1
        try:
            yield self._clock()
        finally:
            with self._changed:
                self._busy -= 1
                self._changed.notify_all()

    def good(self) -> None:
        """A turn ended with an answer."""
        with self._changed:
            self._limit = min(float(self._most), self._limit + 1 / self._limit)
            self._changed.notify_all()

    def refused(self, began: float, hold_s: float = 0.0) -> None:
        """The turn that ``began`` then was refused; nobody gets another one for ``hold_s`` seconds.

        What was under way already when the turns were halved says nothing of the new number.
        """
        with self._changed:
            now = self._clock()
            if began >= self._halved:
                self._limit, self._halved = max(1.0, self._limit / 2), now
            self._not_before = max(self._not_before, now + hold_s)

    def rest(self, seconds: float) -> None:
        """Wait for ``seconds`` without a turn; raises Closed as soon as the gate is."""
        end = self._clock() + seconds
        with self._changed:
            while not self._closed and (left := end - self._clock()) > 0:
                self._changed.wait(left)
            if self._closed:
                raise Closed

    def close(self) -> None:
        """Let everybody who waits go, with Closed."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
