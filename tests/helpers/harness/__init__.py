"""One harness a cloud: a request goes through the adapter as its platform would hand it over, in process.

Each module has a class ``Harness``, made with the service that is to answer.
"""

from importlib import import_module
from typing import NamedTuple, Protocol

from mlserverless.serving import Service

CLOUDS = ("aws", "azure", "gcp", "wsgi")
INVOCATION_ID = "c6af9ac6-7b61-11e6-9a41-93e8deadbeef"


class Answer(NamedTuple):
    """What a client would get; ``headers`` has lower-case names."""

    status: int
    headers: dict[str, str]
    body: bytes


class Harness(Protocol):
    """Asks one adapter."""

    def ask(self, method: str, target: str, headers: dict[str, str], body: bytes = b"") -> Answer:
        """Send a request for ``target``, an encoded path with its query."""


def make(cloud: str, service: Service) -> Harness:
    """Return the harness of ``cloud``."""
    harness: Harness = import_module(f"helpers.harness.{cloud}").Harness(service)
    return harness


def lower(headers: object) -> dict[str, str]:
    """Return pairs of headers as a dict with lower-case names."""
    return {name.lower(): value for name, value in dict(headers).items()}  # type: ignore[call-overload]
