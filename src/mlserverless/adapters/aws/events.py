"""Events that Lambda delivers one by one: notifications, the event bus, timers, pings, direct invokes.

If one fails the invocation does: Lambda tries it twice more, then sends it to the function's dead-letter queue.
"""

from collections.abc import Sequence
from typing import Any

from mlserverless.adapters.aws.trigger import Event, source_of
from mlserverless.deadline import Deadline
from mlserverless.errors import InternalError, MlserverlessError
from mlserverless.events import Part, message, parts
from mlserverless.events.schedule import Schedule, Tick
from mlserverless.events.whole import WholeEvent
from mlserverless.recording import serve
from mlserverless.serving import Service, answer_each, problem
from mlserverless.signals.lines import Results
from mlserverless.web import body

TIMERS = ("aws.events", "aws.scheduler")
MARKS = ("warmer", "warmup", "#warmup")
PINGS = ("serverless-plugin-warmup", "serverless-plugin-warmup-v2")


class _Notification(WholeEvent):
    """An event whose parts are all in one message."""

    def handle(self, event: Event, request_id: str, deadline: Deadline) -> Any:
        """Answer every part; an exception is a failed invocation."""
        return serve(self, (request_id, event), self.service, deadline, invocation=request_id)

    def split(self, event: tuple[str, Event]) -> Sequence[Part]:
        """Return the event's parts; a removal and S3's test event have none."""
        return parts(event[0], message.read(event[1], event[0]))


class S3Notification(_Notification):
    """S3 event notification: a record an object, keys form-encoded. S3's test event has no records."""

    faas_trigger = "datasource"

    @staticmethod
    def accepts(event: Event) -> bool:
        """Return whether ``event`` is S3's own: a notification, or the test sent when one is set up."""
        return event.get("Event") == "s3:TestEvent" or source_of(event) == "aws:s3"

    def split(self, event: tuple[str, Event]) -> Sequence[Part]:
        """Return the records that tell of a new object."""
        if event[1].get("Event") == "s3:TestEvent":
            return []
        return super().split(event)


class SnsNotification(_Notification):
    """An SNS topic's message: an S3 notification in it, or a request."""

    @staticmethod
    def accepts(event: Event) -> bool:
        """Return whether ``event`` is SNS's."""
        return source_of(event) == "aws:sns"


class EventBridgeEvent(_Notification):
    """EventBridge: S3's "Object Created" (its keys are not encoded), or a custom event with a request in it."""

    @staticmethod
    def accepts(event: Event) -> bool:
        """Return whether ``event`` comes over the event bus."""
        return "detail-type" in event and "source" in event


class ScheduledEvent:
    """A timer: an EventBridge rule with a schedule, or EventBridge Scheduler without an input of its own."""

    def __init__(self, service: Service) -> None:
        self._schedule = Schedule(service)

    @staticmethod
    def accepts(event: Event) -> bool:
        """Return whether ``event`` is a timer's."""
        return event.get("detail-type") == "Scheduled Event" and event.get("source") in TIMERS

    def handle(self, event: Event, request_id: str, deadline: Deadline) -> Any:
        """Warm up, or classify the list that the setting ``schedule_source`` names."""
        tick = Tick(str(event.get("id") or request_id), str(event.get("time", "")))
        return self._schedule(tick, deadline, invocation=request_id)


class WarmUp:
    """The pings of serverless-plugin-warmup, lambda-warmer and their like. Nothing is classified."""

    def __init__(self, service: Service) -> None:
        self._service = service

    @staticmethod
    def accepts(event: Event) -> bool:
        """Return whether ``event`` only keeps the function warm."""
        return event.get("source") in PINGS or any(event.get(name) is True for name in MARKS)

    def handle(self, event: Event, request_id: str, deadline: Deadline) -> Event:  # noqa: ARG002 - a ping says nothing
        """Do what the first request would find undone."""
        self._service.warm_up(wait=True)
        return {"warm": True}


class DirectInvoke:
    """``aws lambda invoke`` and the SDKs: ``{"url": …}`` or ``{"urls": […]}``, options beside it."""

    def __init__(self, service: Service) -> None:
        self._service = service

    @staticmethod
    def accepts(event: Event) -> bool:
        """Return whether ``event`` is a bare prediction request."""
        return "url" in event or "urls" in event

    def handle(self, event: Event, request_id: str, deadline: Deadline) -> Event:
        """Return the prediction. A single one that fails is raised, so that the caller sees FunctionError.

        Lambda logs and answers what is raised: our own errors without their causes, nothing of any other.
        """
        call = self._service.signals.begin("other", {}, request_id)
        results: Results = ()
        try:
            answer, results = self._answer(event, request_id, deadline)
            return answer
        except MlserverlessError as error:
            results = (problem(error, request_id),)
            raise error from None
        except Exception as error:  # noqa: BLE001 - the boundary: its text is for nobody, its trace for the log
            results = (problem(error, request_id),)
            raise InternalError(results[0].detail) from None
        finally:
            self._service.signals.end(call, results, request_id)

    def _answer(self, event: Event, request_id: str, deadline: Deadline) -> tuple[Event, Results]:
        asked = body.asked(event, request_id, self._service.predictor.settings.max_batch)
        if not asked.batch:
            request = asked.decode(asked.items[0][1])._replace(id=request_id)
            result = self._service.predict(request, deadline)
            return result.to_dict(), (result,)
        outcomes = answer_each(asked.items, asked.decode, self._service.predict_member, deadline)
        return {"results": [outcome.to_dict() for outcome in outcomes]}, [outcome.result for outcome in outcomes]
