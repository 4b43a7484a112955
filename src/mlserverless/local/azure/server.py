"""``serve --on azure``: a function app in Microsoft's real Python runtime, on this machine, without Docker.

The runtime needs Python 3.13 or later with its own packages, so it is a process of its own
(:mod:`mlserverless.local.azure.worker`); this side runs on any supported Python.
"""

import http.client
import json
import select
import subprocess
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from mlserverless.local.azure.python import VARIABLE, interpreter
from mlserverless.local.azure.settings import host_settings, local_settings
from mlserverless.local.parts import Part, fetch
from mlserverless.local.runtime import child_environment
from mlserverless.web.http import HttpResponse

MESSAGES = Part(
    "azure-functions-runtime-v1==1.2.0",
    "6ae0abb681e28c61a404b52e1c4481f203bb113e5027fbe908989ea9585a02a0",
    "tests/protos/",
)
START_SECONDS = 120.0  # the platform's own limit for import and indexing
STOP_SECONDS = 5.0


class AzureServer:
    """A running function app; also a context manager. ``url`` is its address, without a slash at its end."""

    def __init__(self, process: subprocess.Popen[bytes], host: str, port: int) -> None:
        self._process, self._host, self._port = process, host, port
        self.url = f"http://{host}:{port}"

    def invoke(self, name: str, input: Any, metadata: Mapping[str, Any] | None = None) -> HttpResponse:
        """Run function ``name`` on ``input``, a text or any value for JSON; not for HTTP and blob triggers.

        A list is a batch where the trigger's cardinality is many. ``metadata`` adds to the trigger metadata and
        replaces it; :mod:`mlserverless.local.azure.worker` says what each trigger makes of both. Returns 202
        when the function returned, with what it wrote to its output bindings, ``{"outputs": {name: value}}``,
        if there is any; 500 with the exception's text when it raised; 400 or 404, saying why, where it cannot
        be run.
        """
        body = json.dumps({"input": input, "metadata": dict(metadata or {})}).encode()
        return self._post(name, body, {"Content-Type": "application/json"})

    def invoke_blob(
        self, name: str, data: bytes, uri: str, properties: Mapping[str, Any] | None = None
    ) -> HttpResponse:
        """Run function ``name``, a blob trigger, on the blob ``data`` that is said to lie at ``uri``.

        ``properties`` adds to the blob's properties, ``{"ETag": "0x8D"}``. Returns as :meth:`invoke` does.
        """
        headers = {"X-Blob-Uri": uri, "Content-Type": "application/octet-stream"}
        if properties:
            headers["X-Blob-Properties"] = json.dumps(dict(properties))
        return self._post(name, data, headers)

    def _post(self, name: str, body: bytes, headers: Mapping[str, str]) -> HttpResponse:
        connection = http.client.HTTPConnection(self._host, self._port)
        try:
            connection.request("POST", f"/admin/functions/{name}", body, headers)
            answer = connection.getresponse()
            return HttpResponse(answer.status, tuple(answer.getheaders()), answer.read())
        finally:
            connection.close()

    def close(self) -> None:
        """End the process: functions that are running get five seconds to return."""
        _stop(self._process)

    def __enter__(self) -> "AzureServer":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def available(python: str | None = None) -> str | None:
    """Return why the runtime cannot run here, as a sentence that says what to do, or None where it can.

    ``python`` is the interpreter to ask; see :func:`start` for the default.
    """
    return interpreter(python).reason


def start(
    *,
    app_dir: Path,
    host: str = "127.0.0.1",
    port: int = 0,
    python: str | None = None,
    environment: Mapping[str, str] | None = None,
) -> AzureServer:
    """Serve the function app in ``app_dir`` on ``host:port`` (0: any free port) and return when it answers.

    ``python`` is an interpreter with the runtime installed; else ``MLSERVERLESS_AZURE_PYTHON`` names it, else
    it is this one. The app's environment is clean: the settings in its local.settings.json, as under
    ``func start``, then ``environment``. Its output goes to this process's stderr.
    Raises RuntimeError, saying what to do, where the runtime is not there or the app does not load.
    """
    chosen = interpreter(python)
    if chosen.reason:
        raise RuntimeError(chosen.reason)
    app_dir = app_dir.resolve()
    if not app_dir.is_dir():
        raise RuntimeError(f"{app_dir} is no folder; the folder of a function app is wanted")
    settings = host_settings(app_dir, chosen.version) | local_settings(app_dir) | dict(environment or {})
    variables = child_environment(settings)
    # CONTAINER_NAME tells the worker that it is on a consumption plan; the other is no setting of the app's.
    for name in ("CONTAINER_NAME", VARIABLE):
        variables.pop(name, None)
    command = [chosen.path, "-P", "-m", "mlserverless.local.azure.worker"]  # -P: nothing from app_dir yet
    command += ["--host", host, "--port", str(port)]
    command += ["--messages", str(fetch(MESSAGES) / MESSAGES.prefix), str(app_dir)]
    process = subprocess.Popen(  # noqa: S603 - an interpreter that the caller chose, our own words
        command, env=variables, cwd=app_dir, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        return AzureServer(process, host, _await_port(process, app_dir))
    except BaseException:
        _stop(process)
        raise


def _stop(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    process.stdin.close()  # it ends when its stdin does
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _await_port(process: subprocess.Popen[bytes], app_dir: Path) -> int:
    assert process.stdout is not None
    with process.stdout as stdout:
        ready, _, _ = select.select([stdout], [], [], START_SECONDS)
        line = stdout.readline() if ready else b""
    if not ready:
        raise RuntimeError(f"the function app in {app_dir} did not load within {START_SECONDS:.0f} s")
    said: dict[str, Any] = json.loads(line) if line else {"error": "its process ended, see stderr"}
    if "error" in said:
        raise RuntimeError(f"the function app in {app_dir} cannot be served: {said['error']}")
    return int(said["port"])
