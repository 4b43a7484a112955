"""Google's events, as HTTP requests: the entry point's name, headers, body."""

import json
from collections.abc import Callable, Sequence
from typing import Any

from helpers.shapes import asked, base64_of, by_status, payload
from mlserverless.testing.events import Message, Trigger

Event = tuple[str, dict[str, str], bytes]
JSON = {"content-type": "application/json"}
STRUCTURED = {"content-type": "application/cloudevents+json"}


def structured(event: dict[str, Any]) -> Event:
    return "event", STRUCTURED, json.dumps(event).encode()


def binary(event: dict[str, Any]) -> Event:
    data = event.pop("data")
    attributes = {f"ce-{name}": str(value) for name, value in event.items() if str(value).isascii()}
    return "event", {**attributes, **JSON}, json.dumps(data).encode()


def the_object(message: Message) -> dict[str, Any]:
    data: dict[str, Any] = payload("gcp/storage_finalized")["data"]
    place = {"name": message.name, "bucket": "images", "generation": "1"}
    return {} if message.malformed else {**data, **place}


def finalized(form: Callable[[dict[str, Any]], Event]) -> Callable[[Sequence[Message]], Event]:
    def make(messages: Sequence[Message]) -> Event:
        (message,) = messages
        return form(payload("gcp/storage_finalized") | {"id": message.id, "data": the_object(message)})

    return make


def pushed(message: Message, *, storage: bool) -> dict[str, Any]:
    """Return a Pub/Sub message with a request, or with Cloud Storage's notification."""
    path = "gcp/push_storage" if storage else "gcp/push_url"
    given: dict[str, Any] = payload(path)["message"]
    given |= {"messageId": message.id, "message_id": message.id}
    if not storage:
        return {**given, "data": base64_of(asked(message))}
    if message.malformed:
        return {**given, "data": "", "attributes": {"eventType": "OBJECT_FINALIZE"}}
    named = {"objectId": message.name, "bucketId": "images", "objectGeneration": "1"}
    return {**given, "attributes": given["attributes"] | named, "data": base64_of(json.dumps(the_object(message)))}


def published(*, storage: bool) -> Callable[[Sequence[Message]], Event]:
    def make(messages: Sequence[Message]) -> Event:
        (message,) = messages
        data = {"message": pushed(message, storage=storage), "subscription": "projects/p/subscriptions/s"}
        return binary(payload("gcp/pubsub_url") | {"id": message.id, "data": data})

    return make


def raw(*, storage: bool, counted: bool) -> Callable[[Sequence[Message]], Event]:
    def make(messages: Sequence[Message]) -> Event:
        (message,) = messages
        body = {"message": pushed(message, storage=storage), "subscription": "projects/p/subscriptions/s"}
        if counted:  # the subscription has a dead-letter topic
            body["deliveryAttempt"] = 1
        return "event", JSON, json.dumps(body).encode()

    return make


def audit(messages: Sequence[Message]) -> Event:
    event, (message,) = payload("gcp/audit_log"), messages
    event["data"]["insertId"] = event["id"] = message.id
    name = "nothing" if message.malformed else f"projects/_/buckets/images/objects/{message.name}"
    event["data"]["protoPayload"]["resourceName"] = name
    return binary(event)


def background(messages: Sequence[Message]) -> Event:
    event, (message,) = payload("gcp/background_storage"), messages
    event["context"]["eventId"] = message.id
    return "event", JSON, json.dumps({**event, "data": the_object(message)}).encode()


def background_pubsub(messages: Sequence[Message]) -> Event:
    event, (message,) = payload("gcp/background_pubsub"), messages
    event["context"]["eventId"] = message.id
    event["data"]["data"] = base64_of(asked(message))
    return "event", JSON, json.dumps(event).encode()


STORE = "gs://images"
TRIGGERS = (
    Trigger("Cloud Storage, binary", finalized(binary), by_status, STORE),
    Trigger("Cloud Storage, structured", finalized(structured), by_status, STORE),
    Trigger("Pub/Sub", published(storage=False), by_status),
    Trigger("Cloud Storage through Pub/Sub", published(storage=True), by_status, STORE),
    Trigger("Pub/Sub push", raw(storage=False, counted=False), by_status, dead_letters=False),
    Trigger("Pub/Sub push with a dead-letter topic", raw(storage=False, counted=True), by_status),
    Trigger("Cloud Storage through a push", raw(storage=True, counted=True), by_status, STORE),
    Trigger("Cloud Audit Logs", audit, by_status, STORE),
    Trigger("background function, storage", background, by_status, STORE),
    Trigger("background function, Pub/Sub", background_pubsub, by_status),
)
