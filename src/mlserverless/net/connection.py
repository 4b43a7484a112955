"""A connection to one checked address, as ``http.client`` drives it, kept or new."""

import socket
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any

from mlserverless.deadline import Deadline
from mlserverless.net.dial import connect
from mlserverless.net.timed import TimedSocket, time_left
from mlserverless.net.url import Url

if TYPE_CHECKING:
    import ssl

FRAMING = 1 << 20  # bytes beside the body; chunks' own framing may be as long as the body
FIRST_BYTE = 1 / 3  # the share of the time left that a kept connection gets to begin its answer
_contexts: "list[ssl.SSLContext]" = []


class GuardedConnection(HTTPConnection):
    """An ``HTTPConnection`` to ``url``'s host, every operation of which ends with the deadline.

    ``kept`` is a socket that has answered before; without one, ``connect`` makes one. Whoever made the connection
    ends it with :meth:`finish`.
    """

    def __init__(
        self, url: Url, deadline: Deadline, *, max_bytes: int, allow_private: bool, kept: Any = None
    ) -> None:
        super().__init__(url.host, url.port)
        self._url, self.deadline, self._allow_private = url, deadline, allow_private
        self.kept, self._most = kept is not None, 2 * max_bytes + FRAMING
        self._socket, self._timed = kept, TimedSocket(kept, deadline)
        if self.kept:
            self._timed.begin_by = deadline.within(deadline.remaining() * FIRST_BYTE)
            self.sock: Any = self._timed

    @property
    def answered(self) -> bool:
        """Whether a byte of the answer has come."""
        return self._timed.received > 0

    @property
    def ended(self) -> bool:
        """Whether the origin has ended the connection, as far as it was read."""
        return self._timed.ended

    def connect(self) -> None:
        """Resolve, check, connect; for https also verify the certificate against the host name."""
        raw = connect(self._url, self.deadline, allow_private=self._allow_private)
        try:
            self._socket = self._secure(raw) if self._url.scheme == "https" else raw
        except BaseException:
            raw.close()
            raise
        self.sock = self._timed = TimedSocket(self._socket, self.deadline)

    def take_body(self) -> None:
        """Let as many bytes be read as a body of ``max_bytes`` may take, framing included."""
        self._timed.left = self._most

    def finish(self, *, reuse: bool) -> Any:
        """Return the socket where it may serve another request, which only a clean one may; else close it."""
        self.close()
        if reuse and not self._timed.left_over:
            return self._socket
        if self._socket is not None:
            self._socket.close()
        return None

    def _secure(self, raw: socket.socket) -> socket.socket:
        context = trust()
        raw.getpeername()  # of one that was reset by now wrap_socket would leak the socket that it makes
        secured = context.wrap_socket(raw, server_hostname=self._url.host, do_handshake_on_connect=False)
        try:
            secured.settimeout(time_left(self.deadline))
            secured.do_handshake()
        except BaseException:
            secured.close()  # ``raw`` has handed its descriptor over
            raise
        return secured


def trust() -> "ssl.SSLContext":
    """Return what certificates are verified with, made once."""
    import ssl  # a plain-http origin does not pay for it

    if not _contexts:
        _contexts.append(ssl.create_default_context())  # 37 ms: it reads the whole CA file
    return _contexts[0]
