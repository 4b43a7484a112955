"""What the Functions host and its Python worker say to each other: the pure part."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from mlserverless.local.azure.messages import http_data, http_response, plain, typed
from mlserverless.web.http import HttpRequest, HttpResponse

NOW = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)


class Typed(SimpleNamespace):
    """A TypedData message: one of its fields is set."""

    def WhichOneof(self, group: str) -> str | None:
        assert group == "data"
        return next(iter(vars(self)), None)


class Cookie(SimpleNamespace):
    """An RpcHttpCookie message: absent fields read as empty."""

    def __getattr__(self, name: str) -> Any:
        return 0 if name == "same_site" else SimpleNamespace(value="")

    def HasField(self, name: str) -> bool:
        return name in vars(self)


def test_request_becomes_the_hosts_http_record() -> None:
    request = HttpRequest(
        "POST", "/v2/a b/ü", "url=x%20y&k=1&k=2&empty=", {"host": "h:1", "x-many": "a, b"}, b"\x00\xff"
    )
    assert http_data(request, {"name": "a b"}) == {
        "http": {
            "method": "POST",
            "url": "http://h:1/v2/a%20b/%C3%BC?url=x%20y&k=1&k=2&empty=",
            "headers": {"host": "h:1", "x-many": "a, b"},
            "query": {"url": "x y", "k": "1,2"},
            "params": {"name": "a b"},
            "body": {"bytes": b"\x00\xff"},
        }
    }


def test_request_without_body_or_query_carries_neither() -> None:
    http = http_data(HttpRequest("GET", "/"), {})["http"]
    assert "body" not in http
    assert http["url"] == "http://localhost/"
    assert http["query"] == {}


def test_answer_passes_status_headers_and_bytes_unchanged() -> None:
    body = b'{"score":0.949219}\n\xff'
    http = SimpleNamespace(
        status_code="415",
        headers={"X-B": "2", "content-type": "application/problem+json", "X-A": "1, 2"},
        cookies=[],
        body=SimpleNamespace(bytes=body),
    )
    headers = (("content-type", "application/problem+json"), ("X-A", "1, 2"), ("X-B", "2"))
    assert http_response(Typed(http=http)) == HttpResponse(415, headers, body)


def test_cookies_become_a_header_each() -> None:
    value = SimpleNamespace
    cookies = [
        Cookie(name="a", value="1"),
        Cookie(
            name="b",
            value="2",
            domain=value(value="example.com"),
            path=value(value="/x"),
            expires=value(value=value(seconds=0)),
            max_age=value(value=60.0),
            secure=value(value=True),
            http_only=value(value=True),
            same_site=2,
        ),
    ]
    http = SimpleNamespace(status_code="200", headers={}, cookies=cookies, body=SimpleNamespace(bytes=b""))
    expires = "expires=Thu, 01 Jan 1970 00:00:00 GMT"
    assert http_response(Typed(http=http)).headers == (
        ("Set-Cookie", "a=1; path=/"),
        (
            "Set-Cookie",
            f"b=2; {expires}; max-age=60; domain=example.com; path=/x; secure; samesite=strict; httponly",
        ),
    )


def test_string_and_missing_answers_are_as_the_hosts() -> None:
    text = (("Content-Type", "text/plain; charset=utf-8"),)
    assert http_response(Typed(string="é")) == HttpResponse(200, text, "é".encode())
    assert http_response(Typed()) == HttpResponse(204, (), b"")
    with pytest.raises(ValueError, match="'json' data; an HttpResponse or a string is accepted"):
        http_response(Typed(json="{}"))


@pytest.mark.parametrize(
    ("value", "fields"),
    [
        ("text", {"string": "text"}),
        (b"\xff", {"bytes": b"\xff"}),
        (["a", ""], {"collection_string": {"string": ["a", ""]}}),
        ([b"\xff"], {"collection_bytes": {"bytes": [b"\xff"]}}),
        ([1, 2], {"collection_sint64": {"sint64": [1, 2]}}),
        ([1, None], {"json": "[1, null]"}),
        ([True], {"json": "[true]"}),
        ([], {"json": "[]"}),
        (7, {"json": "7"}),
        (NOW, {"json": '"2030-01-02T03:04:05+00:00"'}),
        ({"at": [NOW]}, {"json": '{"at": ["2030-01-02T03:04:05+00:00"]}'}),
    ],
)
def test_values_are_typed_as_the_host_types_them(value: object, fields: dict[str, Any]) -> None:
    assert typed(value) == fields


def test_what_json_does_not_know_has_no_type() -> None:
    with pytest.raises(TypeError, match="set is no value for JSON"):
        typed({1})


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (Typed(string="é"), "é"),
        (Typed(json='["a", {"b": 1}]'), ["a", {"b": 1}]),
        (Typed(bytes="é".encode()), "é"),
        (Typed(bytes=b"\xff"), {"base64": "/w=="}),
        (Typed(collection_string=SimpleNamespace(string=("a", "b"))), ["a", "b"]),
        (Typed(int=3), 3),
        (Typed(), None),
    ],
)
def test_outputs_become_plain_values(data: Typed, value: object) -> None:
    assert plain(data) == value


def test_output_of_another_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="'http' data"):
        plain(Typed(http=SimpleNamespace()))
