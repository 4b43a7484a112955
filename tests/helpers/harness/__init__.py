"""One harness a cloud: a request goes through the adapter as its platform would hand it over, in process.

Each module has a class ``Harness``, made with the service that is to answer.
"""

from importlib import import_module
from typing import Protocol

from mlserverless.serving import Service
from mlserverless.testing.http import Answer

AWS = ("aws", "aws-http-api", "aws-rest-api", "aws-alb", "aws-alb-multi-value")
CLOUDS = (*AWS, "azure", "gcp", "wsgi")
__all__ = ["AWS", "CLOUDS", "INVOCATION_ID", "Answer", "Harness", "lower", "make"]

INVOCATION_ID = "c6af9ac6-7b61-11e6-9a41-93e8deadbeef"


class Harness(Protocol):
    """Asks one adapter."""

    def ask(self, method: str, target: str, headers: dict[str, str], body: bytes = b"") -> Answer:
        """Send a request for ``target``, an encoded path with its query."""


def make(cloud: str, service: Service) -> Harness:
    """Return the harness of ``cloud``."""
    if cloud in AWS:
        from helpers.harness.aws import Harness as Lambda

        return Lambda(service, cloud)
    harness: Harness = import_module(f"helpers.harness.{cloud}").Harness(service)
    return harness


def lower(headers: object) -> dict[str, str]:
    """Return pairs of headers as a dict with lower-case names."""
    return {name.lower(): value for name, value in dict(headers).items()}  # type: ignore[call-overload]
