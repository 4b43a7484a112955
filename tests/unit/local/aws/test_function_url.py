"""The Function URL's mappings, against an event captured from a real one and the answers real ones give."""

import base64
import json
from typing import Any

import pytest

from mlserverless.local.aws.function_url import to_event, to_response
from mlserverless.web.http import HttpRequest, HttpResponse

ID = "d16a6b55-dea9-4b23-8499-eb85c3d2d904"
NOW = 1783711146.671
JSON = ("content-type", "application/json")


def event_of(request: HttpRequest) -> dict[str, Any]:
    return to_event(request, ID, NOW)


def test_an_event_has_every_field_a_real_one_has() -> None:
    body = '{"message":"hello","unicode":"λ"}'
    request = HttpRequest(
        "POST",
        "/capture/space value",
        "repeat=one&repeat=two&redirect=https%3A%2F%2Fx.org%2Fb&literalPlus=a+b&encodedPlus=a%2Bb&empty=",
        {
            "host": "abc.local:8080",
            "cookie": "session=abc123; theme=dark",
            "content-type": "application/json",
            "user-agent": "curl/8.7.1",
            "connection": "keep-alive",
        },
        body.encode(),
    )
    assert event_of(request) == {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": "/capture/space%20value",
        "rawQueryString": request.query,
        "cookies": ["session=abc123", "theme=dark"],
        "headers": {
            "host": "abc.local:8080",
            "cookie": "session=abc123; theme=dark",
            "content-type": "application/json",
            "user-agent": "curl/8.7.1",
            "x-amzn-trace-id": "Root=1-6a5145aa-d16a6b55dea94b238499eb85",
            "x-forwarded-for": "127.0.0.1",
            "x-forwarded-port": "8080",
            "x-forwarded-proto": "http",
        },
        "queryStringParameters": {
            "repeat": "one,two",
            "redirect": "https://x.org/b",
            "literalPlus": "a b",
            "encodedPlus": "a+b",
            "empty": "",
        },
        "requestContext": {
            "accountId": "anonymous",
            "apiId": "local",
            "domainName": "abc.local",
            "domainPrefix": "abc",
            "http": {
                "method": "POST",
                "path": "/capture/space value",
                "protocol": "HTTP/1.1",
                "sourceIp": "127.0.0.1",
                "userAgent": "curl/8.7.1",
            },
            "requestId": ID,
            "routeKey": "$default",
            "stage": "$default",
            "time": "10/Jul/2026:19:19:06 +0000",
            "timeEpoch": 1783711146671,
        },
        "body": body,
        "isBase64Encoded": False,
    }


def test_what_is_not_there_is_left_out() -> None:
    event = event_of(HttpRequest("GET", "/", "", {"host": "localhost"}))
    assert {"body", "cookies", "queryStringParameters"}.isdisjoint(event)
    assert event["isBase64Encoded"] is False
    assert event["rawQueryString"] == ""
    assert event["headers"]["x-forwarded-port"] == "80"
    assert event["requestContext"]["domainName"] == "localhost"
    assert event["requestContext"]["http"]["userAgent"] == ""


def test_a_callers_trace_id_is_kept_and_its_forwarding_headers_are_not() -> None:
    headers = {"x-amzn-trace-id": "Root=1-2-3", "x-forwarded-for": "203.0.113.9", "x-forwarded-proto": "https"}
    sent = event_of(HttpRequest("GET", "/", "", headers))["headers"]
    assert sent["x-amzn-trace-id"] == "Root=1-2-3"
    assert (sent["x-forwarded-for"], sent["x-forwarded-proto"]) == ("127.0.0.1", "http")


@pytest.mark.parametrize(
    ("path", "raw"),
    [
        ("/plain", "/plain"),
        ("/hash#value", "/hash%23value"),
        ("/question?value", "/question%3Fvalue"),
        ("/percent%done", "/percent%25done"),
        ("/literal%2Fvalue", "/literal%252Fvalue"),
        ("/unicode-λ-世界", "/unicode-%CE%BB-%E4%B8%96%E7%95%8C"),
        ("/a:b@c!$&'()*+,;=-._~", "/a:b@c!$&'()*+,;=-._~"),
    ],
)
def test_the_raw_path_is_percent_encoded_and_the_other_is_not(path: str, raw: str) -> None:
    event = event_of(HttpRequest("GET", path))
    assert (event["rawPath"], event["requestContext"]["http"]["path"]) == (raw, path)


@pytest.mark.parametrize(
    ("content_type", "body", "text"),
    [
        ("application/json; charset=utf-8", b"{}", True),
        ("Application/JSON", b"{}", True),
        ("text/csv", "λ".encode(), True),
        ("application/xml", b"<a/>", True),
        ("application/json", b"\xff\xfe", False),
        ("text/plain", b"\xff\xfe", False),
        ("image/jpeg", b"plain ascii", False),
        ("application/x-www-form-urlencoded", b"a=b", False),
        ("multipart/form-data; boundary=x", b"--x--", False),
        ("", b"{}", False),
    ],
)
def test_a_body_is_text_by_its_type_and_its_bytes(content_type: str, body: bytes, text: bool) -> None:
    event = event_of(HttpRequest("POST", "/", "", {"content-type": content_type}, body))
    assert event["isBase64Encoded"] is not text
    assert (event["body"].encode() if text else base64.b64decode(event["body"])) == body


def answer(result: Any) -> HttpResponse:
    return to_response(json.dumps(result).encode(), False)


def test_a_full_answer() -> None:
    result = {
        "statusCode": 201,
        "headers": {"Content-Type": "text/plain", "X-Count": 3},
        "cookies": ["a=1", "b=2; Path=/"],
        "body": "λ\n",
        "isBase64Encoded": False,
    }
    headers = (
        ("Content-Type", "text/plain"),
        ("X-Count", "3"),
        ("set-cookie", "a=1"),
        ("set-cookie", "b=2; Path=/"),
    )
    assert answer(result) == HttpResponse(201, headers, "λ\n".encode())


@pytest.mark.parametrize(
    ("result", "status", "body"),
    [
        ({"statusCode": 200, "body": "body123"}, 200, b"body123"),
        ({"statusCode": "418", "body": "i'm a teapot"}, 418, b"i'm a teapot"),
        ({"statusCode": 204}, 204, b""),
        ({"statusCode": 200, "body": "/9j/", "isBase64Encoded": True}, 200, b"\xff\xd8\xff"),
        ({"hello": "wörld"}, 200, '{"hello":"wörld"}'.encode()),
        (["hello", 3, True], 200, b'["hello",3,true]'),
        ("hello", 200, b"hello"),
        (3.1, 200, b"3.1"),
        (None, 200, b"null"),
    ],
)
def test_answers_without_headers_are_json(result: Any, status: int, body: bytes) -> None:
    assert answer(result) == HttpResponse(status, (JSON,), body)


BROKEN = HttpResponse(502, (JSON,), b"Internal Server Error")


@pytest.mark.parametrize(
    "result",
    [
        {"statusCode": "fine"},
        {"statusCode": None},
        {"statusCode": 99},
        {"statusCode": 600},
        {"statusCode": 200, "body": {"not": "a string"}},
        {"statusCode": 200, "headers": ["not a dict"]},
        {"statusCode": 200, "body": "no base64", "isBase64Encoded": True},
    ],
)
def test_a_result_that_is_no_answer_is_a_502(result: Any) -> None:
    assert answer(result) == BROKEN


def test_a_result_that_is_not_json_is_a_502() -> None:
    assert to_response(b"\x89PNG", False) == BROKEN


def test_a_function_error_is_a_502_that_tells_nothing() -> None:
    assert to_response(b'{"errorMessage": "secret", "statusCode": 200}', True) == BROKEN
