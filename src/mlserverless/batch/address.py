"""Where a deployed function answers, and what is sent with every request: never shown where it may be a secret."""

import http.client
import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import SplitResult, urlencode, urlsplit

from mlserverless.errors import ConfigError
from mlserverless.named_tuple import NamedTuple
from mlserverless.net.timed import readable
from mlserverless.net.url import redact

MOST_BYTES = 64_000_000  # of an answer: raw tensors of a batch may be long
TIMEOUT_S = 300.0  # each time the endpoint says nothing: as long as a function answers by default

Sign = Callable[[str, str, dict[str, str], bytes], dict[str, str]]


class Answer(NamedTuple):
    """What came back: the names of ``headers`` are lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


class Address:
    """An endpoint, its keep-alive connections, and the ``headers`` that each request has.

    ``url`` is the function's, with or without /predict; its query is sent with each request. ``sign`` returns the
    headers of a signed request (method, URL, headers, body). Raises ConfigError where ``url`` is no http(s) URL.
    """

    def __init__(
        self, url: str, headers: Mapping[str, str], sign: Sign | None = None, timeout_s: float = TIMEOUT_S
    ) -> None:
        at = _split(url)
        self.shown = redact(url)
        self._at, self._headers, self._sign, self._timeout_s = at, dict(headers), sign, timeout_s
        self._base = at.path.rstrip("/").removesuffix("/predict")
        self._context = ssl.create_default_context() if at.scheme == "https" else None
        self._lock = threading.Lock()
        self._idle: list[http.client.HTTPConnection] = []
        self._lent: set[http.client.HTTPConnection] = set()

    def ask(
        self,
        method: str,
        path: str,
        query: Mapping[str, Any],
        headers: Mapping[str, str],
        body: bytes = b"",
    ) -> Answer:
        """Return the answer to one request; raise OSError or http.client.HTTPException where none came."""
        text = "&".join(filter(None, (self._at.query, urlencode(query))))
        target = f"{self._base}{path}{'?' if text else ''}{text}"
        sent = {**self._headers, **headers}
        if self._sign is not None:
            sent = self._sign(method, f"{self._at.scheme}://{self._at.netloc}{target}", sent, body)
        connection = self._borrow()
        try:
            connection.request(method, target, body or None, sent)
            response = connection.getresponse()
            if len(read := response.read(MOST_BYTES + 1)) > MOST_BYTES:
                raise http.client.HTTPException(f"the answer has more than {MOST_BYTES:,} bytes")
            answer = Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, read)
            kept = not response.will_close
        except BaseException:
            self._give_back(connection, kept=False)
            raise
        self._give_back(connection, kept=kept)
        return answer

    def _borrow(self) -> http.client.HTTPConnection:
        with self._lock:
            while self._idle:
                connection = self._idle.pop()
                # An idle one has nothing to say: what can be read is its end.
                if connection.sock is not None and not readable(connection.sock):
                    break
                connection.close()
            else:
                connection = self._new()
            self._lent.add(connection)
        return connection

    def _new(self) -> http.client.HTTPConnection:
        host, port = self._at.hostname or "", self._at.port
        if self._context is None:
            return http.client.HTTPConnection(host, port, timeout=self._timeout_s)
        return http.client.HTTPSConnection(host, port, timeout=self._timeout_s, context=self._context)

    def _give_back(self, connection: http.client.HTTPConnection, *, kept: bool) -> None:
        with self._lock:
            # Where the address was closed meanwhile nobody lends it any more.
            kept = kept and connection in self._lent
            self._lent.discard(connection)
            if kept:
                self._idle.append(connection)
        if not kept:
            connection.close()

    def close(self) -> None:
        """Close every connection, those under way too: who waits for an answer gets an OSError."""
        with self._lock:
            idle, lent = self._idle[:], set(self._lent)
            self._idle.clear()
            self._lent.clear()
        for connection in idle:
            connection.close()
        for connection in lent:
            if connection.sock is not None:
                with suppress(OSError):
                    connection.sock.shutdown(socket.SHUT_RDWR)


def _split(url: str) -> SplitResult:
    try:
        at = urlsplit(url)
        usable = at.scheme in ("http", "https") and at.hostname and at.port != 0 and url.isprintable()
    except ValueError:
        usable = False
    if not usable or " " in url or not url.isascii() or at.username is not None or at.fragment:
        raise ConfigError(
            f"The endpoint {redact(url)} is no URL of a function: it begins with https:// (or http:// on this "
            "machine), and a key goes into --header or --header-env."
        )
    return at
