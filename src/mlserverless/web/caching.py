"""Answers that a client may keep and ask after: the model, the description, the page (RFC 9110, 8.8.3, 13.1.2)."""

from hashlib import sha256

from mlserverless.web.http import HttpRequest, HttpResponse

ALSO = ("X-Request-Id", "X-Content-Type-Options")  # what an answer without a body has as well


def tagged(request: HttpRequest, response: HttpResponse, vary: str = "Origin") -> HttpResponse:
    """Return ``response`` with an ETag of its content; 304 and no body where the client has that very one.

    It is to be asked after each time (``no-cache``): a deployment changes it at any moment. ``vary`` names the
    request's headers that it depends on.
    """
    tag = f'"{sha256(response.body).hexdigest()[:32]}"'
    ours = {"ETag": tag, "Cache-Control": "no-cache", "Vary": vary}
    if _has(request.headers.get("if-none-match", ""), tag):
        kept = {name: value for name, value in response.headers if name in ALSO}
        return HttpResponse(304, tuple((kept | ours).items()), b"")
    return response._replace(headers=tuple((dict(response.headers) | ours).items()))


def _has(given: str, tag: str) -> bool:
    # A weak comparison: proxies that compress make tags weak. Ours hold no commas.
    return given.strip() == "*" or any(one.strip().removeprefix("W/") == tag for one in given.split(","))
