"""Queues and streams, which Lambda polls for the function: a batch of messages, of which some may fail.

The event source mapping must have ``ReportBatchItemFailures`` set; without it the answer is not read, and
everything counts as done.
"""

import base64
from collections.abc import Callable, Sequence
from typing import Any

from mlserverless.adapters.aws.trigger import Event, records_of, source_of
from mlserverless.deadline import Deadline
from mlserverless.errors import InvalidRequest
from mlserverless.events import Part, decode, message, parts
from mlserverless.recording import serve
from mlserverless.serving import Service
from mlserverless.types import Outcome, Request


class _Batch:
    faas_trigger = "pubsub"

    def __init__(self, service: Service) -> None:
        self._service = service

    def handle(self, event: Event, request_id: str, deadline: Deadline) -> Event:
        """Answer every message, and name those that must be delivered again."""
        again = self._comes_again(records_of(event))
        reply: Event = serve(
            self, (request_id, event), self._service, deadline, in_turn=again, invocation=request_id
        )
        return reply

    def split(self, event: tuple[str, Event]) -> Sequence[Part]:
        """Return the parts of every message; a message that cannot be read is one that fails."""
        found: list[Part] = []
        for record in self._ordered(records_of(event[1])):
            name = self._name(record)
            found += parts(name, self._read(record, name or event[0]), name or event[0])
        return found

    decode: Callable[[Part], Request] = staticmethod(decode)

    def reply(self, outcomes: Sequence[Outcome], failed: Sequence[Outcome]) -> Event:  # noqa: ARG002 - the port's
        """Return the partial batch response: the messages of which any part failed.

        One that has no identifier makes it an empty one, which Lambda takes as: all failed.
        """
        names = dict.fromkeys(outcome.item.message for outcome in failed)
        return {"batchItemFailures": [{"itemIdentifier": name} for name in names]}

    @staticmethod
    def _ordered(records: list[Any]) -> list[Any]:
        return records

    @staticmethod
    def _comes_again(records: list[Any]) -> bool:  # noqa: ARG004 - a queue's
        return False

    @staticmethod
    def _name(record: Any) -> str:
        raise NotImplementedError

    @staticmethod
    def _read(record: Any, name: str) -> Sequence[Any]:
        raise NotImplementedError


class SqsBatch(_Batch):
    """An SQS queue. A body is ``{"url": …}``, a URL, an S3 notification, an SNS envelope, or one in the other."""

    @staticmethod
    def accepts(event: Event) -> bool:
        """Return whether ``event`` is a batch of a queue."""
        return source_of(event) == "aws:sqs"

    @staticmethod
    def _ordered(records: list[Any]) -> list[Any]:
        # Who ends the process takes along what stands behind it, and a killed batch may come again as it was: each
        # delivery begins one message further on, so that none stands behind it every time. What comes again is
        # answered in turn: side by side, who ends the process would be among those under way at any rate.
        counts = [_count(record) for record in records]
        first = (max(counts) - 1) % len(records) if counts else 0
        return records[first:] + records[:first]

    @staticmethod
    def _comes_again(records: list[Any]) -> bool:
        return any(_count(record) > 1 for record in records)

    @staticmethod
    def _name(record: Any) -> str:
        return str(record.get("messageId") or "") if isinstance(record, dict) else ""

    @staticmethod
    def _read(record: Any, name: str) -> Sequence[Any]:
        return message.read(record.get("body") if isinstance(record, dict) else None, name)


class KinesisBatch(_Batch):
    """A Kinesis stream. Of a shard Lambda delivers everything again from the first record that is named."""

    @staticmethod
    def accepts(event: Event) -> bool:
        """Return whether ``event`` is a batch of a stream."""
        return source_of(event) == "aws:kinesis"

    @staticmethod
    def _name(record: Any) -> str:
        kinesis = record.get("kinesis") if isinstance(record, dict) else None
        return str(kinesis.get("sequenceNumber") or "") if isinstance(kinesis, dict) else ""

    @staticmethod
    def _read(record: Any, name: str) -> Sequence[Any]:
        try:
            return message.read(base64.b64decode(record["kinesis"]["data"], validate=True), name)
        except (KeyError, TypeError, ValueError):
            return [InvalidRequest("The Kinesis record holds no base64 data.")]


def _count(record: Any) -> int:
    """Return how often SQS has delivered ``record``, 1 where it does not say."""
    told = record.get("attributes") if isinstance(record, dict) else None
    count = told.get("ApproximateReceiveCount") if isinstance(told, dict) else None
    return int(count) if isinstance(count, str) and count.isascii() and count.isdigit() and len(count) < 9 else 1
