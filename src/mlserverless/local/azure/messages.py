"""What the Functions host and its Python worker say to each other: plain values and HTTP, pure.

Requests are returned as nested dictionaries with the field names of Microsoft's protobuf messages, so nothing
here needs protobuf; answers are read from the messages by attribute.
"""

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any, TypeAlias
from urllib.parse import parse_qsl, quote

from mlserverless.web.http import HttpRequest, HttpResponse

Typed: TypeAlias = dict[str, Any]  # the fields of one TypedData: exactly one, such as string, bytes, json or http

_PATH_SAFE = "/!$&'()*+,;=:@-._~"  # what ASP.NET leaves unescaped in a path
_SAME_SITE = {1: "lax", 2: "strict", 3: "none"}


def typed(value: Any) -> Typed:
    """Return ``value`` as the host types it: text, bytes, a list of texts or of whole numbers; all else is JSON.

    A datetime is JSON too, in ISO 8601, wherever it stands. Raises TypeError for what JSON does not know.
    """
    if isinstance(value, str):
        return {"string": value}
    if isinstance(value, bytes):
        return {"bytes": value}
    if isinstance(value, list) and value:
        # type() and not isinstance(): True is no number here. One null, and the host's arrays lose their places.
        kinds = {type(item) for item in value}
        if kinds == {str}:
            return {"collection_string": {"string": value}}
        if kinds == {bytes}:
            return {"collection_bytes": {"bytes": value}}
        if kinds == {int}:
            return {"collection_sint64": {"sint64": value}}
    return {"json": json.dumps(value, default=_iso)}


def plain(value: Any) -> Any:
    """Return what ``value``, a TypedData message, holds, as a value for JSON.

    Bytes become text where they are UTF-8 and ``{"base64": "..."}`` where they are not; nothing becomes None.
    Raises ValueError for a kind of data that the worker gives to no output binding.
    """
    kind = value.WhichOneof("data")
    if kind == "json":
        return json.loads(value.json)
    if kind == "bytes":
        try:
            return value.bytes.decode()
        except UnicodeDecodeError:
            return {"base64": base64.b64encode(value.bytes).decode()}
    if kind == "collection_string":
        return list(value.collection_string.string)
    if kind in {"string", "int", "double"}:
        return getattr(value, kind)
    if kind is None:
        return None
    raise ValueError(f"an output binding was given {kind!r} data")


def http_data(request: HttpRequest, parameters: Mapping[str, str]) -> Typed:
    """Return ``request`` as the host hands it to the worker, with its route ``parameters``.

    As the host does: repeated query keys are joined with a comma, empty query values are left out (the raw
    query is still in ``url``), and no body is sent where there is none.
    """
    query: dict[str, str] = {}
    for name, value in parse_qsl(request.query):
        query[name] = f"{query[name]},{value}" if name in query else value
    address = f"http://{request.headers.get('host', 'localhost')}{quote(request.path, safe=_PATH_SAFE)}"
    http: dict[str, Any] = {
        "method": request.method,
        "url": f"{address}?{request.query}" if request.query else address,
        "headers": request.headers,
        "query": query,
        "params": dict(parameters),
    }
    return {"http": http | {"body": {"bytes": request.body}} if request.body else http}


def http_response(value: Any) -> HttpResponse:
    """Return the HTTP answer for ``value``, the TypedData that a function returned.

    Body bytes and header values are passed as they are. A function without an HTTP answer gives 204, a
    plain string ``text/plain; charset=utf-8``, as the host answers.
    """
    kind = value.WhichOneof("data")
    if kind is None:
        return HttpResponse(204, (), b"")
    if kind == "string":
        return HttpResponse(200, (("Content-Type", "text/plain; charset=utf-8"),), value.string.encode())
    if kind != "http":
        raise ValueError(f"an HTTP function returned {kind!r} data; an HttpResponse or a string is accepted")
    answer = value.http
    # A protobuf map keeps no order: sort, so that the same answer always leaves as the same bytes.
    headers = sorted(answer.headers.items(), key=lambda pair: pair[0].lower())
    cookies = [("Set-Cookie", _cookie(cookie)) for cookie in answer.cookies]
    return HttpResponse(int(answer.status_code), (*headers, *cookies), answer.body.bytes)


def _iso(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} is no value for JSON")


def _cookie(cookie: Any) -> str:
    # Path "/" where none is given and this order of attributes: what ASP.NET writes.
    parts = [f"{cookie.name}={cookie.value}"]
    if cookie.HasField("expires"):
        expires = datetime.fromtimestamp(cookie.expires.value.seconds, UTC)
        parts.append(f"expires={format_datetime(expires, usegmt=True)}")
    if cookie.HasField("max_age"):
        parts.append(f"max-age={int(cookie.max_age.value)}")
    if cookie.domain.value:
        parts.append(f"domain={cookie.domain.value}")
    parts.append(f"path={cookie.path.value or '/'}")
    if cookie.secure.value:
        parts.append("secure")
    if cookie.same_site in _SAME_SITE:
        parts.append(f"samesite={_SAME_SITE[cookie.same_site]}")
    if cookie.http_only.value:
        parts.append("httponly")
    return "; ".join(parts)
