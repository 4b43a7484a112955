"""The images' origin: an HTTP server on this machine in a process of its own, so that downloads are real ones."""

import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

CODE = "import sys; from mlserverless.measure import origin; origin.main(sys.argv[1:])"


@contextmanager
def serving(files: Sequence[Path]) -> Iterator[list[str]]:
    """Serve ``files`` for the ``with`` block; return their URLs, in order."""
    command = [sys.executable, "-P", "-c", CODE, *(str(file.resolve()) for file in files)]
    # It ends when its standard input is closed: at the end of the block, and also where this process is killed.
    # A Ctrl-C is not for it.
    with subprocess.Popen(  # noqa: S603 - our own words
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    ) as process:
        port = int(next(iter(process.stdout or ())))
        yield [f"http://127.0.0.1:{port}/{index}" for index in range(len(files))]


def main(files: list[str]) -> None:
    """Serve ``files`` at ``/0``, ``/1`` … on a free port, print the port, and end with standard input."""
    server = make([Path(file).read_bytes() for file in files])
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    print(server.server_port, flush=True)
    sys.stdin.read()
    server.shutdown()
    server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True  # connections that are kept must not keep it running
    block_on_close = False


def make(bodies: Sequence[bytes]) -> ThreadingHTTPServer:
    """Return the server, not yet running."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1  # headers and body in one write: two would wait for the client's acknowledgement

        def do_GET(self) -> None:
            """Answer with the file of that number."""
            number = self.path.removeprefix("/")
            found = number.isdigit() and int(number) < len(bodies)
            body = bodies[int(number)] if found else b""
            self.send_response_only(200 if found else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    return _Server(("127.0.0.1", 0), Handler)
