"""A loopback origin: the bundled photos, and answers that go wrong in every way a problem code names."""

import struct
import threading
import time
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

PHOTOS = Path(__file__).parents[2] / "examples" / "photos"
SLOW_S = 3.0  # longer than the functions' DOWNLOAD_TIMEOUT in these tests
MAX_BYTES = 1_000_000  # the functions' MAX_BYTES in these tests


def png_header(width: int, height: int) -> bytes:
    """Return a PNG that announces ``width`` × ``height`` pixels and holds hardly any."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")
    )


class Origin:
    """Serve until :meth:`close`; ``url`` has no slash at its end."""

    def __init__(self) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        name = self.path.partition("?")[0].strip("/")
        photo = PHOTOS / name
        bodies = {
            "empty": b"",
            "text": b"this is no image\n",
            "truncated.jpg": (PHOTOS / "rocket.jpg").read_bytes()[:4000],
            "200-megapixels.png": png_header(20_000, 10_000),
            "large": b"\xff" * (MAX_BYTES + 1),
        }
        if name.startswith("status-"):
            self.send_response(int(name.removeprefix("status-")))
            self.end_headers()
        elif name == "elsewhere":
            self.send_response(302)
            self.send_header("Location", "/coffee.png")
            self.end_headers()
        elif name == "circle":
            self.send_response(302)
            self.send_header("Location", "/circle")
            self.end_headers()
        elif name == "slow":
            time.sleep(SLOW_S)
        elif name in bodies or photo.is_file():
            body = bodies[name] if name in bodies else photo.read_bytes()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body) + (1 if name == "short" else 0)))
            self.end_headers()
            self.wfile.write(body)
        else:
            self.send_error(404)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""
