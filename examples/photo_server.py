"""The bundled photos over HTTP on this machine, for the examples."""

import functools
import http.server
import threading
from pathlib import Path

FOLDER = Path(__file__).parent / "photos"


class _Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def serve_photos() -> str:
    """Serve the photos until this process ends; return the address, with a slash at its end."""
    handler = functools.partial(_Handler, directory=str(FOLDER))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}/"
