"""What the Functions host and its Python worker say to each other: the pure part."""

import json
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from mlserverless.local.azure.messages import admin_data, blob_data, http_data, http_response
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
    ("uri", "name"),
    [
        ("https://acc.blob.core.windows.net/images/a/b%20c.jpg", "images/a/b c.jpg"),
        ("https://acc.blob.core.windows.net/images/a.jpg?sv=1", "images/a.jpg"),
        ("http://127.0.0.1:10000/devstoreaccount1/images/a.jpg", "images/a.jpg"),
        ("http://localhost:10000/devstoreaccount1/images/a.jpg", "images/a.jpg"),
    ],
)
def test_blob_is_named_by_its_address(uri: str, name: str) -> None:
    data, metadata = blob_data(uri, b"\xff\xd8", "image/jpeg", NOW)
    assert data == {"bytes": b"\xff\xd8"}
    assert metadata["BlobTrigger"] == {"string": name}
    assert json.loads(metadata["Uri"]["json"]) == uri
    assert json.loads(metadata["Properties"]["json"]) == {
        "ContentLength": 2,
        "ContentType": "image/jpeg",
        "LastModified": "2030-01-02T03:04:05+00:00",
    }


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "images/a.jpg",
        "https://acc.blob.core.windows.net/images",
        "http://127.0.0.1:10000/acc/images",
        "s3://b/k/x",
    ],
)
def test_address_without_a_blob_is_refused(uri: str) -> None:
    with pytest.raises(ValueError, match="is no blob's address"):
        blob_data(uri, b"", "image/png", NOW)


def test_admin_input_becomes_each_triggers_own_data() -> None:
    data, metadata = admin_data("queueTrigger", "hello", NOW)
    assert data == {"string": "hello"}
    assert metadata["DequeueCount"] == {"json": "1"}
    assert json.loads(metadata["InsertionTime"]["json"]) < json.loads(metadata["NextVisibleTime"]["json"])
    assert admin_data("eventGridTrigger", '{"id": "1"}', NOW) == ({"json": '{"id": "1"}'}, {})
    timer, nothing = admin_data("timerTrigger", "", NOW)
    assert json.loads(timer["json"])["IsPastDue"] is False
    assert nothing == {}
    assert admin_data("serviceBusTrigger", "x", NOW) == ({"string": "x"}, {})
