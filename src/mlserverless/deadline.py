"""One time budget, handed down through every stage.

A stage asks for what is left and never for a fixed time, so the sum of the stages cannot exceed what the
platform granted, however the time was spent.
"""

import os
from collections.abc import Callable
from time import monotonic

from mlserverless.errors import DeadlineExceeded

FOREVER = float("inf")
MARGIN_S = 0.5  # kept from what the platform grants, to answer before it ends the request


class Deadline:
    """A point in time, ``seconds`` from now on the monotonic clock; ``None`` for no limit."""

    __slots__ = ("_clock", "_end", "seconds")

    def __init__(self, seconds: float | None = None, *, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self.seconds = FOREVER if seconds is None else seconds
        self._end = clock() + self.seconds

    def remaining(self) -> float:
        """Return the seconds left: at most 0.0 once it has passed, infinite where there is no limit."""
        return max(0.0, self._end - self._clock())

    def within(self, seconds: float) -> "Deadline":
        """Return the nearer of this deadline and one ``seconds`` from now."""
        return Deadline(min(seconds, self.remaining()), clock=self._clock)

    def less(self, seconds: float) -> "Deadline":
        """Return the deadline ``seconds`` before this one, for a stage that others follow."""
        return Deadline(max(0.0, self.remaining() - seconds), clock=self._clock)

    def check(self, stage: str) -> None:
        """Raise DeadlineExceeded, naming the ``stage`` that was to come, once no time is left."""
        if self.remaining() <= 0.0:
            raise DeadlineExceeded(f"The {self.seconds:.3g} s granted to this request were over before {stage}.")


def granted(seconds: float) -> Deadline:
    """Return the deadline of a request that the platform ends ``seconds`` from now: a margin before that."""
    return Deadline(max(0.0, seconds - MARGIN_S))


def cloud_run() -> Deadline:
    """Return the deadline of a request to Cloud Run, whose timeout CLOUD_RUN_TIMEOUT_SECONDS says, if anything."""
    seconds = os.environ.get("CLOUD_RUN_TIMEOUT_SECONDS", "")
    return granted(float(seconds)) if seconds.isascii() and seconds.isdigit() else Deadline()
