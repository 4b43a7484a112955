"""The wire contract as requests and the answers that they must get, on every cloud alike."""

import json
from collections.abc import Callable, Sequence
from math import prod
from typing import Any, NamedTuple, Protocol
from urllib.parse import quote, unquote

from mlserverless.serving import Service
from mlserverless.testing.places import Places
from mlserverless.testing.world import photo
from mlserverless.web.app import WebApp
from mlserverless.web.http import HttpRequest

ID = "order-66/a=b"
JPEG = {"Content-Type": "image/jpeg"}
JSON = {"Content-Type": "application/json"}
LIMIT = 400_000  # what "too large" takes the function's MAX_BYTES to be
ALWAYS = {"x-request-id": ID, "cache-control": "no-store", "x-content-type-options": "nosniff"}
RAW = "Inference-Header-Content-Length"  # 0: the body is a tensor and nothing else
KEPT = ("/model", "/openapi.json")  # what a client may keep, and ask after by its ETag
PAGE = {"Origin": "https://nobody.example", "Access-Control-Request-Method": "POST"}


class Answer(NamedTuple):
    """What a client gets; ``headers`` has lower-case names."""

    status: int
    headers: dict[str, str]
    body: bytes


class Ask(Protocol):
    """Carries a request to a function and its answer back."""

    def __call__(self, method: str, target: str, headers: dict[str, str], body: bytes = b"") -> Answer:
        """Send a request for ``target``, an encoded path with its query."""


class Case(NamedTuple):
    """One request, and the status and problem code of its answer.

    ``IMAGE``, ``MISSING``, ``TEXT`` and ``ODD`` in it stand for the :class:`Places`; ``limited`` is one that needs
    the setting MAX_BYTES at :data:`LIMIT`.
    """

    name: str
    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    status: int
    code: str = ""
    limited: bool = False

    def needs(self) -> Sequence[str]:
        """Return the names of the places in it."""
        held = self.target.encode() + self.body
        return [name for name in Places._fields if name.upper().encode() in held and len(held) < LIMIT]

    def chooses(self) -> bool:
        """Return whether it is answered and chooses among the model's classes."""
        return self.status == 200 and b"top_k" in self.target.encode() + self.body

    def refused(self) -> "Case":
        """Return the case as one whose options are refused."""
        return self._replace(status=400, code="invalid-request")

    def at(self, places: Places) -> "Case":
        """Return the case with the places' URLs in it, percent-encoded where they stand in a query."""
        target, body = self.target, self.body
        for name in self.needs():
            url = getattr(places, name)
            target = target.replace(name.upper(), quote(url, safe="") if f"={name.upper()}&" in target else url)
            body = body.replace(name.upper().encode(), url.encode())
        return self._replace(target=target, body=body)


def _form() -> bytes:
    lines = [
        *(b"--line", b'Content-Disposition: form-data; name="top_k"', b"", b"1"),
        *(b"--line", b'Content-Disposition: form-data; name="file"; filename="caf\xc3\xa9.jpg"'),
        *(b"Content-Type: image/jpeg", b"", photo(), b"--line--", b""),
    ]
    return b"\r\n".join(lines)


def cases(*, raw: bool = False) -> list[Case]:
    """Return the cases; ``raw``: of a model whose task that is, which has no classes to choose from."""
    image = photo()
    form, other = "multipart/form-data; boundary=line", "application/x-www-form-urlencoded"
    batch = b'{"urls": ["IMAGE", "MISSING", 5, "ftp://x.example/", "TEXT"], "top_k": 1}'
    asked, large = b'{"url": "IMAGE"}', image + bytes(LIMIT)
    found = [
        Case("image", "POST", "/", JPEG, image, 200),
        Case("image with options", "POST", "/predict?top_k=2&score_threshold=0.001", JPEG, image, 200),
        Case("octet-stream", "POST", "/predict/", {"Content-Type": "application/octet-stream"}, image, 200),
        Case("form", "POST", "/predict", {"Content-Type": form}, _form(), 200),
        Case("url", "POST", "/predict", JSON, b'{"url": "IMAGE", "top_k": 3}', 200),
        Case("url as text", "POST", "/", {"Content-Type": "text/plain"}, asked, 200),
        Case("url as curl sends it", "POST", "/", {"Content-Type": other}, asked, 200),
        Case("url in the query", "GET", "/predict?url=IMAGE&top_k=1", {}, b"", 200),
        Case("url beyond ASCII", "GET", "/predict?url=ODD", {}, b"", 200),
        Case("url beyond ASCII, encoded", "GET", "/predict?url=ODD&top_k=1", {}, b"", 200),
        Case("batch", "POST", "/predict", JSON, batch, 200),
        Case("healthz", "GET", "/healthz", {}, b"", 200),
        Case("readyz", "GET", "/readyz", {}, b"", 200),
        Case("model", "GET", "/model", {}, b"", 200),
        Case("description", "GET", "/openapi.json", {"Accept": "application/*;q=0.5"}, b"", 200),
        Case("head", "HEAD", "/model", {}, b"", 200),
        Case("head of a prediction", "HEAD", "/predict?url=IMAGE&top_k=1", {}, b"", 200),
        Case("head of a problem", "HEAD", "/predict?url=", {}, b"", 400, "invalid-request"),
        Case("options", "OPTIONS", "/predict", {}, b"", 204),
        Case("options of what is only read", "OPTIONS", "/model", {}, b"", 204),
        Case("a page of another origin", "OPTIONS", "/", PAGE, b"", 204),
        Case("not acceptable", "GET", "/healthz", {"Accept": "image/png, */*;q=0"}, b"", 406, "not-acceptable"),
        Case("v2 live", "GET", "/v2/health/live", {}, b"", 200),
        Case("v2 ready", "GET", "/v2/health/ready", {}, b"", 200),
        Case("v2 metadata", "GET", "/v2/models/NAME", {}, b"", 200),
        Case("v2 infer", "POST", "/v2/models/NAME/infer", {RAW: "0"}, b"TENSOR", 200),
        Case("v2 of another model", "GET", "/v2/models/no-such-model-5f0c", {}, b"", 404, "not-found"),
        Case("nothing there", "GET", "/caf%C3%A9/%22x", {}, b"", 404, "not-found"),
        Case("source not found", "POST", "/", JSON, b'{"url": "MISSING"}', 404, "source-not-found"),
        Case("blocked", "POST", "/", JSON, b'{"url": "file:///etc/passwd"}', 403, "source-blocked"),
        Case("wrong method", "PUT", "/predict", JPEG, image, 405, "method-not-allowed"),
        Case("wrong method, no body", "DELETE", "/model", {}, b"", 405, "method-not-allowed"),
        Case("no JSON", "POST", "/", JSON, b'{"url": ', 400, "invalid-request"),
        Case("no body", "POST", "/", JSON, b"", 400, "invalid-request"),
        Case("a bad option", "POST", "/?top_k=none", JPEG, image, 400, "invalid-request"),
        Case("an unknown label", "POST", "/?labels_allow=caf%C3%A9", JPEG, image, 400, "invalid-request"),
        Case("too large", "POST", "/", JPEG, large, 413, "image-too-large", limited=True),
        Case("another type", "POST", "/", {"Content-Type": "video/mp4"}, b"x", 415, "unsupported-media-type"),
        Case("no image", "POST", "/", JPEG, b"GIF89a", 415, "unsupported-media-type"),
        Case("a truncated image", "POST", "/", JPEG, image[:5000], 422, "undecodable-image"),
    ]
    return [case.refused() if raw and case.chooses() else case for case in found]


def check(case: Case, ask: Ask, expected: Callable[[Case], bytes] | None = None) -> Answer:
    """Ask ``case`` and return the answer; raise AssertionError where it is not what the contract says.

    ``expected``, where it is known, returns the body that plain Python answers: it must be that very one.
    """
    headers = {**case.headers, "X-Request-Id": ID}
    if "/NAME" in case.target:
        case = _of_model(case, ask)
    answer = ask(case.method, case.target, headers, case.body)
    _same(answer.status, case.status, "the status")
    of_v2 = case.target.startswith("/v2")
    kind = "application/problem+json" if case.code and not of_v2 else "application/json"
    wanted = {"content-type": "application/octet-stream" if RAW in case.headers else kind, **ALWAYS}
    if kept := case.target in KEPT and case.status == 200:
        wanted["cache-control"] = "no-cache"
    if case.status == 204:
        del wanted["content-type"], wanted["x-content-type-options"]
        wanted["allow"] = "GET, HEAD, OPTIONS" if case.target in KEPT else "GET, POST, HEAD, OPTIONS"
    for name, value in wanted.items():
        _same(answer.headers.get(name), value, f"the header {name}")
    timed = case.status == 200 and bool(case.body or "url=" in case.target)
    _same("server-timing" in answer.headers, timed, "Server-Timing is there")
    _same(answer.headers.get("access-control-allow-origin", "*"), "*", "the origin that may read it")
    _same(answer.headers.get("access-control-allow-credentials"), None, "credentials are allowed")
    if case.method in ("HEAD", "OPTIONS"):
        _same(answer.body, b"", "the body")
        return answer
    _check_body(case, answer)
    if kept:
        again = ask(case.method, case.target, {**headers, "If-None-Match": answer.headers.get("etag", "")})
        _same((again.status, again.body), (304, b""), "the answer to who has it")
        _same(again.headers.get("etag"), answer.headers.get("etag"), "the header etag of who has it")
    # A description tells the settings as well, which the function's own are.
    if expected is not None and case.target != "/openapi.json":
        _same(answer.body, expected(case), "the body")
    return answer


def _of_model(case: Case, ask: Ask) -> Case:
    """Return the ``case`` of the model that is there, with zeros for its input; its metadata if that is long."""
    model = ask("GET", "/model", {})
    _same(model.status, 200, "the status of /model")
    name = json.loads(model.body).get("name")
    _same(isinstance(name, str), True, "the model has a name")
    metadata = ask("GET", f"/v2/models/{quote(name)}", {})
    _same(metadata.status, 200, "the status of the model's metadata")
    told = json.loads(metadata.body)["inputs"][0]
    width = 1 if told["datatype"] == "BOOL" else int(told["datatype"].lstrip("UINTFP")) // 8
    zeros = bytes(width * prod(abs(size) for size in told["shape"]))
    if len(zeros) > LIMIT:
        case = case._replace(method="GET", target="/v2/models/NAME", headers={}, body=b"")
    return case._replace(target=case.target.replace("NAME", quote(name)), body=case.body.replace(b"TENSOR", zeros))


def _check_body(case: Case, answer: Answer) -> None:
    length = int(answer.headers.get(RAW.lower(), len(answer.body)))
    body: Any = json.loads(answer.body[:length])
    if RAW in case.headers:
        sizes = [output["parameters"]["binary_data_size"] for output in body["outputs"]]
        _same(len(answer.body), length + sum(sizes), "the length of the body")
    if case.code and case.target.startswith("/v2"):
        _same(list(body), ["error"], "the error")
    elif case.code:
        _same(body["code"], case.code, "the problem")
        _same(body["instance"], ID, "the problem's instance")
        _same(body["status"], case.status, "the problem's status")
    if case.target == "/openapi.json":
        _same(body.get("openapi", "")[:4], "3.1.", "the description's OpenAPI")
        _same("/predict" in body.get("paths", ()), True, "it has the path /predict")


def expected_of(service: Service) -> Callable[[Case], bytes]:
    """Return what plain Python answers with ``service``: the body of the web app itself, asked without a cloud."""
    app = WebApp(service)

    def body(case: Case) -> bytes:
        path, _, query = case.target.partition("?")
        headers = {name.lower(): value for name, value in case.headers.items()} | {"x-request-id": ID}
        return app(HttpRequest(case.method, unquote(path), query, headers, case.body)).body

    return body


def encoded(target: str) -> str:
    """Return ``target`` as every client sends it: what is not ASCII percent-encoded, the rest as it is."""
    return quote(target, safe="/?&=%:+,;@!$'()*~-._")


def _same(found: object, wanted: object, what: str) -> None:
    if found != wanted:
        raise AssertionError(f"{what}: {found!r}, not {wanted!r}")
