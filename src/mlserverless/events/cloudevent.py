"""CloudEvents 1.0 from any source, over HTTP in binary, structured and batched mode, without a library.

Spec: github.com/cloudevents/spec, "HTTP Protocol Binding" 3.1 to 3.3, "HTTP 1.1 Web Hooks" 4 (validation).
"""

import base64
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from mlserverless.errors import InvalidRequest
from mlserverless.events import Found, known, message, objects
from mlserverless.web.http import HttpRequest, HttpResponse

STRUCTURED, BATCHED = "application/cloudevents+json", "application/cloudevents-batch+json"
MESSAGE_PUBLISHED = "google.cloud.pubsub.topic.v1.messagePublished"
AUDIT_WRITTEN = "google.cloud.audit.log.v1.written"
NAMES = ("id", "source", "type", "specversion")


def is_one(request: HttpRequest) -> bool:
    """Return whether ``request`` carries CloudEvents, or asks whether it may (the web hooks' handshake)."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if request.method == "OPTIONS":
        return "webhook-request-origin" in request.headers
    return request.method == "POST" and ("ce-specversion" in request.headers or kind in (STRUCTURED, BATCHED))


def handshake(request: HttpRequest) -> HttpResponse:
    """Return the answer that allows a source to deliver, at whatever rate it asked for."""
    headers = [("WebHook-Allowed-Origin", request.headers["webhook-request-origin"])]
    headers.append(("WebHook-Allowed-Rate", request.headers.get("webhook-request-rate", "*")))
    return HttpResponse(200, tuple(headers), b"")


def split(request: HttpRequest) -> list[tuple[str, list[Found]]]:
    """Return the events of ``request``, each by its id with what it asks for; it never raises."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in (STRUCTURED, BATCHED):
        attributes = {
            name[3:]: unquote(value) for name, value in request.headers.items() if name.startswith("ce-")
        }
        return [(_name(attributes), read(attributes, request.body or None))]
    try:
        given = json.loads(request.body)
    except (ValueError, RecursionError):
        return [("", [InvalidRequest("The CloudEvent is not valid JSON.")])]
    events = given if isinstance(given, list) and kind == BATCHED else [given]
    return [(_name(event), structured(event)) for event in events]


def _name(event: Any) -> str:
    """Return what the event is known by, which its source and its id are together."""
    return f"{event.get('source', '')}#{event['id']}" if isinstance(event, dict) and event.get("id") else ""


def structured(event: Any, depth: int = 0) -> list[Found]:
    """Return what an event in JSON asks for."""
    if not isinstance(event, dict):
        return [InvalidRequest("The CloudEvent is not a JSON object.")]
    data = event.get("data")
    if data is None and isinstance(event.get("data_base64"), str):
        try:
            data = base64.b64decode(event["data_base64"], validate=True)
        except ValueError:
            return [InvalidRequest("The CloudEvent's data_base64 is not base64.")]
    return read(event, data, depth)


def read(attributes: Mapping[str, Any], data: Any, depth: int = 0) -> list[Found]:
    """Return what the event asks for, by its ``type`` where that is a store's, else by its ``data``.

    The version of what names none is the event's id, which is unique together with its source.
    """
    if missing := [name for name in NAMES if not isinstance(attributes.get(name), str) or not attributes[name]]:
        return [InvalidRequest(f"The CloudEvent has no {missing[0]}; it needs {', '.join(NAMES)}.")]
    return known(_read(attributes, data, depth), f"{attributes['source']}#{attributes['id']}")


def _read(attributes: Mapping[str, Any], data: Any, depth: int) -> list[Found]:
    kind, name = attributes["type"], attributes["id"]
    if isinstance(data, bytes):
        try:
            data = json.loads(data)
        except (ValueError, RecursionError):
            data = data.decode("utf-8", "replace")
    if kind == objects.FINALIZED[0]:
        return objects.cloud_storage(data, name)
    if kind == objects.BLOB_CREATED:
        return objects.blob_created(data, name)
    if kind == MESSAGE_PUBLISHED:
        return message.pubsub(data.get("message") if isinstance(data, dict) else None, name, depth)
    if kind == AUDIT_WRITTEN:
        return objects.audit(data, name)
    if kind.startswith(("google.cloud.storage.", "Microsoft.Storage.", message.GRID_SYSTEM)):
        return []
    if (
        kind.endswith("Object Created") and isinstance(data, dict) and "object" in data
    ):  # S3, as EventBridge has it
        return objects.eventbridge({"detail-type": "Object Created", "detail": data}, name)
    if data is None:
        return [
            InvalidRequest(f"The CloudEvent of the type {kind[:60]!r} has no data that says what to classify.")
        ]
    found = message.read(data, name, depth + 1)
    return [_of(attributes["source"], name, one) for one in found]


def _of(source: str, name: str, found: Found) -> Found:
    """Return ``found`` with the source in its version: an event's id is unique within its source only."""
    if isinstance(found, InvalidRequest) or found.pin or found.version != name:
        return found
    return found._replace(version=f"{source}#{name}")
