"""An origin for `killed`: one thread, connections kept, answers from memory, some of them failures at first.

As a script: FOLDER with a .jpg file each photo; prints its port. A URL is /NUMBER.jpg, its photo that number
modulo the photos. /stats answers how many photos were sent and the CPU seconds taken, in JSON.
"""

import json
import selectors
import socket
import sys
import time
from pathlib import Path

GONE, FAILING, RESETTING = 997, 211, 307  # each so many-th number is answered 404; 503 or a reset, the first time
RESET = b"\x01\x00\x00\x00\x00\x00\x00\x00"


def is_gone(number: int) -> bool:
    """Whether there is no image at this number, however often it is asked for."""
    return number % GONE == GONE - 1


def _answer(status: str, body: bytes) -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


class Origin:
    """Answers whatever connection has asked, in turn."""

    def __init__(self, photos: list[bytes]) -> None:
        self._photos = [_answer("200 OK", photo) for photo in photos]
        self._failed = set[int]()
        self._sent = 0
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self._waiting = selectors.DefaultSelector()
        self._waiting.register(self._listener, selectors.EVENT_READ)
        self.port = self._listener.getsockname()[1]

    def serve(self) -> None:
        """Answer for ever."""
        while True:
            for key, _ in self._waiting.select():
                if key.fileobj is self._listener:
                    connection, _ = self._listener.accept()
                    self._waiting.register(connection, selectors.EVENT_READ)
                elif not self._one(key.fileobj):
                    self._waiting.unregister(key.fileobj)
                    key.fileobj.close()

    def _one(self, connection: socket.socket) -> bool:
        # Whether the connection stays open. A request's head comes in one piece over loopback.
        try:
            head = connection.recv(8192)
            if not head:
                return False
            path = head[5 : head.index(b" ", 5)]
            answer = self._stats() if path == b"stats" else self._reply(int(path.partition(b".")[0]))
            if not answer:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                return False
            connection.sendall(answer)
        except OSError:
            return False
        return True

    def _reply(self, number: int) -> bytes:
        if is_gone(number):
            return _answer("404 Not Found", b"")
        if number not in self._failed and (number % FAILING == 0 or number % RESETTING == 0):
            self._failed.add(number)
            return b"" if number % RESETTING == 0 else _answer("503 Service Unavailable", b"")
        self._sent += 1
        return self._photos[number % len(self._photos)]

    def _stats(self) -> bytes:
        told = {"sent": self._sent, "cpu": time.process_time(), "failed": len(self._failed)}
        return _answer("200 OK", json.dumps(told).encode())


if __name__ == "__main__":
    origin = Origin([path.read_bytes() for path in sorted(Path(sys.argv[1]).glob("*.jpg"))])
    print(origin.port, flush=True)
    origin.serve()
