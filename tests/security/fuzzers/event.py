"""Requests and events: bodies, queries, a WSGI environ, each provider's own events; the predictor is a fake."""

import contextlib
import json
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import atheris

from security.fuzzers.common import fuzz

with atheris.instrument_imports(include=["mlserverless"]):
    from helpers.services import FakeService
    from mlserverless.adapters import aws, wsgi
    from mlserverless.deadline import Deadline
    from mlserverless.errors import MlserverlessError, ModelUnavailable
    from mlserverless.events.web import HttpEvents
    from mlserverless.serving import Redeliver
    from mlserverless.web import body
    from mlserverless.web.http import HttpRequest

    azure: Any = None
    with contextlib.suppress(ImportError):
        from mlserverless.adapters import azure

PAYLOADS = Path(__file__).parents[2] / "events"
TYPES = ("application/json", "multipart/form-data; boundary=x", "image/png", "", "text/csv", "multipart/form-data")
FORM = b'--x\r\nContent-Disposition: form-data; name="file"\r\n\r\nabc\r\n--x\r\n' + (
    b'Content-Disposition: form-data; name="top_k"\r\n\r\n3\r\n--x--\r\n'
)
CONTEXT = SimpleNamespace(aws_request_id="fuzz", get_remaining_time_in_millis=lambda: 30_000)
FAKE = FakeService(log_level="error")


def _no_model(*_: object) -> None:
    raise ModelUnavailable("There is no model here.")


FAKE.fake.load = _no_model
HANDLER, APPLICATION, EVENTS = aws.make_handler(FAKE), wsgi.Wsgi(FAKE), HttpEvents(FAKE)


def test(data: bytes) -> None:
    """Try ``data`` as what its first byte picks; the fake predictor forgets it afterwards."""
    way, rest = WAYS[data[0] % len(WAYS)] if data else WAYS[0], data[1:]
    try:
        way(rest)
    except (MlserverlessError, Redeliver):
        pass
    finally:
        lines = [line for line in FAKE.lines if '"code":"internal"' in line.replace(" ", "")]
        FAKE.requests.clear()
        FAKE.fake.left.clear()
        FAKE.lines.clear()
    assert not lines, lines  # an item that failed for a reason which nobody had thought of


def _body(data: bytes) -> None:
    head, _, content = data.partition(b"\n")
    kind, query = head[:1], head[1:].decode("latin-1")
    given = TYPES[kind[0] % len(TYPES)] if kind and kind[0] < 128 else query
    http = HttpRequest("POST", "/predict", "" if given is query else query, {"content-type": given}, content)
    asked = body.read(http, "id", max_bytes=100_000, max_batch=16)
    for _, item in asked.items:
        asked.decode(item)


def _query(data: bytes) -> None:
    asked = body.read(HttpRequest("GET", "/", data.decode("utf-8", "replace")), "id", max_bytes=1, max_batch=16)
    for _, item in asked.items:
        asked.decode(item)


def _lambda(data: bytes) -> None:
    try:
        event = json.loads(data)
    except (ValueError, RecursionError):
        return
    answer = HANDLER(event, CONTEXT)
    if isinstance(event, dict) and event.get("version") == "2.0":
        assert sorted(answer) == ["body", "headers", "isBase64Encoded", "statusCode"], answer
        assert answer["isBase64Encoded"] is False, answer
        _well_formed(answer["statusCode"], answer["headers"], answer["body"])
    json.dumps(answer)


def _wsgi(data: bytes) -> None:
    lines = [line.decode("latin-1") for line in data.split(b"\n", 5)[:5]] + [""] * 5
    content = data.split(b"\n", 5)[5] if data.count(b"\n") > 4 else b""
    environ = {"REQUEST_METHOD": lines[0], "PATH_INFO": lines[1], "QUERY_STRING": lines[2]}
    environ |= {"CONTENT_TYPE": lines[3], "HTTP_X_REQUEST_ID": lines[4], "CONTENT_LENGTH": str(len(content))}
    told: list[Any] = []
    answer = APPLICATION(environ | {"wsgi.input": BytesIO(content)}, lambda *given: told.extend(given))
    _well_formed(int(told[0][:3]), dict(told[1]), b"".join(answer).decode())


def _over_http(data: bytes) -> None:
    head, _, content = data.partition(b"\n")
    lines = {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "fuzz", "ce-type": head.decode("latin-1")}
    for headers in (lines, {"content-type": "application/cloudevents-batch+json"}, {}):
        request = HttpRequest("POST", "/", "", headers, content)
        answer = EVENTS(request, Deadline(60))
        assert answer.status in (200, 204, 400, 503), answer


def _azure(data: bytes) -> None:
    if azure is None:
        return
    head, _, content = data.partition(b"\n")
    target = head.decode("latin-1")
    path = target.partition("?")[0].lstrip("/")
    request = azure.func.HttpRequest(
        "POST",
        f"https://fn.example/api/{target}",
        headers={"Content-Type": TYPES[0]},
        route_params={"path": path},
        body=content,
    )
    answer = azure.FunctionHttp(FAKE)(request, "fuzz")
    _well_formed(answer.status_code, dict(answer.headers), answer.get_body().decode())


def _well_formed(status: int, headers: dict[str, str], text: str) -> None:
    # Whatever a caller sends, 500 would say that something failed which nobody had thought of.
    assert 200 <= status < 600, status
    assert status != 500, text
    assert all("\n" not in value and "\r" not in value for value in headers.values()), headers
    json.loads(text)


WAYS = (_body, _query, _lambda, _wsgi, _over_http, _azure)


def seeds() -> list[bytes]:
    """Return the recorded events and a request of each kind, each behind the byte of its way."""
    found = [b"\x00\x00top_k=3\n" + b'{"url": "https://a.example/1"}', b"\x00\x01\n" + FORM, b"\x00\x02\nabc"]
    found += [b"\x00\x80multipart/form-data; boundary*=utf-8''x\n" + FORM]
    found += [b"\x01url=https://a.example/1&top_k=3&labels_allow=a,b"]
    found += [b"\x02" + path.read_bytes() for path in sorted((PAYLOADS / "aws").rglob("*.json"))]
    found += [b"\x02" + b'{"urls": ["https://a.example/1", "x"], "top_k": 2}']
    found += [b"\x03POST\n/predict\n\nmultipart/form-data; boundary=x\nme\n" + FORM, b"\x03GET\n/model\n\n\n\n"]
    for path in sorted(PAYLOADS.rglob("*.json")):
        event = json.loads(path.read_bytes())
        if isinstance(event, dict):
            kind, data = str(event.get("type", "")), event.get("data", event.get("body", event))
            text = data if isinstance(data, str) else json.dumps(data)
            found += [b"\x04" + f"{kind}\n{text}".encode(), b"\x04\n" + path.read_bytes()]
    found += [b"\x05predict?code=1&top_k=2\n" + b'{"urls": ["https://a.example/1"]}']
    return found


if __name__ == "__main__":
    fuzz(test, seeds())
