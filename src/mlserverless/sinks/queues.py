"""Results as messages: an SQS queue, or the queue that the platform binds to the function (Azure).

A queue keeps what it was given, but cannot be asked for it: of what was sent and not acknowledged, a redelivery
sends a second message. Its key is the same, and a FIFO queue (``….fifo``) drops it for five minutes.
"""

import json
from collections.abc import Callable
from typing import Any

from mlserverless.deadline import Deadline
from mlserverless.errors import ConfigError, SinkError
from mlserverless.sinks.unread import Unread

FIFO_GROUP = "results"
LONGEST_SQS = 1_048_576  # bytes (Amazon SQS developer guide, message quotas)
ANSWERS = ("predictions", "detections", "outputs", "problem")  # what a record has of one of
LONGEST_QUEUED = 48 * 1024  # bytes; base64 makes of them the 64 KiB of Queue Storage's own limit


def fitting(record: dict[str, Any], longest: int) -> str:
    """Return ``record`` as a line of ASCII of at most ``longest`` bytes: one that is longer as a problem.

    Handed back, it would never pass; and a queue would never take it.
    """
    line = json.dumps(record, separators=(",", ":"))
    if len(line) <= longest:
        return line
    told = f"The result has {len(line):,} bytes, and the queue takes {longest:,}: ask for fewer classes or "
    told += "labels, or let results go to a store."
    short = {name: value for name, value in record.items() if name not in ANSWERS}
    problem = {"code": "invalid-request", "status": 400, "detail": told, "instance": record.get("request_id")}
    return json.dumps({**short, "options": {}, "problem": problem}, separators=(",", ":"))


class SqsSink(Unread):
    """Send each record to the queue at ``sqs://HOST/ACCOUNT/NAME``, which is its URL with another scheme.

    It uses boto3, which Lambda's Python runtimes bring along; importing it takes half a second.
    """

    keeps = True

    def __init__(self, url: str, client: Any = None) -> None:
        parts = url.removeprefix("sqs://").split("/")
        if len(parts) != 3 or not all(parts):
            raise ConfigError("The sink is not of the form sqs://sqs.REGION.amazonaws.com/ACCOUNT/QUEUE.")
        self._url, self._fifo = f"https://{'/'.join(parts)}", url.endswith(".fifo")
        self._client = client or _client(parts[0])

    def put(self, key: str, record: dict[str, Any], deadline: Deadline) -> None:
        """Send the record; return once SQS has it."""
        line = fitting(record, LONGEST_SQS)
        del deadline  # the client's own timeouts are set once: two tries of three seconds at most
        fifo = {"MessageGroupId": FIFO_GROUP, "MessageDeduplicationId": key} if self._fifo else {}
        try:
            self._client.send_message(QueueUrl=self._url, MessageBody=line, **fifo)
        except Exception as error:  # noqa: BLE001 - botocore makes its classes at run time
            raise SinkError(f"The queue did not take the result ({type(error).__name__}).") from None


def _client(host: str) -> Any:
    try:
        import boto3
        from botocore.config import Config
    except ImportError as error:
        raise ConfigError("The sink sqs:// needs boto3: add it to the function's requirements.") from error
    limits = Config(connect_timeout=1, read_timeout=2, retries={"total_max_attempts": 2, "mode": "standard"})
    # The queue's own region, not the function's; where the host names none, it is the environment's.
    words = host.split(".")
    region = words[1] if words[0] == "sqs" and len(words) > 2 else None
    try:
        return boto3.client("sqs", config=limits, region_name=region)
    except Exception as error:  # botocore's own: no region, a broken profile
        raise ConfigError(f"The sink sqs:// has no client ({type(error).__name__}).") from error


class OutputSink(Unread):
    """Collect the records of one invocation for the output that the platform binds to the function.

    The platform writes them when the function returns, and none where it raises: recording and acknowledging are
    one.
    """

    keeps = True

    def __init__(self, take: Callable[[str], None] | None = None) -> None:
        self._take = take

    def put(self, key: str, record: dict[str, Any], deadline: Deadline) -> None:  # noqa: ARG002 - the protocol's
        """Add the record; raise SinkError where the trigger has no output bound."""
        if self._take is None:
            raise SinkError("The sink queue: needs a trigger whose function has an output queue bound to it.")
        self._take(fitting(record, LONGEST_QUEUED))
