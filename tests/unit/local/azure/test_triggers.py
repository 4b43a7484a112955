"""What a trigger brings to its function, in the terms of the host's messages."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from mlserverless.local.azure.triggers import admin_data, blob_data, trigger_data
from mlserverless.web.http import HttpRequest

NOW = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
QUEUE, GRID, TIMER = {"type": "queueTrigger"}, {"type": "eventGridTrigger"}, {"type": "timerTrigger"}


@pytest.mark.parametrize(
    ("uri", "name"),
    [
        ("https://acc.blob.core.windows.net/images/a/b%20c.jpg", "images/a/b c.jpg"),
        ("https://acc.blob.core.windows.net/images/a.jpg?sv=1", "images/a.jpg"),
        ("http://127.0.0.1:10000/devstoreaccount1/images/a.jpg", "images/a.jpg"),
        ("http://localhost:10000/devstoreaccount1/images/a.jpg", "images/a.jpg"),
    ],
)
def test_blob_is_named_by_its_address(uri: str, name: str) -> None:
    data, metadata = blob_data(uri, b"\xff\xd8", "image/jpeg", NOW)
    assert data == {"bytes": b"\xff\xd8"}
    assert metadata["BlobTrigger"] == {"string": name}
    assert json.loads(metadata["Uri"]["json"]) == uri
    assert json.loads(metadata["Properties"]["json"]) == {
        "ContentLength": 2,
        "ContentType": "image/jpeg",
        "LastModified": "2030-01-02T03:04:05+00:00",
    }


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "images/a.jpg",
        "https://acc.blob.core.windows.net/images",
        "http://127.0.0.1:10000/acc/images",
        "s3://b/k/x",
    ],
)
def test_address_without_a_blob_is_refused(uri: str) -> None:
    with pytest.raises(ValueError, match="is no blob's address"):
        blob_data(uri, b"", "image/png", NOW)


def test_queue_message_is_at_its_first_delivery_unless_the_caller_says_otherwise() -> None:
    data, metadata = admin_data(QUEUE, "hello", {}, NOW)
    assert data == {"string": "hello"}
    assert metadata["DequeueCount"] == {"json": "1"}
    assert json.loads(metadata["InsertionTime"]["json"]) < json.loads(metadata["NextVisibleTime"]["json"])
    said = {"Id": "7", "DequeueCount": "3", "PopReceipt": None, "More": {"a": 1}}
    _, other = admin_data(QUEUE, "", said, NOW)
    assert (other["Id"], other["DequeueCount"]) == ({"string": "7"}, {"string": "3"})
    assert other["More"] == {"json": '{"a": 1}'}
    assert set(metadata) - set(other) == {"PopReceipt"}


def test_queue_message_is_text_or_json_or_bytes() -> None:
    assert admin_data(QUEUE, {"url": "é"}, {}, NOW)[0] == {"string": '{"url": "\\u00e9"}'}
    assert admin_data(QUEUE | {"dataType": "BINARY"}, "é", {}, NOW)[0] == {"bytes": b"\xc3\xa9"}


@pytest.mark.parametrize("event", [{"id": "1", "eventType": "E"}, {"specversion": "1.0", "id": "1"}])
def test_event_passes_as_it_is(event: dict[str, str]) -> None:
    assert admin_data(GRID, event, {}, NOW) == ({"json": json.dumps(event)}, {})
    assert admin_data(GRID, json.dumps(event), {"a": "b"}, NOW) == (
        {"json": json.dumps(event)},
        {"a": {"string": "b"}},
    )


@pytest.mark.parametrize("event", ["", "text", [{"id": "1"}], '"x"'])
def test_what_is_no_event_is_refused(event: object) -> None:
    with pytest.raises(ValueError, match="must be an event, a JSON object"):
        admin_data(GRID, event, {}, NOW)


def record(given: object, metadata: dict[str, Any]) -> dict[str, Any]:
    data, nothing = admin_data(TIMER, given, metadata, NOW)
    assert nothing == {}
    found: dict[str, Any] = json.loads(data["json"])
    return found


def test_timer_is_due_now_unless_the_caller_says_otherwise() -> None:
    now = NOW.isoformat()
    plain = {
        "Schedule": {},
        "ScheduleStatus": {"Last": now, "Next": now, "LastUpdated": now},
        "IsPastDue": False,
    }
    assert record("", {}) == record("whatever", {}) == plain
    assert record({"IsPastDue": True, "Schedule": {"AdjustForDST": True}}, {}) == plain | {
        "IsPastDue": True,
        "Schedule": {"AdjustForDST": True},
    }
    status = record({"ScheduleStatus": {"Next": "a", "Last": "b"}}, {"Next": "c"})["ScheduleStatus"]
    assert status == {"Last": "b", "Next": "c", "LastUpdated": now}
    assert record("", {"ScheduleStatus": {"Next": "d"}})["ScheduleStatus"]["Next"] == "d"
    with pytest.raises(ValueError, match="ScheduleStatus must be a JSON object"):
        record({"ScheduleStatus": "e"}, {})


def test_unknown_trigger_receives_the_text_and_the_callers_metadata() -> None:
    binding = {"type": "kafkaTrigger"}
    assert admin_data(binding, "x", {"Key": "k"}, NOW) == ({"string": "x"}, {"Key": {"string": "k"}})


JSON = {"content-type": "application/json"}
BLOB = {"x-blob-uri": "https://acc.blob.core.windows.net/images/a.jpg", "content-type": "image/jpeg"}


def post(kind: str, body: bytes, headers: dict[str, str]) -> tuple[dict[str, Any], dict[str, Any]]:
    return trigger_data("f", {"type": kind}, HttpRequest("POST", "/admin/functions/f", "", headers, body), NOW)


def test_request_becomes_the_triggers_data() -> None:
    data, metadata = post("queueTrigger", b'{"input": "x", "metadata": {"Id": "7"}}', JSON)
    assert (data, metadata["Id"]) == ({"string": "x"}, {"string": "7"})
    properties = {"x-blob-properties": '{"ETag": "0x8D", "ContentType": "image/webp"}'}
    data, metadata = post("blobTrigger", b"\xff", BLOB | properties)
    assert data == {"bytes": b"\xff"}
    assert json.loads(metadata["Properties"]["json"]) == {
        "ContentLength": 1,
        "ContentType": "image/webp",
        "LastModified": "2030-01-02T03:04:05+00:00",
        "ETag": "0x8D",
    }


@pytest.mark.parametrize(
    ("kind", "body", "headers", "said"),
    [
        ("httpTrigger", b"{}", JSON, "ask its own route"),
        ("queueTrigger", b"", JSON, "the body must be a JSON object"),
        ("queueTrigger", b"\xff", JSON, "the body must be a JSON object"),
        ("queueTrigger", b'"x"', JSON, "the body must be a JSON object"),
        ("queueTrigger", b'{"metadata": []}', JSON, '"metadata" must be a JSON object'),
        ("blobTrigger", b"x", {}, "X-Blob-Uri"),
        ("blobTrigger", b"{}", BLOB | JSON, "other than application/json"),
        ("blobTrigger", b"x", BLOB | {"x-blob-properties": "[]"}, "X-Blob-Properties must be a JSON object"),
    ],
)
def test_request_that_cannot_be_one_is_told_why(
    kind: str, body: bytes, headers: dict[str, str], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        post(kind, body, headers)
