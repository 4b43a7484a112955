"""An HTTP origin on 127.0.0.1 that sends exactly the bytes a test tells it to, well-formed or not."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from typing import Any

Reply = bytes | Callable[["Origin", socket.socket], None]
MAX_CONNECTIONS = 200


def response(body: bytes = b"", status: str = "200 OK", **headers: str) -> bytes:
    """Return a whole HTTP/1.1 response; Content-Length is added unless ``headers`` give a length of their own."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    if not {"Content-Length", "Transfer-Encoding"} & set(given):
        given["Content-Length"] = str(len(body))
    lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in given.items())]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


class Origin:
    """Answers path after path with what ``replies`` holds for it; keeps the requests' heads.

    A connection serves one request, but for :func:`keep`. ``greeting``, where given, is what every connection gets
    at once, whatever it asks. ``most`` is how many connections are taken, ``accepted`` how many were.
    """

    def __init__(
        self,
        replies: dict[str, Reply],
        context: ssl.SSLContext | None = None,
        greeting: Reply | None = None,
        most: int = MAX_CONNECTIONS,
    ) -> None:
        self.replies, self.requests, self.stopped = replies, list[str](), threading.Event()
        self.accepted = 0
        self._context, self._greeting, self._most = context, greeting, most
        self._open = set[socket.socket]()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def url(self, path: str = "/", host: str = "127.0.0.1") -> str:
        scheme = "https" if self._context else "http"
        return f"{scheme}://{host}:{self.port}{path}"

    @property
    def paths(self) -> list[str]:
        """The request targets asked for, in order."""
        return [head.split(" ")[1] for head in self.requests]

    def _accept(self) -> None:
        for _ in range(self._most):
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.accepted += 1
            thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(10)
        with suppress(OSError), connection:
            if self._context:
                connection = self._context.wrap_socket(connection, server_side=True)
            with connection:
                self._open.add(connection)
                try:
                    if self._greeting is not None:
                        self.send(connection, self._greeting)
                    elif path := self.read(connection):
                        self.send(connection, self.replies[path])
                finally:
                    self._open.discard(connection)

    def read(self, connection: socket.socket) -> str:
        """Read the head of a request and return its target, or "" where the other side has closed."""
        head = b""
        while b"\r\n\r\n" not in head and (more := connection.recv(65536)):
            head += more
        if not head:
            return ""
        self.requests.append(head.decode("latin-1"))
        return head.split(b" ")[1].decode("latin-1")

    def send(self, connection: socket.socket, reply: Reply) -> None:
        """Send ``reply``, or let it send."""
        if isinstance(reply, bytes):
            connection.sendall(reply)
        else:
            reply(self, connection)

    def close(self) -> None:
        self.stopped.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in tuple(self._open):  # a kept one waits for a request that will not come
            with suppress(OSError):
                socket.socket.shutdown(connection, socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(12)


@contextmanager
def serving(replies: dict[str, Reply], context: ssl.SSLContext | None = None, **options: Any) -> Iterator[Origin]:
    """Run an :class:`Origin` for the ``with`` block."""
    origin = Origin(replies, context, **options)
    try:
        yield origin
    finally:
        origin.close()


def drip(before: bytes, piece: bytes, seconds: float = 0.05, pieces: int = 400) -> Reply:
    """Send ``before`` at once, then ``piece`` every ``seconds``, until stopped."""

    def reply(origin: Origin, connection: socket.socket) -> None:
        connection.sendall(before)
        for _ in range(pieces):
            if origin.stopped.wait(seconds):
                return
            connection.sendall(piece)

    return reply


def flood(before: bytes, piece: bytes, pieces: int) -> Reply:
    """Send ``before``, then ``piece`` as often and as fast as the other side takes it."""

    def reply(origin: Origin, connection: socket.socket) -> None:
        connection.sendall(before)
        for _ in range(pieces):
            connection.sendall(piece)

    return reply


def reset(origin: Origin, connection: socket.socket) -> None:
    """Reset the connection without an answer."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")


def silence(origin: Origin, connection: socket.socket) -> None:
    """Say nothing until stopped."""
    origin.stopped.wait(20)


def ended(origin: Origin, connection: socket.socket) -> None:
    """Say nothing until the other side closes."""
    while connection.recv(65536):
        pass


def each(*replies: Reply) -> Reply:
    """Send one after the other, each as its own; a pause between, so that they are read apart."""

    def reply(origin: Origin, connection: socket.socket) -> None:
        for one in replies:
            origin.send(connection, one)
            origin.stopped.wait(0.05)

    return reply


def keep(*replies: Reply) -> Reply:
    """Answer as many requests of one connection, in turn, and close it after the last."""

    def reply(origin: Origin, connection: socket.socket) -> None:
        for number, one in enumerate(replies):
            if number and not origin.read(connection):
                return
            origin.send(connection, one)

    return reply


def by_connection(*replies: Reply) -> Reply:
    """Give the first connection the first of ``replies``, and so on; all later ones the last."""
    number = count()

    def reply(origin: Origin, connection: socket.socket) -> None:
        origin.send(connection, replies[min(next(number), len(replies) - 1)])

    return reply
