"""What a trigger brings to its function: the data and the trigger metadata, from an HTTP request, pure."""

import json
import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import unquote, urlsplit

from mlserverless.local.azure import batches
from mlserverless.local.azure.batches import Trigger, is_binary, text, told
from mlserverless.local.azure.messages import typed
from mlserverless.web.http import HttpRequest

_EMULATORS = {"localhost", "host.docker.internal", "azurite"}
_BODY = 'the body must be a JSON object: {"input": "..."}'


def trigger_data(name: str, binding: Mapping[str, Any], request: HttpRequest, now: datetime) -> Trigger:
    """Return the data and trigger metadata that ``request`` brings to function ``name`` with trigger ``binding``.

    Raises ValueError, in words for the caller, where it brings none.
    """
    content_type = request.headers.get("content-type", "application/octet-stream")
    if binding["type"] == "httpTrigger":
        raise ValueError(f"{name} has an HTTP trigger: ask its own route")
    if binding["type"] == "blobTrigger":
        if content_type.startswith("application/json") or "x-blob-uri" not in request.headers:
            raise ValueError(
                f"{name} has a blob trigger: POST the blob's bytes, with its address in X-Blob-Uri"
                " and a Content-Type other than application/json"
            )
        given = _object(request.headers.get("x-blob-properties", "{}"), "X-Blob-Properties must be a JSON object")
        return blob_data(request.headers["x-blob-uri"], request.body, content_type, now, given)
    body = _object(request.body, _BODY)
    metadata = body.get("metadata", {})
    if not isinstance(metadata, dict):
        raise ValueError('"metadata" must be a JSON object of trigger metadata')
    return admin_data(binding, body.get("input", ""), metadata, now)


def blob_data(
    uri: str, data: bytes, content_type: str, now: datetime, properties: Mapping[str, Any] | None = None
) -> Trigger:
    """Return a blob trigger's data and trigger metadata, for the blob at ``uri`` changed at ``now``.

    ``uri`` is the blob's address, ``https://account.blob.core.windows.net/container/name`` or an emulator's
    ``http://127.0.0.1:10000/account/container/name``; ``properties`` replaces and adds to the blob's properties.
    Raises ValueError where ``uri`` names no blob.
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
    known = {"ContentLength": len(data), "ContentType": content_type, "LastModified": now.isoformat()}
    metadata = {
        "BlobTrigger": typed(f"{container}/{blob}"),
        "Uri": {"json": json.dumps(uri)},
        "Properties": typed(known | dict(properties or {})),
        "Metadata": typed({}),
    }
    return {"bytes": data}, metadata


def admin_data(binding: Mapping[str, Any], given: Any, metadata: Mapping[str, Any], now: datetime) -> Trigger:
    """Return the data and trigger metadata for ``given``, the ``input`` of ``POST /admin/functions/{name}``.

    ``binding`` is the trigger, ``metadata`` the caller's own trigger metadata: it replaces and adds to what a
    first delivery at ``now`` has, and None takes an entry away. A trigger that is not known here receives the
    text and the caller's metadata alone. Raises ValueError for an event or a batch that cannot be one.
    """
    trigger = binding["type"]
    if trigger == "timerTrigger":
        return _timer(given, metadata, now), {}
    if trigger == "serviceBusTrigger":
        return batches.service_bus(binding, given, metadata, now)
    if trigger == "eventHubTrigger":
        return batches.event_hub(binding, given, metadata, now)
    known: dict[str, Any] = {}
    body = text(given)
    if trigger == "eventGridTrigger":
        _object(body, "the input must be an event, a JSON object in Event Grid's schema or CloudEvents'")
        return {"json": body}, told(metadata)
    if trigger == "queueTrigger":
        known = {
            "Id": str(uuid.uuid4()),
            "PopReceipt": "local",
            "DequeueCount": 1,
            "InsertionTime": now,
            "ExpirationTime": now + timedelta(days=7),
            "NextVisibleTime": now + timedelta(minutes=10),
        }
    return typed(body.encode() if is_binary(binding) else body), told(known | dict(metadata))


def _timer(given: Any, metadata: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """Return a timer's record. As under the host, an input that is no object does not matter."""
    status = {"Last": now.isoformat(), "Next": now.isoformat(), "LastUpdated": now.isoformat()}
    record: dict[str, Any] = {"Schedule": {}, "ScheduleStatus": status, "IsPastDue": False}
    for more in (given if isinstance(given, dict) else {}, metadata):
        for name, value in more.items():
            if name in status:  # Last, Next and LastUpdated may be said without their ScheduleStatus
                record["ScheduleStatus"][name] = value
            elif isinstance(record.get(name), dict):
                record[name] = batches.merged(record[name], more, name)
            else:
                record[name] = value
    return typed(record)


def _object(said: str | bytes, otherwise: str) -> dict[str, Any]:
    try:
        found = json.loads(said)
    except ValueError:
        raise ValueError(otherwise) from None
    if not isinstance(found, dict):
        raise ValueError(otherwise)
    return found
