"""The wire contract's check lets a right answer through, and no other."""

import json
from typing import Any

import pytest

from mlserverless.predictor import Predictor
from mlserverless.serving import Service
from mlserverless.testing.http import ALWAYS, ID, Answer, Case, cases, check, encoded, expected_of
from mlserverless.testing.places import Places

HEALTH = next(case for case in cases() if case.name == "healthz")
REFUSED = next(case for case in cases() if case.name == "no body")
RIGHT = Answer(200, {**ALWAYS, "content-type": "application/json"}, b'{"status":"ok"}')
PROBLEM = {"code": "invalid-request", "instance": ID, "status": 400}
TOLD = Answer(400, {**ALWAYS, "content-type": "application/problem+json"}, json.dumps(PROBLEM).encode())


def answering(answer: Answer) -> Any:
    return lambda method, target, headers, body=b"": answer


def test_a_right_answer_passes() -> None:
    assert check(HEALTH, answering(RIGHT)) == RIGHT
    assert check(REFUSED, answering(TOLD)) == TOLD


@pytest.mark.parametrize("name", [*ALWAYS, "content-type"])
def test_every_header_counts(name: str) -> None:
    for headers in ({**RIGHT.headers, name: "other"}, {n: v for n, v in RIGHT.headers.items() if n != name}):
        with pytest.raises(AssertionError, match=f"the header {name}"):
            check(HEALTH, answering(RIGHT._replace(headers=headers)))


@pytest.mark.parametrize("field", PROBLEM)
def test_every_field_of_a_problem_counts(field: str) -> None:
    body = json.dumps({**PROBLEM, field: "other"}).encode()
    with pytest.raises(AssertionError, match="the problem"):
        check(REFUSED, answering(TOLD._replace(body=body)))


def test_the_status_and_the_timings_count() -> None:
    with pytest.raises(AssertionError, match="the status: 500, not 200"):
        check(HEALTH, answering(RIGHT._replace(status=500)))
    timed = RIGHT._replace(headers={**RIGHT.headers, "server-timing": "total;dur=1"})
    with pytest.raises(AssertionError, match="Server-Timing"):
        check(HEALTH, answering(timed))


def test_the_body_is_the_one_that_plain_python_answers() -> None:
    expected = expected_of(Service(Predictor))
    assert expected(HEALTH) == RIGHT.body
    check(HEALTH, answering(RIGHT), expected)
    with pytest.raises(AssertionError, match="the body"):
        check(HEALTH, answering(RIGHT._replace(body=b'{"status": "ok"}')), expected)


def test_places_stand_in_for_themselves() -> None:
    places = Places(
        "http://h.example/a?b=1", "http://h.example/none", "http://h.example/text", "http://h.example/ö"
    )
    filled = {case.name: case.at(places) for case in cases()}
    assert filled["url"].body == b'{"url": "http://h.example/a?b=1", "top_k": 3}'
    assert filled["url in the query"].target == "/predict?url=http%3A%2F%2Fh.example%2Fa%3Fb%3D1&top_k=1"
    assert filled["url beyond ASCII"].target == "/predict?url=http://h.example/ö"
    assert [case.name for case in cases() if case.needs()] == [
        *("url", "url as text", "url as curl sends it", "url in the query", "url beyond ASCII"),
        *("url beyond ASCII, encoded", "batch", "head of a prediction", "source not found"),
    ]
    assert Case("x", "GET", "/", {}, b"", 200).needs() == []


def test_a_raw_models_options_are_refused() -> None:
    usual, raw = cases(), cases(raw=True)
    changed = {case.name for case, other in zip(usual, raw, strict=True) if case != other}
    assert changed == {
        *("image with options", "form", "url", "url in the query", "url beyond ASCII, encoded", "batch"),
        "head of a prediction",
    }
    assert {(case.status, case.code) for case in raw if case.name in changed} == {(400, "invalid-request")}


def test_a_target_is_encoded_as_clients_do() -> None:
    assert encoded("/predict?url=http://h.example/ö&x=%20") == "/predict?url=http://h.example/%C3%B6&x=%20"
