"""The Runtime API on the wire, asked by hand; test_local_aws.py has the real runtime ask."""

import http.client
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from mlserverless.local.aws.runtime_api import Report, RuntimeApi

NEXT = "/2018-06-01/runtime/invocation/next"
ARN = "arn:aws:lambda:us-east-1:123456789012:function:function"


@pytest.fixture
def api() -> Iterator[RuntimeApi]:
    server = RuntimeApi()
    yield server
    server.close()


@pytest.fixture
def runtime(api: RuntimeApi) -> Iterator[http.client.HTTPConnection]:
    with closing(http.client.HTTPConnection(api.address, timeout=10)) as connection:
        yield connection


def report(api: RuntimeApi) -> Report:
    return api.reports.get(timeout=10)


def test_next_carries_the_event_and_lambdas_headers(api: RuntimeApi, runtime: http.client.HTTPConnection) -> None:
    event = b'{"n": "\xce\xbb"}' * 100_000
    runtime.request("GET", NEXT)
    assert report(api).kind == "ready"
    api.send(event, "the-id", 1234.5, ARN)
    response = runtime.getresponse()
    assert response.status == 200
    assert response.read() == event
    assert response.headers["Content-Type"] == "application/json"
    assert response.headers["Lambda-Runtime-Aws-Request-Id"] == "the-id"
    assert response.headers["Lambda-Runtime-Deadline-Ms"] == "1234500"
    assert response.headers["Lambda-Runtime-Invoked-Function-Arn"] == ARN
    assert response.headers["Lambda-Runtime-Trace-Id"].startswith("Root=1-")
    assert "Lambda-Runtime-Client-Context" not in response.headers


def test_an_event_may_come_before_the_question(api: RuntimeApi, runtime: http.client.HTTPConnection) -> None:
    api.send(b"1", "a", 0.0, ARN)
    api.send(b"2", "b", 0.0, ARN)
    bodies = []
    for _ in range(2):
        runtime.request("GET", NEXT)
        bodies.append(runtime.getresponse().read())
    assert bodies == [b"1", b"2"]


def test_a_runtime_that_waits_for_its_restoration_is_told(
    api: RuntimeApi, runtime: http.client.HTTPConnection
) -> None:
    runtime.request("GET", "/2018-06-01/runtime/restore/next")
    assert report(api).kind == "snapshot"
    api.restore()
    response = runtime.getresponse()
    assert (response.status, response.read()) == (200, b"")


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/invocation/some-id/response", "response"),
        ("/invocation/some-id/error", "error"),
        ("/init/error", "init-error"),
        ("/restore/error", "restore-error"),
    ],
)
def test_what_the_runtime_posts_is_reported(
    api: RuntimeApi, runtime: http.client.HTTPConnection, path: str, kind: str
) -> None:
    before = time.perf_counter()
    body = bytes(range(256)) * 10_000
    runtime.request("POST", f"/2018-06-01/runtime{path}", body)
    response = runtime.getresponse()
    assert (response.status, response.read()) == (202, b'{"status":"OK"}')
    told = report(api)
    assert (told.kind, told.body) == (kind, body)
    assert before < told.at < time.perf_counter()


def test_a_header_of_a_megabyte_is_taken(api: RuntimeApi, runtime: http.client.HTTPConnection) -> None:
    headers = {"Lambda-Runtime-Function-XRay-Error-Cause": "x" * (1 << 20)}
    runtime.request("POST", "/2018-06-01/runtime/invocation/id/error", b"{}", headers)
    assert runtime.getresponse().status == 202
    assert report(api).kind == "error"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("POST", "/elsewhere/invocation/id/response"),
        ("POST", NEXT),
        ("POST", "/2018-06-01/runtime/invocation/id/other"),
        ("POST", "/2018-06-01/runtime/exit/error"),
        ("POST", "/2018-06-01/runtime/restore/next"),
        ("GET", "/2018-06-01/runtime/restore/error"),
    ],
)
def test_anything_else_is_not_found_and_not_reported(
    api: RuntimeApi, runtime: http.client.HTTPConnection, method: str, path: str
) -> None:
    runtime.request(method, path)
    response = runtime.getresponse()
    assert (response.status, response.read()) == (404, b"")
    assert api.reports.empty()


def test_a_runtime_that_dies_in_the_middle_reports_nothing(api: RuntimeApi) -> None:
    with closing(http.client.HTTPConnection(api.address, timeout=10)) as runtime:
        runtime.putrequest("POST", "/2018-06-01/runtime/invocation/id/response")
        runtime.putheader("Content-Length", "100")
        runtime.endheaders(b"only half of it")
    with closing(http.client.HTTPConnection(api.address, timeout=10)) as another:
        another.request("POST", "/2018-06-01/runtime/init/error", b"whole")
        assert another.getresponse().status == 202
    assert report(api).body == b"whole"


def test_a_runtime_killed_while_it_waits_makes_no_noise(
    api: RuntimeApi, capsys: pytest.CaptureFixture[str]
) -> None:
    threads = threading.active_count()
    host, _, port = api.address.partition(":")
    with socket.create_connection((host, int(port)), timeout=10) as runtime:
        runtime.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # close by reset
        runtime.sendall(f"GET {NEXT} HTTP/1.1\r\n\r\n".encode())
        assert report(api).kind == "ready"
    api.send(b"{}" * 1_000_000, "id", 0.0, ARN)
    until = time.monotonic() + 20
    while threading.active_count() > threads:
        assert time.monotonic() < until, "the conversation did not end within 20 s"
        time.sleep(0.01)
    assert capsys.readouterr().err == ""


def test_close_lets_a_waiting_runtime_go() -> None:
    api = RuntimeApi()
    ended = threading.Event()

    def wait_for_an_event() -> None:
        with closing(http.client.HTTPConnection(api.address, timeout=10)) as runtime:
            runtime.request("GET", NEXT)
            with pytest.raises(http.client.RemoteDisconnected):
                runtime.getresponse()
            ended.set()

    thread = threading.Thread(target=wait_for_an_event)
    thread.start()
    assert report(api).kind == "ready"
    api.close()
    api.close()
    thread.join(10)
    assert ended.is_set()
