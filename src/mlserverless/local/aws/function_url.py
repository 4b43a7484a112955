"""A Function URL's two mappings, payload format 2.0: an HTTP request -> the event, the function's result -> HTTP.

Where AWS's documentation is silent this follows events and answers captured from real Function URLs:

- ``rawPath`` and ``rawQueryString`` stay percent-encoded, ``requestContext.http.path`` is decoded (an API
  Gateway HTTP API differs: its ``rawPath`` is decoded). The front hands over a decoded path, so here ``%2F``
  becomes ``/``.
- ``cookies`` repeats the ``cookie`` header, which stays; ``body``, ``cookies`` and ``queryStringParameters`` are
  left out where there are none.
- A body is text where its type says so and it is UTF-8; any other is base64, also one without a type.
- A result without ``statusCode`` is the body itself, as compact JSON; a string result is sent as it is.
- A function error, and a result that cannot be an answer, is 502 with the words ``Internal Server Error``.
"""

import base64
import json
import time
from typing import Any
from urllib.parse import parse_qsl, quote

from mlserverless.web.http import HttpRequest, HttpResponse

_NOT_HANDED_ON = {"connection", "keep-alive", "transfer-encoding", "upgrade"}
_TEXT_TYPES = {"application/json", "application/xml", "application/javascript"}
_SAFE_IN_PATH = "/:@!$&'()*+,;=-._~"
_JSON = ("content-type", "application/json")
_BROKEN = HttpResponse(502, (_JSON,), b"Internal Server Error")


def to_event(request: HttpRequest, request_id: str, now: float) -> dict[str, Any]:
    """Return the event for ``request``, received at ``now`` (seconds since the epoch) from loopback."""
    headers = {name: value for name, value in request.headers.items() if name not in _NOT_HANDED_ON}
    host, _, port = headers.get("host", "").partition(":")
    headers.setdefault("x-amzn-trace-id", f"Root=1-{int(now):08x}-{request_id.replace('-', '')[:24]}")
    headers |= {"x-forwarded-for": "127.0.0.1", "x-forwarded-port": port or "80", "x-forwarded-proto": "http"}
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": quote(request.path, _SAFE_IN_PATH),
        "rawQueryString": request.query,
        "headers": headers,
        "requestContext": {
            "accountId": "anonymous",
            "apiId": "local",
            "domainName": host,
            "domainPrefix": host.partition(".")[0],
            "http": {
                "method": request.method,
                "path": request.path,
                "protocol": "HTTP/1.1",
                "sourceIp": "127.0.0.1",
                "userAgent": headers.get("user-agent", ""),
            },
            "requestId": request_id,
            "routeKey": "$default",
            "stage": "$default",
            "time": _clock(now),
            "timeEpoch": int(now * 1000),
        },
        "isBase64Encoded": False,
    }
    if cookies := headers.get("cookie"):
        event["cookies"] = [cookie.strip() for cookie in cookies.split(";")]
    if request.query:
        event["queryStringParameters"] = _parameters(request.query)
    if request.body:
        text = _text(request.body, headers.get("content-type", ""))
        event["body"] = base64.b64encode(request.body).decode() if text is None else text
        event["isBase64Encoded"] = text is None
    return event


def to_response(payload: bytes, function_error: bool) -> HttpResponse:
    """Return what a client of the Function URL gets for a function's result."""
    if function_error:
        return _BROKEN
    try:
        result = json.loads(payload)
        if isinstance(result, dict) and "statusCode" in result:
            return _proxy_response(result)
    except (ValueError, TypeError, AttributeError):
        return _BROKEN
    if isinstance(result, str):
        return HttpResponse(200, (_JSON,), result.encode())
    compact = json.dumps(result, separators=(",", ":"), ensure_ascii=False)
    return HttpResponse(200, (_JSON,), compact.encode())


def _proxy_response(result: dict[str, Any]) -> HttpResponse:
    status = int(result["statusCode"])
    if not 200 <= status <= 599:
        return _BROKEN
    headers = [(str(name), str(value)) for name, value in (result.get("headers") or {}).items()]
    if all(name.lower() != "content-type" for name, _ in headers):
        headers.append(_JSON)
    headers += [("set-cookie", str(cookie)) for cookie in result.get("cookies") or ()]
    body = (result.get("body") or "").encode()
    if result.get("isBase64Encoded"):
        body = base64.b64decode(body, validate=True)
    return HttpResponse(status, tuple(headers), body)


def _parameters(query: str) -> dict[str, str]:
    parameters: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        parameters[name] = f"{parameters[name]},{value}" if name in parameters else value
    return parameters


def _text(body: bytes, content_type: str) -> str | None:
    kind = content_type.partition(";")[0].strip().lower()
    if not kind.startswith("text/") and kind not in _TEXT_TYPES:
        return None
    try:
        return body.decode()
    except UnicodeDecodeError:
        return None


def _clock(now: float) -> str:
    moment = time.gmtime(now)
    months = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
    return f"{moment.tm_mday:02d}/{months[moment.tm_mon - 1]}/{time.strftime('%Y:%H:%M:%S', moment)} +0000"
