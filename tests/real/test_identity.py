"""The product's promise: the same request gives the same bytes on every cloud's real runtime."""

import http.client
import json
from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import quote, urlsplit

import pytest

from helpers.runtimes import REASONS
from mlserverless.local.runtime import Runtime

from .origin import PHOTOS, Origin

pytestmark = pytest.mark.real
COFFEE = (PHOTOS / "coffee.png").read_bytes()
ROCKET = (PHOTOS / "rocket.jpg").read_bytes()
JSON = {"Content-Type": "application/json"}


class Case(NamedTuple):
    """One request, and what every path is to answer: status, code ("" for none), a piece of the body."""

    name: str
    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    status: int
    code: str = ""
    holds: str = ""


def post(name: str, value: object, status: int, code: str = "", holds: str = "", path: str = "/predict") -> Case:
    return Case(name, "POST", path, JSON, json.dumps(value).encode(), status, code, holds)


def raw(name: str, body: bytes, kind: str, status: int, code: str = "", holds: str = "", query: str = "") -> Case:
    return Case(name, "POST", "/predict" + query, {"Content-Type": kind}, body, status, code, holds)


def get(name: str, path: str, status: int, code: str = "", holds: str = "") -> Case:
    return Case(name, "GET", path, {}, b"", status, code, holds)


def at(path: str) -> dict[str, str]:
    return {"url": f"ORIGIN/{path}"}


FORM = (
    b'--x\r\nContent-Disposition: form-data; name="top_k"\r\n\r\n1\r\n'
    b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\nContent-Type: image/png\r\n\r\n'
    + COFFEE
    + b"\r\n--x--\r\n"
)
SEVENTEEN = {"urls": ["ORIGIN/coffee.png"] * 17}
CASES = [
    post("a url", at("coffee.png"), 200, holds='"label":"espresso","index":967,"score":0.949219'),
    post("a url at the root", at("chelsea.png"), 200, holds="tiger cat", path="/"),
    post("a progressive path", at("rocket.jpg"), 200, holds="missile"),
    post("a grey image", at("camera.png"), 200, holds="tripod"),
    post("a redirect", at("elsewhere"), 200, holds="espresso"),
    post("top_k", {**at("flower.jpg"), "top_k": 1}, 200, holds='"predictions":[{"label":"daisy"'),
    post("score_threshold", {**at("coffee.png"), "score_threshold": 0.99}, 200, holds='"predictions":[]'),
    post("labels_allow", {**at("china.jpg"), "labels_allow": ["castle"]}, 200, holds='[{"label":"castle"'),
    post("labels_deny", {**at("coffee.png"), "labels_deny": ["espresso"]}, 200, holds='[{"label":"cup"'),
    post("a batch", {"urls": ["ORIGIN/coffee.png", "ORIGIN/nothing", 7]}, 200, holds='"code":"source-not-found"'),
    raw("png bytes", COFFEE, "image/png", 200, holds="espresso"),
    raw("jpeg bytes", ROCKET, "image/jpeg", 200, holds="missile", query="?top_k=2"),
    raw("bytes of no type", ROCKET, "application/octet-stream", 200, holds="missile"),
    raw("a form", FORM, "multipart/form-data; boundary=x", 200, holds="espresso"),
    get("GET", "/predict?url=QUOTED%2Fcoffee.png&top_k=1", 200, holds="espresso"),
    get("GET at the root", "/?url=QUOTED%2Fcoffee.png&labels_allow=cup,espresso", 200, holds="cup"),
    get("healthz", "/healthz", 200, holds='{"status":"ok"}'),
    get("readyz", "/readyz", 200, holds='{"status":"ready"}'),
    get("model", "/model", 200, holds='"shape":[1,224,224,3],"dtype":"uint8"'),
    get("no such path", "/nothing/here", 404, "not-found", "/nothing/here"),
    Case("a wrong method", "PUT", "/predict", JSON, b"{}", 405, "method-not-allowed", "PUT"),
    post("not a URL", {"url": "cat.jpg"}, 400, "invalid-request", "http://"),
    post("a file: URL", {"url": "file:///etc/passwd"}, 403, "source-blocked", "file"),
    post("a data: URL", {"url": "data:image/png;base64,AA=="}, 403, "source-blocked", "data"),
    post("credentials in the URL", {"url": "http://u:p@127.0.0.1/"}, 403, "source-blocked", "password"),
    post("an unknown host", {"url": "http://nothing.invalid/x.png"}, 404, "source-not-found", "nothing.invalid"),
    post("404", at("nothing"), 404, "source-not-found", "404"),
    post("403", at("status-403"), 502, "source-error", '"retryable":false'),
    post("503", at("status-503"), 502, "source-error", '"retryable":true'),
    post("too many redirects", at("circle"), 502, "source-error", "more than 3 times"),
    post("a slow origin", at("slow"), 504, "source-timeout", "within 1 s"),
    post("a text file", at("text"), 415, "unsupported-media-type", "jpeg, png, webp"),
    post("an empty file", at("empty"), 422, "undecodable-image", "0 bytes"),
    post("a truncated JPEG", at("truncated.jpg"), 422, "undecodable-image", "truncated"),
    post("200 megapixels", at("200-megapixels.png"), 413, "image-too-large", "20000 × 10000"),
    post("too many bytes", at("large"), 413, "image-too-large", "1,000,001 bytes"),
    raw("an oversize body", b"\xff" * 1_000_001, "image/jpeg", 413, "image-too-large", "1,000,000 bytes"),
    raw("a body of another type", b"<a/>", "text/html", 415, "unsupported-media-type", "text/html"),
    raw("malformed JSON", b'{"url": ', "application/json", 400, "invalid-request", "not valid JSON"),
    raw("an empty body", b"", "application/json", 400, "invalid-request", "no body"),
    post("JSON that is no object", [1], 400, "invalid-request", "not an object"),
    post("a batch of 17", SEVENTEEN, 400, "invalid-request", "a list of 17"),
    post("url and urls", {**at("coffee.png"), "urls": []}, 400, "invalid-request", "either url or urls"),
    post("an unknown key", {**at("coffee.png"), "topk": 1}, 400, "invalid-request", "topk"),
    post("a bad option", {**at("coffee.png"), "top_k": "many"}, 400, "invalid-request", "whole number"),
    post("an unknown label", {**at("coffee.png"), "labels_allow": ["unicorn"]}, 400, "invalid-request", "unicorn"),
]
FAULTS = ["Overloaded", "DeadlineExceeded", "InternalError", "anything"]


def ask(runtime: Runtime, case: Case, origin_url: str) -> tuple[int, str, bytes, dict[str, str]]:
    """Return status, content type, body and lower-cased headers of the answer to ``case``."""
    host = urlsplit(runtime.url)
    connection = http.client.HTTPConnection(host.hostname or "", host.port, timeout=60)
    path = case.path.replace("QUOTED", quote(origin_url, safe=""))
    body = case.body.replace(b"ORIGIN", origin_url.encode())
    try:
        connection.request(case.method, path, body, {**case.headers, "X-Request-Id": "identity-1"})
        answer = connection.getresponse()
        headers = {name.lower(): value for name, value in answer.getheaders()}
        return answer.status, headers.get("content-type", ""), answer.read(), headers
    finally:
        connection.close()


def check(case: Case, runtimes: dict[str, Runtime], origin_url: str) -> None:
    answers = {cloud: ask(runtime, case, origin_url) for cloud, runtime in runtimes.items()}
    bodies = {cloud: answer[:3] for cloud, answer in answers.items()}
    reference = bodies["wsgi"]
    assert reference[0] == case.status, reference
    assert case.holds in reference[2].decode()
    if case.code:
        told = json.loads(reference[2])
        assert (told["code"], told["status"]) == (case.code, case.status)
        assert told["instance"] == "identity-1"
        assert told["type"] == f"urn:mlserverless:problem:{case.code}"
        assert reference[1] == "application/problem+json"
    else:
        assert reference[1] == "application/json"
    for cloud, body in bodies.items():
        assert body == reference, cloud
        assert answers[cloud][3]["x-request-id"] == "identity-1", cloud


@pytest.mark.parametrize("cloud", REASONS)
def test_the_runtime_is_here(cloud: str, need: Callable[[str | None], None]) -> None:
    """A path that cannot run here is named in the summary; the tests below compare those that can."""
    need(REASONS[cloud]())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_path_answers_the_same_bytes(case: Case, runtimes: dict[str, Runtime], origin: Origin) -> None:
    check(case, runtimes, origin.url)


def test_there_are_cases_enough() -> None:
    assert len(CASES) >= 30


@pytest.mark.parametrize("path", ["/predict?url=QUOTED%2Fcoffee.png", "/readyz", "/model"])
def test_without_a_model(path: str, without_model: dict[str, Runtime], origin: Origin) -> None:
    check(get("no model", path, 503, "model-unavailable", "nowhere/at-all"), without_model, origin.url)


@pytest.mark.parametrize("path", ["/predict?url=QUOTED%2Fcoffee.png", "/readyz", "/model"])
def test_misconfigured(path: str, misconfigured: dict[str, Runtime], origin: Origin) -> None:
    case = get("bad setting", path, 500, "misconfigured", "MLSERVERLESS_TOP_K is 'many'")
    check(case, misconfigured, origin.url)


@pytest.mark.parametrize("fault", FAULTS)
def test_what_cannot_be_brought_about_from_outside(fault: str, faulty: dict[str, Runtime], origin: Origin) -> None:
    status, code = {"Overloaded": (503, "overloaded"), "DeadlineExceeded": (504, "deadline-exceeded")}.get(
        fault, (500, "internal")
    )
    case = post(fault, {"url": f"fault://{fault}"}, status, code, '"retryable":true')
    check(case, faulty, origin.url)
    for runtime in faulty.values():
        _, _, body, headers = ask(runtime, case, origin.url)
        assert b"a secret" not in body
        assert headers.get("retry-after") == ("1" if fault == "Overloaded" else None)
