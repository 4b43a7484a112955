"""Azure's events: the function's name, its trigger's input, the trigger's metadata."""

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from helpers.shapes import asked, payload, whole
from helpers.shapes.cloudevents import blob_created
from mlserverless.testing.events import Message, Trigger
from mlserverless.testing.world import TEXT, photo


class Event(NamedTuple):
    """``input`` is text, JSON or, for a blob, its bytes."""

    function: str
    input: Any
    metadata: dict[str, Any]


def queue(messages: Sequence[Message]) -> Event:
    (message,) = messages
    return Event("message_queued", asked(message), {"Id": message.id, "DequeueCount": "1"})


def queue_grid(messages: Sequence[Message]) -> Event:
    (message,) = messages
    return Event("message_queued", json.dumps(blob_created(message)), {"Id": message.id, "DequeueCount": "1"})


def service_bus(messages: Sequence[Message]) -> Event:
    (message,) = messages
    return Event("message_received", asked(message), {"MessageId": message.id})


def grid(messages: Sequence[Message]) -> Event:
    (message,) = messages
    return Event("event_published", blob_created(message), {})


def grid_cloud_event(messages: Sequence[Message]) -> Event:
    (message,) = messages
    event = payload("azure/event_grid_cloud_event")
    return Event("event_published", event | {"id": message.id, "data": blob_created(message)["data"]}, {})


def grid_custom(messages: Sequence[Message]) -> Event:
    (message,) = messages
    data = {} if message.malformed else {"url": message.url, **message.options}
    return Event("event_published", payload("azure/event_grid_custom") | {"id": message.id, "data": data}, {})


def event_hub(messages: Sequence[Message]) -> Event:
    numbers = [int(message.id.rpartition("-")[2]) for message in messages]
    system = [{"SequenceNumber": one, "Offset": str(one), "PartitionKey": "left"} for one in numbers]
    return Event("events_streamed", [asked(message) for message in messages], {"SystemPropertiesArray": system})


def blob(messages: Sequence[Message]) -> Event:
    (message,) = messages
    uri = f"https://account.blob.core.windows.net/images/{message.name}"
    data = TEXT if message.name.startswith("text") else photo()
    return Event("image_created", data, {"Uri": uri, "ETag": message.etag})


TRIGGERS = (
    Trigger("Blob Storage", blob, whole, brings=True),
    Trigger("Queue Storage", queue, whole),
    Trigger("Queue Storage, Event Grid event", queue_grid, whole, "az://images"),
    Trigger("Service Bus", service_bus, whole),
    Trigger("Event Grid, BlobCreated", grid, whole, "az://images"),
    Trigger("Event Grid, BlobCreated as CloudEvent", grid_cloud_event, whole, "az://images"),
    Trigger("Event Grid, custom event", grid_custom, whole),
    Trigger("Event Hubs", event_hub, whole, batch=10, dead_letters=False),
)
