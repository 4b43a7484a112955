"""What an endpoint's answer means: the function's own words, its platform's, somebody else's."""

import json
from typing import Any

import pytest

from mlserverless.batch.address import Answer
from mlserverless.batch.engine import Item, Stopped
from mlserverless.batch.replies import Reply, read

ONE = [Item(7, "https://example.com/a.jpg")]
TWO = [Item(7, "https://example.com/a.jpg"), Item(8, "https://example.com/b.jpg")]
CAT: dict[str, Any] = {"model": "m", "sha256": "0", "predictions": []}


def problem(code: str, status: int, *, retryable: bool = False, instance: str = "batch-7") -> dict[str, Any]:
    return {"type": "t", "status": status, "instance": instance, "code": code, "retryable": retryable}


def told(status: int, value: Any, items: list[Item] = ONE, **headers: str) -> Reply:
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    return read(Answer(status, named, body), items, "https://example.com")


def test_a_prediction_is_told_as_it_is() -> None:
    assert told(200, CAT) == Reply([CAT])


def test_a_problem_is_told_under_the_items_own_name() -> None:
    reply = told(404, problem("source-not-found", 404))
    assert reply.results == [problem("source-not-found", 404, instance="7")]
    assert reply.whole
    assert reply.ours
    assert not reply.busy


def test_of_a_batch_each_has_its_own() -> None:
    reply = told(200, {"results": [problem("source-error", 502), CAT]}, TWO)
    assert reply == Reply([problem("source-error", 502, instance="7"), CAT])


def test_a_problem_of_a_whole_batch_is_each_ones() -> None:
    reply = told(400, problem("invalid-request", 400), TWO)
    assert reply.results == [problem("invalid-request", 400, instance=name) for name in "78"]
    assert reply.whole


@pytest.mark.parametrize(
    ("status", "code", "retryable", "busy"),
    [
        (400, "invalid-request", False, False),
        (408, "deadline-exceeded", True, False),
        (413, "image-too-large", False, False),
        (425, "internal", True, False),
        (429, "overloaded", True, True),
        (500, "internal", True, False),
        (502, "internal", True, False),
        (503, "overloaded", True, True),
        (504, "deadline-exceeded", True, False),
    ],
)
def test_a_platforms_own_words_are_problems_of_the_same_kinds(
    status: int, code: str, retryable: bool, busy: bool
) -> None:
    reply = told(status, b"<html>", TWO)
    assert [(one["code"], one["retryable"], one["instance"]) for one in reply.results] == [
        (code, retryable, "7"),
        (code, retryable, "8"),
    ]
    assert (reply.whole, reply.ours, reply.busy) == (True, False, busy)
    assert f"answered {status}" in reply.results[0]["detail"]


def test_a_429_asks_everybody_to_wait_a_503_only_who_got_it() -> None:
    for status, hold_s in ((429, 3.0), (503, 0.0)):
        reply = told(status, b"", retry_after="3")
        assert (reply.asked_s, reply.hold_s) == (3.0, hold_s)
    assert told(429, b"").hold_s == 0.0
    assert told(429, b"", retry_after="86400").hold_s == 300.0


def test_the_functions_own_overload_is_busy_too() -> None:
    reply = told(503, problem("overloaded", 503, retryable=True), retry_after="1")
    assert reply.busy
    assert reply.ours
    assert reply.asked_s == 1.0


@pytest.mark.parametrize(
    ("status", "body", "says"),
    [
        (401, b"", "lets nobody in without a key"),
        (403, b'{"Message":"Forbidden"}', "--header-env or --aws-sigv4"),
        (302, b"", "a redirect, which is not followed"),
        (404, b"<html>", "is it the function's URL"),
        (405, b"", "is it the function's URL"),
        (200, b"<html>", "not as this package's functions do"),
        (200, b"[]", "not as this package's functions do"),
        (200, b"[" * 100_000, "not as this package's functions do"),
    ],
)
def test_what_every_item_would_be_answered_ends_the_run(status: int, body: bytes, says: str) -> None:
    with pytest.raises(Stopped, match=says) as raised:
        told(status, body)
    assert raised.value.code == "misconfigured"


@pytest.mark.parametrize(
    "value", [{"results": [CAT]}, {"results": [CAT, 1]}, {"results": None}, {"predictions": []}]
)
def test_a_batch_that_is_not_answered_one_by_one_ends_the_run(value: Any) -> None:
    with pytest.raises(Stopped, match="not as this package's functions do"):
        told(200, value, TWO)


def test_another_path_of_the_function_ends_the_run() -> None:
    with pytest.raises(Stopped, match="answers not-found: is it the function's URL"):
        told(404, problem("not-found", 404))
