"""The HTTP port: one request and one response that every provider's own types are mapped onto.

Two frozen records and one protocol, with no framework's types in them. Header names are lower case in a
request, so a look-up needs no folding; a response keeps its header order.
"""

from typing import Protocol, TypeVar

from mlserverless.named_tuple import NamedTuple
from mlserverless.types import Prediction, Problem

Event = TypeVar("Event", contravariant=True)
Reply = TypeVar("Reply", covariant=True)


class HttpRequest(NamedTuple):
    """One request as the web app sees it, whatever carried it.

    ``path`` is decoded and begins with a slash; ``query`` is the raw query string without its question
    mark; ``headers`` has lower-case names, values of repeated headers joined with ``", "``; ``body`` is the
    decoded bytes (never base64).
    """

    method: str
    path: str
    query: str = ""
    headers: dict[str, str] = {}  # noqa: RUF012 - a NamedTuple default is never written to
    body: bytes = b""


class HttpResponse(NamedTuple):
    """One response: the status, the headers in order, the body bytes.

    ``length``, where it is not negative, is that of the body that an answer to HEAD does without: a binding whose
    platform lets it say so makes it the Content-Length. Answers of the statuses 204 and 304 have neither.
    ``results`` is not sent: what became of each image, for the log and its like.
    """

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    length: int = -1
    results: tuple[Prediction | Problem, ...] = ()


class HttpBinding(Protocol[Event, Reply]):
    """How a provider's HTTP trigger reads its event and writes its answer: two pure functions."""

    def read(self, event: Event) -> HttpRequest:
        """Return the request that ``event`` carries; raise InvalidRequest where it is not one."""

    def write(self, response: HttpResponse) -> Reply:
        """Return ``response`` as the provider wants it (base64 where it must be)."""
