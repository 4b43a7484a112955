"""ETags: who has an answer that has not changed is told just that."""

import json
from typing import Any

import pytest

from helpers.services import FakeService
from helpers.web import JSON, URL, ask, headers
from mlserverless.predictor import Predictor
from mlserverless.serving import Service
from mlserverless.web.caching import tagged
from mlserverless.web.http import HttpRequest, HttpResponse

ANSWER = HttpResponse(
    200, (("Content-Type", "text/plain"), ("X-Request-Id", "a"), ("Cache-Control", "no-store")), b"x"
)
TAG = '"2d711642b726b04401627ca9fbac32f5"'  # of b"x", by sha256sum


def asked(if_none_match: str | None = None) -> HttpResponse:
    given = {} if if_none_match is None else {"if-none-match": if_none_match}
    return tagged(HttpRequest("GET", "/", "", given), ANSWER)


def test_an_answer_has_the_tag_of_its_content_and_is_asked_after_each_time() -> None:
    response = asked()
    assert (response.status, response.body) == (200, b"x")
    assert headers(response) == {
        "Content-Type": "text/plain",
        "X-Request-Id": "a",
        "Cache-Control": "no-cache",
        "ETag": TAG,
        "Vary": "Origin",
    }


@pytest.mark.parametrize("given", [TAG, f"W/{TAG}", f'"other", {TAG}', f'"a",W/{TAG}', "*", f"  {TAG} "])
def test_who_has_it_is_told_so_without_a_body(given: str) -> None:
    response = asked(given)
    assert (response.status, response.body) == (304, b"")
    found = {"X-Request-Id": "a", "Cache-Control": "no-cache", "ETag": TAG, "Vary": "Origin"}
    assert headers(response) == found


@pytest.mark.parametrize("given", ["", '"other"', TAG[1:-1], f'"{TAG}"', "w/x", "* ,"])
def test_who_has_another_gets_it(given: str) -> None:
    assert asked(given).status == 200


@pytest.fixture(scope="module")
def service() -> Service:
    predictor = Predictor("dogs-vs-cats")
    return Service(lambda: predictor)


@pytest.mark.parametrize("path", ["/model", "/openapi.json"])
def test_the_model_and_the_description_may_be_kept(path: str, service: Service) -> None:
    first = ask(service, "GET", path)
    tag = headers(first)["ETag"]
    again = ask(service, "GET", path, "", {"if-none-match": tag})
    assert (again.status, again.body, headers(again)["ETag"]) == (304, b"", tag)
    head = ask(service, "HEAD", path, "", {"if-none-match": tag})
    assert (head.status, head.length) == (304, -1)
    assert headers(ask(service, "HEAD", path))["ETag"] == tag
    json.loads(first.body)


@pytest.mark.parametrize(
    "request_", [("POST", "/", "", JSON, URL), ("GET", "/predict", "url=https://x.example/1")]
)
def test_a_prediction_may_not(request_: Any) -> None:
    """What is at a URL may change, and who asks may be known by what they ask."""
    found = headers(ask(FakeService(), *request_))
    assert found["Cache-Control"] == "no-store"
    assert "ETag" not in found
