"""AWS Lambda: Function URL and HTTP API (payload 2.0), S3 notification, direct invoke.

``handler`` is what the function's configuration names. It takes the first of ``TRIGGERS`` that accepts the event;
who needs another one makes a handler of their own: ``handler = make_handler(service, (Mine, *TRIGGERS))``.
"""

import base64
from collections.abc import Callable, Sequence
from typing import Any, Protocol
from urllib.parse import unquote_plus

from mlserverless.deadline import Deadline, granted
from mlserverless.errors import InternalError, InvalidRequest, MlserverlessError
from mlserverless.serving import Service, acknowledge, answer_each, problem, serve
from mlserverless.types import Outcome, Request
from mlserverless.web import body
from mlserverless.web.app import WebApp
from mlserverless.web.http import HttpBinding, HttpRequest, HttpResponse

Event = dict[str, Any]


class LambdaTrigger(Protocol):
    """What ``TRIGGERS`` lists: a class that knows its own events, and answers one."""

    def __init__(self, service: Service) -> None: ...

    @staticmethod
    def accepts(event: Event) -> bool:
        """Return whether ``event`` comes from this trigger."""

    def handle(self, event: Event, request_id: str, deadline: Deadline) -> Any:
        """Return what Lambda is given back, or raise, which is a failed invocation."""


class HttpApi(HttpBinding[Event, Event]):
    """API Gateway HTTP API and Lambda Function URL, which share the payload format 2.0."""

    def __init__(self, service: Service) -> None:
        self._app = WebApp(service)

    @staticmethod
    def accepts(event: Event) -> bool:
        """Return whether ``event`` is a request in the payload format 2.0."""
        context = event.get("requestContext")
        return event.get("version") == "2.0" and isinstance(context, dict) and "http" in context

    def handle(self, event: Event, request_id: str, deadline: Deadline) -> Event:
        """Answer through the web app."""
        return self.write(self._app(self.read(event), platform_id=request_id, deadline=deadline))

    def read(self, event: Event) -> HttpRequest:
        """Return the request in ``event``; HTTP API puts its stage before the path, which is taken off.

        The path is the decoded one: ``rawPath`` is encoded by a Function URL and decoded by HTTP API.
        """
        try:
            return self._read(event)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise InvalidRequest("The event is not a request in the payload format 2.0.") from error

    def _read(self, event: Event) -> HttpRequest:
        context, text = event["requestContext"], event.get("body") or ""
        path, stage = context["http"]["path"], context.get("stage", "$default")
        if path == f"/{stage}" or path.startswith(f"/{stage}/"):
            path = path[len(stage) + 1 :] or "/"
        data = base64.b64decode(text) if event.get("isBase64Encoded") else text.encode()
        headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
        method, query = context["http"]["method"], event.get("rawQueryString", "")
        return HttpRequest(method, path, query, headers, data)

    def write(self, response: HttpResponse) -> Event:
        """Return ``response`` in the payload format 2.0; every body of ours is text, so none is base64."""
        return {
            "statusCode": response.status,
            "headers": dict(response.headers),
            "body": response.body.decode(),
            "isBase64Encoded": False,
        }


class S3Notification:
    """S3 event notification: a record an object, keys form-encoded. S3's test event has no records."""

    def __init__(self, service: Service) -> None:
        self._service = service

    @staticmethod
    def accepts(event: Event) -> bool:
        """Return whether ``event`` is S3's own: a notification, or the test sent when one is set up."""
        records = event.get("Records")
        first = records[0] if isinstance(records, list) and records else {}
        source = first.get("eventSource") if isinstance(first, dict) else None
        return event.get("Event") == "s3:TestEvent" or source == "aws:s3"

    def handle(self, event: Event, request_id: str, deadline: Deadline) -> Any:  # noqa: ARG002 - records have ids
        """Answer every record. If one fails the invocation does, which Lambda retries twice, then dead-letters."""
        return serve(self, event, self._service, deadline)

    def split(self, event: Event) -> Sequence[Event]:
        """Return the records."""
        records = event.get("Records")
        return records if isinstance(records, list) else []

    def decode(self, item: Event) -> Request:
        """Return a request for the record's object."""
        try:
            place = item["s3"]
            url = f"s3://{place['bucket']['name']}/{unquote_plus(place['object']['key'])}"
        except (KeyError, TypeError, AttributeError) as error:
            raise InvalidRequest(
                "The S3 record names no bucket and object: s3.bucket.name, s3.object.key."
            ) from error
        told = item.get("responseElements")
        name = told.get("x-amz-request-id") if isinstance(told, dict) else None
        return Request(name if isinstance(name, str) else "", url=url)

    def reply(self, outcomes: Sequence[Outcome]) -> Event:
        """Return what was predicted, for a person who invokes the function by hand."""
        acknowledge(outcomes)
        return {"results": [outcome.to_dict() for outcome in outcomes]}


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
        try:
            return self._answer(event, request_id, deadline)
        except MlserverlessError as error:
            raise error from None
        except Exception as error:  # noqa: BLE001 - the boundary: its text is for nobody, its trace for the log
            raise InternalError(problem(error, request_id).detail) from None

    def _answer(self, event: Event, request_id: str, deadline: Deadline) -> Event:
        asked = body.asked(event, request_id, self._service.predictor.settings.max_batch)
        if not asked.batch:
            request = asked.decode(asked.items[0][1])._replace(id=request_id)
            return self._service.predict(request, deadline).to_dict()
        outcomes = answer_each(asked.items, asked.decode, self._service.predict, deadline)
        return {"results": [outcome.to_dict() for outcome in outcomes]}


TRIGGERS: tuple[type[LambdaTrigger], ...] = (HttpApi, S3Notification, DirectInvoke)


def make_handler(
    service: Service, triggers: Sequence[type[LambdaTrigger]] = TRIGGERS
) -> Callable[[Event, Any], Any]:
    """Return a Lambda handler that answers with ``service`` through the first of ``triggers`` that accepts."""
    made = [trigger(service) for trigger in triggers]

    def handler(event: Event, context: Any) -> Any:
        deadline = granted(context.get_remaining_time_in_millis() / 1000)
        for trigger in made:
            if isinstance(event, dict) and trigger.accepts(event):
                return trigger.handle(event, context.aws_request_id, deadline)
        names = ", ".join(trigger.__name__ for trigger in triggers)
        raise InvalidRequest(f"The event is of no kind that is handled here: {names}.")

    return handler


service = Service()
handler = make_handler(service)
warm_up = service.warm_up
