"""Azure Functions (Python v2 programming model): HTTP, Blob Storage.

``http`` and ``blob`` are blueprints that a deployment's ``function_app.py`` registers on its ``FunctionApp``.
"""

import json
import logging
import os
import re
from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import urlsplit

import azure.functions as func

from mlserverless.deadline import FOREVER, granted
from mlserverless.serving import Service, acknowledge, serve
from mlserverless.sinks import LogSink
from mlserverless.types import Outcome, Request
from mlserverless.web.app import WebApp
from mlserverless.web.http import HttpBinding, HttpRequest, HttpResponse

HTTP_LIMIT_S = 225.0  # Azure's load balancer gives up on an HTTP answer after 230 s
# The shortest of the plans' defaults (Consumption's; the others' is 30 minutes): Microsoft Learn, "Azure Functions
# hosting options", function app timeout duration.
DEFAULT_LIMIT_S = 300.0
TIMEOUT, APP_FOLDER = "AzureFunctionsJobHost__functionTimeout", "AzureWebJobsScriptRoot"  # set by the host
TIME_SPAN = re.compile(r"(?:(\d+)\.)?(\d{1,2}):(\d{1,2})(?::(\d{1,2}))?")
KEYS = ("code", "clientId")  # where a caller puts a function key, which the host has checked by then
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")


class FunctionHttp(HttpBinding[func.HttpRequest, func.HttpResponse]):
    """An HTTP trigger: Azure's request in, Azure's response out."""

    def __init__(self, service: Service) -> None:
        self._app = WebApp(service)

    def __call__(self, request: func.HttpRequest, invocation_id: str) -> func.HttpResponse:
        """Answer through the web app."""
        response = self._app(
            self.read(request), platform_id=invocation_id, deadline=granted(_limit).within(HTTP_LIMIT_S)
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


class Blob(NamedTuple):
    """A blob that Azure delivered: its bytes, its address, the invocation's id."""

    data: bytes
    uri: str
    invocation_id: str


class BlobCreated:
    """A blob trigger, which brings the blob's bytes with it."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def __call__(self, blob: Blob) -> None:
        """Answer the blob; an exception makes Azure try again, five times, then write to the poison queue."""
        serve(self, blob, self._service, granted(_limit))

    def split(self, event: Blob) -> Sequence[Blob]:
        """Return the blob itself, the only item."""
        return [event]

    def decode(self, item: Blob) -> Request:
        """Return a request for the blob's bytes, under its address."""
        return Request(item.invocation_id, url=item.uri, image=item.data)

    def reply(self, outcomes: Sequence[Outcome]) -> None:
        """Acknowledge by returning."""
        acknowledge(outcomes)


def function_timeout() -> float:
    """Return the seconds after which the host ends a function: the app setting's, else host.json's, else 300.

    Infinite where they say -1, for no limit. What cannot be read counts as not said.
    """
    said = os.environ.get(TIMEOUT)
    if said is None:
        try:
            with open(os.path.join(os.environ.get(APP_FOLDER, ""), "host.json"), "rb") as file:
                said = json.loads(file.read()).get("functionTimeout")
        except (OSError, ValueError, AttributeError):
            said = None
    if str(said).strip() == "-1":
        return FOREVER
    found = TIME_SPAN.fullmatch(str(said).strip())
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups()) if found else (0, 0, 0, 0)
    return float(((days * 24 + hours) * 60 + minutes) * 60 + seconds) or DEFAULT_LIMIT_S


_limit = function_timeout()
# Azure shows what is logged; what is printed is lost there.
_results = logging.getLogger("mlserverless.results")
_results.setLevel(logging.INFO)
service = Service(sink=LogSink(_results.info))
warm_up = service.warm_up
_http, _blob = FunctionHttp(service), BlobCreated(service)
http = func.Blueprint()  # type: ignore[no-untyped-call]  # the package is half typed
blob = func.Blueprint()  # type: ignore[no-untyped-call]


@http.function_name("predict")
@http.route(route="{*path}", methods=METHODS)
def predict(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """Answer HTTP: the wire contract's routes."""
    return _http(req, context.invocation_id)


@blob.function_name("image_created")
@blob.blob_trigger(
    arg_name="image",
    path=os.environ.get("MLSERVERLESS_BLOB_PATH", "images/{name}"),
    connection=os.environ.get("MLSERVERLESS_BLOB_CONNECTION", "AzureWebJobsStorage"),
)
def image_created(image: func.InputStream, context: func.Context) -> None:
    """Classify a blob that was written to the container."""
    _blob(Blob(image.read(), image.uri or image.name or "", context.invocation_id))
