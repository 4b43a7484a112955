"""CloudEvents over HTTP in their three modes, and what each type's data asks for."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlserverless.errors import InvalidRequest
from mlserverless.events import Found, cloudevent, envelopes
from mlserverless.types import Options, Request
from mlserverless.web.http import HttpRequest

URL = "https://h.example/a.jpg"
NEEDED = {"specversion": "1.0", "id": "c-1", "source": "//mine", "type": "mine.photo"}
ASKED = Request("c-1", url=URL, version="//mine#c-1")
STRUCTURED = {"content-type": "application/cloudevents+json; charset=utf-8"}
BATCHED = {"content-type": "application/cloudevents-batch+json"}


def post(headers: dict[str, str], body: Any = b"") -> HttpRequest:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return HttpRequest("POST", "/", headers=headers, body=data)


def binary(body: Any = b"", kind: str = "application/json", **attributes: str) -> HttpRequest:
    named = {f"ce-{name}": value for name, value in {**NEEDED, **attributes}.items()}
    return post({**named, "content-type": kind}, body)


def event(data: Any = None, **attributes: Any) -> dict[str, Any]:
    return {**NEEDED, **attributes, **({} if data is None else {"data": data})}


def found(request: HttpRequest) -> list[Found]:
    ((_, parts),) = cloudevent.split(request)
    return parts


def why(parts: list[Found]) -> str:
    (error,) = parts
    assert type(error) is InvalidRequest
    return str(error)


# --- which requests carry them ---


@pytest.mark.parametrize(
    ("request_", "one"),
    [
        (binary(), True),
        (post(STRUCTURED), True),
        (post({"content-type": "Application/CloudEvents+JSON"}), True),
        (post(BATCHED), True),
        (post({"content-type": "application/json"}), False),
        (post({}), False),
        (HttpRequest("GET", "/", headers={"ce-specversion": "1.0"}), False),
        (HttpRequest("PUT", "/", headers=STRUCTURED), False),
        (HttpRequest("OPTIONS", "/", headers={"webhook-request-origin": "h.example"}), True),
        (HttpRequest("OPTIONS", "/", headers={"origin": "h.example"}), False),
        (HttpRequest("OPTIONS", "/", headers={"ce-specversion": "1.0"}), False),
    ],
)
def test_a_cloudevent_is_known_by_its_headers(request_: HttpRequest, one: bool) -> None:
    assert cloudevent.is_one(request_) is one


@pytest.mark.parametrize(("asked", "allowed"), [({"webhook-request-rate": "120"}, "120"), ({}, "*")])
def test_whoever_asks_may_deliver_at_the_rate_asked_for(asked: dict[str, str], allowed: str) -> None:
    request = HttpRequest("OPTIONS", "/", headers={"webhook-request-origin": "eventgrid.azure.net", **asked})
    answer = cloudevent.handshake(request)
    assert (answer.status, answer.body) == (200, b"")
    assert dict(answer.headers) == {
        "WebHook-Allowed-Origin": "eventgrid.azure.net",
        "WebHook-Allowed-Rate": allowed,
    }


# --- the modes ---


def test_the_binary_mode_has_the_attributes_in_headers() -> None:
    assert cloudevent.split(binary({"url": URL, "top_k": 2})) == [
        ("//mine#c-1", [ASKED._replace(options=Options(top_k=2))])
    ]


def test_the_binary_modes_attributes_are_percent_encoded() -> None:
    ((name, parts),) = cloudevent.split(binary({"url": URL}, id="c%20%C3%A91"))
    assert name == "//mine#c é1"
    assert parts == [Request("c é1", url=URL, version="//mine#c é1")]


@pytest.mark.parametrize("body", [URL.encode(), f" {URL}\n".encode(), json.dumps(URL).encode()])
def test_the_binary_modes_data_may_be_a_url_alone(body: bytes) -> None:
    assert found(binary(body, "text/plain")) == [ASKED]


def test_the_structured_mode_has_all_of_it_in_json() -> None:
    assert cloudevent.split(post(STRUCTURED, event({"url": URL}))) == [("//mine#c-1", [ASKED])]


def test_the_structured_modes_data_may_be_base64() -> None:
    encoded = base64.b64encode(json.dumps({"url": URL}).encode()).decode()
    assert found(post(STRUCTURED, event(data_base64=encoded))) == [ASKED]
    assert why(found(post(STRUCTURED, event(data_base64="!")))) == "The CloudEvent's data_base64 is not base64."
    assert "has no data" in why(found(post(STRUCTURED, event(data_base64=5))))


def test_the_batched_mode_has_many_and_each_stands_for_itself() -> None:
    events = [event({"url": URL}), 5, event({"url": URL}, id=""), event({"url": "s3://b/k"}, id="c-2")]
    split = cloudevent.split(post(BATCHED, events))
    assert [name for name, _ in split] == ["//mine#c-1", "", "", "//mine#c-2"]
    assert split[0][1] == [ASKED]
    assert why(split[1][1]) == "The CloudEvent is not a JSON object."
    assert why(split[2][1]).startswith("The CloudEvent has no id")
    assert split[3][1] == [Request("c-2", url="s3://b/k", version="//mine#c-2")]
    assert cloudevent.split(post(BATCHED, [])) == []


def test_one_in_the_batched_mode_and_many_in_the_structured() -> None:
    assert found(post(BATCHED, event({"url": URL}))) == [ASKED]
    assert why(found(post(STRUCTURED, [event({"url": URL})]))) == "The CloudEvent is not a JSON object."


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 100_000])
@pytest.mark.parametrize("headers", [STRUCTURED, BATCHED])
def test_what_is_no_json_is_not_valid(headers: dict[str, str], body: bytes) -> None:
    assert cloudevent.split(post(headers, body))[0][0] == ""
    assert why(found(post(headers, body))) == "The CloudEvent is not valid JSON."


@pytest.mark.parametrize("name", envelopes.NAMES)
@pytest.mark.parametrize("value", [None, "", 5])
def test_an_attribute_that_is_missing_is_named(name: str, value: Any) -> None:
    told = why(cloudevent.read({**NEEDED, name: value}, {"url": URL}))
    assert told == f"The CloudEvent has no {name}; it needs id, source, type, specversion."


# --- the types ---

GCS = {"bucket": "photos", "name": "a b.jpg", "generation": "158"}
GRID = {"url": "https://acct.blob.core.windows.net/c/a.jpg", "eTag": "0x8D"}
S3 = {"bucket": {"name": "photos"}, "object": {"key": "a+b.jpg", "version-id": "v1"}}
PUSHED = {"messageId": "p-1", "data": base64.b64encode(URL.encode()).decode()}
AUDITED = {
    "insertId": "i-1",
    "protoPayload": {"methodName": "storage.objects.create", "resourceName": "projects/_/buckets/b/objects/k"},
}
TYPES: dict[str, tuple[Any, list[Request]]] = {
    "google.cloud.storage.object.v1.finalized": (
        GCS,
        [Request("c-1", url="gs://photos/a b.jpg", version="158", pin="version")],
    ),
    "google.cloud.storage.object.v1.deleted": (GCS, []),
    "Microsoft.Storage.BlobCreated": (GRID, [Request("c-1", url=GRID["url"], version="0x8D")]),
    "Microsoft.Storage.BlobDeleted": (GRID, []),
    "Microsoft.EventGrid.SubscriptionDeletedEvent": ({}, []),
    "google.cloud.pubsub.topic.v1.messagePublished": (
        {"message": PUSHED, "subscription": "s"},
        [Request("p-1", url=URL, version="p-1")],
    ),
    "google.cloud.audit.log.v1.written": (AUDITED, [Request("c-1", url="gs://b/k", version="i-1")]),
    "com.amazon.s3.Object Created": (
        S3,
        [Request("c-1", url="s3://photos/a+b.jpg", version="v1", pin="version")],
    ),
    "mine.Object Created": ({"url": URL}, [ASKED]),
    "mine.notification": (
        {"kind": "storage#object", **GCS},
        [Request("c-1", url="gs://photos/a b.jpg", version="158", pin="version")],
    ),
}


@pytest.mark.parametrize("kind", TYPES)
def test_every_type_asks_for_what_it_says_in_every_mode(kind: str) -> None:
    data, requests = TYPES[kind]
    assert found(binary(data, type=kind)) == requests
    assert found(post(STRUCTURED, event(data, type=kind))) == requests
    encoded = base64.b64encode(json.dumps(data).encode()).decode()
    assert found(post(STRUCTURED, event(type=kind, data_base64=encoded))) == requests
    assert found(post(BATCHED, [event(data, type=kind)])) == requests


@pytest.mark.parametrize(
    ("kind", "data", "told"),
    [
        ("google.cloud.storage.object.v1.finalized", None, "The Cloud Storage event names no bucket and object."),
        ("Microsoft.Storage.BlobCreated", None, "The BlobCreated event has no data.url."),
        ("google.cloud.pubsub.topic.v1.messagePublished", "text", "The push holds no Pub/Sub message."),
        (
            "com.amazon.s3.Object Created",
            {"object": 5},
            "The event names no bucket and object: detail.bucket.name",
        ),
        ("mine", None, "The CloudEvent of the type 'mine' has no data that says what to classify."),
        ("m" * 99, None, f"The CloudEvent of the type {'m' * 60!r} has no data"),
        ("mine", "a cat", "The message is neither a URL nor JSON"),
        ("mine", {"link": URL}, "'link' is not known"),
    ],
)
def test_a_type_whose_data_is_another_says_what_is_wrong(kind: str, data: Any, told: str) -> None:
    assert why(cloudevent.read({**NEEDED, "type": kind}, data)).startswith(told)


def test_a_body_that_is_no_json_is_read_as_text() -> None:
    assert why(found(binary(b"\xff\xfe", "image/jpeg"))).startswith("The message is neither a URL nor JSON")
    assert why(found(binary(b"[" * 100_000))).startswith("The message is neither a URL nor JSON")
    assert "has no data" in why(found(binary(b"")))


def test_a_cloudevent_in_a_cloudevent_is_opened_to_a_depth() -> None:
    inner: Any = {"url": URL}
    for _ in range(10):
        inner = event(inner)
    assert "envelopes, one in the other" in why(found(post(STRUCTURED, inner)))
    assert found(post(STRUCTURED, event(event({"url": URL}, id="c-2")))) == [
        Request("c-2", url=URL, version="//mine#c-2")
    ]


def test_an_id_is_unique_within_its_source_only() -> None:
    """Two sources may give the same: what they ask for is recorded apart."""
    one, other = (found(post(STRUCTURED, event({"url": URL}, source=source)))[0] for source in ("//a", "//b"))
    assert isinstance(one, Request)
    assert isinstance(other, Request)
    assert (one.version, other.version) == ("//a#c-1", "//b#c-1")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.sampled_from([*TYPES, "1.0", URL, "e30="]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*NEEDED, "data", "data_base64", "message", "url"]), inner, max_size=6)
    ),
    max_leaves=15,
)


@given(JSON, st.sampled_from([STRUCTURED, BATCHED]))
def test_no_json_makes_it_raise(body: Any, headers: dict[str, str]) -> None:
    for name, parts in cloudevent.split(post(headers, body)):
        assert isinstance(name, str)
        assert all(isinstance(one, Request | InvalidRequest) for one in parts)


@given(st.sampled_from([*TYPES, "mine"]), st.binary() | JSON.map(lambda value: json.dumps(value).encode()))
def test_no_body_makes_it_raise(kind: str, body: bytes) -> None:
    assert all(isinstance(one, Request | InvalidRequest) for one in found(binary(body, type=kind)))


@pytest.mark.parametrize(
    "data", ["https://h.example/x", ["https://h.example/x"], {"urls": ["https://h.example/x"]}]
)
def test_the_same_id_of_two_sources_is_two_events(data: Any) -> None:
    found = [
        cloudevent.read({"id": "1", "source": source, "type": "x", "specversion": "1.0"}, data)
        for source in ("a", "b")
    ]
    first, second = (one for inner in found for one in inner)
    assert isinstance(first, Request)
    assert isinstance(second, Request)
    assert first.version != second.version
    assert first.version.startswith("a#1")


def test_a_batch_has_a_thousand_events_at_most() -> None:
    body = json.dumps([{}] * 1001).encode()
    ((_, found),) = cloudevent.split(HttpRequest("POST", "/", "", {"content-type": cloudevent.BATCHED}, body))
    assert "1,001 events" in str(found[0])
