"""What a function under test finds around it: an origin with images and faults, a folder that takes its results.

The origin answers plain HTTP, and enough of S3, Cloud Storage and Azure Blob that objects can be read from it. It
is a stand-in: what the real stores do is shown by the tests that run them.
"""

import io
import json
import sys
import tempfile
import threading
from functools import cache
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import unquote

from mlserverless.testing.places import Places

BUCKET = "images"
ACCOUNT = "conformance"
TEXT = b"this is no image"
KEY = "Y29uZm9ybWFuY2U="  # what signs requests to this origin, which looks at no signature


@cache
def photo() -> bytes:
    """Return a JPEG of 320 × 240 pixels, always the same one."""
    from PIL import Image

    pixels = bytes(
        value for y in range(240) for x in range(320) for value in (x * 255 // 319, y * 255 // 239, 128)
    )
    out = io.BytesIO()
    Image.frombytes("RGB", (320, 240), pixels).save(out, "JPEG", quality=90)
    return out.getvalue()


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a function that ends with its connections kept; tell anything else."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class World:
    """The origin, running until :meth:`close`; also a context manager.

    Below ``/images/`` it has, by the first word of their names: ``photo-…`` (a photo), ``text-…`` (no image),
    ``flaky-…`` (503 the first time, then the photo), ``busy-…`` (always 503); all else is missing, but for
    ``list.txt``, which names two photos and a missing one.
    """

    def __init__(self) -> None:
        self._seen: set[str] = set()
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        self._folder = tempfile.TemporaryDirectory(prefix="conformance-")
        self.folder = Path(self._folder.name)
        self.origin = f"http://127.0.0.1:{self._server.server_port}"

    def at(self, name: str) -> str:
        """Return the http URL of the object ``name``."""
        return f"{self.origin}/{BUCKET}/{name}"

    def places(self) -> Places:
        """Return the URLs that the cases of the wire contract ask for."""
        return Places(self.at("photo"), self.at("missing"), self.at("text"), self.at("photo-ö"))

    @property
    def sink(self) -> str:
        """The URL of a sink, which :meth:`records` reads."""
        return f"file://{self.folder / 'results'}"

    def records(self) -> dict[str, dict[str, Any]]:
        """Return the results that were written to the sink, by their keys."""
        written = (self.folder / "results").glob("*.json")
        return {path.stem: json.loads(path.read_bytes()) for path in written}

    def environment(self) -> dict[str, str]:
        """Return what a function is started with, so that s3://, gs:// and az:// URLs lead here."""
        account = self.folder / "account.json"
        google = {"gcs_base_url": self.origin, "disable_oauth": True}
        account.write_text(json.dumps({**google, "client_email": "", "private_key": "", "private_key_id": ""}))
        return {
            "MLSERVERLESS_ALLOW_PRIVATE_ADDRESSES": "true",
            "AWS_ENDPOINT_URL": self.origin,
            "AWS_ACCESS_KEY_ID": ACCOUNT,
            "AWS_SECRET_ACCESS_KEY": KEY,
            "AWS_REGION": "us-east-1",
            "GOOGLE_SERVICE_ACCOUNT": str(account),
            "AZURE_STORAGE_ACCOUNT_NAME": ACCOUNT,
            "AZURE_STORAGE_ACCOUNT_KEY": KEY,
            "AZURE_STORAGE_ENDPOINT": f"{self.origin}/{ACCOUNT}",
        }

    def close(self) -> None:
        """Stop the origin and remove the folder."""
        self._server.shutdown()
        self._server.server_close()
        self._folder.cleanup()

    def __enter__(self) -> "World":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _find(self, name: str) -> tuple[int, bytes]:
        kind = name.partition("-")[0]
        if kind == "flaky":
            with self._lock:
                first = name not in self._seen
                self._seen.add(name)
            return (503, b"not yet") if first else (200, photo())
        if kind == "busy":
            return 503, b"busy"
        if kind == "text":
            return 200, TEXT
        if kind == "list.txt":
            return 200, "\n".join(map(self.at, ("photo-1", "photo-2", "missing"))).encode()
        return (200, photo()) if kind == "photo" else (404, b"")

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        find = self._find

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                path = unquote(self.path.partition("?")[0])
                status, data = find(path.removeprefix(f"/{ACCOUNT}").removeprefix(f"/{BUCKET}/"))
                tag = f'"{tag_of(data)}"'
                if status == 200 and self.headers.get("If-Match", tag) != tag:
                    status, data = 412, b""
                self.send_response_only(status)
                self.send_header("Content-Length", str(len(data)))
                self.send_header("ETag", tag)
                self.send_header("Last-Modified", "Mon, 23 Nov 2026 00:00:00 GMT")
                self.send_header("x-goog-generation", "1")
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(data)

            do_GET = do_HEAD = answer

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        return Handler


def tag_of(data: bytes) -> str:
    """Return the origin's ETag for ``data``, without the quotes."""
    return sha256(data).hexdigest()[:32]
