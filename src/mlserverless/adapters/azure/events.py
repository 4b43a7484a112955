"""Azure's other triggers: Blob Storage, queues, Event Grid, Event Hubs, timers.

An exception hands the event back. What comes of it is the platform's: a queue's message and a blob are tried five
times and then go to ``NAME-poison``, a Service Bus message goes to its dead-letter queue after its most
deliveries, Event Grid tries for a day.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from time import sleep
from typing import Any

import azure.functions as func

from mlserverless.adapters.azure import limits
from mlserverless.adapters.azure.http import traceparent
from mlserverless.deadline import granted
from mlserverless.events import Part, cloudevent, envelopes, message, parts
from mlserverless.events.objects import blob_place
from mlserverless.events.schedule import Schedule, Tick
from mlserverless.events.whole import WholeEvent
from mlserverless.named_tuple import NamedTuple
from mlserverless.recording import hand_back, lasting, serve
from mlserverless.serving import Redeliver, Service
from mlserverless.sinks import Sink
from mlserverless.types import Outcome, Request

HOLD_S, LONGEST_HOLD_S = 1.0, 30.0


def told(context: func.Context | None) -> dict[str, Any]:
    """Return what the log says of an invocation besides its items: its id, and the trace that the host began."""
    if context is None:
        return {}
    return {"invocation": context.invocation_id, "headers": {"traceparent": traceparent(context)}}


class Blob(NamedTuple):
    """A blob that Azure delivered: its bytes, its address, the invocation's id, its ETag or when it changed."""

    data: bytes
    uri: str
    invocation_id: str
    version: str = ""


class BlobCreated(WholeEvent):
    """A blob trigger, polled or by Event Grid, which brings the blob's bytes with it."""

    faas_trigger = "datasource"

    def __call__(self, blob: Blob, sink: Sink | None = None, context: func.Context | None = None) -> None:
        """Answer the blob."""
        serve(self, blob, self.service, granted(limits.LIMIT_S), sink=sink, **told(context))

    def split(self, event: Blob) -> Sequence[Blob]:
        """Return the blob itself, the only item."""
        return [event]

    @staticmethod
    def decode(item: Any) -> Request:
        """Return a request for the blob's bytes, under its address."""
        return Request(item.invocation_id, url=blob_place(item.uri), image=item.data, version=item.version)


class _Messages(WholeEvent):
    """Events that bring a message each."""

    def _serve(self, event: Any, sink: Sink | None, context: func.Context | None) -> None:
        serve(self, event, self.service, granted(limits.LIMIT_S), sink=sink, **told(context))

    def split(self, event: Any) -> Sequence[Part]:
        raise NotImplementedError


class QueueMessage(_Messages):
    """A Queue Storage message: ``{"url": …}``, a URL, or an Event Grid event that was sent to the queue."""

    def __call__(
        self, queued: func.QueueMessage, sink: Sink | None = None, context: func.Context | None = None
    ) -> None:
        """Answer the message."""
        self._serve(queued, sink, context)

    def split(self, event: func.QueueMessage) -> Sequence[Part]:
        """Return what the message asks for."""
        name = event.id or ""
        return parts(name, message.read(event.get_body(), name))


class ServiceBusMessage(_Messages):
    """A message of a Service Bus queue or topic.

    Service Bus delivers what was handed back at once, and ten times in all: a store that is out for ten seconds
    would dead-letter whatever came meanwhile. So the message is held for a while first, each time twice as long.
    """

    def __call__(
        self, received: func.ServiceBusMessage, sink: Sink | None = None, context: func.Context | None = None
    ) -> None:
        """Answer the message."""
        deadline = granted(limits.LIMIT_S)
        try:
            serve(self, received, self.service, deadline, sink=sink, **told(context))
        except Redeliver:
            count = received.delivery_count or 1
            sleep(min(HOLD_S * 2 ** min(count - 1, 10), LONGEST_HOLD_S, deadline.remaining()))
            raise

    def split(self, event: func.ServiceBusMessage) -> Sequence[Part]:
        """Return what the message asks for; without an id of its own it goes by its sequence number."""
        number = event.sequence_number
        name = event.message_id or ("" if number is None else str(number))
        return parts(name, message.read(event.get_body(), name))


class EventGridEvent(_Messages):
    """An Event Grid event in either schema: ``Microsoft.Storage.BlobCreated``, or one whose data is a request."""

    def __call__(
        self, event: func.EventGridEvent, sink: Sink | None = None, context: func.Context | None = None
    ) -> None:
        """Answer the event."""
        self._serve(event, sink, context)

    def split(self, event: Any) -> Sequence[Part]:
        """Return what the event asks for; azure-functions hands CloudEvents over as another class."""
        if hasattr(event, "specversion"):
            told = {name: getattr(event, name) for name in envelopes.NAMES}
            told |= {"data": event.get_json(), "data_base64": event.extension_attrs.get("data_base64")}
            return parts(event.id, cloudevent.structured(told))
        return parts(event.id, message.grid({"eventType": event.event_type, "data": event.get_json()}, event.id))


class EventHubBatch(_Messages):
    """A batch of an event hub's partition.

    Event Hubs have no dead-letter queue, and an exception blocks the partition until the retries are used up. So
    only what may pass is handed back; what never will is recorded, in the log at least, and passed over.
    """

    def __call__(
        self, events: Sequence[func.EventHubEvent], sink: Sink | None = None, context: func.Context | None = None
    ) -> None:
        """Answer the batch."""
        self._serve(events, sink, context)

    def split(self, event: Sequence[func.EventHubEvent]) -> Sequence[Part]:
        """Return what each event of the batch asks for; it goes by its hub, its partition, its number there."""
        found: list[Part] = []
        for one in event:
            context = (one.metadata or {}).get("PartitionContext") or {}
            hub = "/".join(str(context.get(part, "")) for part in ("FullyQualifiedNamespace", "EventHubName"))
            name = f"{hub}/{context.get('PartitionId', '')}/{one.sequence_number}/{one.offset}"
            found += parts(name, message.read(one.get_body(), name))
        return found

    def reply(self, outcomes: Sequence[Outcome], failed: Sequence[Outcome]) -> None:
        """Hand the batch back where anything in it may pass yet."""
        hand_back(outcomes, [outcome for outcome in failed if not lasting(outcome.result)])


class Timer:
    """A timer trigger."""

    def __init__(self, service: Service) -> None:
        self._schedule = Schedule(service)

    def __call__(self, timer: func.TimerRequest, invocation_id: str) -> None:
        """Warm up, or classify the list that the setting ``schedule_source`` names."""
        status = getattr(timer, "schedule_status", None) or {}
        due = status.get("Next") or datetime.now(UTC).isoformat(timespec="minutes")
        self._schedule(Tick(invocation_id, str(due)), granted(limits.LIMIT_S), invocation=invocation_id)
