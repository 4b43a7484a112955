"""Where results go: one small class a kind of place, chosen by the setting ``sink``.

A sink that keeps work (``keeps``) may stand in for a dead-letter queue: what will never succeed is written there
and acknowledged. The log keeps none, so what fails is handed back to the platform. Every write is create-only
under a key that says what was asked (:mod:`mlserverless.sinks.records`), so that a redelivery changes nothing.
"""

from collections.abc import Callable
from typing import Any, Protocol

from mlserverless.deadline import Deadline
from mlserverless.sinks.log import LogSink, print_line

Record = dict[str, Any]


class Sink(Protocol):
    """A place for results."""

    keeps: bool
    """Whether what is written is kept for as long as its owner wants, so that a problem may end here."""

    def put(self, key: str, record: Record, deadline: Deadline) -> None:
        """Write ``record`` unless there is one under ``key``; return once it is safe, or raise SinkError."""

    def has(self, key: str, deadline: Deadline) -> bool:
        """Return whether there is a record under ``key``; False where that cannot be told."""

    def owns(self, url: str) -> bool:
        """Return whether ``url`` is a place of this sink's own: its results are never classified."""


def open_sink(url: str, write: Callable[[str], None] = print_line) -> Sink:
    """Return the sink at ``url``, a value of the setting ``sink``; ``write`` takes the log's lines.

    Raises ConfigError where the URL is not of its scheme's form or what the sink needs is not installed.
    """
    scheme = url.partition(":")[0]
    if scheme == "log":
        return LogSink(write)
    if scheme in ("file", "s3", "gs", "az"):
        from mlserverless.sinks.objects import ObjectSink

        return ObjectSink(url)
    if scheme == "bigquery":
        from mlserverless.sinks.bigquery import BigQuerySink

        return BigQuerySink(url)
    from mlserverless.sinks.queues import OutputSink, SqsSink

    return SqsSink(url) if scheme == "sqs" else OutputSink()
