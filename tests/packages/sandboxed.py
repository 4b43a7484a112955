"""The images in tight sandboxes: Lambda's under our Runtime API, the others on a port of their own."""

import contextlib
import time
from collections.abc import Iterator
from http.client import HTTPException
from pathlib import Path

from delivery.conformance import over
from helpers import containers
from mlserverless.bundle import golden
from mlserverless.local.aws.function import Function
from mlserverless.local.aws.sandboxes import Sandboxes
from mlserverless.local.aws.server import LambdaServer
from mlserverless.local.process import free_port
from mlserverless.testing.http import ID, JPEG, Answer, Ask, Case
from packages import bases

TAGS = {provider: f"mlserverless/{provider}" for provider in ("aws", "container", "azure")}
HOST, SECONDS = "127.0.0.1", 60.0
SETTINGS = {"MLSERVERLESS_MAX_PIXELS": "4000000", "MLSERVERLESS_THREADS": "1"}


def cases() -> list[Case]:
    """Return the photos that come along, and pictures of every format and kind of pixel, broken ones too."""
    photos = {path.name: path.read_bytes() for path in sorted((bases.ROOT / "examples" / "photos").glob("*.*g"))}
    pictures = photos | golden.pictures()
    return [Case(name, "POST", "/predict?top_k=1000", JPEG, data, 200) for name, data in pictures.items()]


def asked(ask: Ask, case: Case) -> Answer:
    """Ask as soon as somebody listens."""
    until = time.monotonic() + SECONDS
    while True:
        try:
            return ask(case.method, case.target, {**case.headers, "X-Request-Id": ID}, case.body)
        except (OSError, HTTPException):
            if time.monotonic() > until:
                raise
            time.sleep(0.005)


def cold(provider: str, case: Case, *options: str) -> float:
    """Return the seconds from the start of the provider's image to its first answer, which is a good one."""
    begin = time.perf_counter()
    with serving(provider, *options) as ask:
        answer = asked(ask, case)
        seconds = time.perf_counter() - begin
    if answer.status != 200:
        raise RuntimeError(f"{TAGS[provider]} answered {answer.status}: {answer.body[:300]!r}")
    return seconds


def serving(provider: str, *options: str) -> contextlib.AbstractContextManager[Ask]:
    """Run the provider's image for the ``with`` block; ``options`` are podman's own."""
    return _lambda(options) if provider == "aws" else _listening(provider, options)


@contextlib.contextmanager
def _lambda(options: tuple[str, ...]) -> Iterator[Ask]:
    environment = {**containers.environment(), **SETTINGS}
    function = _Contained("app.handler", Path("/"), SECONDS, containers.MEMORY_MB, environment)
    function.options = options
    try:
        with LambdaServer(Sandboxes(function, 1), HOST, 0) as server:
            yield over(server.url)
    finally:
        containers.remove_all()


class _Contained(Function):
    """A function whose process is a container of the image, with Lambda's own variables in it."""

    options: tuple[str, ...] = ()

    @property
    def command(self) -> list[str]:
        handed = [f"--env={name}" for name in ("AWS_*", "MLSERVERLESS_*", "_HANDLER", "TZ")]
        return containers.command(TAGS["aws"], *handed, "--env=LAMBDA_TASK_ROOT=/var/task", *self.options)


@contextlib.contextmanager
def _listening(provider: str, options: tuple[str, ...]) -> Iterator[Ask]:
    port = free_port(HOST)
    told = {"azure": {"ASPNETCORE_URLS": f"http://+:{port}", "HOST_ADDRESS": HOST}, "container": {"HOST": HOST}}
    variables = {**SETTINGS, "PORT": str(port), **told[provider]}
    handed = [f"--env={name}={value}" for name, value in variables.items()]
    with containers.running(TAGS[provider], *handed, *options):
        yield over(f"http://{HOST}:{port}")
