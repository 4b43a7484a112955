"""A timer over HTTP: Cloud Scheduler's, Pub/Sub's, Knative's PingSource; and that no request makes it raise."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.services import FakeService
from helpers.sinks import MemorySink
from helpers.web import problem
from mlserverless import stores
from mlserverless.deadline import Deadline
from mlserverless.errors import ModelUnavailable, Overloaded, SourceError, SourceNotFound
from mlserverless.events.web import PING, HttpEvents
from mlserverless.predictor import Predictor
from mlserverless.serving import Service
from mlserverless.types import Request
from mlserverless.web.http import HttpRequest, HttpResponse

URL = "https://h.example/a.jpg"
DUE = "2026-11-25T02:00:00Z"
DONE = HttpResponse(204, (), b"")
CE = {"ce-specversion": "1.0", "ce-id": "c-1", "ce-source": "//mine", "ce-type": PING, "ce-time": DUE}
SCHEDULER = {"x-cloudscheduler-scheduletime": DUE, "x-cloudscheduler-jobname": "nightly"}


def post(body: Any = b"", headers: dict[str, str] | None = None) -> HttpRequest:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return HttpRequest("POST", "/", headers=headers or {}, body=data)


@pytest.fixture
def listed(monkeypatch: pytest.MonkeyPatch) -> FakeService:
    """Return a service with a list of one image."""
    monkeypatch.setattr(stores, "stream", lambda _url, _deadline, take, **_: take(b"s3://b/1"))
    return FakeService(sink=MemorySink(), schedule_source="s3://lists/photos.txt")


# --- Knative's PingSource, which comes as any event does ---


@pytest.mark.parametrize("body", [b"", b"ping", {"message": "Hello"}])
def test_a_ping_is_a_tick(body: Any) -> None:
    service = FakeService()
    assert HttpEvents(service)(post(body, CE), Deadline()) == DONE
    assert (service.fake.warmed, service.requests) == (1, [])


def test_a_ping_classifies_the_list(listed: FakeService) -> None:
    assert HttpEvents(listed)(post(b"", CE), Deadline()) == DONE
    assert listed.requests == [Request("c-1/0", url="s3://b/1", version=DUE)]


def test_a_ping_with_a_url_asks_for_it() -> None:
    service = FakeService()
    assert HttpEvents(service)(post({"url": URL}, CE), Deadline()) == DONE
    assert service.requests == [Request("c-1", url=URL, version="//mine#c-1")]
    assert service.fake.warmed == 0


# --- what a timer says of when it was due ---

PUSHED = {"message": {"messageId": "p-1", "publishTime": DUE, "data": "dGljaw=="}, "subscription": "s"}
SNAKE = {"message": {"message_id": "p-1", "publish_time": DUE}}
IN_CLOUDEVENT = {"specversion": "1.0", "id": "c-9", "source": "s", "type": "t", "time": "x", "data": PUSHED}


@pytest.mark.parametrize(
    ("headers", "body", "name"),
    [
        (SCHEDULER, b"", "nightly"),
        ({**SCHEDULER, "ce-id": "c-1", "ce-time": "another"}, b"", "c-1"),
        (CE, b"", "c-1"),
        ({}, PUSHED, "p-1"),
        ({}, SNAKE, "p-1"),
        (CE, PUSHED, "p-1"),
        ({}, IN_CLOUDEVENT, "p-1"),
        ({}, {"specversion": "1.0", "id": "c-2", "time": DUE}, "c-2"),
        ({}, {"specversion": "1.0", "id": "c-2", "time": DUE, "data": {"message": "text"}}, "c-2"),
        (SCHEDULER, {"url": "not looked at"}, "nightly"),
        (SCHEDULER, {"message": {}}, "nightly"),
        (SCHEDULER, [1], "nightly"),
    ],
)
def test_the_ticks_time_is_the_one_it_was_due_at(
    listed: FakeService, headers: dict[str, str], body: Any, name: str
) -> None:
    """So that a second delivery is the same tick."""
    assert HttpEvents(listed).tick(post(body, headers), Deadline()) == DONE
    assert listed.requests == [Request(f"{name}/0", url="s3://b/1", version=DUE)]


def test_a_tick_that_says_nothing_was_due_this_minute(listed: FakeService) -> None:
    assert HttpEvents(listed).tick(post(), Deadline()) == DONE
    (request,) = listed.requests
    assert request.version[16:] == "+00:00"
    assert len(request.id.removesuffix("/0")) == 32


def test_a_second_delivery_of_a_tick_does_nothing(listed: FakeService) -> None:
    events = HttpEvents(listed)
    assert [events.tick(post(b"", SCHEDULER), Deadline()) for _ in range(2)] == [DONE, DONE]
    assert len(listed.requests) == 1


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (SourceNotFound("There is no object s3://lists/photos.txt."), 500, "source-not-found"),
        (SourceError("It answered 503."), 503, "source-error"),
    ],
)
def test_a_tick_whose_list_cannot_be_read_fails(
    listed: FakeService, monkeypatch: pytest.MonkeyPatch, error: SourceError, status: int, code: str
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(stores, "stream", fail)
    reply = HttpEvents(listed).tick(post(b"", SCHEDULER), Deadline())
    assert reply.status == status
    assert (problem(reply)["code"], problem(reply)["detail"]) == (code, str(error))


def test_a_tick_whose_list_is_not_done_is_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores, "stream", lambda _url, _deadline, take, **_: take(b"s3://b/1?sig=c4n4ry"))
    service = FakeService(Overloaded("busy"), MemorySink(), schedule_source="s3://lists/photos.txt")
    reply = HttpEvents(service).tick(post(b"", SCHEDULER), Deadline())
    assert reply.status == 503
    assert problem(reply)["detail"] == "1 of 1 items failed: s3://b/1: overloaded: busy"
    assert b"c4n4ry" not in reply.body


def test_a_tick_with_wrong_settings_fails() -> None:
    reply = HttpEvents(Service(lambda: Predictor(top_k="many"))).tick(post(), Deadline())
    assert reply.status == 500
    assert problem(reply)["code"] == "misconfigured"


@pytest.mark.parametrize("error", [ModelUnavailable("not pinned"), ZeroDivisionError("secret")])
def test_a_warm_up_that_fails_makes_no_request_raise(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    service = FakeService()

    def fail() -> None:
        raise error

    monkeypatch.setattr(service.fake, "warm_up", fail)
    reply = HttpEvents(service)(post(b"", CE), Deadline())
    assert reply.status in (204, 503)
    assert b"secret" not in reply.body


# --- anything ---

KEYS = [
    *("message", "messageId", "subscription", "deliveryAttempt", "data", "context", "eventType", "eventId", "url"),
    *("attributes", "specversion", "id", "source", "type", "Records", "publishTime", "time"),
]
WORDS = [
    *("google.storage.object.finalize", "google.pubsub.topic.publish", "1.0", URL, PING, "e30=", "\ud800"),
    *("Microsoft.EventGrid.SubscriptionValidationEvent", "Microsoft.Storage.BlobCreated"),
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.sampled_from(WORDS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=6),
    max_leaves=20,
)
HEADERS = st.dictionaries(
    st.sampled_from([*CE, *SCHEDULER, "content-type", "webhook-request-origin"]),
    st.sampled_from([*WORDS, "application/cloudevents+json", "application/cloudevents-batch+json"]) | st.text(),
)


@given(
    st.sampled_from(["POST", "OPTIONS", "GET", "PUT"]),
    HEADERS,
    JSON.map(lambda value: json.dumps(value).encode()) | st.binary(),
)
def test_no_request_makes_it_raise(method: str, headers: dict[str, str], body: bytes) -> None:
    for service in (FakeService(), FakeService(sink=MemorySink())):
        events, request = HttpEvents(service), HttpRequest(method, "/", headers=headers, body=body)
        assert events(request, Deadline()).status in (200, 204, 400, 503)
        assert events.tick(request, Deadline()).status in (200, 204)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_probe_leaves_no_record_and_begins_no_list(method: str, listed: FakeService) -> None:
    """Who waits for a function to listen asks any path; only a scheduler's GET is a tick."""
    events = HttpEvents(listed)
    for answer in (
        events(HttpRequest(method, "/healthz"), Deadline()),
        events.tick(HttpRequest(method, "/"), Deadline()),
    ):
        assert (answer.status, json.loads(answer.body)) == (200, {"status": "ok"})
    assert listed.requests == []
    assert (
        events.tick(HttpRequest(method, "/", headers={**SCHEDULER, "x-cloudscheduler": "true"}), Deadline())
        == DONE
    )
    assert len(listed.requests) == 1
