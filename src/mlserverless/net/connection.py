"""A connection to one checked address, every operation of which ends with the deadline.

The name is resolved once; if any of its addresses is denied the host is refused, and the connection is made to an
address of that same answer, so a second answer cannot differ. Sockets' own timeouts are per read, which
dripping bytes outlast: here each read gets what is left of the one deadline.
"""

import io
import socket
import threading
from http.client import HTTPConnection
from typing import Any

from mlserverless.deadline import Deadline
from mlserverless.errors import ImageTooLarge, SourceBlocked, SourceError, SourceNotFound, SourceTimeout
from mlserverless.net.addresses import is_public
from mlserverless.net.url import Url

NOT_FOUND = {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)}
FRAMING = 1 << 20  # bytes for headers; chunks' own framing may be as long as the body
_contexts: list[Any] = []


class GuardedConnection(HTTPConnection):
    """An ``HTTPConnection`` to ``url``'s host, checked and timed as the module says."""

    def __init__(self, url: Url, deadline: Deadline, *, max_bytes: int, allow_private: bool) -> None:
        super().__init__(url.host, url.port)
        self._url, self._deadline, self._allow_private = url, deadline, allow_private
        self._most = 2 * max_bytes + FRAMING

    def connect(self) -> None:
        """Resolve, check, connect; for https also verify the certificate against the host name."""
        raw = _connect(self._url, self._deadline, allow_private=self._allow_private)
        try:
            sock = self._secure(raw) if self._url.scheme == "https" else raw
            self.sock: Any = TimedSocket(sock, self._deadline, self._most)
        except BaseException:
            raw.close()
            raise

    def _secure(self, raw: socket.socket) -> socket.socket:
        import ssl  # a plain-http origin does not pay for it

        if not _contexts:
            _contexts.append(ssl.create_default_context())  # 37 ms: it reads the whole CA file
        secured: ssl.SSLSocket = _contexts[0].wrap_socket(
            raw, server_hostname=self._url.host, do_handshake_on_connect=False
        )
        try:
            secured.settimeout(_left(self._deadline))
            secured.do_handshake()
        except BaseException:
            secured.close()  # ``raw`` has handed its descriptor over
            raise
        return secured


class TimedSocket:
    """The three calls that ``http.client`` makes of a socket, each with the time that is left.

    At most ``most`` bytes are read, headers and framing included: ``http.client`` itself takes a chunk of the size
    -1 for all that is to come.
    """

    def __init__(self, sock: socket.socket, deadline: Deadline, most: int) -> None:
        self._sock, self._deadline, self._most = sock, deadline, most
        self._lent = False

    def sendall(self, data: bytes) -> None:
        """Send all of ``data``; the socket's timeout counts for the whole call."""
        self._sock.settimeout(_left(self._deadline))
        self._sock.sendall(data)

    def makefile(self, mode: str) -> io.BufferedReader:
        """Return a buffered reader (``mode`` is always "rb") whose every read is timed."""
        assert mode == "rb"
        self._lent = True
        return io.BufferedReader(_TimedReader(self._sock, self._deadline, self._most))

    def close(self) -> None:
        """Close the socket, unless a reader has it: ``http.client`` closes this end before the body is read."""
        if not self._lent:
            self._sock.close()


class _TimedReader(io.RawIOBase):
    def __init__(self, sock: socket.socket, deadline: Deadline, most: int) -> None:
        self._sock, self._deadline, self._left = sock, deadline, most

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._sock.settimeout(_left(self._deadline))
        received = self._sock.recv_into(buffer)
        self._left -= received
        if self._left < 0:
            raise ImageTooLarge("The image's origin sent far more bytes than are accepted.")
        return received

    def close(self) -> None:
        self._sock.close()
        super().close()


def _left(deadline: Deadline) -> float:
    if (left := deadline.remaining()) <= 0:
        raise TimeoutError
    return min(left, threading.TIMEOUT_MAX)


def _connect(url: Url, deadline: Deadline, *, allow_private: bool) -> socket.socket:
    found = _resolve(url, deadline)
    if not allow_private and not all(is_public(address[0]) for _, address in found):
        raise SourceBlocked(f"{url.host} leads to an address that is not on the public internet.")
    failure: OSError = TimeoutError()
    for family, address in found:
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.settimeout(_left(deadline))
            sock.connect(address)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if not allow_private and not is_public(sock.getpeername()[0]):
                raise SourceBlocked(f"{url.host} led to an address that is not on the public internet.")
        except OSError as error:
            sock.close()
            failure = error
        except BaseException:
            sock.close()
            raise
        else:
            return sock
    raise failure


def _resolve(url: Url, deadline: Deadline) -> list[tuple[int, Any]]:
    # getaddrinfo cannot be given a timeout, so it runs aside; a thread that it holds up is left behind.
    answer: list[Any] = []

    def ask() -> None:
        try:
            answer.append(socket.getaddrinfo(url.host, url.port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            answer.append(error)

    asking = threading.Thread(target=ask, name="getaddrinfo", daemon=True)
    asking.start()
    asking.join(_left(deadline))
    if not answer:
        raise SourceTimeout(f"The name {url.host} was not resolved within {deadline.seconds:.3g} s.")
    if isinstance(answer[0], socket.gaierror) and answer[0].errno not in NOT_FOUND:
        raise SourceError(f"The name {url.host} cannot be resolved just now.") from answer[0]
    if isinstance(answer[0], Exception):
        raise SourceNotFound(f"There is no host named {url.host}.") from answer[0]
    return [(entry[0], entry[4]) for entry in answer[0]]
