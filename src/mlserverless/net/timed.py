"""A socket that is held to one deadline.

Sockets' own timeouts are per read, which dripping bytes outlast: here each read gets what is left of the deadline.
"""

import select
import socket
import threading
from contextlib import suppress
from typing import Any

from mlserverless.deadline import Deadline

# How many bytes of a large body are waited for at a time: woken by every packet, 2 MB took 1.3 ms instead of 0.9.
AT_A_TIME = 1 << 18


class TimedSocket:
    """What is done with a connected socket, each time with the time that is left.

    ``begin_by`` is when the answer is to have begun; ``answered`` says whether it has.
    """

    __slots__ = ("_deadline", "_sock", "answered", "begin_by")

    def __init__(self, sock: Any, deadline: Deadline, begin_by: Deadline | None = None) -> None:
        self._sock, self._deadline, self.begin_by, self.answered = sock, deadline, begin_by or deadline, False

    def sendall(self, data: bytes) -> None:
        """Send all of ``data``; the socket's timeout counts for the whole call."""
        self._sock.settimeout(time_left(self.begin_by))
        self._sock.sendall(data)

    def receive(self, buffer: Any) -> int:
        """Read what has come into ``buffer``, waiting as long as there is time; return 0 where no more will."""
        self._sock.settimeout(time_left(self._deadline if self.answered else self.begin_by))
        much = len(buffer) >= AT_A_TIME and type(self._sock) is socket.socket  # TLS reads its own records
        try:
            if much:
                _wake_for(self._sock, AT_A_TIME)
            count: int = self._sock.recv_into(buffer)
        finally:
            if much:
                _wake_for(self._sock, 1)
        self.answered = self.answered or count > 0
        return count


def _wake_for(sock: socket.socket, count: int) -> None:
    with suppress(OSError):  # a system that has no such option wakes for every packet
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, count)


def readable(sock: Any, milliseconds: float = 0) -> bool:
    """Return whether something can be read from ``sock``, its end too, now or ``milliseconds`` from now."""
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(getattr(sock, "pending", int)()) or bool(poll.poll(milliseconds))


def time_left(deadline: Deadline) -> float:
    """Return the seconds left, as a socket takes them; raise TimeoutError where there are none."""
    if (left := deadline.remaining()) <= 0:
        raise TimeoutError
    return min(left, threading.TIMEOUT_MAX)
