"""Whatever a message holds, reading it does not raise, and says the same each time."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from mlserverless.errors import InvalidRequest
from mlserverless.events import Found, message
from mlserverless.types import Request

URL = "https://h.example/a.jpg?sig=1"


def read(payload: Any) -> list[Found]:
    return message.read(payload, "m")


KEYS = [
    *(
        "Records",
        "eventSource",
        "EventSource",
        "s3",
        "Sns",
        "bucket",
        "object",
        "key",
        "name",
        "Event",
        "TopicArn",
    ),
    *(
        "Message",
        "MessageId",
        "specversion",
        "id",
        "source",
        "type",
        "data",
        "data_base64",
        "detail-type",
        "detail",
    ),
    *("eventType", "kind", "message", "messageId", "subscription", "attributes", "bucketId", "objectId", "url"),
    *("urls", "eTag", "generation", "responseElements", "versionId", "eventName", "protoPayload", "resourceName"),
]
WORDS = [
    *("aws:s3", "aws:sns", "aws.s3", "Object Created", "storage#object", "Microsoft.Storage.BlobCreated", "1.0"),
    *("google.cloud.storage.object.v1.finalized", "google.cloud.pubsub.topic.v1.messagePublished", "s3:TestEvent"),
    *("google.cloud.audit.log.v1.written", "storage.objects.create", URL, "e30=", '{"url": 5}', "\ud800"),
]
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(WORDS)
ANY = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS) | st.text(), inner, max_size=6)
    ),
    max_leaves=25,
)


@given(ANY | st.binary())
def test_no_message_makes_it_raise(payload: Any) -> None:
    for found in read(payload):
        assert isinstance(found, Request | InvalidRequest)
    if not isinstance(payload, bytes):
        for found in read(json.dumps(payload)):
            assert isinstance(found, Request | InvalidRequest)


@given(ANY)
def test_the_same_message_asks_for_the_same_each_time(payload: Any) -> None:
    """Or a redelivery would be recorded again."""
    assert [one for one in read(payload) if isinstance(one, Request)] == [
        one for one in read(payload) if isinstance(one, Request)
    ]
