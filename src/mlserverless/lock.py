"""One at a time, over threads and processes: an advisory lock on a file, which ends with its process."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from mlserverless.deadline import Deadline

POLL_S = 0.05


@contextmanager
def locked(path: str, deadline: Deadline) -> Iterator[bool]:
    """Hold the lock on the file ``path`` for the ``with`` block; False where it was not free by the ``deadline``.

    The file is made where it is missing and stays. Raises OSError where that cannot be done.
    """
    import fcntl

    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        while not (mine := _taken(file, fcntl.LOCK_EX | fcntl.LOCK_NB)) and deadline.remaining() > 0:
            time.sleep(POLL_S)
        yield mine
    finally:
        os.close(file)


def _taken(file: int, how: int) -> bool:
    import fcntl

    try:
        fcntl.flock(file, how)
    except BlockingIOError:
        return False
    return True
