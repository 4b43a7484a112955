"""The front carries bytes both ways and changes nothing but the framing."""

import http.client
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from mlserverless.local.front import Front, Handle
from mlserverless.web.http import HttpRequest, HttpResponse


@contextmanager
def serving(handle: Handle) -> Iterator[http.client.HTTPConnection]:
    front = Front(handle)
    try:
        with closing(http.client.HTTPConnection(front.host, front.port, timeout=10)) as connection:
            yield connection
    finally:
        front.close()


@contextmanager
def recording(response: HttpResponse) -> Iterator[tuple[http.client.HTTPConnection, list[HttpRequest]]]:
    seen: list[HttpRequest] = []

    def handle(request: HttpRequest) -> HttpResponse:
        seen.append(request)
        return response

    with serving(handle) as connection:
        yield connection, seen


OK = HttpResponse(200, (("Content-Type", "text/plain"), ("X-Twice", "a"), ("X-Twice", "b")), b"fine\n")


def test_a_request_arrives_whole() -> None:
    body = bytes(range(256)) * 300
    with recording(OK) as (connection, seen):
        connection.request("POST", "/a%20b/c?x=%201&y=%3F", body, {"X-Name": "Value"})
        connection.getresponse().read()
    (request,) = seen
    assert (request.method, request.path, request.query) == ("POST", "/a b/c", "x=%201&y=%3F")
    assert request.headers["x-name"] == "Value"
    assert request.body == body


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_every_method_is_handed_on(method: str) -> None:
    with recording(OK) as (connection, seen):
        connection.request(method, "/")
        assert connection.getresponse().read() == b"fine\n"
    assert [request.method for request in seen] == [method]


@pytest.mark.parametrize(
    ("method", "status", "body", "length"),
    [
        ("GET", 204, b"", None),
        ("GET", 304, b"", None),
        ("HEAD", 200, b"", None),  # how long it would be is not known here
        ("HEAD", 200, b"fine\n", "5"),
        ("GET", 200, b"", "0"),
    ],
)
def test_an_answer_without_a_body_says_nothing_wrong_of_its_length(
    method: str, status: int, body: bytes, length: str | None
) -> None:
    with recording(HttpResponse(status, (), body)) as (connection, seen):
        for _ in range(2):  # and the connection stays in step
            connection.request(method, "/")
            answer = connection.getresponse()
            assert (answer.status, answer.headers["Content-Length"], answer.read()) == (status, length, b"")
    assert len(seen) == 2


def test_repeated_headers_are_joined() -> None:
    with recording(OK) as (connection, seen):
        connection.putrequest("GET", "/")
        connection.putheader("Accept", "a")
        connection.putheader("accept", "b")
        connection.endheaders()
        connection.getresponse().read()
    assert seen[0].headers["accept"] == "a, b"


def test_a_response_leaves_as_it_is() -> None:
    with recording(HttpResponse(207, OK.headers, bytes(range(256)))) as (connection, _):
        connection.request("GET", "/")
        response = connection.getresponse()
        assert response.status == 207
        assert response.read() == bytes(range(256))
        assert response.headers.get_all("x-twice") == ["a", "b"]


def test_the_front_frames_the_body_itself() -> None:
    wrong = (("Content-Length", "3"), ("Transfer-Encoding", "chunked"), ("Connection", "close"))
    with recording(HttpResponse(200, wrong, b"longer than three")) as (connection, seen):
        for _ in range(2):  # the second one finds the connection open and in step
            connection.request("GET", "/")
            assert connection.getresponse().read() == b"longer than three"
    assert len(seen) == 2


def test_head_has_the_length_and_no_body() -> None:
    with recording(OK) as (connection, _):
        connection.request("HEAD", "/")
        response = connection.getresponse()
        assert (response.headers["Content-Length"], response.read()) == ("5", b"")
        connection.request("GET", "/")
        assert connection.getresponse().read() == b"fine\n"


def test_an_exception_is_a_502_and_its_traceback_goes_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    def broken(request: HttpRequest) -> HttpResponse:
        raise LookupError("for the test")

    with serving(broken) as connection:
        connection.request("GET", "/")
        response = connection.getresponse()
        assert response.status == 502
        assert b"for the test" not in response.read()
    assert "LookupError: for the test" in capsys.readouterr().err


def test_two_requests_are_handled_at_a_time() -> None:
    both = threading.Barrier(2, timeout=10)

    def wait_for_the_other(request: HttpRequest) -> HttpResponse:
        both.wait()
        return OK

    front = Front(wait_for_the_other)
    statuses: list[int] = []

    def ask() -> None:
        with closing(http.client.HTTPConnection(front.host, front.port, timeout=20)) as connection:
            connection.request("GET", "/")
            statuses.append(connection.getresponse().status)

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    front.close()
    assert statuses == [200, 200]


def test_the_url_is_the_address_and_close_frees_it() -> None:
    front = Front(lambda request: OK)
    assert front.url == f"http://127.0.0.1:{front.port}"
    front.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((front.host, front.port), timeout=5)


def test_a_chunked_body_is_refused_and_not_taken_for_the_next_request() -> None:
    def handle(request: HttpRequest) -> HttpResponse:
        raise AssertionError(request)

    with closing(Front(handle)) as front, closing(socket.create_connection((front.host, front.port))) as sock:
        sock.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nGET /\r\n0\r\n\r\n")
        answer = b"".join(iter(lambda: sock.recv(4096), b""))
    assert answer.startswith(b"HTTP/1.1 411 ")
    assert answer.count(b"HTTP/1.1") == 1
    assert b"Content-Length" in answer
