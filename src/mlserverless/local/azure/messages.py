"""What the Functions host and its Python worker say to each other: plain records from and to HTTP, pure.

Requests are returned as nested dictionaries with the field names of Microsoft's protobuf messages, so nothing
here needs protobuf; answers are read from the messages by attribute.
"""

import json
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any, TypeAlias
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from mlserverless.web.http import HttpRequest, HttpResponse

Typed: TypeAlias = dict[str, Any]  # the fields of one TypedData: exactly one of string, bytes, json, http

_PATH_SAFE = "/!$&'()*+,;=:@-._~"  # what ASP.NET leaves unescaped in a path
_EMULATORS = {"localhost", "host.docker.internal", "azurite"}
_SAME_SITE = {1: "lax", 2: "strict", 3: "none"}


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


def blob_data(uri: str, data: bytes, content_type: str, now: datetime) -> tuple[Typed, dict[str, Typed]]:
    """Return a blob trigger's data and trigger metadata, for the blob at ``uri`` changed at ``now``.

    ``uri`` is the blob's address, ``https://account.blob.core.windows.net/container/name`` or an emulator's
    ``http://127.0.0.1:10000/account/container/name``. Raises ValueError where it names no blob.
    """
    parts = urlsplit(uri)
    path = unquote(parts.path).removeprefix("/")
    host = parts.hostname or ""
    if host in _EMULATORS or host.replace(".", "").isdigit():
        path = path.partition("/")[2]
    container, _, blob = path.partition("/")
    if parts.scheme not in {"http", "https"} or not host or not container or not blob:
        raise ValueError(f"{uri!r} is no blob's address; https://ACCOUNT.blob.core.windows.net/CONTAINER/NAME is")
    # No ETag: in which form the host serialises it is not known well enough to let a function rely on it.
    properties = {"ContentLength": len(data), "ContentType": content_type, "LastModified": now.isoformat()}
    metadata: dict[str, Typed] = {
        "BlobTrigger": {"string": f"{container}/{blob}"},
        "Uri": {"json": json.dumps(uri)},
        "Properties": {"json": json.dumps(properties)},
        "Metadata": {"json": "{}"},
    }
    return {"bytes": data}, metadata


def admin_data(trigger: str, text: str, now: datetime) -> tuple[Typed, dict[str, Typed]]:
    """Return the data and trigger metadata for ``text``, the ``input`` of ``POST /admin/functions/{name}``.

    ``trigger`` is the binding's type. A timer's input does not matter; an Event Grid trigger's is its event
    as JSON; a queue message is at its first delivery; any other trigger receives the text alone.
    """
    if trigger == "timerTrigger":
        status = {"Last": now.isoformat(), "Next": now.isoformat(), "LastUpdated": now.isoformat()}
        return {"json": json.dumps({"Schedule": {}, "ScheduleStatus": status, "IsPastDue": False})}, {}
    if trigger == "eventGridTrigger":
        return {"json": text}, {}
    if trigger == "queueTrigger":
        metadata: dict[str, Typed] = {
            "Id": {"string": str(uuid.uuid4())},
            "PopReceipt": {"string": "local"},
            "DequeueCount": {"json": "1"},
            "InsertionTime": {"json": json.dumps(now.isoformat())},
            "ExpirationTime": {"json": json.dumps((now + timedelta(days=7)).isoformat())},
            "NextVisibleTime": {"json": json.dumps((now + timedelta(minutes=10)).isoformat())},
        }
        return {"string": text}, metadata
    return {"string": text}, {}


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
