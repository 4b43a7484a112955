"""What a browser is told that asks for a page of another origin (WHATWG Fetch, "CORS protocol").

Credentials (cookies, client certificates) are never allowed: this function has none that a page may use.
"""

from mlserverless.serving import Service
from mlserverless.web.http import HttpRequest, HttpResponse

REQUEST_HEADERS = (
    "Accept, Authorization, Content-Type, If-None-Match, Inference-Header-Content-Length, Traceparent, X-Api-Key, "
    "X-Functions-Key, X-Request-Id"
)
SHOWN = "ETag, Inference-Header-Content-Length, Retry-After, Server-Timing, X-Request-Id"
SECONDS = "7200"  # the most that Chromium keeps a preflight for


def share(request: HttpRequest, response: HttpResponse, service: Service) -> HttpResponse:
    """Return ``response`` with what lets a page read it, where it is of an origin that the settings name."""
    try:
        origins = service.predictor.settings.cors_origins
    except Exception:  # noqa: BLE001 - the settings are wrong, which the response says where it matters
        origins = ()
    if not origins:
        return response
    given = request.headers.get("origin", "")
    headers = dict(response.headers)
    if origins != ("*",):  # then the answer is another for another origin
        headers["Vary"] = _with(headers.get("Vary", ""), "Origin")
    if origins == ("*",) or given in origins:
        headers["Access-Control-Allow-Origin"] = given if given in origins else "*"
        if request.method == "OPTIONS" and "access-control-request-method" in request.headers:
            headers["Access-Control-Allow-Methods"] = headers.get("Allow", "")
            headers["Access-Control-Allow-Headers"] = REQUEST_HEADERS
            headers["Access-Control-Max-Age"] = SECONDS
        else:
            headers["Access-Control-Expose-Headers"] = SHOWN
    return response._replace(headers=tuple(headers.items()))


def _with(vary: str, name: str) -> str:
    names = [one.strip() for one in vary.split(",") if one.strip()]
    return vary if name.lower() in (one.lower() for one in names) else ", ".join([*names, name])
