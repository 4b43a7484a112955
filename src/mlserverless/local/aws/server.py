"""A Lambda function on this machine: the real runtime behind a Function URL and behind Lambda's invoke path."""

import contextlib
import importlib.util
import json
import sys
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlserverless.local.aws.function import INVOKE_PATH, Backend, Function, Invocation, error_document
from mlserverless.local.aws.function_url import to_event, to_response
from mlserverless.local.aws.rie import Emulator
from mlserverless.local.aws.sandboxes import Sandboxes
from mlserverless.local.front import Front
from mlserverless.web.http import HttpRequest, HttpResponse

_LARGEST_EVENT = 6_291_456  # bytes
_LARGEST_RESPONSE = 6_291_556  # bytes; a hundred more, as Lambda counts


def available() -> str | None:
    """Return why the real runtime cannot run here, or None where it can."""
    if sys.platform != "linux":
        return f"awslambdaric, Lambda's own runtime, runs on Linux only, this is {sys.platform}"
    if importlib.util.find_spec("awslambdaric") is None or importlib.util.find_spec("runtime_client") is None:
        return 'awslambdaric, Lambda\'s own runtime, is not installed: pip install "mlserverless[aws]"'
    return None


def start(
    *,
    handler: str = "mlserverless.adapters.aws.handler",
    app_dir: Path | None = None,
    host: str = "127.0.0.1",
    port: int = 0,
    sandboxes: int = 1,
    timeout_s: float = 30.0,
    memory_mb: int = 1769,
    environment: Mapping[str, str] | None = None,
    emulator: bool = False,
    snap_start: bool = False,
) -> "LambdaServer":
    """Serve the function ``handler`` (a dotted path) over HTTP on ``host:port`` (0: any free port).

    ``app_dir`` is the process's working directory and the first place modules are looked for (default: the current
    one). Up to ``sandboxes`` events run at a time, each for at most ``timeout_s`` seconds. The function is told
    ``memory_mb`` in MB, but it is not held to it. ``environment`` comes on top of a clean one. ``emulator`` takes
    AWS's Runtime Interface Emulator (one sandbox, whole seconds) in place of our Runtime API server. With
    ``snap_start`` each sandbox goes through SnapStart's hooks, as if a snapshot had been taken of it and restored.

    Raises RuntimeError where the runtime or the emulator cannot run here, ValueError for a setting that Lambda
    would not take.
    """
    if (reason := available()) is not None:
        raise RuntimeError(reason)
    folder = (app_dir or Path.cwd()).resolve()
    _check(handler, folder, sandboxes, timeout_s, memory_mb, emulator)
    if emulator and snap_start:
        raise ValueError("snap_start must be False with the emulator, which knows no snapshots")
    function = Function(handler, folder, timeout_s, memory_mb, environment or {}, snap_start)
    backend: Backend = Emulator(function) if emulator else Sandboxes(function, sandboxes)
    try:
        return LambdaServer(backend, host, port)
    except BaseException:
        backend.close()
        raise


def _check(handler: str, folder: Path, sandboxes: int, timeout_s: float, memory_mb: int, emulator: bool) -> None:
    if "." not in handler.strip("."):
        raise ValueError(f"handler must be a dotted path like package.module.function, got {handler!r}")
    if not folder.is_dir():
        raise ValueError(f"app_dir must be a folder, got {folder}")
    if sandboxes < 1 or (emulator and sandboxes > 1):
        accepted = "1, as the emulator serves one event at a time" if emulator else "1 or more"
        raise ValueError(f"sandboxes must be {accepted}, got {sandboxes}")
    if not 0 < timeout_s <= 900:
        raise ValueError(f"timeout_s must be above 0 and at most 900 seconds, got {timeout_s}")
    if not 128 <= memory_mb <= 10_240:
        raise ValueError(f"memory_mb must be from 128 to 10240 MB, got {memory_mb}")


class LambdaServer:
    """A running function. Every path is the Function URL's, but POST to ``INVOKE_PATH`` takes a raw event.

    That path answers as Lambda's Invoke does: ``X-Amz-Function-Error`` tells a function error from a result.
    """

    def __init__(self, backend: Backend, host: str, port: int) -> None:
        self._backend = backend
        self._front = Front(self._handle, host, port)

    @property
    def url(self) -> str:
        """The address to ask, without a slash at its end."""
        return self._front.url

    def invoke(self, event: Mapping[str, Any]) -> Invocation:
        """Run the function once with ``event``.

        Raises ValueError where the event is above Lambda's 6 MB, RuntimeError where the runtime itself fails.
        """
        return self._invoke(json.dumps(event).encode())

    def close(self) -> None:
        """Stop listening and end every process of the function; a second call does nothing."""
        with contextlib.ExitStack() as steps:
            steps.callback(self._backend.close)
            steps.callback(self._front.close)

    def __enter__(self) -> "LambdaServer":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _invoke(self, event: bytes) -> Invocation:
        if len(event) > _LARGEST_EVENT:
            raise ValueError(f"an event must be at most {_LARGEST_EVENT} bytes, got {len(event)}")
        invocation = self._backend.invoke(event)
        if len(invocation.payload) <= _LARGEST_RESPONSE:
            return invocation
        message = f"Response payload size exceeded maximum allowed payload size ({_LARGEST_RESPONSE} bytes)."
        payload = error_document("Function.ResponseSizeTooLarge", message)
        return invocation._replace(payload=payload, function_error=True)

    def _handle(self, request: HttpRequest) -> HttpResponse:
        if (request.method, request.path) == ("POST", INVOKE_PATH):
            return self._direct(request.body or b"{}")
        event = json.dumps(to_event(request, str(uuid.uuid4()), time.time())).encode()
        if len(event) > _LARGEST_EVENT:
            return _refused(413, "RequestEntityTooLargeException", "Request Entity Too Large")
        invocation = self._invoke(event)
        return to_response(invocation.payload, invocation.function_error)

    def _direct(self, event: bytes) -> HttpResponse:
        if len(event) > _LARGEST_EVENT:
            message = f"Request must be smaller than {_LARGEST_EVENT} bytes for the InvokeFunction operation"
            return _refused(413, "RequestTooLargeException", message)
        try:
            json.loads(event)
        except ValueError as error:
            message = f"Could not parse request body into json: {error}"
            return _refused(400, "InvalidRequestContentException", message)
        invocation = self._invoke(event)
        headers = [("Content-Type", "application/json"), ("X-Amz-Executed-Version", "$LATEST")]
        if invocation.function_error:
            headers.append(("X-Amz-Function-Error", "Unhandled"))
        return HttpResponse(200, tuple(headers), invocation.payload)


def _refused(status: int, error_type: str, message: str) -> HttpResponse:
    headers = (("Content-Type", "application/json"), ("x-amzn-ErrorType", error_type))
    return HttpResponse(status, headers, json.dumps({"Type": "User", "message": message}).encode())
