"""An HTTP origin on 127.0.0.1 that sends exactly the bytes a test tells it to, well-formed or not."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

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
    """Answers path after path with what ``replies`` holds for it; keeps the requests' heads."""

    def __init__(self, replies: dict[str, Reply], context: ssl.SSLContext | None = None) -> None:
        self.replies, self.requests, self.stopped = replies, list[str](), threading.Event()
        self._context = context
        self._listener = socket.create_server(("127.0.0.1", 0))
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
        for _ in range(MAX_CONNECTIONS):
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(10)
        with suppress(OSError), connection:
            if self._context:
                connection = self._context.wrap_socket(connection, server_side=True)
            with connection:
                head = b""
                while b"\r\n\r\n" not in head and (more := connection.recv(65536)):
                    head += more
                if not head:
                    return
                self.requests.append(head.decode("latin-1"))
                reply = self.replies[head.split(b" ")[1].decode("latin-1")]
                if isinstance(reply, bytes):
                    connection.sendall(reply)
                else:
                    reply(self, connection)

    def close(self) -> None:
        self.stopped.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(12)


@contextmanager
def serving(replies: dict[str, Reply], context: ssl.SSLContext | None = None) -> Iterator[Origin]:
    """Run an :class:`Origin` for the ``with`` block."""
    origin = Origin(replies, context)
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
