"""Lambda behind a Function URL: payload format 2.0, both ways."""

import json
from urllib.parse import unquote

from helpers.harness import INVOCATION_ID, Answer, lower
from mlserverless.adapters.aws import make_handler
from mlserverless.local.aws.function_url import to_event, to_response
from mlserverless.serving import Service
from mlserverless.web.http import HttpRequest


class Context:
    """What the adapter asks of Lambda's context."""

    aws_request_id = INVOCATION_ID

    def __init__(self, milliseconds: int = 30_000) -> None:
        self._milliseconds = milliseconds

    def get_remaining_time_in_millis(self) -> int:
        return self._milliseconds


class Harness:
    def __init__(self, service: Service) -> None:
        self._handler = make_handler(service)

    def ask(self, method: str, target: str, headers: dict[str, str], body: bytes = b"") -> Answer:
        path, _, query = target.partition("?")
        request = HttpRequest(method, unquote(path), query, lower(headers), body)
        event = json.loads(json.dumps(to_event(request, INVOCATION_ID, 0.0)))
        result = self._handler(event, Context())
        response = to_response(json.dumps(result).encode(), function_error=False)
        return Answer(response.status, lower(response.headers), response.body)
