"""The adapters in this process, each given its platform's events."""

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from types import SimpleNamespace
from typing import Any
from unittest import mock

from helpers.harness.aws import Context
from helpers.harness.gcp import app
from helpers.harness.wsgi import call, environ
from helpers.shapes import aws as aws_shapes
from helpers.shapes import azure as azure_shapes
from helpers.shapes import cloudevents
from helpers.shapes import gcp as gcp_shapes
from mlserverless import stores
from mlserverless.serving import Service
from mlserverless.testing.cases import CASES
from mlserverless.testing.events import Reply, Trigger

TRIGGERS: dict[str, tuple[Trigger, ...]] = {
    "aws": aws_shapes.TRIGGERS,
    "azure": azure_shapes.TRIGGERS,
    "gcp": gcp_shapes.TRIGGERS,
    "wsgi": cloudevents.TRIGGERS,
}
TRIALS = [
    (cloud, trigger, case)
    for cloud, triggers in TRIGGERS.items()
    for trigger in triggers
    for case in CASES
    if case.applies(trigger)
]
Answer = Callable[[Any], Any]
_answers: dict[tuple[str, tuple[tuple[str, str], ...]], Answer] = {}


class Function:
    """An adapter in this process: what it raises is what a platform would see."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    def invoke(self, trigger: Trigger, event: Any) -> Reply:
        try:
            return Reply(self._answer(event), raised=False)
        except Exception as error:  # noqa: BLE001 - whatever it is, the event is not acknowledged
            return Reply(str(error), raised=True)


def start(cloud: str) -> Callable[[Mapping[str, str]], Any]:
    """Return how a function of ``cloud`` is started: made once for each environment, as a runtime would be."""

    @contextmanager
    def started(environment: Mapping[str, str]) -> Iterator[Function]:
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("MLSERVERLESS_", "AWS_"))
        }
        with mock.patch.dict(os.environ, {**kept, **environment}, clear=True):
            key = cloud, tuple(sorted(environment.items()))
            if key not in _answers:
                stores._store.cache_clear()
                _answers[key] = MAKE[cloud](Service())
            yield Function(_answers[key])

    return started


def _aws(service: Service) -> Answer:
    from mlserverless.adapters.aws import make_handler

    handler = make_handler(service)

    def answer(event: Any) -> Any:
        sent, context = json.dumps(event), Context()
        context.aws_request_id = sha256(sent.encode()).hexdigest()  # Lambda's own retries keep the id
        return json.loads(json.dumps(handler(json.loads(sent), context)))

    return answer


def _gcp(service: Service) -> Answer:
    from mlserverless.adapters import gcp

    events = gcp.CloudEvents(service)

    def answer(event: Any) -> int:
        target, headers, body = event
        with mock.patch.object(gcp, "_events", events):
            return int(app(target).test_client().post("/", headers=headers, data=body).status_code)

    return answer


def _wsgi(service: Service) -> Answer:
    from mlserverless.adapters.wsgi import Wsgi

    application = Wsgi(service)

    def answer(event: Any) -> int:
        path, headers, body = event
        return call(application, environ("POST", path, headers, body)).status

    return answer


def _azure(service: Service) -> Answer:
    import azure.functions as func
    from azure.functions.meta import Datum

    from mlserverless.adapters import azure

    handles: dict[str, tuple[str, Any]] = {
        "message_queued": ("_queue", azure.QueueMessage(service)),
        "message_received": ("_bus", azure.ServiceBusMessage(service)),
        "event_published": ("_grid", azure.EventGridEvent(service)),
        "events_streamed": ("_hub", azure.EventHubBatch(service)),
        "image_created": ("_blob", azure.BlobCreated(service)),
    }

    def given(event: azure_shapes.Event) -> Any:
        told = event.metadata
        if event.function == "message_queued":
            return func.QueueMessage(id=told["Id"], body=event.input)
        if event.function == "message_received":
            from azure.functions.servicebus import ServiceBusMessage

            return ServiceBusMessage(
                body=event.input.encode(),
                message_id=told["MessageId"],
                application_properties={},
                user_properties={},
            )
        if event.function == "event_published":
            from azure.functions.eventgrid import EventGridEventInConverter

            return EventGridEventInConverter.decode(Datum(json.dumps(event.input), "json"), trigger_metadata={})
        if event.function == "events_streamed":
            system = told["SystemPropertiesArray"]
            return [
                func.EventHubEvent(
                    body=body.encode(),
                    sequence_number=one["SequenceNumber"],
                    offset=one["Offset"],
                    partition_key=one["PartitionKey"],
                )
                for body, one in zip(event.input, system, strict=True)
            ]
        return func.blob.InputStream(
            data=event.input, uri=told["Uri"], name="", blob_properties={"ETag": told["ETag"]}
        )

    def answer(event: azure_shapes.Event) -> None:
        name, handle = handles[event.function]
        with mock.patch.object(azure, name, handle):
            context: Any = SimpleNamespace(invocation_id="c6af9ac6-7b61-11e6-9a41-93e8deadbeef")
            getattr(azure, event.function)(given(event), context)

    return answer


MAKE: dict[str, Callable[[Service], Answer]] = {"aws": _aws, "azure": _azure, "gcp": _gcp, "wsgi": _wsgi}
