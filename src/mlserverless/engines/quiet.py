"""One line of LiteRT's, for which it has no switch, kept out of the function's log."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_stderr = threading.Lock()  # two threads that swap it at once would leave one's stand-in there for good


@contextmanager
def quiet() -> Iterator[None]:
    """Leave out, in the ``with`` block, that XNNPACK is used: the first model compiled writes it to stderr.

    Whatever else is written meanwhile, by any thread, is written again at the block's end.
    """
    with _stderr:
        try:
            saved, caught = os.dup(2), os.memfd_create("stderr")
        except (AttributeError, OSError):  # not Linux, or no stderr
            yield
            return
        os.dup2(caught, 2)
        try:
            yield
        finally:
            os.dup2(saved, 2)
            os.lseek(caught, 0, os.SEEK_SET)
            with open(caught, "rb") as text, open(saved, "wb") as stderr:
                stderr.writelines(line for line in text if b"XNNPACK delegate for CPU" not in line)
