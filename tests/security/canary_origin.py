"""An origin, and a stand-in for every object store, that ends as the path says and repeats what it was asked."""

import re
import struct
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import SO_LINGER, SOL_SOCKET
from threading import Thread

from helpers.images import encode, gradient

MARK = "c4n4ry"
TOKEN = re.compile(MARK + r"\d{6}", re.I)
SLOW_S = 2.0  # longer than any download's timeout here
MAX_BYTES = 100_000
IMAGE = encode(gradient(8, 6))
WORDS = re.compile(r"/(ok|404|403|500|slow|reset|loop|text|cut|large|echo-\w+|away-\w+)\b")
# How a download may end, by the path that brings it about.
OUTCOMES = ("ok", "404", "403", "500", "slow", "reset", "loop", "text", "cut", "large", "fault")
ECHOES = ("echo-reason", "echo-encoding", "echo-length", "echo-chunk", "echo-header", "echo-body")
AWAY = ("away-query", "away-user", "away-port", "away-scheme", "away-bracket", "away-idna", "away-tls")


class CanaryOrigin:
    """Serve on loopback until :meth:`close`."""

    def __init__(self) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])
        Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        found = WORDS.search(self.path.partition("?")[0])
        word = found[1] if found else "404"
        token = "".join(TOKEN.findall(self.path)[:1])
        if word == "reset":
            self.connection.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
        elif word == "slow":
            time.sleep(SLOW_S)
        elif word == "loop":
            self._say(302, b"", Location=self.path)
        elif word.startswith("away"):
            self._say(302, b"", Location=_away(word, token, int(self.server.server_address[1])))
        elif word == "echo-reason":
            self._raw(f"HTTP/1.1 404 No {self.path}\r\n\r\n")
        elif word == "echo-chunk":
            self._raw(f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{token}\r\n{token}")
        elif word == "echo-length":
            self._raw(f"HTTP/1.1 200 OK\r\nContent-Length: {self.path}\r\n\r\n")
        elif word == "echo-header":
            self._raw(f"HTTP/1.1 200 OK\r\n{self.path}\r\n\r\n")
        elif word == "echo-encoding":
            self._say(200, IMAGE, Content_Encoding=self.path)
        else:
            bodies = {"ok": IMAGE, "cut": IMAGE[:40], "large": bytes(MAX_BYTES + 1), "text": b"This is no image."}
            status = int(word) if word.isdigit() else 200
            self._say(status, bodies.get(word, self.path.encode()))

    do_HEAD = do_GET

    def _say(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if "Content_Encoding" not in headers:  # what the stores' clients want of an object
            self.send_header("ETag", '"1"')
            self.send_header("Last-Modified", "Mon, 23 Nov 2026 00:00:00 GMT")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _raw(self, text: str) -> None:
        self.wfile.write(text.encode("latin-1", "replace"))

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: what this origin was asked is no leak of ours."""


def _away(word: str, token: str, port: int) -> str:
    here = f"127.0.0.1:{port}"
    return {
        "query": f"/404?X-Amz-Signature={token}",
        "user": f"http://user:{token}@{here}/ok",
        "port": f"http://127.0.0.1:{token}/ok",
        "scheme": f"ftp://{here}/ok?sig={token}",
        "bracket": f"http://user:{token}@[::1/ok?sig={token}",
        "idna": f"http://user:{token}@ho\u2100st/".encode().decode("latin-1"),
        "tls": f"https://{here}/ok?sig={token}",
    }[word.removeprefix("away-")]
