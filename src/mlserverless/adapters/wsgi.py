"""Any WSGI server: gunicorn in a container, Cloud Run, Container Apps, Knative.

``application`` is the WSGI callable (PEP 3333): ``gunicorn mlserverless.adapters.wsgi:application``. CloudEvents
are taken at any path, Pub/Sub pushes and Event Grid's own schema at ``/events``, a scheduler's calls at
``/schedule``. Prometheus scrapes ``/metrics``, where the setting ``telemetry`` names it.
"""

from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any

from mlserverless.deadline import cloud_run
from mlserverless.errors import MlserverlessError
from mlserverless.events.cloudevent import is_one
from mlserverless.events.web import HttpEvents
from mlserverless.serving import Service
from mlserverless.web.app import WebApp
from mlserverless.web.http import HttpBinding, HttpRequest, HttpResponse

EVENTS, SCHEDULE, METRICS = "/events", "/schedule", "/metrics"
Environ = dict[str, Any]
StartResponse = Callable[[str, list[tuple[str, str]]], Any]
Reply = tuple[str, list[tuple[str, str]], list[bytes]]  # status line, headers, body


class Wsgi(HttpBinding[Environ, Reply]):
    """A WSGI application around the web app."""

    def __init__(self, service: Service) -> None:
        self._service, self._app, self._events = service, WebApp(service), HttpEvents(service)

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        deadline = cloud_run()  # before the body is read, which takes of it
        request = self.read(environ)
        if request.path == SCHEDULE and request.method == "POST":
            response = self._events.tick(request, deadline)
        elif is_one(request) or (request.path == EVENTS and request.method == "POST"):
            response = self._events(request, deadline)
        elif request.path == METRICS and request.method == "GET" and (page := self._scraped(request)):
            response = page
        else:
            response = self._app(request, deadline=deadline)
        status, headers, body = self.write(response)
        start_response(status, headers)
        return body

    def _scraped(self, request: HttpRequest) -> HttpResponse | None:
        metrics: Any = self._service.signals.others.get("prometheus")
        if metrics is None:  # nothing is there
            return None
        kind, text = metrics.page(request.headers.get("accept", ""))
        return HttpResponse(200, (("Content-Type", kind), ("Cache-Control", "no-store")), text)

    def read(self, environ: Environ) -> HttpRequest:
        """Return the request in ``environ``. One byte past the limit is read of a body, and no more."""
        headers = {
            name[5:].replace("_", "-").lower(): value
            for name, value in environ.items()
            if name.startswith("HTTP_")
        }
        headers["content-type"] = environ.get("CONTENT_TYPE", "")
        path, query = _text(environ.get("PATH_INFO", "")), _text(environ.get("QUERY_STRING", ""))
        return HttpRequest(environ["REQUEST_METHOD"], path or "/", query, headers, self._body(environ))

    def _body(self, environ: Environ) -> bytes:
        length, chunked = environ.get("CONTENT_LENGTH") or "", environ.get("wsgi.input_terminated", False)
        try:
            most = self._service.predictor.settings.max_bytes + 1
        except MlserverlessError:
            most = 1  # the settings are wrong, which is the answer to whatever the body is
        wanted = min(int(length), most) if length.isascii() and length.isdigit() else most if chunked else 0
        return bytes(environ["wsgi.input"].read(wanted)) if wanted else b""

    def write(self, response: HttpResponse) -> Reply:
        """Return the answer's status line, headers and body."""
        headers = list(response.headers)
        if response.status not in (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED):
            length = len(response.body) if response.length < 0 else response.length
            headers.append(("Content-Length", str(length)))
        return f"{response.status} {HTTPStatus(response.status).phrase}", headers, [response.body]


def _text(value: str) -> str:
    return value.encode("latin-1").decode("utf-8", "replace")  # PEP 3333 hands bytes over as latin-1 text


service = Service()
application = Wsgi(service)
warm_up = service.warm_up
