"""Names that resolve to what a test says: nothing outside 127.0.0.1 is ever asked or reached."""

import socket
from collections.abc import Callable
from typing import Any

import pytest

Resolve = Callable[..., None]


@pytest.fixture
def resolve(monkeypatch: pytest.MonkeyPatch) -> Resolve:
    """Return a function that makes ``getaddrinfo`` answer these addresses, whatever the name."""

    def set_answer(*addresses: str, port: int = 80) -> None:
        def getaddrinfo(host: bytes, _port: int, *_: Any, **__: Any) -> list[Any]:
            return [
                (
                    socket.AF_INET6 if ":" in address else socket.AF_INET,
                    socket.SOCK_STREAM,
                    6,
                    "",
                    (address, port, 0, 0) if ":" in address else (address, port),
                )
                for address in addresses
            ]

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)

    return set_answer


@pytest.fixture(autouse=True)
def connected(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Forbid every connection that does not go to 127.0.0.1; return the addresses that were tried."""
    tried: list[Any] = []
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        tried.append(address)
        assert address[0] == "127.0.0.1", f"a test would have connected to {address}"
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)
    return tried
