"""CloudEvents of any source, and what else the container takes: path, headers, body."""

import json
from collections.abc import Callable, Sequence
from typing import Any

from helpers.shapes import asked, base64_of, by_status, gcp, payload
from mlserverless.testing.events import Message, Trigger

Event = tuple[str, dict[str, str], bytes]


def data_of(message: Message) -> dict[str, Any]:
    return {"size": 5} if message.malformed else {"url": message.url, **message.options}


def binary(messages: Sequence[Message]) -> Event:
    event, (message,) = payload("cloudevents/binary"), messages
    return "/", event["headers"] | {"ce-id": message.id}, json.dumps(data_of(message)).encode()


def plain_text(messages: Sequence[Message]) -> Event:
    event, (message,) = payload("cloudevents/binary_text"), messages
    return "/", event["headers"] | {"ce-id": message.id}, asked(message).encode()


def inner(message: Message) -> dict[str, Any]:
    event: dict[str, Any] = json.loads(payload("cloudevents/structured")["body"])
    return event | {"id": message.id, "data": data_of(message)}


def structured(messages: Sequence[Message]) -> Event:
    (message,) = messages
    return "/", payload("cloudevents/structured")["headers"], json.dumps(inner(message)).encode()


def in_base64(messages: Sequence[Message]) -> Event:
    (message,) = messages
    event = inner(message)
    event["data_base64"] = base64_of(json.dumps(event.pop("data")))
    return "/", payload("cloudevents/structured_base64")["headers"], json.dumps(event).encode()


def batch(messages: Sequence[Message]) -> Event:
    return "/", payload("cloudevents/batch")["headers"], json.dumps([inner(one) for one in messages]).encode()


def blob_created(message: Message) -> dict[str, Any]:
    event: dict[str, Any] = payload("azure/event_grid_blob_created")
    url = f"https://conformance.blob.core.windows.net/images/{message.name}"
    data = {} if message.malformed else event["data"] | {"url": url, "eTag": message.etag}
    return event | {"id": message.id, "data": data}


def grid(messages: Sequence[Message]) -> Event:
    body = json.dumps([blob_created(one) for one in messages]).encode()
    return "/events", {"content-type": "application/json", "aeg-event-type": "Notification"}, body


def grid_cloud_event(messages: Sequence[Message]) -> Event:
    (message,) = messages
    event = payload("azure/event_grid_cloud_event") | {"id": message.id, "data": blob_created(message)["data"]}
    return "/", payload("cloudevents/structured")["headers"], json.dumps(event).encode()


def at(path: str, make: Callable[[Sequence[Message]], Event]) -> Callable[[Sequence[Message]], Event]:
    def made(messages: Sequence[Message]) -> Event:
        return (path, *make(messages)[1:])

    return made


TRIGGERS = (
    Trigger("CloudEvent, binary", binary, by_status),
    Trigger("CloudEvent, binary, plain text", plain_text, by_status),
    Trigger("CloudEvent, structured", structured, by_status),
    Trigger("CloudEvent, structured, base64", in_base64, by_status),
    Trigger("CloudEvents, batch", batch, by_status, batch=10),
    Trigger("Event Grid web hook", grid, by_status, "az://images", batch=10),
    Trigger("Event Grid web hook, CloudEvents", grid_cloud_event, by_status, "az://images"),
    Trigger("Eventarc to the container", at("/", gcp.finalized(gcp.binary)), by_status, "gs://images"),
    Trigger(
        "Pub/Sub push to the container",
        at("/events", gcp.raw(storage=False, counted=False)),
        by_status,
        dead_letters=False,
    ),
)
