"""What a message asks for, whatever carried it: known shapes, envelopes in envelopes, and what is none of them."""

import base64
import json
from typing import Any

import pytest

from mlserverless.errors import InvalidRequest
from mlserverless.events import Found, decode, message, parts
from mlserverless.types import Options, Request

URL = "https://h.example/a.jpg?sig=1"
S3 = {
    "eventSource": "aws:s3",
    "eventName": "ObjectCreated:Put",
    "s3": {"bucket": {"name": "photos"}, "object": {"key": "a+b%2Fc%C3%A9.jpg", "eTag": "e1"}},
    "responseElements": {"x-amz-request-id": "R1"},
}
S3_REQUEST = Request("R1", url="s3://photos/a b/cé.jpg", version="e1", pin="etag")
BRIDGE = {
    "id": "b-1",
    "source": "aws.s3",
    "detail-type": "Object Created",
    "detail": {"bucket": {"name": "photos"}, "object": {"key": "a+b%2F.jpg", "etag": "e2"}},
}
BRIDGE_REQUEST = Request("b-1", url="s3://photos/a+b%2F.jpg", version="e2", pin="etag")
GRID = {
    "id": "g-1",
    "eventType": "Microsoft.Storage.BlobCreated",
    "data": {"url": "https://acct.blob.core.windows.net/c/a%20b.jpg", "eTag": "0x8D"},
}
GRID_REQUEST = Request("g-1", url="https://acct.blob.core.windows.net/c/a%20b.jpg", version="0x8D")
GCS = {"kind": "storage#object", "bucket": "photos", "name": "a b+c.jpg", "generation": "158"}
GCS_REQUEST = Request("m", url="gs://photos/a b+c.jpg", version="158", pin="version")
CLOUD = {"specversion": "1.0", "id": "c-1", "source": "s", "type": "t", "data": {"url": URL}}
CLOUD_REQUEST = Request("c-1", url=URL, version="s#c-1")


def encoded(value: Any) -> str:
    return base64.b64encode(value if isinstance(value, bytes) else json.dumps(value).encode()).decode()


def sns(inner: Any, name: str = "n-1") -> dict[str, Any]:
    text = inner if isinstance(inner, str) else json.dumps(inner)
    return {"Type": "Notification", "TopicArn": "arn:aws:sns:r:1:t", "MessageId": name, "Message": text}


def pubsub(name: str = "p-1", **held: Any) -> dict[str, Any]:
    return {"subscription": "projects/p/subscriptions/s", "message": {"messageId": name, **held}}


def read(payload: Any) -> list[Found]:
    return message.read(payload, "m")


def told(found: list[Found]) -> str:
    """Return why the one part found asks for nothing that can be told."""
    (one,) = found
    assert type(one) is InvalidRequest, one
    return str(one)


PLAIN = Request("m", url=URL, version="m")


def named(name: str) -> list[Request]:
    """Return the request for the one URL that the message called ``name`` makes."""
    return [Request(name, url=URL, version=name)]


SHAPES: dict[str, tuple[Any, list[Request]]] = {
    "url": ({"url": URL}, [PLAIN]),
    "options": ({"url": URL, "top_k": 2}, [PLAIN._replace(options=Options(top_k=2))]),
    "urls": (
        {"urls": [URL, "s3://b/k"]},
        [Request(f"m/{at}", url=url, version="m") for at, url in ((0, URL), (1, "s3://b/k"))],
    ),
    "s3": ({"Records": [S3]}, [S3_REQUEST]),
    "s3 test": ({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "photos"}, []),
    "sns of s3": (sns({"Records": [S3]}), [S3_REQUEST]),
    "sns of a url": (sns(URL), named("n-1")),
    "sns event": ({"Records": [{"EventSource": "aws:sns", "Sns": sns({"url": URL})}]}, named("n-1")),
    "eventbridge": (BRIDGE, [BRIDGE_REQUEST]),
    "eventbridge of ours": (
        {"id": "b-2", "source": "mine", "detail-type": "x", "detail": {"url": URL}},
        named("b-2"),
    ),
    "event grid": (GRID, [GRID_REQUEST]),
    "event grid of ours": ({"id": "g-2", "eventType": "Mine", "data": {"url": URL}}, named("g-2")),
    "event grid's own": ({"eventType": "Microsoft.EventGrid.SubscriptionDeletedEvent", "data": {}}, []),
    "blob deleted": ({**GRID, "eventType": "Microsoft.Storage.BlobDeleted"}, []),
    "cloud storage": (GCS, [GCS_REQUEST]),
    "cloudevent": (CLOUD, [CLOUD_REQUEST]),
    "pubsub of json": (pubsub(data=encoded({"url": URL})), named("p-1")),
    "pubsub of a url": (pubsub(data=encoded(URL.encode())), named("p-1")),
    "pubsub of cloud storage": (
        pubsub(
            attributes={
                "bucketId": "photos",
                "objectId": "a b+c.jpg",
                "objectGeneration": "158",
                "eventType": "OBJECT_FINALIZE",
            }
        ),
        [GCS_REQUEST._replace(id="p-1")],
    ),
    "pubsub of a removal": (
        pubsub(
            attributes={"bucketId": "photos", "objectId": "a", "eventType": "OBJECT_DELETE"}, data=encoded(GCS)
        ),
        [],
    ),
    "pubsub of attributes": (
        pubsub(attributes={"url": URL, "labels_deny": "cat, dog"}),
        [Request("p-1", url=URL, version="p-1", options=Options(labels_deny=("cat", "dog")))],
    ),
    "nothing": ([], []),
    "no records": ({"Records": []}, []),
}


@pytest.mark.parametrize("name", SHAPES)
def test_every_known_shape_asks_for_what_it_says(name: str) -> None:
    payload, requests = SHAPES[name]
    assert read(payload) == requests


@pytest.mark.parametrize("name", SHAPES)
def test_a_shape_means_the_same_as_text_bytes_and_json_in_json(name: str) -> None:
    payload, requests = SHAPES[name]
    text = json.dumps(payload, ensure_ascii=False)
    assert read(text) == read(text.encode()) == requests
    assert [one.url for one in read(json.dumps(text)) if isinstance(one, Request)] == [one.url for one in requests]


@pytest.mark.parametrize("name", [name for name in SHAPES if "sns event" not in name])
def test_a_shape_means_the_same_in_an_envelope(name: str) -> None:
    payload, requests = SHAPES[name]
    wrapped = (
        sns(payload),
        pubsub(data=encoded(payload)),
        {"source": "mine", "detail-type": "x", "detail": payload},
        {"eventType": "Mine", "data": payload},
        {**CLOUD, "data": payload},
        [payload],
    )
    for envelope in wrapped:
        found = read(envelope)
        assert [one.url if isinstance(one, Request) else one for one in found] == [one.url for one in requests]


@pytest.mark.parametrize("text", [URL, f"  {URL}\n", "S3://photos/k", "gs://b/a", "az://c/a", "HTTP://h/"])
def test_a_url_alone_is_a_message(text: str) -> None:
    assert read(text) == read(text.encode()) == [Request("m", url=text.strip(), version="m")]


@pytest.mark.parametrize(
    "text", ["ftp://h/a", "a cat", f"{URL} {URL}", "", "\xff", "h.example/a.jpg", "{", "s3:/a"]
)
def test_a_text_that_is_no_url_and_no_json_is_not_valid(text: str) -> None:
    assert told(read(text)).startswith('The message is neither a URL nor JSON; expected is {"url":')


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        (None, "The message is NoneType in JSON"),
        (5, "The message is int in JSON"),
        (True, "The message is bool in JSON"),
        ({}, "Give either url or urls"),
        ({"url": URL, "urls": [URL]}, "Give either url or urls"),
        ({"url": 5}, "A url is a text that is not empty; here it is int"),
        ({"url": ""}, "A url is a text that is not empty"),
        ({"urls": []}, "urls is a list of 0"),
        ({"url": URL, "top_k": 0}, "top_k is 0, which is not accepted"),
        ({"url": URL, "link": 1}, "'link' is not known"),
        ({"Records": [5]}, "The record is neither of S3 nor of SNS"),
        ({"Records": [{"eventSource": "aws:kinesis"}]}, "The record is neither of S3 nor of SNS"),
        ({"Records": [{"eventSource": "aws:s3"}]}, "The S3 record names no bucket and object"),
        ({"Records": [{"EventSource": "aws:sns"}]}, "The SNS envelope holds no Message"),
        ({"TopicArn": "t", "Message": {}}, "The SNS envelope holds no Message"),
        ({"specversion": "1.0"}, "The CloudEvent has no id"),
        ({"detail-type": "x", "detail": None}, "The message is NoneType in JSON"),
        ({"eventType": "Mine", "data": 7}, "The message is int in JSON"),
        ({**GRID, "data": {}}, "The BlobCreated event has no data.url"),
        ({"kind": "storage#object"}, "The Cloud Storage event names no bucket and object"),
        (pubsub(), "The Pub/Sub message has no data, and its attributes name no object"),
        (pubsub(data="", attributes={"camera": "left"}), "The Pub/Sub message has no data"),
        (pubsub(data="!"), "The Pub/Sub message's data is not base64"),
        (pubsub(data={}), "The Pub/Sub message has no data"),
        (pubsub(data={"a": 1}), "The Pub/Sub message's data is not base64"),
        (pubsub(data="é"), "The Pub/Sub message's data is not base64"),
        ({"message": "text", "subscription": "s"}, "'message' is not known"),
    ],
)
def test_what_is_none_of_them_says_what_is_wrong(payload: Any, why: str) -> None:
    assert told(read(payload)).startswith(why)


@pytest.mark.parametrize("records", ["x", None, 5, {}, {"eventSource": "aws:s3"}])
def test_records_that_are_no_list_are_not_valid(records: Any) -> None:
    """A message that cannot be read must not be acknowledged as one that asks for nothing."""
    told(read({"Records": records}))


def test_what_is_wrong_is_found_for_that_part_alone() -> None:
    bad = {"eventSource": "aws:s3", "s3": {}}
    found = read({"Records": [S3, bad, {**S3, "responseElements": None}]})
    assert [type(one) for one in found] == [Request, InvalidRequest, Request]
    assert found[2] == S3_REQUEST._replace(id="m/2")
    found = read([{"url": URL}, 5, {"urls": [URL, None]}])
    assert [type(one) for one in found] == [Request, InvalidRequest, Request, InvalidRequest]
    assert [one.id for one in found if isinstance(one, Request)] == ["m/0", "m/2/0"]


def test_removals_among_others_ask_for_nothing() -> None:
    gone = {**S3, "eventName": "ObjectRemoved:Delete"}
    assert read({"Records": [gone, S3]}) == [S3_REQUEST]


def test_s3_in_sns_in_a_queues_body() -> None:
    assert read(json.dumps(sns({"Records": [S3]}))) == [S3_REQUEST]


def test_a_cloudevents_base64_is_its_data() -> None:
    event = {**CLOUD, "data_base64": encoded({"url": URL})}
    del event["data"]
    assert read(event) == [CLOUD_REQUEST]
    assert "data_base64 is not base64" in told(read({**event, "data_base64": "!"}))


@pytest.mark.parametrize("own", [None, "", 5, ["x"]])
def test_an_envelope_without_an_id_of_its_own_has_the_messages(own: Any) -> None:
    assert read({**sns(URL), "MessageId": own}) == [PLAIN]
    assert read({"id": own, "detail-type": "x", "detail": {"url": URL}}) == [PLAIN]
    assert read({"id": own, "eventType": "Mine", "data": {"url": URL}}) == [PLAIN]
    assert message.pubsub({"messageId": own, "data": encoded({"url": URL})}, "m") == [PLAIN]


def test_a_pubsub_messages_id_has_two_spellings() -> None:
    assert message.pubsub({"message_id": "p-2", "data": encoded(URL.encode())}, "m") == [
        Request("p-2", url=URL, version="p-2")
    ]
    assert told(message.pubsub(None, "m")) == "The push holds no Pub/Sub message."


def nested(depth: int) -> Any:
    inner: Any = {"url": URL}
    for _ in range(depth):
        inner = sns(inner)
    return inner


def test_envelopes_are_opened_to_a_depth() -> None:
    assert [one.url for one in read(nested(5)) if isinstance(one, Request)] == [URL]
    assert told(read(nested(6))) == "The message has more than 5 envelopes, one in the other."


@pytest.mark.parametrize(
    "wrap",
    [
        lambda inner: [inner],
        lambda inner: json.dumps(inner),
        lambda inner: {"detail-type": "x", "detail": inner},
        lambda inner: {"eventType": "Mine", "data": inner},
        lambda inner: {**CLOUD, "data": inner},
        lambda inner: pubsub(data=encoded(inner)),
    ],
)
def test_no_kind_of_envelope_goes_on_for_ever(wrap: Any) -> None:
    inner: Any = {"url": URL}
    for _ in range(12):
        inner = wrap(inner)
    told(read(inner))


def test_a_list_that_is_longer_than_is_taken_is_not_cut_in_silence() -> None:
    """What is acknowledged and not recorded is lost."""
    found = read([{"url": URL}] * (message.MOST_URLS + 1))
    assert [one for one in found if isinstance(one, InvalidRequest)]
    told(read({"urls": [URL] * (message.MOST_URLS + 1)}))
    told(read([{"urls": [URL] * (message.MOST_URLS - 1)}, URL, URL]))
    assert len(read([{"url": URL}] * message.MOST_URLS)) == message.MOST_URLS


@pytest.mark.parametrize("place", ["[", '{"url":', '{"url":"s3://b/k","top_k":', '{"eventType":1,"data":'])
def test_what_is_nested_beyond_what_python_takes_is_not_valid(place: str) -> None:
    """At every depth: JSON's parser gives up a little later than what shows its values in an error."""
    end = "}" if place[0] == "{" else "]"
    for depth in (*range(850, 1000), 100_000):
        for found in read(place + "[" * depth + "]" * depth + end):
            assert isinstance(found, InvalidRequest)


def test_parts_keep_what_the_message_is_acknowledged_by() -> None:
    bad = InvalidRequest("no")
    made = parts("receipt", [PLAIN, bad])
    assert [(one.message, one.found) for one in made] == [("receipt", PLAIN), ("receipt", bad)]
    assert decode(made[0]) == PLAIN
    with pytest.raises(InvalidRequest, match=r"^no$"):
        decode(made[1])


def test_one_message_asks_for_a_thousand_images_at_most() -> None:
    """Or one of 256 KB could keep a function busy for a day."""
    for given in ({"Records": [{}] * 80_000}, [URL] * 1001, [{"urls": [URL] * 600}] * 2, {"Records": [S3] * 1001}):
        (found,) = message.read(given, "m")
        assert isinstance(found, InvalidRequest)
    assert len(message.read([URL] * 1000, "m")) == 1000
