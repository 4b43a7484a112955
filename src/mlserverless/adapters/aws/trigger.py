"""What a Lambda trigger is: a class that knows its own events, and answers one."""

from typing import Any, Protocol

from mlserverless.deadline import Deadline
from mlserverless.serving import Service

Event = dict[str, Any]


class LambdaTrigger(Protocol):
    """What ``TRIGGERS`` lists."""

    def __init__(self, service: Service) -> None: ...

    @staticmethod
    def accepts(event: Event) -> bool:
        """Return whether ``event`` comes from this trigger."""

    def handle(self, event: Event, request_id: str, deadline: Deadline) -> Any:
        """Return what Lambda is given back, or raise, which is a failed invocation."""


def source_of(event: Event) -> str:
    """Return what the first of the event's ``Records`` says it comes from, "" where there is none."""
    records = event.get("Records")
    first = records[0] if isinstance(records, list) and records else None
    return str(first.get("eventSource") or first.get("EventSource")) if isinstance(first, dict) else ""


def records_of(event: Event) -> list[Any]:
    """Return the event's ``Records``; none where they are no list."""
    records = event.get("Records")
    return records if isinstance(records, list) else []
