"""What the conformance suite needs: how a request reaches the handler, and how events are made and read."""

import copy
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock
from urllib.parse import unquote

from mlserverless.serving import Service
from mlserverless.testing.events import Message, Reply, Trigger
from mlserverless.testing.http import Answer, Ask, encoded
from mlserverless.web.http import HttpRequest

from mlserverless_alibaba import make_handler
from mlserverless_alibaba.local import context, to_event, to_response

EVENTS = Path(__file__).parents[1] / "events"
ID = "1-66a0b1c2-00112233-445566778899"


def payload(name: str) -> Any:
    return json.loads((EVENTS / f"{name}.json").read_text(encoding="utf-8"))


def asking(service: Service) -> Ask:
    handler = make_handler(service)

    def ask(method: str, target: str, headers: dict[str, str], body: bytes = b"") -> Answer:
        path, _, query = encoded(target).partition("?")
        lower = {name.lower(): value for name, value in headers.items()}
        request = HttpRequest(method, unquote(path), query, lower, body)
        response = to_response(handler(to_event(request, ID), context(ID)))
        return Answer(response.status, {n.lower(): v for n, v in response.headers}, response.body)

    return ask


class Function:
    def __init__(self, handler: Callable[[bytes, Any], Any]) -> None:
        self._handler = handler

    def invoke(self, trigger: Trigger, event: Any) -> Reply:  # noqa: ARG002 - the suite's
        try:
            return Reply(json.dumps(self._handler(json.dumps(event).encode(), context(ID))), raised=False)
        except Exception as error:  # noqa: BLE001 - whatever it is, the event is not acknowledged
            return Reply(str(error), raised=True)


_functions: dict[tuple[tuple[str, str], ...], Function] = {}


@contextmanager
def start(environment: Mapping[str, str]) -> Iterator[Function]:
    with mock.patch.dict(os.environ, environment):
        key = tuple(sorted(environment.items()))
        if key not in _functions:
            _functions[key] = Function(make_handler(Service()))
        yield _functions[key]


def whole(messages: Sequence[Message], reply: Reply) -> list[bool]:
    return [not reply.raised] * len(messages)


def record(given: dict[str, Any], message: Message) -> dict[str, Any]:
    place = {"bucket": {"name": "images"}, "object": {"key": message.name, "eTag": message.etag, "size": 1}}
    return {**given, "oss": {} if message.malformed else place, "responseElements": {"requestId": message.id}}


def oss(messages: Sequence[Message]) -> Any:
    (given,) = payload("oss_put")["events"]
    return {"events": [record(given, message) for message in messages]}


def bus_oss(messages: Sequence[Message]) -> Any:
    given, (message,) = payload("eventbridge_oss"), messages
    return {**given, "id": message.id, "data": record(given["data"], message)}


def bus_custom(messages: Sequence[Message]) -> Any:
    (message,) = messages
    data = {} if message.malformed else {"url": message.url, **message.options}
    return {**payload("eventbridge_custom"), "id": message.id, "data": data}


def queue(name: str, body: str) -> Callable[[Sequence[Message]], Any]:
    def make(messages: Sequence[Message]) -> Any:
        (given,) = payload(name)
        events = []
        for message in messages:
            event = {**copy.deepcopy(given), "id": message.id}
            event["data"][body] = (
                "Hello!" if message.malformed else json.dumps({"url": message.url, **message.options})
            )
            events.append(event)
        return events

    return make


STORE = "s3://images"
TRIGGERS = (
    Trigger("OSS", oss, whole, STORE, batch=3),
    Trigger("EventBridge, OSS event", bus_oss, whole, STORE),
    Trigger("EventBridge, custom event", bus_custom, whole),
    Trigger("MNS queue, url with options", queue("mns_queue", "messageBody"), whole, batch=10),
    Trigger("Kafka, url with options", queue("kafka", "value"), whole, batch=10),
)
