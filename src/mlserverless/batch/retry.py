"""When what may pass is tried again: exponential backoff with jitter, and what the other side asks for."""

import random
import time
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from typing import Any

from mlserverless.named_tuple import NamedTuple

LONGEST = 100  # characters of a header that are read
ASKED_MOST_S = 300.0  # what a Retry-After may ask for: a longer one would hold up a whole run


class Retry(NamedTuple):
    """``retries`` tries after the first one; pauses double from ``first_s`` to at most ``most_s`` seconds."""

    retries: int = 3
    first_s: float = 0.5
    most_s: float = 30.0

    def pause(
        self,
        problem: Mapping[str, Any],
        attempts: int,
        asked_s: float | None = None,
        chance: Callable[[], float] = random.random,
    ) -> float | None:
        """Return for how many seconds to wait before the ``problem`` (its wire form) is tried again, or None.

        None where it will not pass, or ``attempts`` tries were all there are. Between half of the backoff and all
        of it, so that what failed together does not come back together; ``asked_s``, what a Retry-After asked for,
        is kept to: never less.
        """
        if not problem.get("retryable") or attempts > self.retries:
            return None
        backoff = min(self.first_s * 2.0 ** min(attempts - 1, 30), self.most_s) * (1 + chance()) / 2
        return backoff if asked_s is None else max(backoff, min(asked_s, ASKED_MOST_S))


def retry_after(header: str | None, now: Callable[[], float] = time.time) -> float | None:
    """Return the seconds that a Retry-After ``header`` asks for, None for none that can be read.

    Both forms are read: whole seconds, and a date (RFC 9110, 10.2.3).
    """
    text = (header or "").strip()[:LONGEST]
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - now())
    except (ValueError, OverflowError, TypeError, IndexError):  # it is somebody else's text
        return None
