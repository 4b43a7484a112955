"""A connection to one checked address, kept or new, over which one GET is made before the deadline."""

import os
import socket
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mlserverless.deadline import Deadline
from mlserverless.net.dial import connect, is_address
from mlserverless.net.timed import TimedSocket, readable, time_left
from mlserverless.net.url import Url

if TYPE_CHECKING:
    import ssl

FIRST_BYTE = 1 / 3  # the share of the time left that a kept connection gets to begin its answer
AT_ONCE_MS = 3  # an answer that comes as soon as this is not worth another thread: its work costs a tenth more
TRACE_LETTERS = frozenset("0123456789abcdef-")
_making = threading.Lock()
_contexts: "list[ssl.SSLContext]" = []


class GuardedConnection:
    """A connection to ``url``'s host, every operation of which ends with the deadline.

    ``kept`` is a socket that has answered before; without one, :meth:`connect` makes one. Whoever made the
    connection ends it with :meth:`finish`.
    """

    def __init__(self, url: Url, deadline: Deadline, *, allow_private: bool, kept: Any = None) -> None:
        self._url, self.deadline, self._allow_private = url, deadline, allow_private
        self._socket, self.kept = kept, kept is not None
        begin_by = deadline.within(deadline.remaining() * FIRST_BYTE) if self.kept else deadline
        self.timed = TimedSocket(kept, deadline, begin_by)

    def connect(self) -> None:
        """Resolve, check, connect; for https also verify the certificate against the host name."""
        raw = connect(self._url, self.deadline, allow_private=self._allow_private)
        try:
            self._socket = self._secure(raw) if self._url.scheme == "https" else raw
        except BaseException:
            raw.close()
            raise
        self.timed = TimedSocket(self._socket, self.deadline)

    def ask(self, accept: str, meanwhile: Callable[[], None] | None = None, trace: str = "") -> None:
        """Send a GET for what is ``accept``-ed, connecting first where nothing was kept.

        ``meanwhile`` is called before the first long wait: for a name or a handshake, else for an answer that does
        not come at once. ``trace`` is sent as ``traceparent``; what has other letters than one has is not sent.
        """
        if self._socket is None:
            if meanwhile and (self._url.scheme == "https" or not is_address(self._url.host)):
                meanwhile()
            self.connect()
        told = f"traceparent: {trace}\r\n" if trace and TRACE_LETTERS.issuperset(trace) else ""
        # Of a parsed URL neither the target nor the host can hold a line break.
        head = (
            f"GET {self._url.target} HTTP/1.1\r\nHost: {self._url.netloc}\r\nAccept: {accept}\r\n"
            f"Accept-Encoding: identity\r\nUser-Agent: mlserverless\r\n{told}\r\n"
        )
        self.timed.sendall(head.encode("ascii"))
        if meanwhile and not readable(self._socket, AT_ONCE_MS):
            meanwhile()

    def finish(self, *, reuse: bool) -> Any:
        """Return the socket where it may serve another request; else close it."""
        if not reuse and self._socket is not None:
            self._socket.close()
        return self._socket if reuse else None

    def _secure(self, raw: socket.socket) -> socket.socket:
        context, name = trust(), self._url.host.encode("ascii")  # bytes: as for getaddrinfo
        raw.getpeername()  # of one that was reset by now wrap_socket would leak the socket that it makes
        secured = context.wrap_socket(raw, server_hostname=name, do_handshake_on_connect=False)
        try:
            secured.settimeout(time_left(self.deadline))
            secured.do_handshake()
        except BaseException:
            secured.close()  # ``raw`` has handed its descriptor over
            raise
        return secured


def _forget() -> None:
    # A fork has none of the threads that may have been making it.
    global _making
    _making = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


def trust() -> "ssl.SSLContext":
    """Return what certificates are verified with, made once."""
    import ssl  # a plain-http origin does not pay for it

    with _making:  # a batch's first requests come together
        if not _contexts:
            _contexts.append(ssl.create_default_context())  # 37 ms: it reads the whole CA file
    return _contexts[0]
