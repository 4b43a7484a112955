"""The process behind ``serve --on azure``: a function app in Microsoft's Python runtime, answering HTTP.

``python -m mlserverless.local.azure.worker --messages FOLDER APP`` loads APP (host.json, function_app.py in
the Python v2 programming model) and prints one line of JSON on stdout: ``{"port": 7071}`` when it is ready,
``{"error": "..."}`` when it cannot be. All else, the functions' ``print`` included, goes to stderr. It ends
when its stdin does, so that it never outlives the process that started it.

A request goes to the function whose route takes it; 404 where none does, 500 without a body where the
function raised: so the Functions host answers. Auth levels are listed and, as under ``func start``, not
enforced.

``POST /admin/functions/NAME`` runs a function with any other trigger, as the host has it: a JSON body
``{"input": "..."}`` is the trigger's input, a text or any value for JSON. A list is a batch for Service Bus and
Event Hubs with cardinality many (all else is a batch of one), an object is merged into a timer's record, and
the input of Event Grid is an event in either schema. For a blob trigger the body is the blob itself, under any
other Content-Type, and the header ``X-Blob-Uri`` its address.

What follows is ours and not the host's. Beside ``input`` the body may have ``"metadata"``, an object whose
entries replace and add to the trigger metadata (null takes one away): ``{"Id": "7", "DequeueCount": "3"}`` for
a queue message, ``{"Next": "2030-01-01T00:00:00Z"}`` for a timer; in a batch a list has an entry for each
message, ``{"SequenceNumber": [7, 8]}``. The header ``X-Blob-Properties``, a JSON object, does so for a blob's
properties. The host answers 202 and runs the function later; here the call waits: 202 when the function
returned, 500 with the exception's text when it raised, 400 for a request that cannot be one. What the function
wrote to its output bindings, which the host would send on, is the body of the 202, where there is any:
``{"outputs": {"NAME": VALUE}}``, and what it returned stands there as ``$return``.

The trigger's path pattern is not looked at, further input bindings are not filled, and retry policies do not
apply. What an HTTP function writes to output bindings goes nowhere.
"""

import argparse
import json
import logging
import os
import sys
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from mlserverless.local.azure import messages, routes, triggers
from mlserverless.local.azure.runtime import AzureRuntime, FunctionFailed
from mlserverless.local.front import Front
from mlserverless.web.http import HttpRequest, HttpResponse

_ADMIN = "/admin/functions/"


class App:
    """A function app: ``handle`` answers one request and may be called from many threads."""

    def __init__(self, app_dir: Path, messages: Path) -> None:
        prefix = routes.route_prefix(app_dir)
        self._runtime = AzureRuntime(app_dir, messages)
        self._functions = {item.name: item for item in self._runtime.functions}
        http = [item for item in self._runtime.functions if item.trigger["type"] == "httpTrigger"]
        self._routes = routes.ordered(routes.route(item.name, item.trigger, prefix) for item in http)

    def listing(self) -> str:
        """Return one line a function: how it is reached."""
        lines = [
            f"  {item.function}: [{','.join(item.methods) or 'all'}] /{item.template}"
            f" (auth level {item.auth_level}, not enforced here)"
            for item in self._routes
        ]
        routed = {item.function for item in self._routes}
        others = [item for name, item in self._functions.items() if name not in routed]
        lines += [f"  {item.name}: {item.trigger['type']}, POST {_ADMIN}{item.name}" for item in others]
        return "\n".join(["Functions:", *lines])

    def handle(self, request: HttpRequest) -> HttpResponse:
        """Answer ``request`` with the function that its route or the admin path names."""
        if request.path.startswith(_ADMIN):
            return self._admin(request)
        found = routes.match(self._routes, request.method, request.path)
        if found is None:
            return HttpResponse(404, (), b"")
        route, parameters = found
        function = self._functions[route.function]
        data = messages.http_data(request, parameters)
        try:
            answer = self._runtime.invoke(function, data, {}, request.headers.get("traceparent", ""))
        except FunctionFailed as error:
            print(f"{function.name} raised:\n{error.stack}", file=sys.stderr)
            return HttpResponse(500, (), b"")
        if answer.outputs:
            print(f"{function.name}: output {', '.join(answer.outputs)} goes nowhere here", file=sys.stderr)
        return messages.http_response(answer.returned)

    def close(self) -> None:
        """Let the running functions end, then stop."""
        self._runtime.close()

    def _admin(self, request: HttpRequest) -> HttpResponse:
        name = request.path.removeprefix(_ADMIN)
        function = self._functions.get(name)
        if function is None or request.method != "POST":
            return _text(404, f"there is no function {name!r} to POST to; there are {', '.join(self._functions)}")
        try:
            data, metadata = triggers.trigger_data(function.name, function.trigger, request, datetime.now(UTC))
        except ValueError as error:
            return _text(400, str(error))
        try:
            answer = self._runtime.invoke(function, data, metadata, request.headers.get("traceparent", ""))
        except FunctionFailed as error:
            print(f"{function.name} raised:\n{error.stack}", file=sys.stderr)
            return _text(500, str(error))
        outputs = answer.outputs
        if (returned := messages.plain(answer.returned)) is not None:
            outputs["$return"] = returned
        if not outputs:
            return HttpResponse(202, (), b"")
        headers = (("Content-Type", "application/json"),)
        return HttpResponse(202, headers, json.dumps({"outputs": outputs}).encode())


def _text(status: int, text: str) -> HttpResponse:
    return HttpResponse(status, (("Content-Type", "text/plain; charset=utf-8"),), f"{text}\n".encode())


def main() -> int:
    """Serve until stdin ends; return the process's exit status."""
    parser = argparse.ArgumentParser(prog="azure_worker", description=__doc__.partition("\n")[0])
    parser.add_argument("--messages", type=Path, required=True, help="folder of the worker's protobuf messages")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0: any free port")
    parser.add_argument("app", type=Path)
    options = parser.parse_args()
    report = _keep_stdout()
    debug = os.environ.get("PYTHON_ENABLE_DEBUG_LOGGING", "").lower() in {"1", "true", "t", "yes", "y"}
    logging.basicConfig(stream=sys.stderr, level=logging.DEBUG if debug else logging.INFO)
    if not debug:
        logging.getLogger("azure.functions").setLevel(logging.WARNING)  # a line for every call otherwise
    try:
        app = App(options.app.resolve(), options.messages)
        front = Front(app.handle, options.host, options.port)
    except (RuntimeError, ValueError, OSError) as error:
        report.write(json.dumps({"error": str(error)}) + "\n")
        report.close()
        return 1
    print(app.listing(), file=sys.stderr, flush=True)
    report.write(json.dumps({"port": front.port}) + "\n")
    report.close()
    with suppress(KeyboardInterrupt):
        sys.stdin.buffer.read()
    front.close()
    app.close()
    return 0


def _keep_stdout() -> TextIO:
    """Return the real stdout and point everyone else's, C libraries included, at stderr."""
    report = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr] # a TextIOWrapper until someone replaces it
    return report


if __name__ == "__main__":
    raise SystemExit(main())
