"""Google Cloud (Run) functions: HTTP, every event that Google sends, timers.

``predict``, ``event`` and ``scheduled`` are the entry points that a deployment's ``main.py`` names. All take plain
HTTP: the framework's own conversion of events refuses a Pub/Sub push that has only attributes, which is then
delivered for ever.
"""

import flask
import functions_framework

from mlserverless.deadline import cloud_run
from mlserverless.events.web import HttpEvents
from mlserverless.serving import Service
from mlserverless.web.app import WebApp
from mlserverless.web.http import HttpBinding, HttpRequest, HttpResponse


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
        made = flask.Response(response.body, response.status, list(response.headers))
        if response.length >= 0:
            made.headers["Content-Length"] = str(response.length)
        if "Content-Type" not in dict(response.headers):
            made.headers.pop("Content-Type", None)
        return made


class CloudEvents:
    """An event function, whatever form the event comes in."""

    def __init__(self, service: Service) -> None:
        self._binding, self._events = CloudHttp(service), HttpEvents(service)

    def __call__(self, request: flask.Request) -> flask.Response:
        """Answer the event; a status that is no 2xx makes Google deliver it again, where retries are on."""
        deadline = cloud_run()
        return self._binding.write(self._events(self._binding.read(request), deadline))

    def tick(self, request: flask.Request) -> flask.Response:
        """Do what a Cloud Scheduler job asks for, over HTTP or through a Pub/Sub topic."""
        deadline = cloud_run()
        return self._binding.write(self._events.tick(self._binding.read(request), deadline))


service = Service()
warm_up = service.warm_up
_http, _events = CloudHttp(service), CloudEvents(service)


# Google refuses callable instances as entry points, so all are plain functions.
@functions_framework.http
def predict(request: flask.Request) -> flask.Response:
    """Answer HTTP: the wire contract's routes."""
    return _http(request)


@functions_framework.http
def event(request: flask.Request) -> flask.Response:
    """Classify what an event names: Cloud Storage, Pub/Sub, Eventarc, any CloudEvents source."""
    return _events(request)


@functions_framework.http
def scheduled(request: flask.Request) -> flask.Response:
    """Keep the function warm, or classify a list."""
    return _events.tick(request)


image_finalized = event  # what the entry for Cloud Storage alone was called
