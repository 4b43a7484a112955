"""What every answer over HTTP is made by: canonical JSON, problems, the headers that all have."""

import json
from typing import Any

from mlserverless.serving import new_id
from mlserverless.types import Prediction, Problem, spent
from mlserverless.web.http import HttpRequest, HttpResponse

JSON, PROBLEM, HTML = "application/json", "application/problem+json", "text/html"
ANYTHING = frozenset(("*/*", "", JSON))  # what most clients accept
ID_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:/=+")
ID_LENGTH = 128

Headers = tuple[tuple[str, str], ...]


def id_of(request: HttpRequest, platform_id: str) -> str:
    """Return what ``request`` is called: by its caller or platform, where that is fit to be repeated; or anew."""
    for name in (request.headers.get("x-request-id", ""), platform_id):
        if name and len(name) <= ID_LENGTH and ID_LETTERS.issuperset(name):
            return name
    return new_id()


def accepted(request: HttpRequest, *, page: bool = False) -> str:
    """Return the type of answer that ``request`` likes best: JSON or, where there is a ``page``, HTML.

    Raises NotAcceptable where it takes none.
    """
    if (accept := request.headers.get("accept", "")) in ANYTHING:
        return JSON
    from mlserverless.web import negotiation

    return negotiation.check(accept, (JSON, PROBLEM, HTML) if page else (JSON, PROBLEM))


def respond(status: int, kind: str, value: Any, request_id: str, headers: Headers = ()) -> HttpResponse:
    """Return ``value`` as canonical JSON: no spaces, UTF-8, keys in the order given; NaN is refused."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    common = (
        ("Content-Type", kind),
        ("X-Request-Id", request_id),
        ("Cache-Control", "no-store"),
        ("X-Content-Type-Options", "nosniff"),
    )
    # Half a surrogate pair, which UTF-8 cannot say, leaves as it came: as JSON's own escape.
    return HttpResponse(status, common + headers, text.encode(errors="backslashreplace"))


def respond_problem(told: Problem, request_id: str) -> HttpResponse:
    """Return the RFC 9457 response for a problem."""
    response = respond(told.status, PROBLEM, told.to_dict(request_id), request_id, told.headers)
    return response._replace(results=(told,))


def respond_nothing(request_id: str, headers: Headers = ()) -> HttpResponse:
    """Return an answer without a body, 204."""
    return HttpResponse(204, (("X-Request-Id", request_id), ("Cache-Control", "no-store"), *headers), b"")


def server_timing(made: list[Prediction]) -> Headers:
    """Return the header that tells how long each stage took, in milliseconds; none where nothing was made."""
    stages = spent(made)
    if not stages:
        return ()
    if len(made) == 1:  # those of several overlap
        stages["total"] = sum(stages.values())
    return (("Server-Timing", ", ".join(f"{name};dur={value:.1f}" for name, value in stages.items())),)
