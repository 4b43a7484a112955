"""The same functions in the providers' real runtimes, each started once for every environment it is asked with."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from helpers.shapes.azure import Event as AzureEvent
from mlserverless.local import aws, azure, deploy, gcp, wsgi
from mlserverless.local.runtime import Runtime
from mlserverless.testing.events import Reply, Trigger

APPS = Path(__file__).parents[1] / "apps"
Invoke = Callable[[Any, Any], Reply]


def _start(cloud: str, environment: Mapping[str, str]) -> Any:
    if cloud in ("aws", "aws-rie"):
        app, emulator = deploy.folder("aws"), cloud == "aws-rie"
        return aws.start(handler="app.handler", app_dir=app, environment=environment, emulator=emulator)
    if cloud == "azure":
        return azure.start(app_dir=APPS / "azure", environment=environment)
    if cloud == "gcp":
        return gcp.start(target="event", environment=environment)
    return wsgi.start(environment=environment)


def _invoke(cloud: str, running: Any, event: Any) -> Reply:
    if cloud.startswith("aws"):
        done = running.invoke(event)
        return Reply(json.loads(done.payload), done.function_error)
    if cloud == "azure":
        assert isinstance(event, AzureEvent)
        if event.function == "image_created":
            answer = running.invoke_blob(
                event.function, event.input, event.metadata["Uri"], {"ETag": event.metadata["ETag"]}
            )
        else:
            answer = running.invoke(event.function, event.input, event.metadata)
        return Reply(answer.body.decode(), answer.status != 202)
    path, headers, body = event
    return Reply(post(running, path if path.startswith("/") else "/", headers, body), raised=False)


def post(running: Runtime, path: str, headers: Mapping[str, str], body: bytes) -> int:
    """Return the status that ``running`` answers."""
    at = urlsplit(running.url)
    connection = HTTPConnection(at.hostname or "", at.port, timeout=60)
    try:
        connection.request("POST", path, body, dict(headers))
        answer = connection.getresponse()
        answer.read()
        return answer.status
    finally:
        connection.close()


class Function:
    """A running function."""

    def __init__(self, cloud: str, running: Any) -> None:
        self._cloud, self._running = cloud, running

    def invoke(self, trigger: Trigger, event: Any) -> Reply:
        return _invoke(self._cloud, self._running, event)


class Runtimes:
    """The functions that were started; ``close`` ends them all."""

    def __init__(self) -> None:
        self._running: dict[tuple[str, tuple[tuple[str, str], ...]], Any] = {}
        self._stack = ExitStack()

    def start(self, cloud: str) -> Callable[[Mapping[str, str]], Any]:
        """Return how a function of ``cloud`` is started."""

        @contextmanager
        def started(environment: Mapping[str, str]) -> Iterator[Function]:
            key = cloud, tuple(sorted(environment.items()))
            if key not in self._running:
                self._running[key] = _start(cloud, environment)
                self._stack.callback(self._running[key].close)
            yield Function(cloud, self._running[key])

        return started

    def close(self) -> None:
        self._stack.close()
        self._running.clear()
