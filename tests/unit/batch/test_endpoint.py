"""A batch answered by a deployed function: what is asked for, tried again, kept, and given up."""

import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from helpers import origin
from mlserverless.batch import endpoint as module
from mlserverless.batch.address import Address
from mlserverless.batch.endpoint import Endpoint
from mlserverless.batch.engine import Done, Item, Stopped
from mlserverless.batch.gate import Closed
from mlserverless.batch.retry import Retry
from mlserverless.errors import ConfigError
from mlserverless.local.front import Front
from mlserverless.predictor import Predictor
from mlserverless.serving import Service
from mlserverless.web.app import WebApp
from mlserverless.web.http import HttpRequest, HttpResponse

PHOTOS = Path(__file__).parents[3] / "examples" / "photos"
SOON = Retry(3, 0.001, 0.002)
JSON = (("Content-Type", "application/json"),)
MODEL = HttpResponse(200, JSON, b'{"name": "m", "sha256": "5a"}')

Behaviour = Callable[[HttpRequest, list[str]], HttpResponse]


def answered(name: str) -> dict[str, Any]:
    return {"model": "m", "sha256": "5a", "predictions": [{"label": name, "index": 0, "score": 1.0}]}


def problem(code: str, status: int, *, retryable: bool) -> dict[str, Any]:
    return {"status": status, "detail": "it says why", "instance": "x", "code": code, "retryable": retryable}


def respond(status: int, value: Any, *headers: tuple[str, str]) -> HttpResponse:
    return HttpResponse(status, JSON + headers, json.dumps(value).encode())


def well(_: HttpRequest, urls: list[str]) -> HttpResponse:
    results = [answered(url) for url in urls]
    return respond(200, results[0] if len(results) == 1 else {"results": results})


class Function:
    """A deployed function of the test's making, which keeps what it was asked."""

    def __init__(self, behaviour: Behaviour) -> None:
        self.requests: list[HttpRequest] = []
        self.times: list[float] = []
        self.at_a_time = self.most = 0
        self._behaviour, self._lock = behaviour, threading.Lock()
        self._front = Front(self._handle)
        self.engines: list[Endpoint] = []

    def _handle(self, request: HttpRequest) -> HttpResponse:
        with self._lock:
            self.requests.append(request)
            self.times.append(time.monotonic())
            self.at_a_time += 1
            self.most = max(self.most, self.at_a_time)
        try:
            return MODEL if request.path == "/model" else self._behaviour(request, urls_of(request))
        finally:
            with self._lock:
                self.at_a_time -= 1

    @property
    def asked(self) -> list[list[str]]:
        """The URLs of each request, in order."""
        return [urls_of(request) for request in self.requests]

    def engine(self, options: dict[str, Any] | None = None, **more: Any) -> Endpoint:
        made = Endpoint(Address(self._front.url, {"x-key": "K"}), options or {}, **{"retry": SOON, **more})
        self.engines.append(made)
        return made

    def close(self) -> None:
        for engine in self.engines:
            engine.close()
        self._front.close()


def urls_of(request: HttpRequest) -> list[str]:
    try:
        asked = json.loads(request.body)
    except ValueError:
        return []
    return [asked["url"]] if "url" in asked else list(asked["urls"])


@pytest.fixture
def function() -> Iterator[Callable[[Behaviour], Function]]:
    made = list[Function]()

    def of(behaviour: Behaviour) -> Function:
        made.append(Function(behaviour))
        return made[-1]

    yield of
    for one in made:
        one.close()


Make = Callable[[Behaviour], Function]


def items(*names: str) -> Iterator[Item]:
    return (Item(index, f"https://example.com/{name}") for index, name in enumerate(names))


def numbered(count: int) -> Iterator[Item]:
    return items(*map(str, range(count)))


def labels(done: list[Done]) -> list[str]:
    return [one.problem or one.result["predictions"][0]["label"].rpartition("/")[2] for one in done]


def test_each_item_is_answered_in_order_and_once(function: Make) -> None:
    remote = function(well)
    done = list(remote.engine(per_request=3).run(numbered(20)))
    assert [(one.index, one.source) for one in done] == [(i, f"https://example.com/{i}") for i in range(20)]
    assert labels(done) == [str(i) for i in range(20)]
    assert {one.attempts for one in done} == {1}
    assert sorted(url for urls in remote.asked for url in urls) == sorted(one.source for one in done)


def test_urls_go_together_up_to_as_many_as_a_request_has(function: Make) -> None:
    remote = function(well)
    list(remote.engine(per_request=3, concurrency=1).run(numbered(7)))
    assert [len(urls) for urls in remote.asked] == [3, 3, 1]
    assert [json.loads(request.body).keys() for request in remote.requests] == [{"urls"}, {"urls"}, {"url"}]


def test_options_headers_and_a_name_for_the_log_are_sent(function: Make) -> None:
    remote = function(well)
    options = {"top_k": 2, "labels_allow": ("a", "b"), "score_threshold": None}
    list(remote.engine(options, per_request=1).run(numbered(1)))
    (request,) = remote.requests
    assert json.loads(request.body) == {"url": "https://example.com/0", "top_k": 2, "labels_allow": ["a", "b"]}
    assert request.headers["x-key"] == "K"
    assert request.headers["x-request-id"] == "batch-0"
    assert request.headers["content-type"] == "application/json"


def test_of_a_file_the_bytes_are_sent_with_the_options_in_the_query(function: Make, tmp_path: Path) -> None:
    remote = function(lambda request, _: respond(200, answered(request.body.decode())))
    (tmp_path / "a.jpg").write_bytes(b"image")
    source = [Item(0, "https://example.com/0"), Item(1, str(tmp_path / "a.jpg"), True), Item(2, "https://b.c/2")]
    engine = remote.engine({"top_k": 2, "labels_deny": ("a", "b c")}, concurrency=1, per_request=4)
    done = list(engine.run(iter(source)))
    assert [one.index for one in done] == [0, 1, 2]
    assert labels(done)[1] == "image"
    assert remote.requests[1].query == "top_k=2&labels_deny=a%2Cb+c"
    assert remote.requests[1].headers["content-type"] == "application/octet-stream"


@pytest.mark.parametrize(
    ("content", "code", "detail"),
    [
        (None, "source-not-found", "cannot be read: No such file or directory"),
        (b"", "undecodable-image", "The image is empty: it has 0 bytes."),
        (b"12345", "image-too-large", "The image has 5 bytes; at most 4 are accepted."),
    ],
)
def test_a_file_that_is_no_image_is_a_problem_here(
    function: Make, tmp_path: Path, content: bytes | None, code: str, detail: str
) -> None:
    remote, path = function(well), tmp_path / "a.jpg"
    if content is not None:
        path.write_bytes(content)
    (done,) = remote.engine(max_bytes=4).run(iter([Item(5, str(path), True)]))
    assert done.problem == code
    assert detail in done.result["detail"]
    assert done.result["instance"] == "5"
    assert remote.requests == []


def test_no_more_requests_are_under_way_than_asked_for(function: Make) -> None:
    def slow(request: HttpRequest, urls: list[str]) -> HttpResponse:
        time.sleep(0.01)
        return well(request, urls)

    remote = function(slow)
    list(remote.engine(concurrency=3, per_request=1).run(numbered(30)))
    assert remote.most == 3


def test_items_are_taken_as_they_are_needed(function: Make) -> None:
    taken, go = list[int](), threading.Event()

    def source() -> Iterator[Item]:
        for item in numbered(10_000):
            taken.append(item.index)
            yield item

    def held(request: HttpRequest, urls: list[str]) -> HttpResponse:
        go.wait(10)
        return well(request, urls)

    remote = function(held)
    answers = remote.engine(concurrency=2, per_request=2).run(source())
    threading.Timer(0.2, go.set).start()
    assert next(answers).index == 0
    assert len(taken) <= 2 * 2 * module.AHEAD + 2
    answers.close()  # type: ignore[attr-defined]  # a generator


def test_what_is_ready_is_given_back_while_later_items_are_waited_for(function: Make) -> None:
    remote, gate = function(well), threading.Event()

    def source() -> Iterator[Item]:
        yield from numbered(2)
        gate.wait(10)
        yield Item(2, "https://example.com/2")

    answers = remote.engine(concurrency=1, per_request=1).run(source())
    threading.Timer(0.3, gate.set).start()
    assert [one.index for one in answers] == [0, 1, 2]


def test_a_problem_for_good_is_kept_and_not_tried_again(function: Make) -> None:
    remote = function(lambda *_: respond(404, problem("source-not-found", 404, retryable=False)))
    (done,) = remote.engine().run(numbered(1))
    assert (done.problem, done.attempts, done.result["instance"]) == ("source-not-found", 1, "0")
    assert len(remote.requests) == 1


def test_what_may_pass_is_tried_again_and_of_a_batch_only_that(function: Make) -> None:
    seen = set[str]()

    def flaky(_: HttpRequest, urls: list[str]) -> HttpResponse:
        results = [
            answered(url) if url in seen or url[-1] not in "13" else problem("source-error", 502, retryable=True)
            for url in urls
        ]
        seen.update(urls)
        return respond(200, results[0] if len(urls) == 1 else {"results": results})

    remote = function(flaky)
    done = list(remote.engine(per_request=4).run(numbered(4)))
    assert labels(done) == ["0", "1", "2", "3"]
    assert [one.attempts for one in done] == [1, 2, 1, 2]
    assert [len(urls) for urls in remote.asked] == [4, 2]


def test_tries_are_counted(function: Make) -> None:
    remote = function(lambda *_: respond(502, problem("source-error", 502, retryable=True)))
    (done,) = remote.engine(retry=Retry(2, 0.001)).run(numbered(1))
    assert (done.problem, done.attempts, len(remote.requests)) == ("source-error", 3, 3)


@pytest.mark.parametrize("status", [500, 502, 504])
def test_a_request_that_fails_as_a_whole_is_made_one_by_one(function: Make, status: int) -> None:
    def poisoned(request: HttpRequest, urls: list[str]) -> HttpResponse:
        if any(url.endswith("/1") for url in urls):
            return HttpResponse(status, (), b"<html>")
        return well(request, urls)

    remote = function(poisoned)
    done = list(remote.engine(per_request=4).run(numbered(4)))
    assert labels(done) == ["0", "deadline-exceeded" if status == 504 else "internal", "2", "3"]
    assert [one.attempts for one in done] == [2, 4, 2, 2]


def test_a_function_that_takes_fewer_at_a_time_is_asked_one_by_one(function: Make) -> None:
    def one(request: HttpRequest, urls: list[str]) -> HttpResponse:
        if len(urls) > 1:
            return respond(400, problem("invalid-request", 400, retryable=False))
        return well(request, urls)

    remote = function(one)
    done = list(remote.engine(per_request=4, concurrency=1).run(numbered(4)))
    assert labels(done) == ["0", "1", "2", "3"]
    assert [len(urls) for urls in remote.asked] == [4, 1, 1, 1, 1]


def test_a_retry_after_is_kept_to_by_everybody_after_a_429(function: Make) -> None:
    refused = list[float]()

    def busy(request: HttpRequest, urls: list[str]) -> HttpResponse:
        if not refused:
            refused.append(time.monotonic())
            return HttpResponse(429, (("Retry-After", "1"),), b"")
        return well(request, urls)

    remote = function(busy)
    done = list(remote.engine(concurrency=4, per_request=1).run(numbered(30)))
    assert labels(done) == [str(i) for i in range(30)]
    later = [when - refused[0] for when in remote.times if when - refused[0] > 0.1]
    assert min(later) >= 0.98


def test_a_retry_after_of_a_503_is_kept_to_by_that_request_alone(function: Make) -> None:
    refused = dict[str, float]()

    def busy(request: HttpRequest, urls: list[str]) -> HttpResponse:
        if urls[0].endswith("/0") and not refused:
            refused[urls[0]] = time.monotonic()
            return HttpResponse(503, (("Retry-After", "1"),), b"")
        return well(request, urls)

    remote = function(busy)
    done = list(remote.engine(concurrency=4, per_request=1).run(numbered(10)))
    assert [one.attempts for one in done] == [2] + [1] * 9
    (first, second) = (
        when for when, urls in zip(remote.times, remote.asked, strict=True) if urls[0].endswith("/0")
    )
    assert second - first >= 0.98
    assert sum(when < second - 0.2 for when in remote.times) >= 9  # the others did not wait


def test_busy_answers_are_no_tries_while_there_is_patience(
    function: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(_: HttpRequest, urls: list[str]) -> HttpResponse:
        return HttpResponse(429, (), b"")

    monkeypatch.setattr(module, "PATIENCE", 6)
    remote = function(busy)
    (done,) = remote.engine(retry=Retry(2, 0.001)).run(numbered(1))
    assert (done.problem, done.attempts) == ("overloaded", 6 + 3)


def test_a_connection_that_breaks_is_tried_again() -> None:
    body = json.dumps(answered("x")).encode()
    replies = origin.by_connection(origin.reset, b"HTTP/1.1 2", origin.response(body))
    with origin.serving({"/predict": replies}) as served:
        engine = Endpoint(Address(served.url(), {}), {}, retry=SOON)
        (done,) = engine.run(numbered(1))
        engine.close()
    assert (done.result, done.attempts) == (json.loads(body), 3)


@pytest.mark.parametrize(
    ("reply", "code", "says"),
    [
        (origin.reset, "internal", "cannot be reached"),
        (origin.silence, "deadline-exceeded", "did not answer in time"),
    ],
)
def test_an_endpoint_that_never_answers_is_each_items_problem_then_the_end(
    reply: origin.Reply, code: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SILENT", 3)
    with origin.serving({"/predict": reply}) as served:
        address = Address(served.url(), {}, timeout_s=0.05)
        engine = Endpoint(address, {}, concurrency=1, per_request=1, retry=Retry(1, 0.001))
        answers = engine.run(numbered(10))
        assert [next(answers).problem for _ in range(2)] == [code, code]
        with pytest.raises(Stopped, match=f"does not answer: .*{says}") as raised:
            next(answers)
        engine.close()
    assert raised.value.code == code


def test_a_refusal_for_good_of_many_items_is_not_taken_for_silence(
    function: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SILENT", 3)
    remote = function(lambda *_: HttpResponse(413, (), b""))
    assert {one.problem for one in remote.engine().run(numbered(10))} == {"image-too-large"}


@pytest.mark.parametrize("code", ["misconfigured", "model-unavailable"])
def test_a_deployment_that_cannot_answer_ends_the_run(function: Make, code: str) -> None:
    remote = function(lambda *_: respond(500, problem(code, 500, retryable=False)))
    with pytest.raises(Stopped, match="it says why") as raised:
        list(remote.engine().run(numbered(8)))
    assert raised.value.code == code


def test_what_was_answered_before_the_end_is_given_back(function: Make) -> None:
    def until(request: HttpRequest, urls: list[str]) -> HttpResponse:
        return HttpResponse(401, (), b"") if urls[0].endswith("/3") else well(request, urls)

    done = list[Done]()
    with pytest.raises(Stopped, match="answers 401"):
        done.extend(function(until).engine(concurrency=1, per_request=1).run(numbered(8)))
    assert labels(done) == ["0", "1", "2"]


def test_a_certificate_that_is_not_trusted_ends_the_run(function: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    def distrust(*_: Any) -> None:
        error = ssl.SSLCertVerificationError(1, "no")
        error.verify_message = "self-signed certificate"
        raise error

    monkeypatch.setattr(Address, "ask", distrust)
    with pytest.raises(Stopped, match="is not who it says: self-signed certificate"):
        list(function(well).engine().run(numbered(1)))


def test_opening_asks_for_the_model(function: Make) -> None:
    remote = function(well)
    identity = remote.engine({"top_k": 3, "labels_allow": ("a",), "model": None}).open()
    assert (identity.model, identity.sha256) == ("m", "5a")
    assert identity.chosen["endpoint"].startswith("http://127.0.0.1:")
    assert identity.chosen | {"endpoint": ""} == {"endpoint": "", "top_k": 3, "labels_allow": ["a"]}
    assert remote.requests[0].query == ""


def test_opening_asks_for_the_chosen_model(function: Make) -> None:
    remote = function(well)
    remote.engine({"model": "other", "top_k": 3}).open()
    assert remote.requests[0].query == "model=other"


@pytest.mark.parametrize(
    ("answer", "code", "says"),
    [
        (respond(200, {"name": "m"}), "misconfigured", "does not say at /model"),
        (respond(503, problem("model-unavailable", 503, retryable=False)), "model-unavailable", "it says why"),
        (respond(400, problem("invalid-request", 400, retryable=False)), "invalid-request", "does not answer: it"),
        (HttpResponse(502, (), b""), "internal", "does not answer: .* answered 502"),
    ],
)
def test_opening_says_why_it_cannot(
    function: Make, monkeypatch: pytest.MonkeyPatch, answer: HttpResponse, code: str, says: str
) -> None:
    import sys

    monkeypatch.setattr(sys.modules[__name__], "MODEL", answer)
    with pytest.raises(Stopped, match=says) as raised:
        function(well).engine().open()
    assert raised.value.code == code


def test_closing_ends_a_run_that_waits(function: Make) -> None:
    remote = function(lambda *_: HttpResponse(503, (("Retry-After", "300"),), b""))
    engine, ended = remote.engine(), threading.Event()

    def run() -> None:
        with pytest.raises(Closed):
            list(engine.run(numbered(1)))
        ended.set()

    thread = threading.Thread(target=run)
    thread.start()
    while not remote.requests:
        time.sleep(0.01)
    engine.close()
    thread.join(5)
    assert ended.is_set()
    engine.close()


def test_a_label_with_a_comma_cannot_be_asked_for(function: Make) -> None:
    with pytest.raises(ConfigError, match="labels_deny has one"):
        function(well).engine({"labels_deny": ("a,b",)})


def test_the_real_app_gives_what_the_predictor_gives(function: Make) -> None:
    service = Service(lambda: Predictor(allow_private_addresses=True))
    front = Front(WebApp(service))
    photo = (PHOTOS / "flower.jpg").read_bytes()
    with origin.serving({"/flower.jpg": origin.response(photo)}) as served:
        engine = Endpoint(Address(front.url, {}), {"top_k": 1})
        assert engine.open().model == "efficientnet-lite0"
        sources = [
            Item(0, served.url("/flower.jpg")),
            Item(1, str(PHOTOS / "flower.jpg"), True),
            Item(2, "ftp://example.com/a.jpg"),
        ]
        done = list(engine.run(iter(sources)))
        engine.close()
    front.close()
    predicted = service.predictor.predict(photo, top_k=1).to_dict()
    assert [one.result for one in done[:2]] == [predicted, predicted]
    assert (done[2].problem, done[2].result["instance"]) == ("source-blocked", "2")
