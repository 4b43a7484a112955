"""S3's notifications and direct invokes, through the handler."""

import json
import math
import threading
from pathlib import Path
from typing import Any

import pytest

from helpers.harness.aws import Context
from helpers.services import PREDICTION, WIRE, FakeService
from mlserverless import overlap, stores
from mlserverless.adapters.aws import make_handler
from mlserverless.errors import ConfigError, InvalidRequest, ModelUnavailable, SourceNotFound
from mlserverless.predictor import Predictor
from mlserverless.serving import Redeliver, Service
from mlserverless.sinks.log import LogSink
from mlserverless.types import Request

ROOT = Path(__file__).parents[2]
PHOTO = (ROOT / "examples" / "photos" / "flower.jpg").read_bytes()


def event(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((ROOT / "tests" / "events" / "aws" / f"{name}.json").read_text())
    return loaded


def test_an_encoded_key_names_its_object(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the real predictor; only the store is a stand-in."""
    read: list[str] = []

    def recorder(url: str, deadline: Any, **limits: Any) -> bytes:
        read.append(url)
        pinned = {"version": "0123456789abcdef0123456789abcdef", "pin": "etag"}
        assert limits == {"max_bytes": 10_000_000, "allowed_hosts": (), **pinned}
        return PHOTO

    monkeypatch.setattr(stores, "read", recorder)
    lines: list[str] = []
    service = Service(lambda: Predictor(top_k=1), LogSink(lines.append))
    answer = make_handler(service)(event("s3_put"), Context())
    assert read == ["s3://photos/a b/cé.jpg"]
    assert answer["results"][0]["predictions"][0]["label"] == "daisy"
    (line,) = map(json.loads, lines)
    assert (line["source"], line["request_id"]) == ("s3://photos/a b/cé.jpg", "EXAMPLE123456789")
    assert line["predictions"] == answer["results"][0]["predictions"]
    assert (line["version"], line["sha256"]) == (
        "0123456789abcdef0123456789abcdef",
        answer["results"][0]["sha256"],
    )


def test_every_record_is_answered_and_recorded() -> None:
    service = FakeService()
    answer = make_handler(service)(event("s3_put_two"), Context())
    assert [request.url for request in service.requests] == ["s3://photos/a b/cé.jpg", "s3://photos/cat.jpg"]
    assert [request.id for request in service.requests] == ["EXAMPLE123456789", "EXAMPLE987654321"]
    assert answer == {"results": [WIRE, WIRE]}
    assert len(service.lines) == 2


def test_of_a_versioned_object_the_very_version_is_read() -> None:
    """It may have been overwritten by the time its event comes."""
    service = FakeService()
    make_handler(service)(event("s3_put_versioned"), Context())
    (request,) = service.requests
    assert (request.url, request.version, request.pin) == (
        "s3://photos/cat.jpg",
        "096fKKXTRTtl3on89fVO.nfljtsv6qko",
        "version",
    )


def test_the_event_that_s3_sends_as_a_test_is_acknowledged() -> None:
    service = FakeService(ModelUnavailable("never asked"))
    assert make_handler(service)(event("s3_test_event"), Context()) == {"results": []}
    assert service.requests == []


def test_one_failed_record_fails_the_invocation_after_all_were_recorded() -> None:
    def answer(request: Request) -> Any:
        return SourceNotFound("There is no object.") if request.url == "s3://photos/cat.jpg" else PREDICTION

    service = FakeService(answer)
    with pytest.raises(
        Redeliver, match=r"1 of 2 items failed: s3://photos/cat\.jpg: source-not-found: There is no"
    ):
        make_handler(service)(event("s3_put_two"), Context())
    kept = [json.loads(line) for line in service.lines]
    assert kept[0]["predictions"] == WIRE["predictions"]
    assert kept[1]["problem"]["code"] == "source-not-found"


@pytest.mark.parametrize("broken", [{}, {"s3": {}}, {"s3": {"bucket": {}}}, {"s3": None}, {"s3": {"bucket": "b"}}])
def test_a_record_without_an_object_does_not_take_its_neighbour_with_it(broken: dict[str, Any]) -> None:
    given = event("s3_put_two")
    given["Records"][1] = {"eventSource": "aws:s3", **broken}
    service = FakeService()
    with pytest.raises(Redeliver, match="1 of 2 items failed: an item: invalid-request: The S3 record names no"):
        make_handler(service)(given, Context())
    assert [request.url for request in service.requests] == ["s3://photos/a b/cé.jpg"]
    assert json.loads(service.lines[1])["problem"]["code"] == "invalid-request"


def test_a_record_without_a_request_id_gets_the_invocations() -> None:
    given = event("s3_put")
    del given["Records"][0]["responseElements"]
    service = FakeService()
    make_handler(service)(given, Context())
    assert service.requests[0].id == Context.aws_request_id


def test_a_direct_invoke_returns_the_prediction() -> None:
    service = FakeService()
    asked = {"url": "https://x.example/1", "top_k": 2, "labels_allow": ["cat"], "score_threshold": 0.25}
    assert make_handler(service)(asked, Context()) == WIRE
    (request,) = service.requests
    assert request.id == Context.aws_request_id
    assert request.options == (2, 0.25, ("cat",), None, None)


def test_a_direct_invoke_raises_so_that_its_caller_sees_a_function_error() -> None:
    with pytest.raises(SourceNotFound, match="no such cat"):
        make_handler(FakeService(SourceNotFound("no such cat")))({"url": "https://x.example/1"}, Context())


def test_a_direct_invoke_of_a_list_has_a_result_for_each() -> None:
    def answer(request: Request) -> Any:
        return SourceNotFound("none") if request.url == "https://x.example/2" else PREDICTION

    asked = {"urls": ["https://x.example/1", "https://x.example/2", 3]}
    first, second, third = make_handler(FakeService(answer))(asked, Context())["results"]
    assert first == WIRE
    assert (second["code"], second["instance"]) == ("source-not-found", f"{Context.aws_request_id}/1")
    assert (third["code"], third["instance"]) == ("invalid-request", f"{Context.aws_request_id}/2")


def test_a_direct_invoke_of_a_list_is_answered_side_by_side(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overlap, "MOST", 16)
    pairs = threading.Barrier(2)

    def answer(_: Request) -> Any:
        pairs.wait(10)
        return PREDICTION

    asked = {"urls": ["https://x.example/1", "https://x.example/2"]}
    service = FakeService(answer, queue=0)
    assert make_handler(service)(asked, Context()) == {"results": [WIRE, WIRE]}
    assert service.fake.queue == math.inf


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (
            {"url": "https://x.example/1", "top_k": 0},
            "top_k is 0, which is not accepted: give a whole number from 1",
        ),
        ({"url": "https://x.example/1", "size": 3}, "'size' is not known; known are url, urls, top_k"),
        ({"url": "https://x.example/1", "urls": []}, "Give either url or urls"),
        ({"urls": []}, "urls is a list of 0; accepted is a list of 1 to 16 URLs"),
        ({"url": None}, "A url is a text that is not empty; here it is None"),
    ],
)
def test_a_direct_invoke_that_asks_wrongly_is_told(asked: dict[str, Any], told: str) -> None:
    with pytest.raises(InvalidRequest, match=told):
        make_handler(FakeService())(asked, Context())


def test_a_direct_invoke_is_told_of_wrong_settings() -> None:
    with pytest.raises(ConfigError, match="top_k is 'x'"):
        make_handler(Service(lambda: Predictor(top_k="x")))({"url": "https://x.example/1"}, Context())


@pytest.mark.parametrize(
    "event",
    [
        {"version": "2.0", "requestContext": {"http": {}}},
        {"version": "2.0", "requestContext": {"http": {"path": "/"}}},
        {"version": "2.0", "requestContext": {"http": None}},
        {"version": "2.0", "requestContext": {"http": {"path": 5, "method": "GET"}}},
        {"version": "2.0", "requestContext": {"http": {"path": "/", "method": "GET"}}, "headers": [1]},
        {"version": "2.0", "requestContext": {"http": {"path": "/", "method": "GET"}}, "body": 5},
        {"version": "2.0", "requestContext": True},
        {"version": "2.0", "requestContext": [1]},
    ],
    ids=repr,
)
def test_event_that_only_looks_like_a_request_is_an_invalid_one(event: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest):
        make_handler(FakeService())(event, Context())


@pytest.mark.parametrize("records", [None, 5, "x", {}])
def test_s3_event_without_a_list_of_records_has_none(records: Any) -> None:
    event = {"Event": "s3:TestEvent", "Records": records}
    assert make_handler(FakeService())(event, Context()) == {"results": []}


@pytest.mark.parametrize("told", [None, 5, {"x-amz-request-id": 7}])
def test_s3_record_with_an_odd_id_gets_one_of_ours(told: Any) -> None:
    place = {"bucket": {"name": "b"}, "object": {"key": "k"}}
    record = {"eventSource": "aws:s3", "s3": place, "responseElements": told}
    service = FakeService()
    make_handler(service)({"Records": [record]}, Context())
    assert service.requests[0].url == "s3://b/k"
    assert service.requests[0].id == Context.aws_request_id


@pytest.mark.parametrize("key", [None, 5, ["a"]])
def test_s3_key_that_is_no_text_is_an_invalid_request(key: Any) -> None:
    record = {"eventSource": "aws:s3", "s3": {"bucket": {"name": "b"}, "object": {"key": key}}}
    with pytest.raises(Redeliver, match="names no bucket and object"):
        make_handler(FakeService())({"Records": [record]}, Context())


@pytest.mark.parametrize("kinesis", [None, {}, {"data": 5}, {"data": "Hello, this is a test."}])
def test_a_record_of_a_stream_without_data_is_reported_alone(kinesis: Any) -> None:
    given = event("kinesis")
    given["Records"][1]["kinesis"] = kinesis if not kinesis else {**kinesis, "sequenceNumber": "7"}
    service = FakeService()
    reply = make_handler(service)(given, Context())
    assert [request.url for request in service.requests] == ["https://example.com/cat.jpg"]
    assert reply == {"batchItemFailures": [{"itemIdentifier": "7" if kinesis else ""}]}, (
        "an empty one fails them all"
    )
    assert "Kinesis record holds no base64 data" in json.loads(service.lines[1])["problem"]["detail"]


@pytest.mark.parametrize("name", ["rest_api", "alb"])
@pytest.mark.parametrize(
    "change",
    [{"path": 5}, {"headers": [1], "multiValueHeaders": None}, {"body": 5}, {"httpMethod": None, "path": None}],
)
def test_an_event_that_only_looks_like_an_older_request_is_an_invalid_one(
    name: str, change: dict[str, Any]
) -> None:
    with pytest.raises(InvalidRequest, match=r"payload format 1\.0|load balancer's request"):
        make_handler(FakeService())({**event(name), "pathParameters": None, **change}, Context())


@pytest.mark.parametrize(
    ("count", "order"), [("1", "012"), ("2", "120"), ("3", "201"), ("4", "012"), ("x", "012")]
)
def test_each_delivery_of_a_batch_begins_one_message_further_on(count: str, order: str) -> None:
    """So that none stands behind a message that ends the process every time."""
    (record,) = event("sqs")["Records"]
    records = [{**record, "messageId": str(at), "body": f"s3://b/{at}"} for at in range(3)]
    records[1]["attributes"] = {"ApproximateReceiveCount": count}
    service = FakeService()
    assert make_handler(service)({"Records": records}, Context()) == {"batchItemFailures": []}
    assert "".join(request.id for request in service.requests) == order


@pytest.mark.parametrize("count", ["1", "2", "x"])
def test_a_batch_that_comes_again_is_answered_in_turn(monkeypatch: pytest.MonkeyPatch, count: str) -> None:
    """Side by side, whoever ends the process would be among those under way, whatever their order."""
    monkeypatch.setattr(overlap, "MOST", 16)
    (record,) = event("sqs")["Records"]
    records = [{**record, "messageId": str(at), "body": f"s3://b/{at}"} for at in range(10)]
    records[4]["attributes"] = {"ApproximateReceiveCount": count}
    threads: set[int] = set()
    service = FakeService(lambda _: threads.add(threading.get_ident()) or PREDICTION)  # type: ignore[func-returns-value]
    assert make_handler(service)({"Records": records}, Context()) == {"batchItemFailures": []}
    assert (threads == {threading.get_ident()}) is (count == "2")


def test_a_batch_that_is_killed_again_and_again_is_answered_but_for_the_one_to_blame() -> None:
    class Killed(BaseException):
        pass

    def answer(request: Request) -> Any:
        if request.url == "s3://b/4":
            raise Killed
        return PREDICTION

    (record,) = event("sqs")["Records"]
    service, answered = FakeService(answer), set()
    for count in range(1, 21):
        told = {"attributes": {"ApproximateReceiveCount": str(count)}}
        records = [{**record, **told, "messageId": str(at), "body": f"s3://b/{at}"} for at in range(10)]
        with pytest.raises(Killed):
            make_handler(service)({"Records": records}, Context())
        answered |= {json.loads(line)["source"] for line in service.lines}
    assert answered == {f"s3://b/{at}" for at in range(10) if at != 4}
