"""Service Bus messages and Event Hubs events, one or many, in the terms of the host's messages."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from mlserverless.local.azure.batches import event_hub, service_bus

NOW = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
ONE, MANY = {"type": "t", "eventHubName": "h"}, {"type": "t", "eventHubName": "h", "cardinality": "MANY"}
ZONELESS = {"json": '"2030-01-02T03:04:05"'}


def value(typed: dict[str, Any]) -> Any:
    """What azure-functions makes of it."""
    ((kind, held),) = typed.items()
    return json.loads(held) if kind == "json" else held[kind.partition("_")[2]] if "_" in kind else held


def test_message_is_at_its_first_delivery() -> None:
    data, metadata = service_bus(ONE, "hello", {}, NOW)
    assert data == {"string": "hello"}
    assert metadata["DeliveryCount"] == {"json": "1"}
    assert metadata["EnqueuedTimeUtc"] == ZONELESS
    assert value(metadata["EnqueuedTime"]) == "2030-01-02T03:04:05+00:00"
    assert value(metadata["ExpiresAtUtc"]) == "2030-01-16T03:04:05"
    assert metadata["UserProperties"] == metadata["ApplicationProperties"] == {"json": "{}"}
    # A message without them has none, as the host leaves out what is null.
    assert not {"ContentType", "Subject", "Label", "SessionId"} & set(metadata)


def test_messages_are_told_apart() -> None:
    first, second = (service_bus(ONE, "", {}, NOW)[1] for _ in range(2))
    assert len(first["MessageId"]["string"]) == 32
    assert first["MessageId"] != second["MessageId"]
    assert value(second["SequenceNumber"]) == value(first["SequenceNumber"]) + 1


def test_message_is_what_the_caller_says() -> None:
    said = {
        "MessageId": "m",
        "DeliveryCount": 3,
        "ContentType": "application/json",
        "LockToken": None,
        "UserProperties": {"a": 1},
        "Subject": "s",
    }
    data, metadata = service_bus(ONE | {"dataType": "BINARY", "cardinality": "ONE"}, {"url": "u"}, said, NOW)
    assert data == {"bytes": b'{"url": "u"}'}
    assert metadata["MessageId"] == {"string": "m"}
    assert metadata["DeliveryCount"] == {"json": "3"}
    assert "LockToken" not in metadata
    assert metadata["Label"] == metadata["Subject"] == {"string": "s"}
    assert metadata["ApplicationProperties"] == metadata["UserProperties"] == {"json": '{"a": 1}'}


def test_many_messages_have_an_array_each() -> None:
    said = {"MessageId": ["a", "b"], "SequenceNumberArray": [8, 9], "ContentType": "text/plain", "To": [None, "x"]}
    data, metadata = service_bus(MANY, ["one", {"two": 2}], said, NOW)
    assert data == {"collection_string": {"string": ["one", '{"two": 2}']}}
    assert metadata["MessageIdArray"] == {"collection_string": {"string": ["a", "b"]}}
    assert metadata["SequenceNumberArray"] == {"collection_sint64": {"sint64": [8, 9]}}
    assert value(metadata["ContentTypeArray"]) == ["text/plain", "text/plain"]
    assert value(metadata["ToArray"]) == [None, "x"]
    assert metadata["UserPropertiesArray"] == {"json": "[{}, {}]"}
    assert [name for name in metadata if not name.endswith("Array")] == []


def test_event_alone() -> None:
    data, metadata = event_hub(ONE, "hello", {"SystemProperties": {"iothub-x": "1"}, "Offset": 12}, NOW)
    assert data == {"string": "hello"}
    number = value(metadata["SequenceNumber"])
    assert metadata["EnqueuedTimeUtc"] == ZONELESS
    assert metadata["Offset"] == metadata["OffsetString"] == {"string": "12"}
    assert value(metadata["SystemProperties"]) == {
        "SequenceNumber": number,
        "PartitionKey": None,
        "EnqueuedTimeUtc": "2030-01-02T03:04:05",
        "Offset": 12,
        "OffsetString": "12",
        "iothub-x": "1",
    }
    assert metadata["PartitionContext"] == metadata["TriggerPartitionContext"]
    assert value(metadata["PartitionContext"]) == {
        "FullyQualifiedNamespace": "local.servicebus.windows.net",
        "EventHubName": "h",
        "ConsumerGroup": "$Default",
        "PartitionId": "0",
    }
    assert "PartitionKey" not in metadata


def test_events_of_a_batch() -> None:
    said = {
        "SequenceNumber": [7, 8],
        "EnqueuedTimeUtc": ["2031-01-01T00:00:00Z", "2031-01-01T00:00:01Z"],
        "Offset": "geo:1",
        "PartitionKey": ["a", None],
        "PartitionContext": {"PartitionId": "3"},
        "PropertiesArray": [{"p": 1}, {}],
    }
    data, metadata = event_hub(MANY | {"dataType": "BINARY"}, ["é", "two"], said, NOW)
    assert data == {"collection_bytes": {"bytes": ["é".encode(), b"two"]}}
    assert value(metadata["PartitionContext"])["PartitionId"] == "3"
    assert value(metadata["PropertiesArray"]) == [{"p": 1}, {}]
    assert value(metadata["SequenceNumberArray"]) == [7, 8]
    first, second = value(metadata["SystemPropertiesArray"])
    assert first == {
        "SequenceNumber": 7,
        "PartitionKey": "a",
        "EnqueuedTimeUtc": "2031-01-01T00:00:00Z",
        "Offset": -1,
        "OffsetString": "geo:1",
    }
    assert (second["SequenceNumber"], second["PartitionKey"]) == (8, None)


def test_what_is_no_list_is_a_batch_of_one() -> None:
    data, metadata = event_hub(MANY, "[1]", {}, NOW)
    assert data == {"collection_string": {"string": ["[1]"]}}
    assert len(value(metadata["SystemPropertiesArray"])) == 1
    assert event_hub(ONE, ["a", "b"], {}, NOW)[0] == {"string": '["a", "b"]'}


@pytest.mark.parametrize(
    ("given", "said", "words"),
    [
        ([], {}, "a batch has one message at least"),
        (["a", "b"], {"MessageId": ["m"]}, '"metadata" has 1 of MessageId and the batch has 2 messages'),
        (["a"], {"SystemProperties": ["x"]}, "SystemProperties must be a JSON object"),
        (["a"], {"PartitionContext": "x"}, "PartitionContext must be a JSON object"),
    ],
)
def test_batch_that_cannot_be_one_is_told_why(given: object, said: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        event_hub(MANY, given, said, NOW)
