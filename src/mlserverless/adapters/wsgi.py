"""Any WSGI server: gunicorn in a container, Cloud Run, Container Apps, Knative.

``application`` is the WSGI callable (PEP 3333): ``gunicorn mlserverless.adapters.wsgi:application``.
"""

from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any

from mlserverless.config import Settings
from mlserverless.serving import Service
from mlserverless.web.app import WebApp
from mlserverless.web.http import HttpRequest, HttpResponse

Environ = dict[str, Any]
StartResponse = Callable[[str, list[tuple[str, str]]], Any]


class Wsgi:
    """A WSGI application around the web app."""

    def __init__(self, service: Service, max_bytes: int = Settings().max_bytes) -> None:
        self._app, self._max_bytes = WebApp(service), max_bytes

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        return self.write(self._app(self.read(environ)), start_response)

    def read(self, environ: Environ) -> HttpRequest:
        """Return the request in ``environ``. One byte past the limit is read of a body, and no more."""
        headers = {
            name[5:].replace("_", "-").lower(): value
            for name, value in environ.items()
            if name.startswith("HTTP_")
        }
        headers["content-type"] = environ.get("CONTENT_TYPE", "")
        length = environ.get("CONTENT_LENGTH") or ""
        chunked = environ.get("wsgi.input_terminated", False)
        wanted = int(length) if length.isdigit() else self._max_bytes + 1 if chunked else 0
        data = environ["wsgi.input"].read(min(wanted, self._max_bytes + 1)) if wanted else b""
        # PEP 3333 hands bytes over as latin-1 text.
        path = environ.get("PATH_INFO", "/").encode("latin-1").decode("utf-8", "replace")
        return HttpRequest(environ["REQUEST_METHOD"], path or "/", environ.get("QUERY_STRING", ""), headers, data)

    def write(self, response: HttpResponse, start_response: StartResponse) -> Iterable[bytes]:
        """Start the answer and return its body."""
        headers = [*response.headers, ("Content-Length", str(len(response.body)))]
        start_response(f"{response.status} {HTTPStatus(response.status).phrase}", headers)
        return [response.body]


service = Service()
application = Wsgi(service)
warm_up = service.warm_up
