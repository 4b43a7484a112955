"""Lambda's four HTTP ways in: a request becomes each one's event, the function's answer what the client gets."""

import base64
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, unquote

from helpers.harness import INVOCATION_ID, Answer, lower
from mlserverless.adapters.aws import make_handler
from mlserverless.local.aws.function_url import to_event, to_response
from mlserverless.serving import Service
from mlserverless.testing.http import encoded
from mlserverless.web.http import HttpRequest


class Context:
    """What the adapter asks of Lambda's context."""

    aws_request_id = INVOCATION_ID

    def __init__(self, milliseconds: int = 30_000) -> None:
        self._milliseconds = milliseconds

    def get_remaining_time_in_millis(self) -> int:
        return self._milliseconds


def function_url(method: str, target: str, headers: dict[str, str], body: bytes) -> dict[str, Any]:
    path, _, query = target.partition("?")
    return to_event(HttpRequest(method, unquote(path), query, lower(headers), body), INVOCATION_ID, 0.0)


def http_api(method: str, target: str, headers: dict[str, str], body: bytes) -> dict[str, Any]:
    """HTTP API with a stage: it stands before the path, and rawPath is decoded."""
    event = function_url(method, target, headers, body)
    context = event["requestContext"]
    context["stage"], path = "prod", "/prod" + context["http"]["path"]
    context["http"]["path"] = event["rawPath"] = path
    return event


def _old(method: str, path: str, headers: dict[str, str], body: bytes) -> dict[str, Any]:
    sent = {"body": base64.b64encode(body).decode() if body else None, "isBase64Encoded": bool(body)}
    return {"httpMethod": method, "path": path, "headers": headers, **sent}


def rest_api(method: str, target: str, headers: dict[str, str], body: bytes) -> dict[str, Any]:
    """API Gateway decodes the query, and gives each parameter once and with all its values."""
    path, _, query = target.partition("?")
    many: dict[str, list[str]] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        many.setdefault(name, []).append(value)
    return {
        **_old(method, path, headers, body),
        "resource": "/{proxy+}",
        "pathParameters": {"proxy": path[1:]} if path != "/" else None,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "queryStringParameters": {name: values[-1] for name, values in many.items()} or None,
        "multiValueQueryStringParameters": many or None,
        "requestContext": {"stage": "prod", "path": f"/prod{path}", "httpMethod": method, "apiId": "id"},
    }


def _balancer(method: str, target: str, headers: dict[str, str], body: bytes) -> dict[str, Any]:
    return {
        **_old(method, target.partition("?")[0], headers, body),
        "requestContext": {"elb": {"targetGroupArn": "a"}},
    }


def _pairs(target: str) -> list[tuple[str, str]]:
    pairs = [pair.partition("=") for pair in target.partition("?")[2].split("&") if pair]
    return [(name, value) for name, _, value in pairs]


def load_balancer(method: str, target: str, headers: dict[str, str], body: bytes) -> dict[str, Any]:
    """A load balancer leaves path and query as the client encoded them."""
    return {**_balancer(method, target, headers, body), "queryStringParameters": dict(_pairs(target))}


def load_balancer_multi(method: str, target: str, headers: dict[str, str], body: bytes) -> dict[str, Any]:
    event = _balancer(method, target, headers, body)
    many: dict[str, list[str]] = {}
    for name, value in _pairs(target):
        many.setdefault(name, []).append(value)
    event["multiValueHeaders"] = {name: [value] for name, value in event.pop("headers").items()}
    return {**event, "multiValueQueryStringParameters": many}


WAYS: dict[str, Callable[[str, str, dict[str, str], bytes], dict[str, Any]]] = {
    "aws": function_url,
    "aws-http-api": http_api,
    "aws-rest-api": rest_api,
    "aws-alb": load_balancer,
    "aws-alb-multi-value": load_balancer_multi,
}


def answer_of(way: str, result: dict[str, Any]) -> Answer:
    """Return what a client gets of a function's ``result``, which must have the form that the way in wants."""
    if way in ("aws", "aws-http-api"):
        response = to_response(json.dumps(result).encode(), function_error=False)
        return Answer(response.status, lower(response.headers), response.body)
    wanted = {"statusCode", "headers", "body", "isBase64Encoded"}
    if way.startswith("aws-alb"):
        wanted |= {"statusDescription"}
        assert result["statusDescription"].startswith(f"{result['statusCode']} ")
    if way == "aws-alb-multi-value":  # with it set, a load balancer leaves out the single ones
        wanted = wanted - {"headers"} | {"multiValueHeaders"}
        result = {**result, "headers": {name: value for name, (value,) in result["multiValueHeaders"].items()}}
        wanted |= {"headers"}
    assert set(result) == wanted
    body = result["body"].encode()
    body = base64.b64decode(body, validate=True) if result["isBase64Encoded"] else body
    return Answer(result["statusCode"], lower(result["headers"]), body)


class Harness:
    def __init__(self, service: Service, way: str = "aws") -> None:
        self._handler, self._way = make_handler(service), way

    def ask(self, method: str, target: str, headers: dict[str, str], body: bytes = b"") -> Answer:
        # As a client does: what is not ASCII is percent-encoded before it is sent.
        event = json.loads(json.dumps(WAYS[self._way](method, encoded(target), headers, body)))
        return answer_of(self._way, self._handler(event, Context()))
