"""HTTP on Lambda: Function URL and HTTP API (payload 2.0), REST API (payload 1.0), Application Load Balancer."""

import base64
from typing import Any

from mlserverless.adapters.aws.trigger import Event
from mlserverless.deadline import Deadline
from mlserverless.errors import InvalidRequest
from mlserverless.serving import Service
from mlserverless.web.app import WebApp
from mlserverless.web.http import HttpBinding, HttpRequest, HttpResponse

OCTETS = "application/octet-stream"
BROKEN = (KeyError, TypeError, AttributeError, ValueError)  # what an event that is none of ours runs into


class _Http:
    def __init__(self, service: Service) -> None:
        self._app = WebApp(service)

    def _ask(self, request: HttpRequest, request_id: str, deadline: Deadline) -> HttpResponse:
        return self._app(request, platform_id=request_id, deadline=deadline)


class HttpApi(_Http, HttpBinding[Event, Event]):
    """API Gateway HTTP API and Lambda Function URL, which share the payload format 2.0."""

    @staticmethod
    def accepts(event: Event) -> bool:
        """Return whether ``event`` is a request in the payload format 2.0."""
        context = event.get("requestContext")
        return event.get("version") == "2.0" and isinstance(context, dict) and "http" in context

    def handle(self, event: Event, request_id: str, deadline: Deadline) -> Event:
        """Answer through the web app."""
        return self.write(self._ask(self.read(event), request_id, deadline))

    def read(self, event: Event) -> HttpRequest:
        """Return the request in ``event``; HTTP API puts its stage before the path, which is taken off.

        The path is the decoded one: ``rawPath`` is encoded by a Function URL and decoded by HTTP API.
        """
        try:
            context = event["requestContext"]
            path = _without(context.get("stage", "$default"), context["http"]["path"])
            headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
            method, query = context["http"]["method"], event.get("rawQueryString", "")
            return HttpRequest(method, path, query, headers, _body(event))
        except BROKEN as error:
            raise InvalidRequest("The event is not a request in the payload format 2.0.") from error

    def write(self, response: HttpResponse) -> Event:
        """Return ``response`` in the payload format 2.0."""
        return _answer(response)


class RestApi(_Http, HttpBinding[Event, Event]):
    """API Gateway REST API, and HTTP API with the payload format 1.0."""

    @staticmethod
    def accepts(event: Event) -> bool:
        """Return whether ``event`` is a request in the payload format 1.0."""
        context = event.get("requestContext")
        return "httpMethod" in event and isinstance(context, dict) and "elb" not in context

    def handle(self, event: Event, request_id: str, deadline: Deadline) -> Event:
        """Answer through the web app."""
        return self.write(self._ask(self.read(event), request_id, deadline))

    def read(self, event: Event) -> HttpRequest:
        """Return the request in ``event``, whose query comes decoded.

        A custom domain's base path stands before ``path``; what the resource's ``{proxy+}`` matched has none of
        it.
        """
        try:
            return HttpRequest(
                event["httpMethod"], self._path(event), _query(event), _headers(event), _body(event)
            )
        except BROKEN as error:
            raise InvalidRequest("The event is not a request in the payload format 1.0.") from error

    def _path(self, event: Event) -> str:
        context, given = event["requestContext"], event.get("pathParameters") or {}
        path: str = event["path"]
        if (proxy := given.get("proxy")) and "{proxy+}" in str(event.get("resource")):
            path = event["resource"].replace("{proxy+}", proxy.lstrip("/"))
        elif event.get("version") == "1.0":
            path = _without(context.get("stage", "$default"), path)
        return _unquoted(path) or "/"

    def write(self, response: HttpResponse) -> Event:
        """Return ``response`` in the payload format 1.0."""
        return _answer(response)


class LoadBalancer(_Http):
    """An Application Load Balancer's target group, with single or multi-value headers as it is set."""

    @staticmethod
    def accepts(event: Event) -> bool:
        """Return whether ``event`` is a load balancer's request."""
        context = event.get("requestContext")
        return "httpMethod" in event and isinstance(context, dict) and "elb" in context

    def handle(self, event: Event, request_id: str, deadline: Deadline) -> Event:
        """Answer through the web app, with headers in the form that the request has them in."""
        response = self._ask(self.read(event), request_id, deadline)
        return self.write(response, many="multiValueHeaders" in event)

    def read(self, event: Event) -> HttpRequest:
        """Return the request in ``event``, whose path and query come as the client encoded them."""
        try:
            given = event.get("multiValueQueryStringParameters") or {
                name: [value] for name, value in (event.get("queryStringParameters") or {}).items()
            }
            query = "&".join(f"{name}={value}" for name, values in given.items() for value in values)
            path = _unquoted(event["path"]) or "/"
            return HttpRequest(event["httpMethod"], path, query, _headers(event), _body(event))
        except BROKEN as error:
            raise InvalidRequest("The event is not a load balancer's request.") from error

    def write(self, response: HttpResponse, *, many: bool) -> Event:
        """Return ``response`` as a load balancer wants it, ``many``: multi-value headers."""
        from http import HTTPStatus

        answer = _answer(response)
        answer["statusDescription"] = f"{response.status} {HTTPStatus(response.status).phrase}"
        if many:
            answer["multiValueHeaders"] = {name: [value] for name, value in answer.pop("headers").items()}
        return answer


def _answer(response: HttpResponse) -> Event:
    headers = dict(response.headers)
    # Every other body of ours is text. A REST API decodes what is in its binaryMediaTypes, the others all of it.
    binary = headers.get("Content-Type") == OCTETS
    body = base64.b64encode(response.body) if binary else response.body
    return {"statusCode": response.status, "headers": headers, "body": body.decode(), "isBase64Encoded": binary}


def _without(stage: str, path: str) -> str:
    return path[len(stage) + 1 :] or "/" if path == f"/{stage}" or path.startswith(f"/{stage}/") else path


def _body(event: Event) -> bytes:
    text = event.get("body") or ""
    return base64.b64decode(text) if event.get("isBase64Encoded") else text.encode()


def _headers(event: Event) -> dict[str, str]:
    many: dict[str, Any] = event.get("multiValueHeaders") or {}
    joined = {name.lower(): ", ".join(values) for name, values in many.items()}
    return joined or {name.lower(): value for name, value in (event.get("headers") or {}).items()}


def _query(event: Event) -> str:
    given = event.get("multiValueQueryStringParameters") or event.get("queryStringParameters")
    if not given:
        return ""
    from urllib.parse import urlencode  # 2 ms of a cold start

    return urlencode(given, doseq=True)


def _unquoted(path: str) -> str:
    if "%" not in path:
        return path
    from urllib.parse import unquote

    return unquote(path)
