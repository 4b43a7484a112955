"""Lambda's events."""

import json
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import quote_plus

from helpers.shapes import asked, base64_of, payload, whole
from mlserverless.testing.events import Message, Reply, Trigger

Event = dict[str, Any]


def s3(messages: Sequence[Message]) -> Event:
    (record,) = payload("aws/s3_put")["Records"]
    records = []
    for message in messages:
        place = record["s3"] | {"bucket": {"name": "images"}}
        place["object"] = {"key": quote_plus(message.name), "eTag": message.etag, "sequencer": message.id}
        told = {"responseElements": {"x-amz-request-id": message.id}}
        records.append({**record, **told, "s3": {} if message.malformed else place})
    return {"Records": records}


def eventbridge(messages: Sequence[Message]) -> Event:
    event, (message,) = payload("aws/eventbridge_s3_unversioned"), messages
    detail = event["detail"] | {"bucket": {"name": "images"}}
    detail["object"] = {} if message.malformed else {"key": message.name, "etag": message.etag}
    return event | {"id": message.id, "detail": detail}


def custom(messages: Sequence[Message]) -> Event:
    event, (message,) = payload("aws/eventbridge_custom"), messages
    detail = {} if message.malformed else {"url": message.url, **message.options}
    return event | {"id": message.id, "detail": detail}


def enveloped(message: Message, text: str) -> str:
    envelope = json.loads(payload("aws/sqs_sns")["Records"][0]["body"])
    return json.dumps(envelope | {"MessageId": message.id, "Message": text})


def sns(text: Callable[[Message], str]) -> Callable[[Sequence[Message]], Event]:
    def make(messages: Sequence[Message]) -> Event:
        event, (message,) = payload("aws/sns_url"), messages
        event["Records"][0]["Sns"] |= {"MessageId": message.id, "Message": text(message)}
        return event

    return make


def sqs(text: Callable[[Message], str]) -> Callable[[Sequence[Message]], Event]:
    def make(messages: Sequence[Message]) -> Event:
        (record,) = payload("aws/sqs")["Records"]
        return {"Records": [{**record, "messageId": one.id, "body": text(one)} for one in messages]}

    return make


def kinesis(messages: Sequence[Message]) -> Event:
    record = payload("aws/kinesis")["Records"][0]
    records = []
    for message in messages:
        data = {"data": base64_of(asked(message)), "sequenceNumber": message.id}
        records.append({**record, "kinesis": record["kinesis"] | data})
    return {"Records": records}


def reported(messages: Sequence[Message], reply: Reply) -> list[bool]:
    """Done is what the response does not name; of a stream Lambda redelivers what comes after, too."""
    if reply.raised:
        return [False] * len(messages)
    failed = {failure["itemIdentifier"] for failure in reply.value["batchItemFailures"]}
    assert failed <= {message.id for message in messages}, "an unknown identifier fails the whole batch"
    return [message.id not in failed for message in messages]


def s3_text(message: Message) -> str:
    return json.dumps(s3([message]))


def bare(message: Message) -> str:
    return "Hello!" if message.malformed else message.url


def bus_text(message: Message) -> str:
    return json.dumps(eventbridge([message]))


STORE = "s3://images"
QUEUE: dict[str, Any] = {"batch": 10, "partial": True}
TRIGGERS = (
    Trigger("S3 notification", s3, whole, STORE, batch=3),
    Trigger("S3 through EventBridge", eventbridge, whole, STORE),
    Trigger("EventBridge, custom event", custom, whole),
    Trigger("SNS, url", sns(asked), whole),
    Trigger("SNS, S3 notification", sns(s3_text), whole, STORE),
    Trigger("SQS, url with options", sqs(asked), reported, **QUEUE),
    Trigger("SQS, S3 notification", sqs(s3_text), reported, STORE, **QUEUE),
    Trigger("SQS, SNS envelope", sqs(lambda one: enveloped(one, asked(one))), reported, **QUEUE),
    Trigger("SQS, S3 in SNS", sqs(lambda one: enveloped(one, s3_text(one))), reported, STORE, **QUEUE),
    Trigger("SQS, S3 event of EventBridge", sqs(bus_text), reported, STORE, **QUEUE),
    Trigger("Kinesis", kinesis, reported, **QUEUE),
)
