"""Alibaba Cloud Function Compute 3.0, built-in Python runtime: HTTP, OSS, timers, EventBridge and its queues.

``handler`` is what a function's index.py names. It takes the first of ``TRIGGERS`` that accepts the event; who
needs another one makes a handler of their own: ``handler = make_handler(service, (Mine, *TRIGGERS))``.
"""

import base64
import json
import os
from collections.abc import Callable, Sequence
from typing import Any, Protocol
from urllib.parse import urlencode

from mlserverless.deadline import Deadline, granted
from mlserverless.errors import InvalidRequest
from mlserverless.events import Found, Part, known, message, parts
from mlserverless.events.schedule import Schedule, Tick
from mlserverless.events.whole import WholeEvent
from mlserverless.recording import serve
from mlserverless.serving import Service
from mlserverless.types import Request
from mlserverless.web.app import WebApp
from mlserverless.web.http import HttpBinding, HttpRequest, HttpResponse

Event = dict[str, Any]
CREATED = ("ObjectCreated:", "ObjectReplication:ObjectCreated", "ObjectReplication:ObjectModified")
# OSS counts these among what is created, but there is no whole object yet: CompleteMultipartUpload tells of it.
UNFINISHED = (":InitiateMultipartUpload", ":UploadPart", ":UploadPartCopy")
BODIES = ("messageBody", "body", "value")  # where MNS, RocketMQ and RabbitMQ, Kafka have what was sent
ROLE = {
    "AWS_ACCESS_KEY_ID": "ALIBABA_CLOUD_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY": "ALIBABA_CLOUD_ACCESS_KEY_SECRET",
    "AWS_SESSION_TOKEN": "ALIBABA_CLOUD_SECURITY_TOKEN",
    "AWS_REGION": "FC_REGION",
}


class FcTrigger(Protocol):
    """What ``TRIGGERS`` lists: a class that knows its own events, and answers one."""

    def __init__(self, service: Service) -> None: ...

    @staticmethod
    def accepts(event: Any) -> bool:
        """Return whether ``event`` comes from this trigger."""

    def handle(self, event: Any, request_id: str, deadline: Deadline) -> Any:
        """Return what Function Compute is given back, or raise, which is a failed invocation."""


class FcHttp(HttpBinding[Event, Event]):
    """An HTTP trigger of a built-in runtime."""

    def __init__(self, service: Service) -> None:
        self._app = WebApp(service)

    @staticmethod
    def accepts(event: Any) -> bool:
        """Return whether ``event`` is a request in the format v1."""
        context = event.get("requestContext") if isinstance(event, dict) else None
        return isinstance(context, dict) and "http" in context and event.get("version") == "v1"

    def handle(self, event: Event, request_id: str, deadline: Deadline) -> Event:
        """Answer through the web app."""
        return self.write(self._app(self.read(event), platform_id=request_id, deadline=deadline))

    def read(self, event: Event) -> HttpRequest:
        """Return the request in ``event``: ``rawPath`` is encoded, the context's path is not."""
        try:
            told, body = event["requestContext"]["http"], event.get("body") or ""
            headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
            data = base64.b64decode(body, validate=True) if event.get("isBase64Encoded") else body.encode()
            query = urlencode(event.get("queryParameters") or {})
            return HttpRequest(told["method"], told["path"] or "/", query, headers, data)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise InvalidRequest("The event is not a request in the format v1.") from error

    def write(self, response: HttpResponse) -> Event:
        """Return ``response`` in the format v1; tensors in binary are the only body that is no text."""
        headers = dict(response.headers)
        binary = headers.get("Content-Type") == "application/octet-stream"
        body = base64.b64encode(response.body) if binary else response.body
        answer = {"statusCode": response.status, "headers": headers}
        return {**answer, "isBase64Encoded": binary, "body": body.decode()}


class _Events(WholeEvent):
    """An event that fails if any part does: Function Compute tries again, then tells the failure's destination."""

    def handle(self, event: Any, request_id: str, deadline: Deadline) -> Any:
        """Answer every part; an exception is a failed invocation."""
        return serve(self, (request_id, event), self.service, deadline)

    def split(self, event: tuple[str, Any]) -> Sequence[Part]:
        """Return the event's parts; a record that cannot be read is one that fails."""
        return parts(event[0], self.read(event[1], event[0]))

    def read(self, event: Any, name: str) -> list[Found]:
        """Return what ``event`` asks for; ``name`` is the invocation's id."""
        raise NotImplementedError


class OssNotification(_Events):
    """A native OSS trigger: a record an object."""

    @staticmethod
    def accepts(event: Any) -> bool:
        """Return whether ``event`` is OSS's own."""
        records = event.get("events") if isinstance(event, dict) else None
        first = next((one for one in records if isinstance(one, dict)), {}) if isinstance(records, list) else {}
        return first.get("eventSource") == "acs:oss"

    def read(self, event: Event, name: str) -> list[Found]:
        """Return a request for each record that tells of a new object."""
        return [found for at, one in enumerate(event["events"]) for found in oss_record(one, f"{name}/{at}")]


class TimerEvent:
    """A timer trigger. Its own message, ``payload``, is not looked at."""

    def __init__(self, service: Service) -> None:
        self._schedule = Schedule(service)

    @staticmethod
    def accepts(event: Any) -> bool:
        """Return whether ``event`` is a timer's."""
        return isinstance(event, dict) and "triggerName" in event and "triggerTime" in event

    def handle(self, event: Event, request_id: str, deadline: Deadline) -> Any:  # noqa: ARG002 - new at a retry
        """Warm up, or classify the list that the setting ``schedule_source`` names."""
        name, time = str(event["triggerName"]), str(event["triggerTime"])
        return self._schedule(Tick(f"{name}/{time}", time), deadline)


class EventBridge(_Events):
    """EventBridge and the queues that it carries, one CloudEvent or a list of them; direct invokes, too.

    It accepts whatever is left, and what says nothing is an item that fails: so it stands last.
    """

    @staticmethod
    def accepts(event: Any) -> bool:  # noqa: ARG004 - it takes all
        """Return that it does."""
        return True

    def read(self, event: Any, name: str) -> list[Found]:
        """Return what each CloudEvent asks for."""
        if not isinstance(event, list):
            return cloud_event(event, name)
        return [found for at, one in enumerate(event) for found in cloud_event(one, f"{name}/{at}")]


TRIGGERS: tuple[type[FcTrigger], ...] = (FcHttp, OssNotification, TimerEvent, EventBridge)


def oss_record(record: Any, name: str) -> list[Found]:
    """Return the request for a record of OSS, if it tells of a new object; its key is not encoded.

    OSS speaks S3's protocol, so the object is an s3:// one, and its ETag says which state of it is meant.
    """
    kind = str(record.get("eventName", CREATED[0])) if isinstance(record, dict) else CREATED[0]
    if not kind.startswith(CREATED) or kind.endswith(UNFINISHED):
        return []
    try:
        bucket, item = record["oss"]["bucket"]["name"], record["oss"]["object"]
        url, tag, told = f"s3://{bucket}/{item['key']}", item.get("eTag"), record.get("responseElements") or {}
        name = told.get("requestId") or name
    except (KeyError, TypeError, AttributeError):
        return [InvalidRequest("The OSS record names no bucket and object: oss.bucket.name, oss.object.key.")]
    if isinstance(tag, str) and tag:
        return [Request(name, url=url, version=tag.strip('"'), pin="etag")]
    return [Request(name, url=url, version=name)]


def cloud_event(event: Any, name: str) -> list[Found]:
    """Return what ``event`` asks for: OSS's record or the queue's message in it, else as any message."""
    data = event.get("data") if isinstance(event, dict) and "specversion" in event else None
    if isinstance(data, dict):
        if str(event.get("type")).startswith("oss:"):
            name = str(event.get("id") or name)
            return known(oss_record(data, name), name)
        if (body := next((key for key in BODIES if key in data), None)) is not None:
            event = {**event, "data": data[body]}
    return message.read(event, name)


def make_handler(service: Service, triggers: Sequence[type[FcTrigger]] = TRIGGERS) -> Callable[[bytes, Any], Any]:
    """Return a handler that answers with ``service`` through the first of ``triggers`` that accepts the event."""
    if "AWS_ACCESS_KEY_ID" not in os.environ:  # OSS is read with what the function's own role may
        os.environ.update({ours: os.environ[theirs] for ours, theirs in ROLE.items() if os.environ.get(theirs)})
    made = [trigger(service) for trigger in triggers]

    def handler(event: bytes, context: Any) -> Any:
        deadline = granted(float(context.function.timeout))
        try:
            given = json.loads(event)
        except (ValueError, RecursionError):
            given = event
        for trigger in made:
            if trigger.accepts(given):
                return trigger.handle(given, context.request_id, deadline)
        names = ", ".join(trigger.__name__ for trigger in triggers)
        raise InvalidRequest(f"The event is of no kind that is handled here: {names}.")

    return handler


service = Service()
handler = make_handler(service)
warm_up = service.warm_up
