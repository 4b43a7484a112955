"""CloudEvents 1.0 from any source, over HTTP in binary, structured and batched mode, without a library.

Spec: github.com/cloudevents/spec, "HTTP Protocol Binding" 3.1 to 3.3, "HTTP 1.1 Web Hooks" 4 (validation).
"""

import json
from collections.abc import Mapping
from typing import Any

from mlserverless.errors import InvalidRequest
from mlserverless.events import Found, envelopes, message
from mlserverless.web.http import HttpRequest, HttpResponse

STRUCTURED, BATCHED = "application/cloudevents+json", "application/cloudevents-batch+json"


def is_one(request: HttpRequest) -> bool:
    """Return whether ``request`` carries CloudEvents, or asks whether it may (the web hooks' handshake)."""
    if request.method == "OPTIONS":
        return "webhook-request-origin" in request.headers
    in_json = _kind(request) in (STRUCTURED, BATCHED)
    return request.method == "POST" and ("ce-specversion" in request.headers or in_json)


def _kind(request: HttpRequest) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def handshake(request: HttpRequest) -> HttpResponse:
    """Return the answer that allows a source to deliver, at whatever rate it asked for."""
    headers = [("WebHook-Allowed-Origin", request.headers["webhook-request-origin"])]
    headers.append(("WebHook-Allowed-Rate", request.headers.get("webhook-request-rate", "*")))
    return HttpResponse(200, tuple(headers), b"")


def split(request: HttpRequest) -> list[tuple[str, list[Found]]]:
    """Return the events of ``request``, each by its id with what it asks for; it never raises."""
    kind = _kind(request)
    if kind not in (STRUCTURED, BATCHED):
        from urllib.parse import unquote

        attributes = {
            name[3:]: unquote(value) for name, value in request.headers.items() if name.startswith("ce-")
        }
        return [(_name(attributes), read(attributes, request.body or None))]
    try:
        given = json.loads(request.body)
    except (ValueError, RecursionError):
        return [("", [InvalidRequest("The CloudEvent is not valid JSON.")])]
    events = given if isinstance(given, list) and kind == BATCHED else [given]
    if len(events) > message.MOST_URLS:
        told = f"The batch has {len(events):,} events; at most {message.MOST_URLS:,} are read."
        return [("", [InvalidRequest(told)])]
    return [(_name(event), structured(event)) for event in events]


def _name(event: Any) -> str:
    """Return what the event is known by, which its source and its id are together."""
    return f"{event.get('source', '')}#{event['id']}" if isinstance(event, dict) and event.get("id") else ""


def structured(event: Any) -> list[Found]:
    """Return what an event in JSON asks for."""
    return envelopes.structured(event, 0, message.read)


def read(attributes: Mapping[str, Any], data: Any) -> list[Found]:
    """Return what the event with these ``attributes`` asks for."""
    return envelopes.cloud_event(attributes, data, 0, message.read)
