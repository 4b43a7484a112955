"""A proxy before an endpoint that is busy, resets connections and is slow at random, and counts what it sees."""

import http.client
import json
import random
import socket
import struct
import threading
import time
from collections import Counter
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from math import ceil
from typing import Any
from urllib.parse import urlsplit

SLOW_S = 0.8
WAIT_S = 2  # of a Retry-After
ON_ITS_WAY_S = 0.5  # so long after a 429 may come what was sent before it had arrived: both may wait for a core


class Unruly:
    """Serves until :meth:`close`. One request in five fares badly, in four ways by turns.

    ``most``: requests that were under way at a time. ``asked_to_wait``: how often a Retry-After was sent, as
    seconds or as a date; ``early``: requests that came before it was over, of anybody after a 429, of the same
    images after a 503; ``on_its_way_s``: the latest after a 429. ``answered``: requests that were passed on and
    answered; ``told``: how many of which kind.
    """

    def __init__(self, to: str, chance: random.Random) -> None:
        self._to, self._chance, self._lock = urlsplit(to), chance, threading.Lock()
        self._under_way = self.most = self.early = self.asked_to_wait = self.answered = 0
        self._all_until = self._all_since = self.on_its_way_s = 0.0
        self._until: dict[str, float] = {}
        self.told: Counter[str] = Counter()
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()

    def forget(self) -> None:
        """Forget who was asked to wait: there is somebody else now, who was not."""
        with self._lock:
            self._all_until = 0.0
            self._until.clear()

    def begin(self, images: list[str]) -> str:
        """Note a request for ``images``, and return what becomes of it."""
        now = time.time()
        with self._lock:
            self._under_way += 1
            self.most = max(self.most, self._under_way)
            soon = any(now < self._until.get(image, 0.0) for image in images)
            if images and now < self._all_until:
                self.on_its_way_s = max(self.on_its_way_s, now - self._all_since)
                soon = soon or now - self._all_since > ON_ITS_WAY_S
            self.early += soon
            if not images or self._chance.random() > 0.2:
                return "pass"
            what = ("429", "503", "reset", "slow")[sum(self.told.values()) % 4]
            self.told[what] += 1
            return what

    def end(self, what: str) -> None:
        """Note that a request is over."""
        with self._lock:
            self._under_way -= 1
            self.answered += what in ("pass", "slow")

    def wait(self, what: str, images: list[str]) -> str:
        """Return a Retry-After, and note until when nobody, or none of these images, is to be asked for."""
        with self._lock:
            self.asked_to_wait += 1
            now = time.time()
            as_date = self._chance.random() < 0.5
            end = float(ceil(now + WAIT_S - 0.5)) if as_date else now + WAIT_S
            if what == "429":
                self._all_since, self._all_until = now, max(self._all_until, end)
            else:
                self._until |= dict.fromkeys(images, end)
        return formatdate(end, usegmt=True) if as_date else str(WAIT_S)

    def pass_on(self, method: str, target: str, headers: dict[str, str], body: bytes) -> tuple[int, str, bytes]:
        """Return the status, the content type and the body that the endpoint answers."""
        connection = http.client.HTTPConnection(self._to.hostname or "", self._to.port, timeout=60)
        try:
            connection.request(method, target, body or None, headers)
            answer = connection.getresponse()
            return answer.status, answer.headers.get("Content-Type", ""), answer.read()
        finally:
            connection.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: whoever asked was killed."""


def _handler(unruly: Unruly) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            images = _images(body)
            what = unruly.begin(images)
            try:
                self._answer(what, images, body)
            except OSError:  # whoever asked was killed
                self.close_connection = True
            finally:
                unruly.end(what)

        def _answer(self, what: str, images: list[str], body: bytes) -> None:
            if what == "reset":
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.connection.close()
                self.close_connection = True
                return
            if what in ("429", "503"):
                self._send(int(what), "text/plain", b"busy\n", unruly.wait(what, images))
                return
            if what == "slow":
                time.sleep(SLOW_S)
            kept = {name: self.headers[name] for name in ("Content-Type", "X-Request-Id") if name in self.headers}
            self._send(*unruly.pass_on(self.command, self.path, kept, body))

        def _send(self, status: int, kind: str, body: bytes, wait: str = "") -> None:
            self.send_response_only(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            if wait:
                self.send_header("Retry-After", wait)
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = answer

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    return Handler


def _images(body: bytes) -> list[str]:
    try:
        asked = json.loads(body)
    except ValueError:
        return []
    return [asked["url"]] if "url" in asked else list(asked["urls"])
