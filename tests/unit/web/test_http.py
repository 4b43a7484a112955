"""The neutral request and response."""

import pytest

from mlserverless.web.http import HttpRequest, HttpResponse


def test_a_request_needs_only_a_method_and_a_path() -> None:
    request = HttpRequest("GET", "/")
    assert (request.query, request.headers, request.body) == ("", {}, b"")


@pytest.mark.parametrize(
    ("record", "field"), [(HttpRequest("GET", "/"), "path"), (HttpResponse(200, (), b""), "status")]
)
def test_both_are_frozen(record: object, field: str) -> None:
    with pytest.raises(AttributeError):
        setattr(record, field, "x")


def test_equal_responses_compare_equal() -> None:
    assert HttpResponse(200, (("A", "b"),), b"x") == HttpResponse(200, (("A", "b"),), b"x")
    assert HttpResponse(200, (("A", "b"),), b"x") != HttpResponse(200, (("A", "b"),), b"y")
