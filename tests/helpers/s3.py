"""A place for s3:// URLs to lead to, and moto's server, which plays AWS there."""

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from mlserverless import stores


def use_s3_at(monkeypatch: pytest.MonkeyPatch, endpoint: str) -> None:
    """Make the S3 at ``endpoint`` the one that s3:// URLs lead to."""
    for name, value in (("ACCESS_KEY_ID", "k"), ("SECRET_ACCESS_KEY", "s"), ("DEFAULT_REGION", "us-east-1")):
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.delenv("AWS_SESSION_TOKEN", raising=False)
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    stores._store.cache_clear()


@contextmanager
def moto_server() -> Iterator[tuple[str, int]]:
    """Run moto's server for the ``with`` block; yield its host and port. Without moto the test is skipped."""
    if not importlib.util.find_spec("moto"):
        pytest.skip('moto, which plays AWS here, is not installed: pip install "moto[server]"')
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        yield server.get_host_and_port()
    finally:
        server.stop()
        stores._store.cache_clear()
