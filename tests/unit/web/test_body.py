"""What a request asks for, in every way that people's clients say it, and what is said of what is wrong."""

import json
from typing import Any

import pytest

from mlserverless.errors import ImageTooLarge, InvalidRequest, UnsupportedMediaType
from mlserverless.types import Options, Request
from mlserverless.web.body import Asked, read
from mlserverless.web.http import HttpRequest

URL = "https://x.example/cat.jpg"


def asked(body: Any = b"", kind: str | None = "application/json", query: str = "", method: str = "POST") -> Asked:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {} if kind is None else {"content-type": kind}
    request = HttpRequest(method, "/predict", query, headers, data)
    return read(request, "id", max_bytes=1000, max_batch=16)


def requests(found: Asked) -> list[Request]:
    return [found.decode(item)._replace(id=name) for name, item in found.items]


@pytest.mark.parametrize(
    "kind",
    [
        "application/json",
        "application/json; charset=utf-8",
        "Application/JSON",
        "application/ld+json",
        "application/cloudevents+json",
        "application/x-www-form-urlencoded",
        "text/plain",
        "text/plain;charset=UTF-8",
        "",
        None,
    ],
)
def test_json_is_read_under_every_type_that_clients_send_it_as(kind: str | None) -> None:
    """``curl -d`` says it is a form, ``fetch`` says text/plain, and some say nothing."""
    found = asked({"url": URL, "top_k": 3}, kind)
    assert not found.batch
    assert requests(found) == [Request("id", URL, None, Options(top_k=3))]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_json_is_read_in_every_encoding_of_unicode(encoding: str) -> None:
    assert requests(asked(json.dumps({"url": "https://x.example/é"}, ensure_ascii=False).encode(encoding)))[
        0
    ].url == ("https://x.example/é")


@pytest.mark.parametrize(
    "kind", ["image/jpeg", "image/png", "IMAGE/WEBP", "image/x-unknown", "application/octet-stream"]
)
def test_image_bytes_are_the_request(kind: str) -> None:
    found = asked(
        b"\xff\xd8\x00", kind, "top_k=2&score_threshold=0.5&labels_allow=cat,dog&labels_deny=owl&labels_deny=a+b"
    )
    assert not found.batch
    options = Options(2, 0.5, ("cat", "dog"), ("owl", "a b"))
    assert requests(found) == [Request("id", None, b"\xff\xd8\x00", options)]


def test_get_asks_by_its_query() -> None:
    found = asked(query="url=https%3A%2F%2Fx.example%2Fcat.jpg%3Fa%3D1%26b&top_k=1", method="GET", kind=None)
    assert requests(found) == [Request("id", f"{URL}?a=1&b", None, Options(top_k=1))]


def test_get_takes_a_list_of_urls() -> None:
    found = asked(query="urls=https://x.example/1,2&urls=https://x.example/3", method="GET")
    assert found.batch
    assert [request.url for request in requests(found)] == ["https://x.example/1,2", "https://x.example/3"]


def test_a_batch_has_an_item_for_each_url_in_order() -> None:
    found = asked({"urls": [f"{URL}?{i}" for i in range(16)], "top_k": 1})
    assert found.batch
    assert requests(found) == [Request(f"id/{i}", f"{URL}?{i}", None, Options(top_k=1)) for i in range(16)]


@pytest.mark.parametrize("bad", [5, None, "", [], {"url": URL}, True, 1.5])
def test_a_url_that_is_none_fails_alone(bad: Any) -> None:
    found = asked({"urls": [URL, bad]})
    assert found.decode(found.items[0][1]).url == URL
    with pytest.raises(InvalidRequest, match="A url is a text that is not empty; here it is"):
        found.decode(found.items[1][1])


def test_options_may_stand_in_the_query_and_in_the_body() -> None:
    (request,) = requests(asked({"url": URL, "top_k": 2}, query="score_threshold=0.25"))
    assert request.options == Options(2, 0.25)


def test_null_means_as_the_settings_say() -> None:
    (request,) = requests(asked({"url": URL, "top_k": None, "labels_allow": None}))
    assert request.options == Options()


def test_json_has_one_kind_of_number() -> None:
    (request,) = requests(asked(b'{"url": "u", "top_k": 2.0, "score_threshold": 1}'))
    assert request.options == Options(2, 1.0)


def test_the_url_may_stand_in_the_query_of_a_post() -> None:
    assert requests(asked({"top_k": 2}, query=f"url={URL}"))[0].url == URL


@pytest.mark.parametrize(
    ("body", "query", "told"),
    [
        ({"url": URL, "top_k": 0}, "", "top_k is 0, which is not accepted: give a whole number from 1 to 1,000."),
        ({"url": URL, "top_k": 1001}, "", "top_k is 1001, which is not accepted: give a whole number from 1 to"),
        ({"url": URL, "top_k": 2.5}, "", "top_k is 2.5, which is not accepted: give a whole number"),
        ({"url": URL, "top_k": "3"}, "", "top_k is '3', which is not accepted: give a whole number"),
        (
            {"url": URL, "score_threshold": "0.5"},
            "",
            "score_threshold is '0.5', which is not accepted: give a num",
        ),
        ({"url": URL, "top_k": True}, "", "top_k is True, which is not accepted: give a whole number"),
        ({"url": URL, "top_k": [1]}, "", "top_k is [1], which is not accepted: give a whole number"),
        ({"url": URL}, "top_k=many", "top_k is 'many', which is not accepted: give a whole number"),
        ({"url": URL}, "top_k=", "top_k is '', which is not accepted: give a whole number"),
        (
            {"url": URL, "score_threshold": "high"},
            "",
            "score_threshold is 'high', which is not accepted: give a number",
        ),
        (
            b'{"url": "u", "score_threshold": NaN}',
            "",
            "score_threshold is nan, which is not accepted: give a number",
        ),
        (
            b'{"url": "u", "score_threshold": 1e999}',
            "",
            "score_threshold is inf, which is not accepted: give a num",
        ),
        ({"url": URL, "labels_allow": 5}, "", "labels_allow is 5, which is not accepted: give a list of labels."),
        ({"url": URL, "labels_deny": ["a", 1]}, "", "labels_deny is ['a', 1], which is not accepted: give a list"),
        (
            {"url": URL, "size": 3},
            "",
            "'size' is not known; known are url, urls, top_k, score_threshold, labels_allow",
        ),
        ({"url": URL}, "debug=1", "'debug' is not known; known are url, urls"),
        ({"url": URL, "urls": [URL]}, "", "Give either url or urls, as in {"),
        ({"top_k": 1}, "", "Give either url or urls, as in {"),
        ({}, "", "Give either url or urls, as in {"),
        ({"url": URL, "top_k": 1}, "top_k=1", "'top_k' stands in the query and in the body; give it once."),
        ({"url": URL}, f"url={URL}", "'url' stands in the query and in the body; give it once."),
        ({"url": URL}, "top_k=1&top_k=2", "'top_k' stands 2 times in the query; give it once."),
        ({"url": URL}, "top_k", "The query string cannot be read: accepted are up to 100 pairs"),
        ({"url": URL}, "&".join(["a=1"] * 101), "The query string cannot be read: accepted are up to 100 pairs"),
        ({"urls": []}, "", "urls is a list of 0; accepted is a list of 1 to 16 URLs."),
        ({"urls": [URL] * 17}, "", "urls is a list of 17; accepted is a list of 1 to 16 URLs."),
        ({"urls": URL}, "", "urls is str; accepted is a list of 1 to 16 URLs."),
        ({"urls": None}, "", "urls is NoneType; accepted is a list of 1 to 16 URLs."),
        (
            b"",
            "",
            'The request has no body: send an image, or JSON such as {"url": "https://example.com/cat.jpg"}.',
        ),
        (b"{", "", "The body is not valid JSON (Expecting property name"),
        (b"https://x.example/cat.jpg", "", "The body is not valid JSON (Expecting value"),
        (b'{"url": "\xff\xfe\xff"}', "", "The body is not valid JSON ('utf-8' codec can't decode byte 0xff"),
        (b'{"top_k": ' + b"1" * 900 + b"}", "", "Give either url or urls"),
        (b"[" * 990, "", "The body is not valid JSON"),
        (["https://x.example"], "", "The body's JSON is not an object; expected is {"),
        ("https://x.example", "", "The body's JSON is not an object; expected is {"),
        (None, "", "The body's JSON is not an object; expected is {"),
        (5, "", "The body's JSON is not an object; expected is {"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_what_is_wrong_is_said_in_one_sentence(body: Any, query: str, told: str) -> None:
    with pytest.raises(InvalidRequest) as raised:
        asked(body, query=query)
    assert told in str(raised.value)
    assert len(str(raised.value)) < 300


def test_json_of_any_depth_is_refused_and_not_a_crash() -> None:
    deep = HttpRequest("POST", "/", "", {}, b'{"url":' * 100_000)
    with pytest.raises(InvalidRequest, match="The body is not valid JSON"):
        read(deep, "id", max_bytes=10_000_000, max_batch=16)


def test_an_integer_of_too_many_digits_is_refused() -> None:
    long = HttpRequest("POST", "/", "", {}, b'{"url": "u", "top_k": ' + b"1" * 5000 + b"}")
    with pytest.raises(InvalidRequest, match="The body is not valid JSON"):
        read(long, "id", max_bytes=10_000, max_batch=16)


@pytest.mark.parametrize("option", ["url=https://x.example/", "top_k=none", "nothing=1"])
def test_an_image_takes_options_from_the_query_and_nothing_else(option: str) -> None:
    with pytest.raises(InvalidRequest, match=option.partition("=")[0]):
        asked(b"image", "image/png", option)


@pytest.mark.parametrize(
    "kind", ["image/jpeg", "application/json", "multipart/form-data; boundary=x", "video/mp4"]
)
def test_a_body_beyond_the_limit_is_refused_before_it_is_read(kind: str) -> None:
    with pytest.raises(ImageTooLarge, match=r"more than the 1,000 bytes that are accepted"):
        asked(b"x" * 1001, kind)
    if kind == "image/jpeg":
        assert len(requests(asked(b"x" * 1000, kind))[0].image or b"") == 1000


@pytest.mark.parametrize("kind", ["video/mp4", "text/html", "application/xml", "image", "multipart/mixed", "json"])
def test_a_body_of_another_type_is_refused_with_those_that_are_accepted(kind: str) -> None:
    with pytest.raises(UnsupportedMediaType) as raised:
        asked(b"x", kind)
    assert f"{kind!r} is not accepted: send image/*, application/json or multipart/form-data." in str(raised.value)


def test_a_long_type_is_not_repeated_whole() -> None:
    with pytest.raises(UnsupportedMediaType) as raised:
        asked(b"x", "x" * 5000)
    assert len(str(raised.value)) < 200
