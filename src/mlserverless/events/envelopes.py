"""Envelopes: SNS, EventBridge, Event Grid, Pub/Sub, CloudEvents. Each is taken off, and what is in it handed on.

A store's own event is read here; anything else goes to ``inner``, the reader of messages, one level deeper. An
envelope's own id is what its message goes by.
"""

import base64
import json
from collections.abc import Callable, Mapping
from typing import Any

from mlserverless.errors import InvalidRequest
from mlserverless.events import Found, known, objects

Inner = Callable[[Any, str, int], list[Found]]
"""Reads a message (payload, name, depth)."""

GRID_SYSTEM = "Microsoft.EventGrid."
MESSAGE_PUBLISHED = "google.cloud.pubsub.topic.v1.messagePublished"
AUDIT_WRITTEN = "google.cloud.audit.log.v1.written"
NAMES = ("id", "source", "type", "specversion")  # what every CloudEvent has


def sns(given: Any, name: str, depth: int, inner: Inner) -> list[Found]:
    """Return what the message in an SNS envelope asks for."""
    if not isinstance(given, dict) or not isinstance(given.get("Message"), str):
        return [InvalidRequest("The SNS envelope holds no Message.")]
    own = given.get("MessageId")
    return inner(given["Message"], own if isinstance(own, str) and own else name, depth + 1)


def eventbridge(event: Mapping[str, Any], name: str, depth: int, inner: Inner) -> list[Found]:
    """Return what an EventBridge event asks for: S3's own, or one whose detail is a message."""
    own = event.get("id")
    name = own if isinstance(own, str) and own else name
    if event.get("source") == "aws.s3":
        return known(objects.eventbridge(event, name), name)
    return inner(event["detail"], name, depth + 1)


def grid(event: Mapping[str, Any], name: str, depth: int, inner: Inner) -> list[Found]:
    """Return what an event in the Event Grid schema asks for."""
    own, kind = event.get("id"), str(event["eventType"])
    name = own if isinstance(own, str) and own else name
    if kind == objects.BLOB_CREATED:
        return known(objects.blob_created(event["data"], name), name)
    if kind.startswith(("Microsoft.Storage.", GRID_SYSTEM)):
        return []
    return inner(event["data"], name, depth + 1)


def pubsub(given: Any, name: str, depth: int, inner: Inner) -> list[Found]:
    """Return what a Pub/Sub message asks for: a Cloud Storage notification, by its attributes, or its data."""
    if not isinstance(given, dict):
        return [InvalidRequest("The push holds no Pub/Sub message.")]
    own = given.get("messageId") or given.get("message_id")
    name = own if isinstance(own, str) and own else name
    attributes, data = given.get("attributes"), given.get("data")
    if isinstance(attributes, dict) and "bucketId" in attributes and "objectId" in attributes:
        if attributes.get("eventType", objects.FINALIZED[1]) not in objects.FINALIZED:
            return []
        told = {"bucket": attributes["bucketId"], "name": attributes["objectId"]}
        return objects.cloud_storage({**told, "generation": attributes.get("objectGeneration")}, name)
    if not data:
        if isinstance(attributes, dict) and ("url" in attributes or "urls" in attributes):
            return inner(attributes, name, depth + 1)
        return [InvalidRequest("The Pub/Sub message has no data, and its attributes name no object.")]
    try:
        return inner(base64.b64decode(data, validate=True), name, depth + 1)
    except (ValueError, TypeError):
        return [InvalidRequest("The Pub/Sub message's data is not base64.")]


def structured(event: Any, depth: int, inner: Inner) -> list[Found]:
    """Return what a CloudEvent in JSON asks for."""
    if not isinstance(event, dict):
        return [InvalidRequest("The CloudEvent is not a JSON object.")]
    data = event.get("data")
    if data is None and isinstance(event.get("data_base64"), str):
        try:
            data = base64.b64decode(event["data_base64"], validate=True)
        except ValueError:
            return [InvalidRequest("The CloudEvent's data_base64 is not base64.")]
    return cloud_event(event, data, depth, inner)


def cloud_event(attributes: Mapping[str, Any], data: Any, depth: int, inner: Inner) -> list[Found]:
    """Return what a CloudEvent asks for, by its ``type`` where that is a store's, else by its ``data``.

    The version of what names none is the event's id, which is unique together with its source.
    """
    if missing := [name for name in NAMES if not isinstance(attributes.get(name), str) or not attributes[name]]:
        return [InvalidRequest(f"The CloudEvent has no {missing[0]}; it needs {', '.join(NAMES)}.")]
    source, name = attributes["source"], attributes["id"]
    found = [_of(source, name, one) for one in _cloud_event(attributes, data, depth, inner)]
    return known(found, f"{source}#{name}")


def _cloud_event(attributes: Mapping[str, Any], data: Any, depth: int, inner: Inner) -> list[Found]:
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
        return pubsub(data.get("message") if isinstance(data, dict) else None, name, depth, inner)
    if kind == AUDIT_WRITTEN:
        return objects.audit(data, name)
    if kind.startswith(("google.cloud.storage.", "Microsoft.Storage.", GRID_SYSTEM)):
        return []
    if kind.endswith("Object Created") and isinstance(data, dict) and "object" in data:  # S3, by EventBridge
        return objects.eventbridge({"detail-type": "Object Created", "detail": data}, name)
    if data is None:
        return [
            InvalidRequest(f"The CloudEvent of the type {kind[:60]!r} has no data that says what to classify.")
        ]
    return inner(data, name, depth + 1)


def _of(source: str, name: str, found: Found) -> Found:
    """Return ``found`` with the source in its version: an event's id is unique within its source only."""
    if isinstance(found, InvalidRequest) or found.pin or not f"{found.version}/".startswith(f"{name}/"):
        return found
    return found._replace(version=f"{source}#{found.version}")
