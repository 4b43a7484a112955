"""WSGI environments as servers make them, right and wrong."""

import json
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from helpers import child
from helpers.harness.wsgi import call, environ
from helpers.services import WIRE, FakeService
from mlserverless.adapters.wsgi import Wsgi
from mlserverless.predictor import Predictor
from mlserverless.serving import Service

ROOT = Path(__file__).parents[2]
JPEG = {"Content-Type": "image/jpeg"}


class Body(BytesIO):
    """A body that keeps how much of it was asked for."""

    asked: list[int]

    def read(self, size: int | None = -1) -> bytes:
        self.asked = [*getattr(self, "asked", []), -1 if size is None else size]
        return super().read(size)


def test_a_request_is_answered_with_its_length() -> None:
    service = FakeService()
    answer = call(Wsgi(service), environ("POST", "/predict?top_k=2", JPEG, b"image"))
    assert (answer.status, json.loads(answer.body)) == (200, WIRE)
    assert answer.headers["content-length"] == str(len(answer.body))
    assert service.requests[0].image == b"image"
    assert service.requests[0].options.top_k == 2


@pytest.mark.parametrize(
    ("sent", "path"),
    [
        ("/caf\xc3\xa9", "/café"),
        ("/\xe2\x98\x83", "/☃"),
        ("/\xff", "/\ufffd"),
        ("", "/"),
        ("/predict", "/predict"),
    ],
)
def test_the_path_is_utf_8_whatever_latin_1_it_came_as(sent: str, path: str) -> None:
    """PEP 3333 hands bytes over as latin-1 text."""
    made = {**environ("GET", "/", {}), "PATH_INFO": sent}
    assert Wsgi(FakeService()).read(made).path == path


def test_an_environment_with_the_least_in_it_is_read() -> None:
    """PEP 3333 lets a server leave out what is empty."""
    request = Wsgi(FakeService()).read({"REQUEST_METHOD": "GET", "wsgi.input": BytesIO()})
    assert request == ("GET", "/", "", {"content-type": ""}, b"")


def test_headers_are_lower_case_with_hyphens() -> None:
    headers = (
        Wsgi(FakeService()).read(environ("GET", "/", {"X-Request-Id": "a", "Content-Type": "image/png"})).headers
    )
    assert (headers["x-request-id"], headers["content-type"]) == ("a", "image/png")


@pytest.mark.parametrize("length", ["", "x", "-1", "1.5", "+3", "\xb2", " "])
def test_a_content_length_that_is_none_means_no_body(length: str) -> None:
    made = environ("POST", "/", JPEG)
    made["wsgi.input"], made["CONTENT_LENGTH"] = Body(b"image"), length
    answer = b"".join(Wsgi(FakeService())(made, lambda status, headers: None))
    assert "has no body" in json.loads(answer)["detail"]
    assert not hasattr(made["wsgi.input"], "asked"), "reading on would wait for ever"


def test_a_content_length_beyond_the_body_is_no_fault_of_ours() -> None:
    """The server ends the stream; what came is answered."""
    service = FakeService()
    made = {**environ("POST", "/", JPEG, b"image"), "CONTENT_LENGTH": "999"}
    assert call(Wsgi(service), made).status == 200
    assert service.requests[0].image == b"image"


def test_a_content_length_below_the_body_ends_it() -> None:
    service = FakeService()
    call(Wsgi(service), {**environ("POST", "/", JPEG, b"image and more"), "CONTENT_LENGTH": "5"})
    assert service.requests[0].image == b"image"


def test_a_chunked_body_is_read() -> None:
    """The server takes the chunks apart and says so, in wsgi.input_terminated."""
    service = FakeService()
    made = environ("POST", "/", {**JPEG, "Transfer-Encoding": "chunked"})
    made |= {"wsgi.input": BytesIO(b"image"), "wsgi.input_terminated": True}
    assert call(Wsgi(service), made).status == 200
    assert service.requests[0].image == b"image"


def test_a_chunked_body_is_not_read_where_the_server_does_not_end_it() -> None:
    made = environ("POST", "/", {**JPEG, "Transfer-Encoding": "chunked"})
    made["wsgi.input"] = BytesIO(b"5\r\nimage\r\n0\r\n\r\n")
    answer = call(Wsgi(FakeService()), made)
    assert (answer.status, json.loads(answer.body)["code"]) == (400, "invalid-request")


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize(("size", "status"), [(1000, 200), (1001, 413), (5000, 413)])
def test_no_more_than_one_byte_past_the_limit_is_read(size: int, status: int, chunked: bool) -> None:
    made = environ("POST", "/", JPEG)
    stream = Body(bytes(size))
    made |= {
        "wsgi.input": stream,
        **({"wsgi.input_terminated": True} if chunked else {"CONTENT_LENGTH": str(size)}),
    }
    assert call(Wsgi(FakeService(max_bytes=1000)), made).status == status
    assert max(stream.asked) <= 1001


def test_with_wrong_settings_no_body_is_taken_into_memory() -> None:
    made = environ("POST", "/", JPEG)
    stream = Body(bytes(5000))
    made |= {"wsgi.input": stream, "CONTENT_LENGTH": "5000"}
    answer = call(Wsgi(Service(lambda: Predictor(top_k="x"))), made)
    assert (answer.status, json.loads(answer.body)["code"]) == (500, "misconfigured")
    assert stream.asked == [1]


def run(code: str, **environment: Any) -> dict[str, Any]:
    told: dict[str, Any] = child.run(
        f"from mlserverless.adapters.wsgi import application\n{code}\n{child.TELL}", ROOT, **environment
    )
    return told


def test_the_application_answers_a_url_without_numpy(photo: str) -> None:
    code = f"""
import io, json
body = json.dumps({{"url": {photo!r}, "top_k": 1}}).encode()
environ = {{"REQUEST_METHOD": "POST", "CONTENT_LENGTH": str(len(body)), "wsgi.input": io.BytesIO(body)}}
answer = json.loads(b"".join(application(environ, lambda status, headers: None)))"""
    told = run(code, MLSERVERLESS_ALLOW_PRIVATE_ADDRESSES="true")
    assert told["answer"]["predictions"][0]["label"] == "daisy"
    assert told["heavy"] == []


def test_the_application_warms_up_where_it_is_asked_to() -> None:
    """A failure is logged; the requests will tell it, too."""
    code = """
import io, json
from mlserverless.adapters.wsgi import warm_up
warm_up()
environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/readyz", "wsgi.input": io.BytesIO()}
answer = json.loads(b"".join(application(environ, lambda status, headers: None)))"""
    assert run(code)["answer"] == {"status": "ready"}
    assert run(code, MLSERVERLESS_MODEL="none-such")["answer"]["code"] == "model-unavailable"
