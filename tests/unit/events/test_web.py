"""Events over HTTP: every form in which they are sent, and the status that acknowledges them."""

import base64
import json
from typing import Any

import pytest

from helpers.services import PREDICTION, FakeService
from helpers.sinks import MemorySink
from helpers.web import problem
from mlserverless.deadline import Deadline
from mlserverless.errors import ConfigError, MlserverlessError, ModelUnavailable, Overloaded, SourceNotFound
from mlserverless.events.web import HttpEvents
from mlserverless.predictor import Predictor
from mlserverless.serving import Service
from mlserverless.types import Request
from mlserverless.web.http import HttpRequest, HttpResponse

URL = "https://h.example/a.jpg"
DONE = HttpResponse(204, (), b"")
CE = {"ce-specversion": "1.0", "ce-id": "c-1", "ce-source": "//mine", "ce-type": "mine.photo"}
STRUCTURED = {"content-type": "application/cloudevents+json"}
BATCHED = {"content-type": "application/cloudevents-batch+json"}
EVENT = {"specversion": "1.0", "id": "c-1", "source": "//mine", "type": "mine.photo", "data": {"url": URL}}
GCS = {"kind": "storage#object", "bucket": "photos", "name": "a b.jpg", "generation": "158"}
OBJECT = Request("b-1", url="gs://photos/a b.jpg", version="158", pin="version")


def post(body: Any = b"", headers: dict[str, str] | None = None) -> HttpRequest:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return HttpRequest("POST", "/", headers=headers or {}, body=data)


def answer(service: Service, *request: Any) -> HttpResponse:
    return HttpEvents(service)(post(*request), Deadline(30))


def asked(*request: Any) -> list[Request]:
    """Return what the events of the request asked for; all of them are done."""
    service = FakeService(sink=MemorySink())
    assert answer(service, *request) == DONE
    return service.requests


def encoded(value: Any) -> str:
    return base64.b64encode(value if isinstance(value, bytes) else json.dumps(value).encode()).decode()


def push(attempt: int | None = None, **held: Any) -> dict[str, Any]:
    counted = {} if attempt is None else {"deliveryAttempt": attempt}
    return {"message": {"messageId": "p-1", **held}, "subscription": "projects/p/subscriptions/s", **counted}


# --- CloudEvents ---


@pytest.mark.parametrize(
    "request_",
    [
        ({"url": URL}, CE),
        (URL.encode(), CE),
        (EVENT, STRUCTURED),
        ([EVENT], BATCHED),
    ],
    ids=["binary", "text", "structured", "batched"],
)
def test_cloudevents_come_in_every_mode(request_: tuple[Any, dict[str, str]]) -> None:
    assert asked(*request_) == [Request("c-1", url=URL, version="//mine#c-1")]


def test_a_batch_is_done_when_all_of_it_is() -> None:
    service = FakeService(lambda request: Overloaded("busy") if request.id == "c-2" else PREDICTION, MemorySink())
    batch = [EVENT, {**EVENT, "id": "c-2"}, {**EVENT, "id": "c-3"}]
    assert answer(service, batch, BATCHED).status == 503
    assert [request.id for request in service.requests] == ["c-1", "c-2", "c-3"]


def test_whoever_asks_whether_it_may_deliver_may() -> None:
    request = HttpRequest("OPTIONS", "/", headers={"webhook-request-origin": "eventgrid.azure.net"})
    assert HttpEvents(FakeService())(request, Deadline()) == HttpResponse(
        200, (("WebHook-Allowed-Origin", "eventgrid.azure.net"), ("WebHook-Allowed-Rate", "*")), b""
    )


# --- Pub/Sub's push ---


@pytest.mark.parametrize("attempt", [None, 1])
@pytest.mark.parametrize("data", [{"url": URL}, URL.encode()])
def test_a_push_is_read(attempt: int | None, data: Any) -> None:
    assert asked(push(attempt, data=encoded(data))) == [Request("p-1", url=URL, version="p-1")]


def test_a_push_of_cloud_storages_notification_is_read_by_its_attributes() -> None:
    attributes = {"bucketId": "photos", "objectId": "a b.jpg", "objectGeneration": "158"}
    finalized = {**attributes, "eventType": "OBJECT_FINALIZE"}
    assert asked(push(attributes=finalized, data=encoded(GCS))) == [OBJECT._replace(id="p-1")]
    assert asked(push(attributes={**attributes, "eventType": "OBJECT_DELETE"})) == []


@pytest.mark.parametrize(
    ("attempt", "status"), [(None, 204), (1, 400), (5, 400)], ids=["endless", "counted", "counted on"]
)
@pytest.mark.parametrize(
    "held", [{"attributes": {"camera": "left"}}, {}, {"data": "!"}, {"data": encoded(b"a cat")}]
)
def test_what_will_never_pass_ends_even_where_nobody_counts(
    attempt: int | None, status: int, held: dict[str, Any]
) -> None:
    """A subscription without a dead-letter topic would push it for seven days; the log has it."""
    service = FakeService()
    given = answer(service, push(attempt, **held))
    assert given.status == status
    (line,) = service.lines
    assert json.loads(line)["problem"]["code"] == "invalid-request"
    if status == 400:
        assert problem(given)["code"] == "invalid-request"
    else:
        assert given == DONE


def test_what_may_pass_is_pushed_again_by_either() -> None:
    for attempt in (None, 1):
        given = answer(FakeService(Overloaded("busy")), push(attempt, data=encoded({"url": URL})))
        assert given.status == 503
        assert problem(given)["code"] == "overloaded"


def test_a_push_that_cannot_be_read_is_recorded_once() -> None:
    """Its message has an id, which is the same for every delivery."""
    service = FakeService(sink=(sink := MemorySink()))
    for _ in range(2):
        assert answer(service, push(data=encoded(b"a cat"))) == DONE
    assert len(sink.records) == 1


# --- Google's background functions ---


def background(kind: str, data: Any = GCS) -> list[dict[str, Any]]:
    """Return an event as Google's first generation sends it, with the context beside the data and around it."""
    context = {"eventId": "b-1", "timestamp": "2020-04-23T07:38:57.772Z", "eventType": kind}
    return [{"context": {**context, "resource": {}}, "data": data}, {**context, "resource": "r", "data": data}]


@pytest.mark.parametrize("form", [0, 1], ids=["beside", "around"])
def test_events_of_background_functions_are_read(form: int) -> None:
    assert asked(background("google.storage.object.finalize")[form]) == [OBJECT]
    assert asked(background("google.storage.object.delete")[form]) == []
    data = {"@type": "type.googleapis.com/google.pubsub.v1.PubsubMessage", "data": encoded({"url": URL})}
    for kind in ("google.pubsub.topic.publish", "providers/cloud.pubsub/eventTypes/topic.publish"):
        assert asked(background(kind, data)[form]) == [Request("b-1", url=URL, version="b-1")]


def test_a_background_event_of_another_type_is_read_by_its_data() -> None:
    assert asked(background("mine", {"url": URL})[0]) == [Request("b-1", url=URL, version="b-1")]
    (request,) = asked(
        {"context": "none", "eventType": "google.storage.object.finalize", "eventId": "b-1", "data": GCS}
    )
    assert request == OBJECT


def test_a_background_event_without_an_id_gets_one() -> None:
    given = background("google.storage.object.finalize")[0]
    del given["context"]["eventId"]
    (request,) = asked(given)
    assert len(request.id) == 32


# --- Event Grid ---

GRID = {"id": "g-1", "eventType": "Microsoft.Storage.BlobCreated", "data": {"url": URL, "eTag": "0x8D"}}


@pytest.mark.parametrize("form", [[GRID], GRID], ids=["list", "one"])
def test_event_grids_own_schema_is_read(form: Any) -> None:
    assert asked(form, {"aeg-event-type": "Notification"}) == [Request("g-1", url=URL, version="0x8D")]


def test_event_grid_has_its_subscription_confirmed() -> None:
    kind = "Microsoft.EventGrid.SubscriptionValidationEvent"
    service = FakeService()
    given = answer(service, [{"eventType": kind, "id": "v", "data": {"validationCode": "512d38b6"}}])
    assert (given.status, given.body) == (200, b'{"validationResponse":"512d38b6"}')
    assert dict(given.headers)["Content-Type"] == "application/json"
    assert (service.requests, service.lines) == ([], [])
    assert answer(FakeService(), [{"eventType": kind, "data": 5}]) == DONE, "it asks for nothing"
    assert answer(FakeService(), [{"eventType": kind, "data": {}}]).body == b'{"validationResponse":""}'


# --- anything else ---


@pytest.mark.parametrize("body", [{"url": URL}, URL.encode(), json.dumps(URL).encode()])
def test_a_message_without_an_envelope_is_read(body: Any) -> None:
    (request,) = asked(body)
    assert (request.url, len(request.id)) == (URL, 32)
    assert request.version == request.id


@pytest.mark.parametrize("body", [[], {"Records": []}, {"Service": "Amazon S3", "Event": "s3:TestEvent"}])
def test_what_asks_for_nothing_is_done(body: Any) -> None:
    assert asked(body) == []


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 100_000, {"link": URL}, {"message": "text"}])
def test_what_cannot_be_read_is_a_bad_request(body: Any) -> None:
    service = FakeService()
    given = answer(service, body)
    assert given.status == 400
    assert problem(given)["code"] == "invalid-request"
    assert len(service.lines) == 1
    assert service.requests == []


# --- the status ---


@pytest.mark.parametrize(
    ("error", "log", "kept"),
    [
        (SourceNotFound("There is no object."), 400, 204),
        (Overloaded("busy"), 503, 503),
        (ZeroDivisionError("secret"), 503, 503),
        (ConfigError("no such label"), 503, 503),
        (ModelUnavailable("not pinned"), 503, 503),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_the_status_says_whether_it_is_to_be_sent_again(error: Exception, log: int, kept: int) -> None:
    """400 for what never will pass: only a sink that keeps it is as good as an answer."""
    given = answer(FakeService(error), EVENT, STRUCTURED)
    assert given.status == log
    told = problem(given)
    assert told["code"] == (error.code if isinstance(error, MlserverlessError) else "internal")
    assert "secret" not in str(given)
    assert answer(FakeService(error, MemorySink()), EVENT, STRUCTURED).status == kept


def test_of_many_failures_the_one_that_may_pass_is_told() -> None:
    errors = {"c-1": SourceNotFound("gone"), "c-2": Overloaded("busy")}
    service = FakeService(lambda request: errors[request.id])
    given = answer(service, [EVENT, {**EVENT, "id": "c-2"}], BATCHED)
    assert given.status == 503
    assert problem(given)["code"] == "overloaded"
    assert problem(given)["instance"] == "c-2"
    assert dict(given.headers)["Retry-After"] == "1"


def test_an_endless_sender_hears_of_a_wrong_deployment() -> None:
    given = answer(FakeService(ConfigError("no such label")), push(data=encoded({"url": URL})))
    assert given.status == 503
    assert problem(given)["code"] == "misconfigured"


def test_what_was_not_recorded_is_sent_again() -> None:
    given = answer(FakeService(sink=MemorySink([True])), EVENT, STRUCTURED)
    assert given.status == 503
    assert problem(given)["code"] == "sink-error"


def test_wrong_settings_are_told_and_nothing_is_lost() -> None:
    given = answer(Service(lambda: Predictor(top_k="many")), EVENT, STRUCTURED)
    assert given.status == 503
    assert problem(given)["code"] == "misconfigured"
