"""The same requests through every adapter get the same answers, byte by byte."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from helpers import harness, origin
from helpers.services import FakeService
from mlserverless.predictor import Predictor
from mlserverless.serving import Service
from mlserverless.web.app import WebApp
from mlserverless.web.http import HttpRequest

PHOTO = (Path(__file__).parents[2] / "examples" / "photos" / "flower.jpg").read_bytes()
JPEG = {"Content-Type": "image/jpeg"}
JSON = {"Content-Type": "application/json"}
FORM = b"\r\n".join(
    [
        b"--line",
        b'Content-Disposition: form-data; name="top_k"',
        b"",
        b"1",
        b"--line",
        b'Content-Disposition: form-data; name="file"; filename="caf\xc3\xa9.jpg"',
        b"Content-Type: image/jpeg",
        b"",
        PHOTO,
        b"--line--",
        b"",
    ]
)


class Case(NamedTuple):
    """One request, and the status and type of its answer. ``ORIGIN`` is the origin's address."""

    name: str
    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    status: int
    code: str = ""


CASES = [
    Case("image", "POST", "/", JPEG, PHOTO, 200),
    Case("image with options", "POST", "/predict?top_k=2&labels_deny=daisy", JPEG, PHOTO, 200),
    Case("octet-stream", "POST", "/predict/", {"Content-Type": "application/octet-stream"}, PHOTO, 200),
    Case("form", "POST", "/predict", {"Content-Type": "multipart/form-data; boundary=line"}, FORM, 200),
    Case("url", "POST", "/predict", JSON, b'{"url": "ORIGIN/flower.jpg", "top_k": 3}', 200),
    Case("url as text", "POST", "/", {"Content-Type": "text/plain"}, b'{"url": "ORIGIN/flower.jpg"}', 200),
    Case(
        "url as curl sends it",
        "POST",
        "/",
        {"Content-Type": "application/x-www-form-urlencoded"},
        b'{"url": "ORIGIN/flower.jpg"}',
        200,
    ),
    Case("url in the query", "GET", "/predict?url=ORIGIN%2Fflower.jpg&top_k=1", {}, b"", 200),
    Case("url beyond ASCII", "GET", "/predict?url=ORIGIN/fl%C3%B6wer.jpg", {}, b"", 200),
    Case("url beyond ASCII, as it is", "GET", "/predict?url=ORIGIN/flöwer.jpg", {}, b"", 200),
    Case(
        "batch",
        "POST",
        "/predict",
        JSON,
        b'{"urls": ["ORIGIN/flower.jpg", "ORIGIN/none", 5, "ftp://x.example/", "ORIGIN/text"], "top_k": 1}',
        200,
    ),
    Case("healthz", "GET", "/healthz", {}, b"", 200),
    Case("readyz", "GET", "/readyz", {}, b"", 200),
    Case("model", "GET", "/model", {}, b"", 200),
    Case("nothing there", "GET", "/caf%C3%A9/%22x", {}, b"", 404, "not-found"),
    Case("source not found", "POST", "/", JSON, b'{"url": "ORIGIN/none"}', 404, "source-not-found"),
    Case("blocked", "POST", "/", JSON, b'{"url": "file:///etc/passwd"}', 403, "source-blocked"),
    Case("wrong method", "PUT", "/predict", JPEG, PHOTO, 405, "method-not-allowed"),
    Case("wrong method, no body", "DELETE", "/model", {}, b"", 405, "method-not-allowed"),
    Case("no JSON", "POST", "/", JSON, b'{"url": ', 400, "invalid-request"),
    Case("no body", "POST", "/", JSON, b"", 400, "invalid-request"),
    Case("a bad option", "POST", "/?top_k=none", JPEG, PHOTO, 400, "invalid-request"),
    Case("an unknown label", "POST", "/?labels_allow=caf%C3%A9", JPEG, PHOTO, 400, "invalid-request"),
    Case("too large", "POST", "/", JPEG, PHOTO + bytes(400_000), 413, "image-too-large"),
    Case("another type", "POST", "/", {"Content-Type": "video/mp4"}, b"x", 415, "unsupported-media-type"),
    Case("no image", "POST", "/", JPEG, b"GIF89a", 415, "unsupported-media-type"),
    Case("a truncated image", "POST", "/", JPEG, PHOTO[:5000], 422, "undecodable-image"),
]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    replies = {"/flower.jpg": origin.response(PHOTO), "/fl%C3%B6wer.jpg": origin.response(PHOTO)}
    missing = {"/none": origin.response(status="404 Not Found"), "/text": origin.response(b"no image")}
    with origin.serving({**replies, **missing}) as running:
        yield running.url("")


@pytest.fixture(scope="module")
def service() -> Service:
    predictor = Predictor(max_bytes=400_000, allow_private_addresses=True, concurrency=1, threads=1)
    return Service(lambda: predictor)


def at(case: Case, address: str) -> tuple[str, str, dict[str, str], bytes]:
    target, body = case.target.replace("ORIGIN", address), case.body.replace(b"ORIGIN", address.encode())
    return case.method, target, {**case.headers, "X-Request-Id": "order-66/a=b"}, body


@pytest.mark.parametrize("cloud", harness.CLOUDS)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_adapter_answers_as_the_web_app_does(cloud: str, case: Case, address: str, service: Service) -> None:
    method, target, headers, body = at(case, address)
    answer = harness.make(cloud, service).ask(method, target, headers, body)

    assert answer.status == case.status
    kind = "application/problem+json" if case.code else "application/json"
    assert answer.headers["content-type"] == kind
    assert answer.headers["x-request-id"] == "order-66/a=b"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    if case.code:
        assert json.loads(answer.body)["code"] == case.code

    path, _, query = target.partition("?")
    lower = harness.lower(headers)
    direct = WebApp(service)(HttpRequest(method, unquoted(path), query, lower, body))
    assert answer.body == direct.body
    assert ("server-timing" in answer.headers) == any(name == "Server-Timing" for name, _ in direct.headers)


def unquoted(path: str) -> str:
    return path.replace("%C3%A9", "é").replace("%22", '"')


@pytest.mark.parametrize("cloud", harness.CLOUDS)
def test_a_photo_is_classified(cloud: str, service: Service) -> None:
    """Not only equal: right."""
    answer: dict[str, Any] = json.loads(harness.make(cloud, service).ask("POST", "/?top_k=1", JPEG, PHOTO).body)
    assert answer["model"] == "efficientnet-lite0"
    assert [(score["label"], score["index"]) for score in answer["predictions"]] == [("daisy", 985)]


@pytest.mark.parametrize("cloud", harness.CLOUDS)
def test_wrong_settings_are_answered_on_every_request(cloud: str) -> None:
    asked = harness.make(cloud, Service(lambda: Predictor(top_k="many")))
    for method, target, body in (("POST", "/", PHOTO), ("GET", "/readyz", b""), ("POST", "/", b"")):
        answer = asked.ask(method, target, JPEG, body)
        problem = json.loads(answer.body)
        assert (answer.status, problem["code"]) == (500, "misconfigured")
        assert "top_k is 'many'" in problem["detail"]
    assert asked.ask("GET", "/healthz", {}).status == 200


@pytest.mark.parametrize("cloud", harness.CLOUDS)
def test_a_method_that_is_not_allowed_is_told_which_are(cloud: str, service: Service) -> None:
    assert harness.make(cloud, service).ask("PATCH", "/predict", {}, b"x").headers["allow"] == "GET, POST"


@pytest.mark.parametrize("cloud", harness.CLOUDS)
def test_a_body_of_the_size_that_is_set_is_read_whole(cloud: str) -> None:
    """Above the default of 10 MB, too: an adapter has no limit of its own."""
    service, body = FakeService(max_bytes=11_000_000), bytes(11_000_000)
    asked = harness.make(cloud, service)
    assert asked.ask("POST", "/", JPEG, body).status == 200
    assert service.requests[0].image == body
    assert asked.ask("POST", "/", JPEG, body + b"x").status == 413
