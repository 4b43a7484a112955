"""A socket as ``http.client`` uses it, held to one deadline and to a number of bytes.

Sockets' own timeouts are per read, which dripping bytes outlast: here each read gets what is left of the deadline.
"""

import io
import threading
from http.client import HTTPException
from typing import Any

from mlserverless.deadline import Deadline
from mlserverless.errors import ImageTooLarge

BUFFER = 8192  # bytes read ahead
# Bytes before the body (curl takes 300 kB, nginx 8 to 32 kB), with what the buffer may hold of the body by then.
# http.client itself takes 100 headers of 64 KiB each.
HEAD = (64 << 10) + BUFFER


class HeadTooLarge(HTTPException):
    """The status line and headers have more than ``HEAD`` bytes."""


class TimedSocket:
    """The calls that ``http.client`` makes of a socket, each with the time and the bytes that are left.

    ``begin_by`` is when the answer is to have begun. ``left`` is how many bytes may have been ``received`` by now,
    headers and framing included: ``http.client`` itself takes a chunk of the size -1 for all that is to come.
    ``left_over``: more had come than the answer; ``ended``: the other side has nothing more to say.
    """

    def __init__(self, sock: Any, deadline: Deadline) -> None:
        self._sock, self._deadline, self.begin_by = sock, deadline, deadline
        self.left, self.received, self.left_over = HEAD, 0, False
        self.ended = False

    def sendall(self, data: bytes) -> None:
        """Send all of ``data``; the socket's timeout counts for the whole call."""
        self._sock.settimeout(time_left(self.begin_by))
        self._sock.sendall(data)

    def makefile(self, mode: str) -> io.BufferedReader:  # noqa: ARG002 - http.client's is always "rb"
        """Return a buffered reader whose every read is timed."""
        return _Buffered(_Raw(self), BUFFER)

    def close(self) -> None:
        """Leave the socket as it is: ``http.client`` closes its end before the body is read."""

    def receive(self, buffer: Any) -> int:
        """Read what has come, waiting as long as there is time."""
        self._sock.settimeout(time_left(self._deadline if self.received else self.begin_by))
        count: int = self._sock.recv_into(buffer)
        self.received += count
        self.ended = not count
        if self.received > self.left:
            if self.left == HEAD:
                raise HeadTooLarge
            raise ImageTooLarge("The image's origin sent far more bytes than are accepted.")
        return count


class _Raw(io.RawIOBase):
    def __init__(self, timed: TimedSocket) -> None:
        self.timed, self.ended = timed, False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return 0 if self.ended else self.timed.receive(buffer)


class _Buffered(io.BufferedReader):
    def close(self) -> None:
        if not self.closed:
            raw: Any = self.raw
            raw.ended = True  # what is read now is what the buffer holds: nothing more is asked of the socket
            raw.timed.left_over = bool(self.peek(1))
        super().close()


def time_left(deadline: Deadline) -> float:
    """Return the seconds left, as a socket takes them; raise TimeoutError where there are none."""
    if (left := deadline.remaining()) <= 0:
        raise TimeoutError
    return min(left, threading.TIMEOUT_MAX)
