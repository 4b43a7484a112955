"""One message, whatever carried it -> what it asks for.

Known are: a URL alone; ``{"url": …}`` or ``{"urls": […]}`` with options; S3 notifications; SNS envelopes;
EventBridge events; Event Grid events; Cloud Storage objects; CloudEvents in JSON; Pub/Sub messages; lists of all
these; and each of them inside an envelope.
"""

import json
from collections.abc import Mapping
from typing import Any

from mlserverless.errors import InvalidRequest, MlserverlessError
from mlserverless.events import Found, envelopes, known, objects
from mlserverless.net.url import STORES, WEB
from mlserverless.web import body

DEEPEST = 5  # envelopes in envelopes: S3 in SNS in SQS is three
MOST_URLS = 1000  # of one message; what the deadline does not leave time for is delivered again
EXAMPLE = body.EXAMPLE


def read(payload: Any, name: str, depth: int = 0) -> list[Found]:
    """Return what the message ``payload`` asks for: nothing, one request, or several; it never raises.

    ``payload`` is text, bytes or parsed JSON; ``name`` is the message's id. It is the request's id, and its
    version where the message names no object that has one.
    """
    try:
        found = _read(payload, name, depth)
    except RecursionError:  # a value so deep that it cannot even be shown
        found = [InvalidRequest(f"The message is nested too deeply; expected is {EXAMPLE}.")]
    if len(found) > MOST_URLS:
        found = [InvalidRequest(f"The message asks for more than {MOST_URLS:,} images; send several messages.")]
    return known(found, name)


def _read(payload: Any, name: str, depth: int) -> list[Found]:
    if depth > DEEPEST:
        return [InvalidRequest(f"The message has more than {DEEPEST} envelopes, one in the other.")]
    if isinstance(payload, bytes | str):
        text = payload.decode("utf-8", "replace") if isinstance(payload, bytes) else payload
        if text.strip().partition("://")[0].lower() in WEB + STORES and len(text.split()) == 1:
            return ask({"url": text.strip()}, name)
        try:
            payload = json.loads(text)
        except (ValueError, RecursionError):
            return [InvalidRequest(f"The message is neither a URL nor JSON; expected is {EXAMPLE}.")]
    if isinstance(payload, list):
        if len(payload) > MOST_URLS:
            return [InvalidRequest(f"The message is a list of {len(payload):,}; at most {MOST_URLS:,} are read.")]
        lists = [read(one, f"{name}/{at}", depth + 1) for at, one in enumerate(payload)]
        return [one for inner in lists for one in inner]
    if isinstance(payload, str) and depth < DEEPEST:
        return read(payload, name, depth + 1)
    if not isinstance(payload, dict):
        return [InvalidRequest(f"The message is {type(payload).__name__} in JSON; expected is {EXAMPLE}.")]
    return _object(payload, name, depth)


def ask(given: Mapping[str, Any], name: str) -> list[Found]:
    """Return the requests of ``{"url": …}`` or ``{"urls": […]}`` with options, as HTTP reads them."""
    try:
        asked = body.asked(dict(given), name, MOST_URLS)
    except MlserverlessError as error:
        return [error if isinstance(error, InvalidRequest) else InvalidRequest(str(error))]
    found: list[Found] = []
    for own, url in asked.items:
        try:
            found.append(asked.decode(url)._replace(id=own, version=name))
        except InvalidRequest as error:
            found.append(error)
    return found


def _object(given: dict[str, Any], name: str, depth: int) -> list[Found]:
    if given.get("Event") == "s3:TestEvent":
        return []
    if "Records" in given:
        return _records(given["Records"], name, depth)
    if "TopicArn" in given and "Message" in given:
        return sns(given, name, depth)
    if "specversion" in given:
        return envelopes.structured(given, depth, read)
    if "detail-type" in given and "detail" in given:
        return envelopes.eventbridge(given, name, depth, read)
    if "eventType" in given and "data" in given:
        return grid(given, name, depth)
    if given.get("kind") == "storage#object":
        return objects.cloud_storage(given, name)
    if isinstance(given.get("message"), dict) and ("subscription" in given or "messageId" in given["message"]):
        return pubsub(given["message"], name, depth)
    return ask(given, name)


def _records(records: Any, name: str, depth: int) -> list[Found]:
    if not isinstance(records, list):
        return [InvalidRequest("The message's Records are no list.")]
    found: list[Found] = []
    for at, record in enumerate(records[: MOST_URLS + 1]):
        own = f"{name}/{at}" if len(records) > 1 else name
        source = (record.get("eventSource") or record.get("EventSource")) if isinstance(record, dict) else None
        if source == "aws:sns":
            found += sns(record.get("Sns"), own, depth)
        elif source == "aws:s3":
            found += objects.s3_record(record, own)
        else:
            found.append(InvalidRequest("The record is neither of S3 nor of SNS."))
    return found


def sns(given: Any, name: str, depth: int = 0) -> list[Found]:
    """Return what the message in an SNS envelope asks for."""
    return envelopes.sns(given, name, depth, read)


def grid(event: Mapping[str, Any], name: str, depth: int = 0) -> list[Found]:
    """Return what an event in the Event Grid schema asks for."""
    return envelopes.grid(event, name, depth, read)


def pubsub(given: Any, name: str, depth: int = 0) -> list[Found]:
    """Return what a Pub/Sub message asks for."""
    return envelopes.pubsub(given, name, depth, read)
