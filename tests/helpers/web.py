"""Asks a web app, and checks what every answer holds."""

import json
from typing import Any

from mlserverless.serving import Service
from mlserverless.web.app import WebApp
from mlserverless.web.http import HttpRequest, HttpResponse

JSON = {"content-type": "application/json"}
PNG = {"content-type": "image/png"}
URL = b'{"url": "https://x.example/1"}'


def ask(service: Service, *request: Any, platform_id: str = "platform-id", **more: Any) -> HttpResponse:
    """Return the app's response to ``HttpRequest(*request)``."""
    return WebApp(service)(HttpRequest(*request), platform_id=platform_id, **more)


def headers(response: HttpResponse) -> dict[str, str]:
    """Return the headers of ``response``, none of which may stand there twice."""
    names = [name for name, _ in response.headers]
    assert len(names) == len(set(names)), names
    return dict(response.headers)


def problem(response: HttpResponse) -> dict[str, Any]:
    """Return the problem in ``response``, checked for what every problem holds."""
    assert headers(response)["Content-Type"] == "application/problem+json"
    told: dict[str, Any] = json.loads(response.body)
    assert list(told) == ["type", "title", "status", "detail", "instance", "code", "retryable"]
    assert told["type"] == f"urn:mlserverless:problem:{told['code']}"
    assert told["status"] == response.status
    assert told["instance"] == headers(response)["X-Request-Id"]
    return told
