"""Run in the target's Python, by its path, with a package and nothing else on the path: answer what is asked.

It is given a JSON document on standard input and writes one to standard output. Only the standard library is
imported before the package; what the package then imports and opens is told with its answers.
"""

import base64
import io
import json
import os
import resource
import sys
import time
from collections.abc import Callable
from importlib import import_module
from typing import Any

Answer = tuple[int, list[tuple[str, str]], bytes]
ID = "0" * 32


def main() -> None:
    """Do what the document asks for: ``paths``, ``entry``, ``provider``, ``requests``, ``events``."""
    out = os.dup(1)
    os.dup2(2, 1)  # what the package prints is its log
    asked = json.load(sys.stdin)
    roots, seen = asked["paths"], set[str]()
    sys.path[:0] = roots
    sys.addaudithook(lambda event, arguments: _note(event, arguments, seen))
    os.chdir(asked["folder"])
    begin = time.perf_counter()
    door = DOORS[asked["provider"]](asked["entry"])
    answers = [_answer(door.http, request) for request in asked["requests"]]
    told = [_event(door.event, event) for event in asked["events"]]
    seconds = time.perf_counter() - begin
    modules = [getattr(module, "__file__", None) for module in list(sys.modules.values())]
    used = {str(path) for path in (*modules, *seen) if path}
    report = {"answers": answers, "events": told, "used": sorted(used), "peak": _peak(), "seconds": seconds}
    with os.fdopen(out, "w") as stream:
        json.dump(report, stream)


def _peak() -> int:
    """Return the most memory that this process took, in bytes."""
    try:
        with open("/proc/self/status", encoding="ascii") as file:
            return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmHWM"))
    except (OSError, StopIteration):  # not Linux; there it would count the process that started this one
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _note(event: str, arguments: tuple[Any, ...], seen: set[str]) -> None:
    if event in ("open", "ctypes.dlopen") and arguments and isinstance(arguments[0], str):
        seen.add(os.path.abspath(arguments[0]))


def _answer(ask: Callable[..., Answer], request: dict[str, Any]) -> dict[str, Any]:
    try:
        body = base64.b64decode(request["body"])
        status, headers, answer = ask(
            request["method"], request["path"], request["query"], request["headers"], body
        )
    except Exception as error:  # noqa: BLE001 - told, whatever it is
        return {"raised": f"{type(error).__name__}: {error}"}
    kept = sorted((name.lower(), value) for name, value in headers if name.lower() != "server-timing")
    return {"status": status, "headers": kept, "body": base64.b64encode(answer).decode()}


def _event(take: Callable[[Any], Any], event: Any) -> dict[str, Any]:
    try:
        return {"reply": take(event)}
    except Exception as error:  # noqa: BLE001 - told, whatever it is
        return {"raised": f"{type(error).__name__}: {error}"}


class Lambda:
    """app.handler, asked as a Function URL asks it."""

    aws_request_id = ID

    def __init__(self, entry: str) -> None:
        self._handler = import_module(entry).handler

    def get_remaining_time_in_millis(self) -> int:
        """Return the time left, as Lambda's context does."""
        return 60_000

    def http(self, method: str, path: str, query: str, headers: dict[str, str], body: bytes) -> Answer:
        """Ask by payload format 2.0."""
        http = {"method": method, "path": path, "sourceIp": "127.0.0.1"}
        event: dict[str, Any] = {"version": "2.0", "rawPath": path, "rawQueryString": query, "headers": headers}
        event |= {"requestContext": {"http": http, "requestId": ID}, "isBase64Encoded": True}
        reply = self._handler({**event, "body": base64.b64encode(body).decode()}, self)
        data = reply["body"]
        held = base64.b64decode(data) if reply.get("isBase64Encoded") else data.encode()
        return reply["statusCode"], list(reply["headers"].items()), held

    def event(self, event: Any) -> Any:
        """Hand over an event."""
        return self._handler(event, self)


class Azure:
    """function_app.app's functions, called with azure.functions' own types."""

    invocation_id = ID

    def __init__(self, entry: str) -> None:
        import azure.functions as func

        self._func = func
        functions = import_module(entry).app.get_functions()
        self._functions = {one.get_function_name(): one.get_user_function() for one in functions}

    def http(self, method: str, path: str, query: str, headers: dict[str, str], body: bytes) -> Answer:
        """Ask the function ``predict``."""
        url = f"http://localhost{path}" + (f"?{query}" if query else "")
        route = {"path": path.lstrip("/")}
        request = self._func.HttpRequest(method=method, url=url, headers=headers, route_params=route, body=body)
        reply = self._functions["predict"](request, self)
        return reply.status_code, list(reply.headers.items()), reply.get_body()

    def event(self, event: Any) -> Any:
        """Hand the blob ``event`` over."""
        from azure.functions.blob import InputStream

        data = base64.b64decode(event["body"])
        blob = InputStream(data=data, name=event["name"], uri=event["uri"], length=len(data))
        return self._functions["image_created"](blob, self)


class Wsgi:
    """A WSGI callable."""

    def __init__(self, entry: str) -> None:
        self._call = import_module(entry).application

    def http(self, method: str, path: str, query: str, headers: dict[str, str], body: bytes) -> Answer:
        """Ask by PEP 3333."""
        return self._ask(environment(method, path, query, headers, body))

    def _ask(self, environ: dict[str, Any]) -> Answer:
        started: list[Any] = []
        data = b"".join(self._call(environ, lambda *line: started.extend(line)))
        return int(started[0].split()[0]), started[1], data

    def event(self, event: Any) -> Any:
        """Post an event to its path."""
        headers = {"content-type": "application/json", **event.get("headers", {})}
        reply = self._ask(environment("POST", event["path"], "", headers, json.dumps(event["body"]).encode()))
        return reply[0]


class Google(Wsgi):
    """main.predict and main.event, given Flask's request."""

    def __init__(self, entry: str) -> None:
        import flask

        main = import_module(entry)
        app = flask.Flask("proof")

        def call(environ: dict[str, Any], start: Any) -> Any:
            function = {"/event": main.event, "/schedule": main.scheduled}.get(environ["PATH_INFO"], main.predict)
            with app.request_context(environ):
                return function(flask.request)(environ, start)

        self._call = call


def environment(method: str, path: str, query: str, headers: dict[str, str], body: bytes) -> dict[str, Any]:
    """Return a WSGI environment."""
    environ: dict[str, Any] = {"REQUEST_METHOD": method, "PATH_INFO": path, "QUERY_STRING": query}
    environ |= {"SERVER_NAME": "localhost", "SERVER_PORT": "80", "wsgi.url_scheme": "http", "SCRIPT_NAME": ""}
    environ |= {"wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body)), "wsgi.errors": sys.stderr}
    for name, value in headers.items():
        key = name.upper().replace("-", "_")
        environ[key if key == "CONTENT_TYPE" else f"HTTP_{key}"] = value
    return environ


DOORS: dict[str, Callable[[str], Any]] = {"aws": Lambda, "azure": Azure, "gcp": Google, "container": Wsgi}

if __name__ == "__main__":
    main()
