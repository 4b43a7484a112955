"""Events that come over HTTP, in every form that Google, Knative, Event Grid and Pub/Sub send them.

The answer's status is the acknowledgement: 204 for what is done, 503 for what is to be delivered again, 400 for
what never will pass, which Knative and Event Grid dead-letter at once.
"""

import json
from collections.abc import Callable, Sequence
from typing import Any

from mlserverless.deadline import Deadline
from mlserverless.errors import SourceError
from mlserverless.events import Found, Part, cloudevent, decode, message, objects, parts
from mlserverless.events.schedule import Schedule, Tick
from mlserverless.named_tuple import NamedTuple
from mlserverless.recording import lasting, serve
from mlserverless.serving import Redeliver, Service, new_id, problem
from mlserverless.types import Outcome, Problem, Request
from mlserverless.web.answers import JSON, respond, respond_problem
from mlserverless.web.http import HttpRequest, HttpResponse

PING = "dev.knative.sources.ping"
PUBLISHED = ("google.pubsub.topic.publish", "providers/cloud.pubsub/eventTypes/topic.publish")
VALIDATION = "Microsoft.EventGrid.SubscriptionValidationEvent"
DONE = HttpResponse(204, (), b"")


class Delivery(NamedTuple):
    """One event of a request. ``endless`` where the sender has no dead-letter queue and never gives up."""

    id: str
    found: Sequence[Found]
    endless: bool = False


class HttpEvents:
    """Answers events; a trigger of the seam for each request."""

    def __init__(self, service: Service) -> None:
        self._service, self._schedule = service, Schedule(service)

    def __call__(self, request: HttpRequest, deadline: Deadline) -> HttpResponse:
        """Answer every event that ``request`` carries; it never raises."""
        if request.method == "OPTIONS" and cloudevent.is_one(request):
            return cloudevent.handshake(request)
        if _probes(request):
            return _json_answer({"status": "ok"})
        if request.headers.get("ce-type") == PING and b'"url' not in request.body:
            return self.tick(request, deadline)
        given = None if cloudevent.is_one(request) else _json(request.body)
        if (code := _validation(given)) is not None:
            return _json_answer({"validationResponse": code})
        return self._answer(_deliveries(request, given), deadline, request.headers)

    def tick(self, request: HttpRequest, deadline: Deadline) -> HttpResponse:
        """Do what a timer asks for: warm up, or classify the list that the setting ``schedule_source`` names.

        The tick's time is the one that the scheduler says it was due at, so that its second delivery is the same.
        """
        if _probes(request):
            return _json_answer({"status": "ok"})
        try:
            self._schedule(_tick(request), deadline, headers=request.headers)
        except Exception as error:  # noqa: BLE001 - the boundary
            told = problem(SourceError(str(error)) if isinstance(error, Redeliver) else error, name := new_id())
            return respond_problem(told._replace(status=503 if told.retryable else 500), name)
        return DONE

    def _answer(self, deliveries: list[Delivery], deadline: Deadline, headers: dict[str, str]) -> HttpResponse:
        answer: HttpResponse = serve(_Deliveries(), deliveries, self._service, deadline, headers=headers)
        return answer


class _Deliveries:
    faas_trigger = "pubsub"

    def split(self, event: list[Delivery]) -> Sequence[Part]:
        return [
            part
            for delivery in event
            for part in parts("endless" if delivery.endless else "", delivery.found, delivery.id)
        ]

    decode: Callable[[Part], Request] = staticmethod(decode)

    def reply(self, outcomes: Sequence[Outcome], failed: Sequence[Outcome]) -> HttpResponse:  # noqa: ARG002
        left = [outcome for outcome in failed if not (outcome.item.message and lasting(outcome.result))]
        if not left:
            return DONE
        worst = next((outcome for outcome in left if not lasting(outcome.result)), left[0])
        assert isinstance(worst.result, Problem)
        status = 400 if lasting(worst.result) else 503
        return respond_problem(worst.result._replace(status=status), worst.request_id)


def _json_answer(value: dict[str, str]) -> HttpResponse:
    return respond(200, JSON, value, new_id())


def _probes(request: HttpRequest) -> bool:
    """Return whether ``request`` only looks whether somebody is there: it leaves no record and begins no list."""
    return request.method in ("GET", "HEAD") and "x-cloudscheduler" not in request.headers


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return body


def _deliveries(request: HttpRequest, given: Any) -> list[Delivery]:
    if cloudevent.is_one(request):
        return [Delivery(name, found) for name, found in cloudevent.split(request)]
    if isinstance(given, dict) and isinstance(given.get("message"), dict):
        pushed = given["message"]
        name = str(pushed.get("messageId") or pushed.get("message_id") or new_id())
        # Only a subscription with a dead-letter topic counts its attempts; any other pushes for as long as it
        # keeps the message, seven days by default (Google Cloud, "Handle message failures").
        return [Delivery(name, message.pubsub(pushed, name), endless="deliveryAttempt" not in given)]
    if isinstance(given, dict) and "data" in given and ("context" in given or "eventType" in given):
        return [_background(given)]
    told = request.headers
    name = told.get("x-goog-pubsub-message-id") or told.get("x-request-id") or new_id()
    return [Delivery(name, message.read(given, name))]


def _background(given: dict[str, Any]) -> Delivery:
    """Read the form of Google's first generation: the data, with the context beside it or around it."""
    context = given["context"] if isinstance(given.get("context"), dict) else given
    name, kind = str(context.get("eventId") or new_id()), context.get("eventType")
    if kind == objects.FINALIZED[2]:
        return Delivery(name, objects.cloud_storage(given["data"], name))
    if kind in PUBLISHED:
        return Delivery(name, message.pubsub(given["data"], name))
    if isinstance(kind, str) and kind.startswith("google.storage.object."):
        return Delivery(name, [])
    return Delivery(name, message.read(given["data"], name) if "context" in given else message.read(given, name))


def _validation(given: Any) -> str | None:
    """Return the code with which Event Grid wants a subscription of its own schema confirmed."""
    first = given[0] if isinstance(given, list) and given else None
    if not isinstance(first, dict) or first.get("eventType") != VALIDATION:
        return None
    data = first.get("data")
    return str(data.get("validationCode", "")) if isinstance(data, dict) else None


def _tick(request: HttpRequest) -> Tick:
    headers, given = request.headers, _json(request.body)
    due = headers.get("x-cloudscheduler-scheduletime") or headers.get("ce-time", "")
    name = headers.get("ce-id") or headers.get("x-cloudscheduler-jobname", "")
    if isinstance(given, dict):
        held = given.get("data") if isinstance(given.get("data"), dict) else given
        pushed = held.get("message") if isinstance(held, dict) else None
        if isinstance(pushed, dict):
            name = str(pushed.get("messageId") or pushed.get("message_id") or name)
            due = str(pushed.get("publishTime") or pushed.get("publish_time") or due)
        elif "specversion" in given:
            name, due = str(given.get("id", name)), str(given.get("time", due))
    if not due:
        from datetime import UTC, datetime

        due = datetime.now(UTC).isoformat(timespec="minutes")
    return Tick(name or new_id(), due)
