"""The same requests through every adapter get the same answers, byte by byte."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from helpers import harness
from helpers.services import FakeService
from mlserverless.predictor import Predictor
from mlserverless.serving import Service
from mlserverless.testing import http
from mlserverless.testing.world import World

PHOTO = (Path(__file__).parents[2] / "examples" / "photos" / "flower.jpg").read_bytes()
JPEG = {"Content-Type": "image/jpeg"}


@pytest.fixture(scope="module")
def places() -> Iterator[http.Places]:
    with World() as world:
        yield world.places()


@pytest.fixture(scope="module")
def service() -> Service:
    predictor = Predictor(max_bytes=http.LIMIT, allow_private_addresses=True, concurrency=1, threads=1)
    return Service(lambda: predictor)


@pytest.fixture(scope="module")
def expected(service: Service) -> Callable[[http.Case], bytes]:
    return http.expected_of(service)


@pytest.mark.parametrize("cloud", harness.CLOUDS)
@pytest.mark.parametrize("case", http.cases(), ids=lambda case: case.name)
def test_every_adapter_answers_as_the_web_app_does(
    cloud: str, case: http.Case, places: http.Places, service: Service, expected: Callable[[http.Case], bytes]
) -> None:
    http.check(case.at(places), harness.make(cloud, service).ask, expected)


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
    answer = harness.make(cloud, service).ask("PATCH", "/predict", {}, b"x")
    assert answer.headers["allow"] == "GET, POST, HEAD, OPTIONS"


@pytest.mark.parametrize("cloud", harness.CLOUDS)
def test_a_body_of_the_size_that_is_set_is_read_whole(cloud: str) -> None:
    """Above the default of 10 MB, too: an adapter has no limit of its own."""
    service, body = FakeService(max_bytes=11_000_000), bytes(11_000_000)
    asked = harness.make(cloud, service)
    assert asked.ask("POST", "/", JPEG, body).status == 200
    assert service.requests[0].image == body
    assert asked.ask("POST", "/", JPEG, body + b"x").status == 413


PREFLIGHT = {"Origin": "https://app.example.com", "Access-Control-Request-Method": "POST"}


@pytest.mark.parametrize("cloud", harness.CLOUDS)
@pytest.mark.parametrize(
    ("origins", "allowed"), [("", None), ("https://app.example.com", "https://app.example.com")]
)
def test_pages_of_another_origin_are_let_in_by_the_setting_only(
    cloud: str, origins: str, allowed: str | None
) -> None:
    asked = harness.make(cloud, FakeService(cors_origins=origins))
    preflight = asked.ask("OPTIONS", "/predict", PREFLIGHT)
    answer = asked.ask("POST", "/predict", {**JPEG, **PREFLIGHT}, b"image")
    assert (preflight.status, preflight.body, answer.status) == (204, b"", 200)
    for found in (preflight, answer):
        assert found.headers.get("access-control-allow-origin") == allowed
        assert "access-control-allow-credentials" not in found.headers
    assert ("access-control-allow-methods" in preflight.headers) is bool(allowed)


@pytest.mark.parametrize("cloud", ["gcp", "wsgi"])
def test_where_an_adapter_can_it_says_how_long_the_body_would_be(cloud: str) -> None:
    asked = harness.make(cloud, FakeService())
    got, head = (asked.ask(method, "/predict?url=https://x.example/1", {}) for method in ("GET", "HEAD"))
    assert (head.status, head.body) == (200, b"")
    assert head.headers["content-length"] == got.headers["content-length"] == str(len(got.body))


@pytest.mark.parametrize("cloud", [*harness.AWS, "azure"])
def test_where_it_cannot_it_says_nothing_of_it(cloud: str) -> None:
    """Rather than that it is 0: the platform in front frames the answer."""
    head = harness.make(cloud, FakeService()).ask("HEAD", "/predict?url=https://x.example/1", {})
    assert (head.status, head.body) == (200, b"")
    assert "content-length" not in head.headers


@pytest.mark.parametrize("cloud", harness.CLOUDS)
def test_a_trace_goes_with_the_request_for_the_image(cloud: str) -> None:
    service, trace = FakeService(), "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    asked = harness.make(cloud, service)
    for given in (trace, "malformed"):
        asked.ask(
            "POST",
            "/",
            {"Content-Type": "application/json", "traceparent": given},
            b'{"url": "https://x.example"}',
        )
    assert [request.trace for request in service.requests] == [trace, ""]
