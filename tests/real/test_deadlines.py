"""A problem reaches the caller before the platform's own runtime would end the function."""

import http.client
import json
import time
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import pytest

from helpers import origin
from mlserverless.local import aws, deploy, gcp
from mlserverless.local.runtime import Runtime

pytestmark = pytest.mark.real
GRANTED_S = 2.0
SETTINGS = {"MLSERVERLESS_ALLOW_PRIVATE_ADDRESSES": "true"}  # the download's own timeout stays at 10 s


def lambda_function(emulator: bool) -> Runtime:
    folder = deploy.folder("aws")
    options = {"handler": "app.handler", "app_dir": folder, "environment": SETTINGS}
    return aws.start(timeout_s=GRANTED_S, emulator=emulator, **options)


STARTS: dict[str, tuple[Callable[[], str | None], Callable[[], Runtime]]] = {
    "aws": (aws.available, lambda: lambda_function(emulator=False)),
    "gcp": (gcp.available, lambda: gcp.start(environment={**SETTINGS, "CLOUD_RUN_TIMEOUT_SECONDS": "2"})),
}


@pytest.fixture
def dripping() -> Iterator[str]:
    drip = origin.drip(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n", b"x")
    with origin.serving({"/drip": drip}) as running:
        yield running.url("/drip")


def ask(url: str, asked: str) -> tuple[int, bytes, float]:
    host = urlsplit(url)
    connection = http.client.HTTPConnection(host.hostname or "", host.port, timeout=60)
    begun = time.monotonic()
    try:
        body = json.dumps({"url": asked}).encode()
        connection.request("POST", "/predict", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, answer.read(), time.monotonic() - begun
    finally:
        connection.close()


@pytest.mark.parametrize("cloud", STARTS)
def test_a_dripping_origin_is_given_up_in_time(
    cloud: str, dripping: str, need: Callable[[str | None], None]
) -> None:
    available, start = STARTS[cloud]
    need(available())
    running = start()
    try:
        ask(running.url, "http://127.0.0.1:1/")  # the start is over: only the invocation counts
        status, body, seconds = ask(running.url, dripping)
    finally:
        running.close()
    assert status == 504, body
    assert json.loads(body)["code"] in ("deadline-exceeded", "source-timeout")
    assert seconds < GRANTED_S
