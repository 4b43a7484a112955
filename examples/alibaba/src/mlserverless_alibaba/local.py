"""``mlserverless serve --on alibaba``: the handler behind an HTTP trigger, in a process of its own.

Alibaba's runtime is in no package registry. So this hands the handler what the documentation says that the
runtime hands it, and no more can be told from it.
"""

import base64
import json
import os
import sys
import threading
import time
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qsl, quote

from mlserverless.local.front import Front
from mlserverless.local.process import ServerProcess, free_port
from mlserverless.local.runtime import child_environment
from mlserverless.serving import new_id
from mlserverless.web.http import HttpRequest, HttpResponse

HERE = Path(__file__).resolve().parents[1]
TEXTS = ("text/", "application/json", "application/x-www-form-urlencoded")
TIMEOUT_S = 60


def available() -> str | None:
    """Return why it cannot run here: it can, there is nothing to install."""
    return None


def start(
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    app_dir: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> ServerProcess:
    """Serve ``handler`` of ``app_dir``'s index.py (default: this package's own) on ``host:port`` (0: any).

    Raises RuntimeError where it does not start.
    """
    port = port or free_port(host)
    entry = "index" if app_dir else "mlserverless_alibaba"
    command = [sys.executable, "-m", "mlserverless_alibaba.local", host, str(port), entry]
    given = child_environment({"PYTHONPATH": str(HERE), **(environment or {})})  # found also where not installed
    return ServerProcess(command, host, port, given, (app_dir or Path.cwd()).resolve())


def context(request_id: str) -> Any:
    """Return what the adapter asks of Function Compute's context."""
    return SimpleNamespace(request_id=request_id, function=SimpleNamespace(timeout=TIMEOUT_S))


def to_event(request: HttpRequest, request_id: str) -> bytes:
    """Return ``request`` as the HTTP trigger's event, in the format v1."""
    many: dict[str, list[str]] = {}
    for name, value in parse_qsl(request.query, keep_blank_values=True):
        many.setdefault(name, []).append(value)
    text = request.headers.get("content-type", "text/").startswith(TEXTS)
    told = {
        "method": request.method,
        "path": request.path,
        "protocol": "HTTP/1.1",
        "sourceIp": "127.0.0.1",
        "userAgent": request.headers.get("user-agent", ""),
    }
    event = {
        "version": "v1",
        "rawPath": quote(request.path),
        "body": request.body.decode("utf-8", "replace") if text else base64.b64encode(request.body).decode(),
        "isBase64Encoded": not text,
        "headers": {name.title(): value for name, value in request.headers.items()},
        "queryParameters": {name: ",".join(values) for name, values in many.items()},
        "requestContext": {
            "accountId": "123456789012",
            "domainName": "local.cn-hangzhou.fcapp.run",
            "domainPrefix": "local",
            "http": told,
            "requestId": request_id,
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "timeEpoch": str(int(time.time() * 1000)),
        },
    }
    return json.dumps(event).encode()


def to_response(result: Any) -> HttpResponse:
    """Return the response that a function's ``result`` stands for; raise where it has another form."""
    given = json.loads(json.dumps(result))
    if set(given) != {"statusCode", "headers", "isBase64Encoded", "body"}:
        raise ValueError(f"The function's answer has {', '.join(given)}.")
    body = base64.b64decode(given["body"]) if given["isBase64Encoded"] else given["body"].encode()
    return HttpResponse(given["statusCode"], tuple(given["headers"].items()), body)


def main(host: str, port: str, entry: str) -> None:
    """Answer until the process is ended."""
    handler = import_module(entry).handler

    def answer(request: HttpRequest) -> HttpResponse:
        name = new_id()
        return to_response(handler(to_event(request, name), context(name)))

    Front(answer, host, int(port))
    threading.Event().wait()


if __name__ == "__main__":
    sys.path.insert(0, os.getcwd())
    main(*sys.argv[1:])
