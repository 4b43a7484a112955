"""The web app: routes, request ids, problems, canonical bytes."""

import json
import logging
import math
import re
import threading
from typing import Any

import pytest

from helpers.services import PREDICTION, WIRE, FakeService
from helpers.web import JSON, PNG, URL, ask, headers, problem
from mlserverless import overlap
from mlserverless.deadline import Deadline
from mlserverless.errors import Overloaded, SourceNotFound
from mlserverless.predictor import Predictor
from mlserverless.serving import Service
from mlserverless.types import Request, Score
from mlserverless.web.answers import respond


@pytest.mark.parametrize("path", ["/", "/predict", "/predict/", "//", "/predict//"])
@pytest.mark.parametrize(
    ("method", "query", "kind", "body"),
    [("POST", "", JSON, URL), ("POST", "", PNG, b"image"), ("GET", "url=https://x.example/1", {}, b"")],
)
def test_a_prediction_is_canonical_json_byte_for_byte(
    path: str, method: str, query: str, kind: dict[str, str], body: bytes
) -> None:
    response = ask(FakeService(), method, path, query, kind, body)
    assert response.status == 200
    assert response.body == (
        b'{"model":"fake","sha256":"' + b"0" * 64 + b'","predictions":['
        b'{"label":"cat","index":3,"score":0.5},{"label":"a dog","index":1,"score":0.25}]}'
    )
    assert headers(response)["Content-Type"] == "application/json"


def test_text_beyond_ascii_is_utf_8_and_scores_have_six_digits() -> None:
    scores = Score("café ☃", 0, 0.123456789), Score('"\\\n', 1, 1e-7)
    response = ask(FakeService(PREDICTION._replace(predictions=scores)), "POST", "/", "", PNG, b"image")
    assert response.body.decode().endswith(
        '[{"label":"café ☃","index":0,"score":0.123457},{"label":"\\"\\\\\\n","index":1,"score":1e-07}]}'
    )


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_score_that_json_cannot_say_is_an_internal_problem(value: float) -> None:
    response = ask(
        FakeService(PREDICTION._replace(predictions=(Score("x", 0, value),))), "POST", "/", "", PNG, b"i"
    )
    assert (response.status, problem(response)["code"]) == (500, "internal")


def test_half_a_surrogate_pair_is_answered_as_the_escape_it_came_as() -> None:
    """UTF-8 cannot say it, so that encoding it would be a crash after the last boundary."""
    response = respond(200, "application/json", {"label": "\ud800é"}, "id")
    assert response.body == b'{"label":"\\ud800\xc3\xa9"}'
    told = ask(FakeService(SourceNotFound("no \ud800")), "POST", "/", "", PNG, b"image")
    assert problem(told)["detail"] == "no \ud800"


def test_every_answer_is_private_and_of_the_type_it_says() -> None:
    for method, path in (("POST", "/"), ("GET", "/healthz"), ("GET", "/none")):
        found = headers(ask(FakeService(), method, path, "", PNG, b"image"))
        assert found["Cache-Control"] == "no-store"
        assert found["X-Content-Type-Options"] == "nosniff"


def test_server_timing_tells_each_stage_and_the_total() -> None:
    timing = headers(ask(FakeService(), "POST", "/", "", PNG, b"image"))["Server-Timing"]
    assert timing == "download;dur=1.2, invoke;dur=2.5, total;dur=3.8"
    for part in timing.split(", "):
        assert re.fullmatch(r"[a-z]+;dur=\d+\.\d", part), "as the Server-Timing specification has it"


def test_server_timing_of_a_batch_is_the_sum_of_each_stage() -> None:
    body = b'{"urls": ["https://x.example/1", "https://x.example/2", 3]}'
    timing = headers(ask(FakeService(), "POST", "/", "", JSON, body))["Server-Timing"]
    assert timing == "download;dur=2.5, invoke;dur=5.0", "they overlap: a total would say nothing"


def test_without_timings_there_is_no_server_timing() -> None:
    for service in (FakeService(PREDICTION._replace(timings=())), FakeService(SourceNotFound("none"))):
        assert "Server-Timing" not in headers(ask(service, "POST", "/", "", PNG, b"image"))


def test_a_batch_has_a_result_for_each_url_in_order() -> None:
    def answer(request: Request) -> Any:
        return SourceNotFound("none") if request.url == "https://x.example/2" else PREDICTION

    body = b'{"urls": ["https://x.example/1", "https://x.example/2", null, "https://x.example/1"]}'
    given = {**JSON, "x-request-id": "order-66"}
    service = FakeService(answer)
    first, second = (ask(service, "POST", "/", "", given, body) for _ in range(2))
    assert first.status == 200
    assert first.body == second.body, "the same request, the same bytes"
    results = json.loads(first.body)["results"]
    assert [result.get("code", "ok") for result in results] == ["ok", "source-not-found", "invalid-request", "ok"]
    assert results[0] == results[3] == WIRE
    assert [results[i]["instance"] for i in (1, 2)] == ["order-66/1", "order-66/2"]
    assert [request.id for request in service.requests[:3]] == ["order-66/0", "order-66/1", "order-66/3"]


def test_a_batchs_members_are_answered_side_by_side_and_wait_for_each_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whatever the setting ``queue`` says, which is for requests."""
    monkeypatch.setattr(overlap, "MOST", 16)
    together, queues = threading.Barrier(8), set[float]()

    def answer(_: Request) -> Any:
        queues.add(service.fake.queue)
        together.wait(10)
        return PREDICTION

    service = FakeService(answer, queue=0)
    body = json.dumps({"urls": [f"https://x.example/{at}" for at in range(8)]}).encode()
    response = ask(service, "POST", "/", "", JSON, body)
    assert json.loads(response.body) == {"results": [WIRE] * 8}
    assert queues == {math.inf}


def test_one_image_waits_no_longer_than_the_queue_lets_it() -> None:
    service = FakeService(queue=3)
    assert ask(service, "POST", "/", "", JSON, URL).status == 200
    assert service.fake.queue == 3


def test_a_batch_of_one_is_a_batch() -> None:
    response = ask(FakeService(), "POST", "/", "", JSON, b'{"urls": ["https://x.example/1"]}')
    assert json.loads(response.body) == {"results": [WIRE]}


@pytest.mark.parametrize("given", ["a", "order-66", "Root=1-67891233-abc", "a/b+c:d.e_f==", "x" * 128])
def test_a_callers_request_id_is_kept(given: str) -> None:
    service = FakeService()
    response = ask(service, "POST", "/", "", {**JSON, "x-request-id": given}, URL)
    assert headers(response)["X-Request-Id"] == service.requests[0].id == given


@pytest.mark.parametrize(
    "given",
    ["", "x" * 129, "a b", "a\r\nSet-Cookie: b", "é", "<script>", "a,b", '"a"', "\x00", "٣", "a;b", "a\\b"],
)
def test_a_request_id_that_is_not_fit_to_be_repeated_is_replaced(given: str) -> None:
    response = ask(FakeService(), "GET", "/none", "", {"x-request-id": given})
    assert problem(response)["instance"] == "platform-id"


@pytest.mark.parametrize("platform_id", ["", "x" * 129, "<script>"])
def test_without_a_fit_id_there_is_a_new_one(platform_id: str) -> None:
    """A platform's may come from a header, too."""
    made = {headers(ask(FakeService(), "GET", "/healthz", platform_id=platform_id))["X-Request-Id"] for _ in "ab"}
    assert len(made) == 2
    assert all(re.fullmatch(r"[0-9a-f]{32}", name) for name in made)


@pytest.mark.parametrize(
    ("kind", "body", "status", "code"),
    [
        (JSON, b"{", 400, "invalid-request"),
        (JSON, b"", 400, "invalid-request"),
        (JSON, b'{"urls": []}', 400, "invalid-request"),
        (JSON, b'{"url": 5}', 400, "invalid-request"),
        (JSON, b'{"urls": [' + b'"https://x.example/1",' * 16 + b'""]}', 400, "invalid-request"),
        (PNG, b"x" * 1001, 413, "image-too-large"),
        ({"content-type": "video/mp4"}, b"x", 415, "unsupported-media-type"),
    ],
)
def test_what_is_asked_wrongly_is_a_problem(kind: dict[str, str], body: bytes, status: int, code: str) -> None:
    service = FakeService(max_bytes=1000)
    response = ask(service, "POST", "/", "", kind, body)
    assert (response.status, problem(response)["code"]) == (status, code)
    assert service.requests == [], "nothing was predicted"


def test_the_limit_of_a_batch_is_a_setting() -> None:
    body = b'{"urls": ["https://x.example/1", "https://x.example/2"]}'
    response = ask(FakeService(max_batch=1), "POST", "/", "", JSON, body)
    assert problem(response)["detail"] == "urls is a list of 2; accepted is a list of 1 to 1 URLs."


def test_a_busy_function_says_when_to_come_back() -> None:
    response = ask(FakeService(Overloaded("All 2 interpreters were busy.")), "POST", "/", "", PNG, b"image")
    assert (response.status, headers(response)["Retry-After"]) == (503, "1")
    assert problem(response)["retryable"] is True


def test_an_unknown_error_is_opaque(caplog: pytest.LogCaptureFixture) -> None:
    response = ask(FakeService(ZeroDivisionError("secret detail")), "POST", "/", "", PNG, b"image")
    assert (response.status, problem(response)["code"]) == (500, "internal")
    assert b"secret" not in response.body
    assert b"ZeroDivision" not in response.body
    assert "platform-id" in caplog.text
    assert "secret detail" in caplog.text


def test_a_route_that_fails_is_answered_too(caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> Predictor:
        raise ZeroDivisionError("secret detail")

    response = ask(Service(broken), "GET", "/readyz")
    assert (response.status, problem(response)["code"]) == (500, "internal")
    assert caplog.records[0].levelno == logging.ERROR


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/"), ("GET", "/predict"), ("GET", "/readyz"), ("GET", "/model")]
)
def test_wrong_settings_are_answered_as_such(method: str, path: str) -> None:
    service = Service(lambda: Predictor(top_k="many"))
    for _ in range(2):
        response = ask(service, method, path, "", PNG, b"image")
        assert (response.status, problem(response)["code"]) == (500, "misconfigured")
        assert "top_k is 'many'" in problem(response)["detail"]
    assert ask(service, "GET", "/healthz").status == 200


@pytest.mark.parametrize(("granted", "timeout", "left"), [(None, 7, 7), (3, 7, 3), (9, 7, 7)])
def test_whole_request_has_the_settings_time_or_the_platforms(
    granted: float | None, timeout: float, left: float
) -> None:
    service = FakeService(timeout=timeout)
    ask(service, "POST", "/", "", PNG, b"image", deadline=Deadline(granted))
    assert left - 0.5 < service.fake.left[0] <= left


TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (TRACE, TRACE),
        (TRACE[:-2] + "00", TRACE[:-2] + "00"),
        ("01" + TRACE[2:] + "-more", TRACE),  # of a later version what this one knows of it
        (None, ""),
        ("", ""),
        ("00-" + "0" * 32 + TRACE[35:], ""),
        (TRACE.upper(), ""),
        (f"{TRACE}, {TRACE}", ""),
        (f"{TRACE}\r\nX-Evil: 1", ""),
        ("ff" + TRACE[2:], ""),
        (TRACE[:-1], ""),
    ],
)
def test_a_valid_trace_goes_with_the_request_for_the_image(given: str | None, told: str) -> None:
    service = FakeService()
    sent = JSON if given is None else {**JSON, "traceparent": given, "tracestate": "vendor=secret"}
    assert ask(service, "POST", "/", "", sent, URL).status == 200
    ask(service, "POST", "/", "", sent, b'{"urls": ["https://x.example/1", "https://x.example/2"]}')
    assert [request.trace for request in service.requests] == [told] * 3


def test_a_batch_whose_options_no_image_can_be_answered_with_is_refused_whole() -> None:
    """Not image by image: it is the request that is wrong."""
    predictor = Predictor("dogs-vs-cats")
    for option in (b'"model": "none"', b'"labels_allow": ["owl"]'):
        response = ask(
            Service(lambda: predictor), "POST", "/", "", JSON, b'{"urls": ["ftp://x.example"], %b}' % option
        )
        assert (response.status, problem(response)["code"]) == (400, "invalid-request")
    missing = Service(lambda: Predictor("no-such-model"))
    response = ask(missing, "POST", "/", "", JSON, b'{"urls": ["https://x.example/1"], "top_k": 1}')
    assert json.loads(response.body)["results"][0]["code"] == "model-unavailable"
