"""Azure Functions (Python v2 programming model): HTTP, Blob Storage, queues, Event Grid, Event Hubs, timers.

Each trigger is a blueprint that a deployment's ``function_app.py`` registers on its ``FunctionApp``. Where they
are bound is told by variables of the deployment, since the host reads it before any request.
"""

import logging
import os
from typing import Any

import azure.functions as func

from mlserverless.adapters.azure.entry import entry, results
from mlserverless.adapters.azure.events import (
    Blob,
    BlobCreated,
    EventGridEvent,
    EventHubBatch,
    QueueMessage,
    ServiceBusMessage,
    Timer,
)
from mlserverless.adapters.azure.http import FunctionHttp, traceparent
from mlserverless.serving import Service
from mlserverless.sinks import Sink

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")
STORAGE = "AzureWebJobsStorage"
# Azure shows what is logged; what is printed is lost there.
_results = logging.getLogger("mlserverless.results")
_results.setLevel(logging.DEBUG)  # what is not to be logged does not come here
_LEVELS = (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR)
service = Service(write=_results.info, tell=lambda level, line: _results.log(_LEVELS[level], "%s", line))
warm_up = service.warm_up
_http, _blob, _timer = FunctionHttp(service), BlobCreated(service), Timer(service)
_queue, _bus, _grid, _hub = (
    QueueMessage(service),
    ServiceBusMessage(service),
    EventGridEvent(service),
    EventHubBatch(service),
)


def _blueprint() -> func.Blueprint:
    return func.Blueprint()  # type: ignore[no-untyped-call]  # the package is half typed


def _set(name: str, default: str) -> str:
    return os.environ.get(f"MLSERVERLESS_{name}", default)


http, blob, queue, event_grid = _blueprint(), _blueprint(), _blueprint(), _blueprint()
service_bus, event_hub, timer = _blueprint(), _blueprint(), _blueprint()


@http.function_name("predict")
@http.route(route="{*path}", methods=METHODS)
def predict(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """Answer HTTP: the wire contract's routes."""
    return _http(req, context.invocation_id, traceparent(context))


@blob.function_name("image_created")
@blob.blob_trigger(
    arg_name="event",
    path=_set("BLOB_PATH", "images/{name}"),
    connection=_set("BLOB_CONNECTION", STORAGE),
    source=func.BlobSource(_set("BLOB_SOURCE", "LogsAndContainerScan")),
)
@results(blob)
@entry(func.InputStream)
def image_created(event: func.InputStream, context: func.Context, sink: Sink | None) -> None:
    """Classify a blob that was written to the container."""
    told: Any = getattr(event, "blob_properties", None) or {}
    version = next(
        (told[name] for name in ("ETag", "LastModified") if isinstance(told.get(name), str)), context.invocation_id
    )
    _blob(Blob(event.read(), event.uri or event.name or "", context.invocation_id, version), sink, context)


@queue.function_name("message_queued")
@queue.queue_trigger(
    arg_name="event", queue_name=_set("QUEUE_NAME", "images"), connection=_set("QUEUE_CONNECTION", STORAGE)
)
@results(queue)
@entry(func.QueueMessage)
def message_queued(event: func.QueueMessage, context: func.Context, sink: Sink | None) -> None:
    """Classify what a queue's message names."""
    _queue(event, sink, context)


@event_grid.function_name("event_published")
@event_grid.event_grid_trigger(arg_name="event")
@results(event_grid)
@entry(func.EventGridEvent)
def event_published(event: func.EventGridEvent, context: func.Context, sink: Sink | None) -> None:
    """Classify what an Event Grid event names."""
    _grid(event, sink, context)


@service_bus.function_name("message_received")
@service_bus.service_bus_queue_trigger(
    arg_name="event",
    queue_name=_set("SERVICE_BUS_QUEUE", "images"),
    connection=_set("SERVICE_BUS_CONNECTION", "ServiceBusConnection"),
)
@results(service_bus)
@entry(func.ServiceBusMessage)
def message_received(event: func.ServiceBusMessage, context: func.Context, sink: Sink | None) -> None:
    """Classify what a Service Bus message names."""
    _bus(event, sink, context)


# Without a policy of its own a failed batch is passed over; -1 tries until it passes (Microsoft Learn, "Azure
# Functions error handling and retries").
@event_hub.function_name("events_streamed")
@event_hub.retry(
    strategy="exponential_backoff", max_retry_count="-1", minimum_interval="00:00:02", maximum_interval="00:05:00"
)
@event_hub.event_hub_message_trigger(
    arg_name="event",
    event_hub_name=_set("EVENT_HUB_NAME", "images"),
    connection=_set("EVENT_HUB_CONNECTION", "EventHubConnection"),
    cardinality=func.Cardinality.MANY,
)
@results(event_hub)
@entry(list[func.EventHubEvent])
def events_streamed(event: list[func.EventHubEvent], context: func.Context, sink: Sink | None) -> None:
    """Classify what an event hub's batch names."""
    _hub(event, sink, context)


@timer.function_name("scheduled")
@timer.timer_trigger(arg_name="event", schedule=_set("SCHEDULE", "0 */5 * * * *"))
def scheduled(event: func.TimerRequest, context: func.Context) -> None:
    """Keep the function warm, or classify a list."""
    _timer(event, context.invocation_id)
