"""The WSGI application, called as PEP 3333 says and checked by wsgiref's validator."""

from io import BytesIO
from typing import Any
from urllib.parse import unquote_to_bytes
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

from helpers.harness import Answer, lower
from mlserverless.adapters.wsgi import Wsgi
from mlserverless.serving import Service


def environ(method: str, target: str, headers: dict[str, str], body: bytes = b"") -> dict[str, Any]:
    """Return what a server makes of a request: bytes as latin-1 text, the path decoded."""
    path, _, query = target.encode().decode("latin-1").partition("?")
    made: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
        "QUERY_STRING": query,
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.input": BytesIO(body),
    }
    for name, value in headers.items():
        key = name.upper().replace("-", "_")
        made[key if key == "CONTENT_TYPE" else f"HTTP_{key}"] = value
    if body:
        made["CONTENT_LENGTH"] = str(len(body))
    setup_testing_defaults(made)
    return made


def call(app: Any, made: dict[str, Any]) -> Answer:
    """Call a WSGI application and return what it answers."""
    started: list[tuple[str, list[tuple[str, str]]]] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        started.append((status, headers))
        return lambda data: None

    parts = validator(app)(made, start_response)
    try:
        body = b"".join(parts)
    finally:
        parts.close()
    ((status, headers),) = started
    return Answer(int(status.split(" ")[0]), lower(headers), body)


class Harness:
    def __init__(self, service: Service) -> None:
        self._app = Wsgi(service)

    def ask(self, method: str, target: str, headers: dict[str, str], body: bytes = b"") -> Answer:
        return call(self._app, environ(method, target, headers, body))
