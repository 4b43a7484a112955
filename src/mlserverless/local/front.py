"""A small HTTP front for the runtimes that speak no HTTP themselves (Lambda's, Azure's Python worker).

It only carries bytes: what a request means is the runtime's business, and so is every status but 502.
"""

import sys
import threading
import traceback
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

from mlserverless.web.http import HttpRequest, HttpResponse

POLL_SECONDS = 0.05  # how long close() may take
NEVER_SENT = {"content-length", "connection", "transfer-encoding"}  # the front's own business

Handle = Callable[[HttpRequest], HttpResponse]


class Front:
    """Serve ``handle`` on ``host:port`` (0: any free port) from a background thread until :meth:`close`.

    ``handle`` is called from one thread a connection, so it must be safe to call in parallel. An exception
    in it is answered as a plain 502, as a gateway before a broken function answers, and printed to stderr.
    """

    def __init__(self, handle: Handle, host: str = "127.0.0.1", port: int = 0) -> None:
        self._server = _Server((host, port), _handler(handle))
        self.host, self.port = host, int(self._server.server_address[1])
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(POLL_SECONDS,), name="front", daemon=True
        )
        self._thread.start()

    @property
    def url(self) -> str:
        """The address to ask, without a slash at its end."""
        return f"http://{self.host}:{self.port}"

    def close(self) -> None:
        """Stop listening and wait for the thread to end."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


def _handler(handle: Handle) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def answer(self) -> None:
            if "Transfer-Encoding" in self.headers:
                self.close_connection = True
                self.send_error(411, explain="give the body's Content-Length; chunks are not read here")
                return
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers: dict[str, str] = {}
            for name, value in self.headers.items():
                key = name.lower()
                headers[key] = f"{headers[key]}, {value}" if key in headers else value
            path, _, query = self.path.partition("?")
            try:
                response = handle(HttpRequest(self.command, unquote(path), query, headers, body))
            except Exception:  # noqa: BLE001 - a broken function must not end its front
                traceback.print_exc(file=sys.stderr)
                response = HttpResponse(502, (("Content-Type", "text/plain"),), b"the function crashed\n")
            self.send_response_only(response.status)
            for name, value in response.headers:
                if name.lower() not in NEVER_SENT:
                    self.send_header(name, value)
            bodiless = response.status in (204, 304) or (self.command == "HEAD" and not response.body)
            if not bodiless:
                self.send_header("Content-Length", str(len(response.body)))
            self.end_headers()
            if self.command != "HEAD" and not bodiless:
                self.wfile.write(response.body)

        do_GET = do_POST = do_HEAD = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = do_TRACE = do_QUERY = answer

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing: the function logs its own requests."""

    return Handler
