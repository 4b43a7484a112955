"""Google Cloud (Run) functions: HTTP, and Cloud Storage through Eventarc (CloudEvents).

``predict`` and ``image_finalized`` are the entry points that a deployment's ``main.py`` names.
"""

from collections.abc import Sequence
from typing import Any

import flask
import functions_framework
from cloudevents.http import CloudEvent

from mlserverless.deadline import cloud_run
from mlserverless.errors import InvalidRequest
from mlserverless.serving import Service, acknowledge, serve
from mlserverless.types import Outcome, Request
from mlserverless.web.app import WebApp
from mlserverless.web.http import HttpBinding, HttpRequest, HttpResponse

FINALIZED = "google.cloud.storage.object.v1.finalized"


class CloudHttp(HttpBinding[flask.Request, flask.Response]):
    """An HTTP function: Flask's request in, Flask's response out."""

    def __init__(self, service: Service) -> None:
        self._app = WebApp(service)

    def __call__(self, request: flask.Request) -> flask.Response:
        """Answer through the web app; Google's trace id serves as the request's where the caller gave none."""
        trace = request.headers.get("X-Cloud-Trace-Context", "").partition("/")[0]
        deadline = cloud_run()  # before the body is read, which takes of it
        return self.write(self._app(self.read(request), platform_id=trace, deadline=deadline))

    def read(self, request: flask.Request) -> HttpRequest:
        """Return the request that Flask parsed."""
        headers = {name.lower(): value for name, value in request.headers.items()}
        query = request.query_string.decode("utf-8", "replace")
        return HttpRequest(request.method, request.path, query, headers, request.get_data())

    def write(self, response: HttpResponse) -> flask.Response:
        """Return ``response`` with its headers as they are: Flask adds a charset only where it sets the type."""
        return flask.Response(response.body, response.status, list(response.headers))


class StorageFinalized:
    """Cloud Storage's ``object.v1.finalized``: one event an object."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def __call__(self, event: CloudEvent) -> None:
        """Answer the event; an exception is a non-2xx answer, which Eventarc retries where retries are on."""
        serve(self, event, self._service, cloud_run())

    def split(self, event: CloudEvent) -> Sequence[CloudEvent]:
        """Return the event itself, its only item."""
        return [event]

    def decode(self, item: CloudEvent) -> Request:
        """Return a request for the object; raise InvalidRequest for another kind of event."""
        if item["type"] != FINALIZED:
            raise InvalidRequest(f"The event's type is {item['type']!r}; handled is {FINALIZED}.")
        data: Any = item.data
        if not isinstance(data, dict) or not data.get("bucket") or not data.get("name"):
            raise InvalidRequest("The Cloud Storage event names no bucket and object.")
        return Request(item["id"], url=f"gs://{data['bucket']}/{data['name']}")

    def reply(self, outcomes: Sequence[Outcome]) -> None:
        """Acknowledge by returning."""
        acknowledge(outcomes)


service = Service()
warm_up = service.warm_up
_http, _storage = CloudHttp(service), StorageFinalized(service)


# Google refuses callable instances as entry points, so both are plain functions.
@functions_framework.http
def predict(request: flask.Request) -> flask.Response:
    """Answer HTTP: the wire contract's routes."""
    return _http(request)


@functions_framework.cloud_event
def image_finalized(event: CloudEvent) -> None:
    """Classify an object that was written to a bucket."""
    _storage(event)
