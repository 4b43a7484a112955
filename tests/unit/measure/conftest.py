"""An origin of photos on this machine."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlserverless.measure import origin


@pytest.fixture(scope="session")
def url(photos: Path) -> Iterator[str]:
    """The URL of a small photo; what reads it must allow private addresses."""
    server = origin.make([(photos / "flower.jpg").read_bytes()])
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/0"
    server.shutdown()
    server.server_close()
    thread.join(5)
