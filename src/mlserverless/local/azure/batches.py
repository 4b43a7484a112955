"""Service Bus messages and Event Hubs events as the host hands them to the worker, one or many at once, pure.

Which metadata there is, under which name and of which type, is what Microsoft's extensions for the host bind
(``ServiceBusTriggerBindingStrategy``, ``EventHubTriggerBindingStrategy``): by its name for one message, by its
name and ``Array`` for many. azure-functions tells the two apart by them, and not by the data.
"""

import uuid
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from itertools import count
from json import dumps
from typing import Any, TypeAlias

from mlserverless.local.azure.messages import Typed, typed

Trigger: TypeAlias = tuple[Typed, dict[str, Typed]]  # a trigger's data and its metadata

_CONTEXT = "PartitionContext"
_OLD_NAMES = (("ApplicationProperties", "UserProperties"), ("Subject", "Label"))
_sequence = count(1)  # one for all queues and hubs: no two messages of a process have the same number


def service_bus(binding: Mapping[str, Any], given: Any, metadata: Mapping[str, Any], now: datetime) -> Trigger:
    """Return the data and trigger metadata of ``given``: a message, or a list where ``binding`` takes many.

    Each is at its first delivery, unless ``metadata`` says otherwise; in a batch a list there has an entry for
    each message. Raises ValueError where it has not, and for an empty batch.
    """

    def message(said: Mapping[str, Any]) -> dict[str, Any]:
        expires = now + timedelta(days=14)
        known = {
            "MessageId": uuid.uuid4().hex,
            "SequenceNumber": next(_sequence),
            "DeliveryCount": 1,
            "LockToken": str(uuid.uuid4()),
            "EnqueuedTime": now,
            "EnqueuedTimeUtc": _zoneless(now),
            "ExpiresAt": expires,
            "ExpiresAtUtc": _zoneless(expires),
            "ApplicationProperties": {},
            **said,
        }
        for name, old in _OLD_NAMES:
            known[name] = known[old] = said.get(name, said.get(old, known.get(name)))
        return known

    return _packed(binding, given, metadata, message)


def event_hub(binding: Mapping[str, Any], given: Any, metadata: Mapping[str, Any], now: datetime) -> Trigger:
    """Return the data and trigger metadata of ``given``: an event, or a list where ``binding`` takes many.

    ``metadata`` is as for :func:`service_bus`; its ``SystemProperties`` and ``PartitionContext`` are merged into
    what is there. All events are of one partition, ``"0"`` unless ``PartitionContext`` says otherwise.
    """

    def event(said: Mapping[str, Any]) -> dict[str, Any]:
        number = next(_sequence)
        own: dict[str, Any] = {"EnqueuedTimeUtc": _zoneless(now), "PartitionKey": None, "Properties": {}}
        known = own | {"SequenceNumber": number, "Offset": number * 100, **said}
        offset = str(known["Offset"])
        system = {name: known[name] for name in ("SequenceNumber", "PartitionKey", "EnqueuedTimeUtc")}
        # The host's own two ways: a number here, -1 where it is none; a text beside it.
        system |= {"Offset": int(offset) if offset.isdecimal() else -1, "OffsetString": offset}
        known["SystemProperties"] = merged(system, said, "SystemProperties")
        return known | {"Offset": str(system["Offset"]), "OffsetString": offset}

    context = {
        "FullyQualifiedNamespace": "local.servicebus.windows.net",
        "EventHubName": binding.get("eventHubName"),
        "ConsumerGroup": binding.get("consumerGroup") or "$Default",
        "PartitionId": "0",
    }
    context = merged(context, metadata, _CONTEXT)
    own = {name: value for name, value in metadata.items() if name != _CONTEXT}
    data, shared = _packed(binding, given, own, event)
    return data, shared | {_CONTEXT: typed(context), f"Trigger{_CONTEXT}": typed(context)}


def text(given: Any) -> str:
    """Return ``given`` as the text of a message: itself, or its JSON."""
    return given if isinstance(given, str) else dumps(given)


def is_binary(binding: Mapping[str, Any]) -> bool:
    """Return whether ``binding`` asks for bytes."""
    return str(binding.get("dataType", "")).upper() == "BINARY"


def told(metadata: Mapping[str, Any]) -> dict[str, Typed]:
    """Return ``metadata`` typed, without what is None: the host leaves that out."""
    return {name: typed(value) for name, value in metadata.items() if value is not None}


def merged(known: Mapping[str, Any], said: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return ``known`` with the entries of ``said[name]``, if any. Raises ValueError where that is no object."""
    more = said.get(name) or {}
    if not isinstance(more, Mapping):
        raise ValueError(f"{name} must be a JSON object")
    return {**known, **more}


def _packed(
    binding: Mapping[str, Any],
    given: Any,
    metadata: Mapping[str, Any],
    full: Callable[[Mapping[str, Any]], dict[str, Any]],
) -> Trigger:
    many = str(binding.get("cardinality", "")).upper() == "MANY"  # one is the host's default
    items = given if many and isinstance(given, list) else [given]
    bodies = [text(item).encode() if is_binary(binding) else text(item) for item in items]
    if not many:
        return typed(bodies[0]), told(full(metadata))
    if not bodies:
        raise ValueError("the input is an empty list: a batch has one message at least")
    rows = [full(said) for said in _rows(metadata, len(bodies))]
    names = dict.fromkeys(name for row in rows for name in row)
    columns = {name: [row.get(name) for row in rows] for name in names}
    kept = {f"{name}Array": values for name, values in columns.items() if any(x is not None for x in values)}
    return typed(bodies), told(kept)


def _rows(metadata: Mapping[str, Any], length: int) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = [{} for _ in range(length)]
    for name, value in metadata.items():
        values = value if isinstance(value, list) else [value] * length
        if len(values) != length:
            raise ValueError(f'"metadata" has {len(values)} of {name} and the batch has {length} messages')
        for row, entry in zip(rows, values, strict=True):
            row[name.removesuffix("Array")] = entry
    return rows


def _zoneless(at: datetime) -> datetime:
    # What is named Utc leaves the host without a zone: it is DateTimeOffset.DateTime, of an unspecified kind.
    return at.replace(tzinfo=None)
