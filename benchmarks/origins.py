"""A loopback origin in a process of its own: files from memory over HTTP/1.1, kept alive, after a delay if asked.

The delay is between a request and its answer; connecting over loopback takes none. As a script: FOLDER DELAY,
prints its port.
"""

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

TYPES = {".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".png": "image/png", ".webp": "image/webp"}


@contextmanager
def served(folder: Path, delay: float = 0.0) -> Iterator[str]:
    """Serve ``folder``'s files and yield "http://127.0.0.1:PORT"; each answer comes ``delay`` seconds late."""
    argv = [sys.executable, __file__, str(folder), str(delay)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def _answers(folder: Path) -> dict[bytes, bytes]:
    found = {}
    for path in sorted(folder.iterdir()):
        if path.is_file():
            body = path.read_bytes()
            kind = TYPES.get(path.suffix.lower(), "application/octet-stream")
            head = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
            found[f"/{path.name}".encode()] = head.encode() + body
    return found


def _serve(connection: socket.socket, answers: dict[bytes, bytes], delay: float) -> None:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with connection:
        kept = b""
        while True:
            while b"\r\n\r\n" not in kept:
                if not (piece := connection.recv(65536)):
                    return
                kept += piece
            head, _, kept = kept.partition(b"\r\n\r\n")
            words = head.split(b"\r\n", 1)[0].split(b" ")
            missing = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
            answer = answers.get(words[1].partition(b"?")[0], missing)
            if delay:
                time.sleep(delay)
            connection.sendall(answer)
            if words[2] == b"HTTP/1.0" or b"connection: close" in head.lower():
                return


def main() -> None:
    """Serve until ended."""
    answers, delay = _answers(Path(sys.argv[1])), float(sys.argv[2])
    listening = socket.create_server(("127.0.0.1", 0), backlog=256)
    print(listening.getsockname()[1], flush=True)
    while True:
        connection, _ = listening.accept()
        threading.Thread(target=_serve, args=(connection, answers, delay), daemon=True).start()


if __name__ == "__main__":
    main()
