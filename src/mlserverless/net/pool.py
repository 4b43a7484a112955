"""Connections kept open between requests, so that a warm function need not connect and shake hands again.

Each is to an address that was checked when it was made, and is lent only for the same scheme, host and port and
under the same address policy. What the origin says while nobody asks is never read as an answer: a connection on
which something waits is dropped.
"""

import atexit
import os
import threading
from time import time
from typing import Any

from mlserverless.named_tuple import NamedTuple
from mlserverless.net.timed import readable

MOST = 16  # connections kept, over all origins: as many as a batch has under way
IDLE_S = 30.0  # of the wall clock, which goes on while a function is frozen


class Key(NamedTuple):
    """What a connection may be lent for."""

    scheme: str
    host: str
    port: int
    allow_private: bool


_lock = threading.Lock()
_idle: list[tuple[Key, Any, float]] = []  # the longest idle first


def take(key: Key) -> Any:
    """Return a connected socket for ``key`` that looks alive, or None."""
    while True:
        with _lock:
            found = next((entry for entry in reversed(_idle) if entry[0] == key), None)
            if found is None:
                return None
            _idle.remove(found)
        _, sock, since = found
        # An idle connection has nothing to say: what can be read is its end, or an answer that nobody asked for.
        if 0 <= time() - since < IDLE_S and not readable(sock):
            return sock
        sock.close()


def put(key: Key, sock: Any) -> None:
    """Keep ``sock``, over which one whole answer has come and nothing after it."""
    with _lock:
        _idle.append((key, sock, time()))
        dropped = _idle.pop(0) if len(_idle) > MOST else None
    if dropped:
        dropped[1].close()


def clear() -> None:
    """Close every connection that is kept."""
    with _lock:
        dropped = _idle[:]
        _idle.clear()
    for _, sock, _ in dropped:
        sock.close()


def _forget() -> None:
    # Two processes that share a connection would read each other's answers.
    global _lock
    _lock = threading.Lock()
    clear()


atexit.register(clear)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
