"""Azure's HTTP trigger."""

from urllib.parse import urlsplit

import azure.functions as func

from mlserverless.adapters.azure import limits
from mlserverless.deadline import granted
from mlserverless.serving import Service
from mlserverless.web.app import WebApp
from mlserverless.web.http import HttpBinding, HttpRequest, HttpResponse

KEYS = ("code", "clientId")  # where a caller puts a function key, which the host has checked by then


def traceparent(context: func.Context) -> str:
    """Return the ``traceparent`` that the host gave an invocation, "" for none."""
    told: str = getattr(getattr(context, "trace_context", None), "trace_parent", "") or ""
    return told


class FunctionHttp(HttpBinding[func.HttpRequest, func.HttpResponse]):
    """An HTTP trigger: Azure's request in, Azure's response out."""

    def __init__(self, service: Service) -> None:
        self._app = WebApp(service)

    def __call__(self, request: func.HttpRequest, invocation_id: str, trace: str = "") -> func.HttpResponse:
        """Answer through the web app. ``trace`` is the host's ``traceparent``, whose span the caller's began."""
        asked = self.read(request)
        if trace:
            asked.headers["traceparent"] = trace
        response = self._app(
            asked,
            platform_id=invocation_id,
            deadline=granted(limits.LIMIT_S).within(limits.HTTP_LIMIT_S),
        )
        return self.write(response)

    def read(self, request: func.HttpRequest) -> HttpRequest:
        """Return the request: its query as the caller wrote it, its path below the app's route prefix."""
        parts = urlsplit(request.url)
        headers = {name.lower(): value for name, value in request.headers.items()}
        query = "&".join(pair for pair in parts.query.split("&") if pair.partition("=")[0] not in KEYS)
        path = "/" + request.route_params.get("path", "")
        return HttpRequest(request.method, path, query, headers, request.get_body())

    def write(self, response: HttpResponse) -> func.HttpResponse:
        """Return ``response``; with its own Content-Type header Azure adds no charset."""
        return func.HttpResponse(response.body, status_code=response.status, headers=dict(response.headers))
