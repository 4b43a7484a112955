"""What gcp_storage_emulator leaves out of Cloud Storage's XML API, in a proxy in front of it.

This part is ours, and no test of Google's own: the ETag, without which obstore reads nothing; HEAD and DELETE;
``?generation=``, which the emulator ignores; and the precondition ``x-goog-if-generation-match``, which it ignores
too, so that it would overwrite what is to be created only. The objects, their generations and times are the
emulator's.
"""

import json
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from email.utils import format_datetime
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

Answer = tuple[int, dict[str, str], bytes]


class Proxy:
    """Serves until :meth:`close`. ``written`` counts the writes of each path that were let through."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._lock = Lock()  # what is looked up holds until it is written
        self.written: Counter[str] = Counter()
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                given = {name.lower(): value for name, value in self.headers.items()}
                try:
                    status, headers, data = proxy._answer(self.command, self.path, body, given)
                except (OSError, HTTPException):
                    status, headers, data = 503, {}, b"the emulator does not answer"
                self.send_response_only(status)
                for name, value in {"Content-Length": str(len(data)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(data)

            do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = answer

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: Any, client_address: Any) -> None:
                """Say nothing: whoever asked was killed."""

        self._server = Server((host, 0), Handler)
        self.url = f"http://{host}:{self._server.server_port}"
        self._thread = Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _answer(self, method: str, target: str, body: bytes, given: Mapping[str, str]) -> Answer:
        parts = urlsplit(target)
        bucket, _, key = parts.path.lstrip("/").partition("/")
        if not key:
            return self._send(method, target, body)
        resource = f"/storage/v1/b/{bucket}/o/{quote(unquote(key), safe='')}"
        with self._lock:
            found = self._resource(resource)
            wanted = given.get("x-goog-if-generation-match")
            if wanted is not None and wanted != (found or {}).get("generation", "0"):
                return 412, {}, b"<Error><Code>PreconditionFailed</Code></Error>"
            if method == "PUT":
                status, _, data = self._send("PUT", parts.path, body)
                self.written[unquote(parts.path)] += status == 200
                return status, _told(self._resource(resource) or {}), data
            generation = parse_qs(parts.query).get("generation", [None])[0]
            if found is None or generation not in (None, found["generation"]):
                return 404, {}, b"<Error><Code>NoSuchKey</Code></Error>"
            if method == "DELETE":
                status, _, data = self._send("DELETE", resource)
                return 204 if status == 200 else status, {}, data
            if method == "HEAD":
                return 200, {**_told(found), "Content-Length": str(found["size"])}, b""
            status, _, data = self._send(method, parts.path)
            return status, _told(found), data

    def _resource(self, path: str) -> dict[str, Any] | None:
        status, _, data = self._send("GET", path)
        return dict(json.loads(data)) if status == 200 else None

    def _send(self, method: str, target: str, body: bytes = b"") -> Answer:
        connection = HTTPConnection(self._host, self._port, timeout=30)
        try:
            connection.request(method, target, body)
            answer = connection.getresponse()
            return answer.status, {}, answer.read()
        finally:
            connection.close()


def _told(resource: Mapping[str, Any]) -> dict[str, str]:
    """Return an object's headers."""
    if not resource:
        return {}
    changed = datetime.fromisoformat(str(resource["updated"]))
    return {
        "ETag": f'"{resource["etag"]}"',
        "Content-Type": str(resource["contentType"]),
        "Last-Modified": format_datetime(changed, usegmt=True),
        "x-goog-generation": str(resource["generation"]),
    }
