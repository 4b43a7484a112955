"""The function's log as a sink: one structured line a result, and traces without secrets."""

import json
import sys
from collections.abc import Callable
from typing import Any

from mlserverless.deadline import Deadline
from mlserverless.net.url import redact
from mlserverless.sinks.unread import Unread


def print_line(line: str) -> None:
    """Print ``line`` at once: a function may be frozen or killed as soon as it has answered."""
    sys.stdout.write(line + "\n")  # in one piece: members of a batch write from several threads
    sys.stdout.flush()


def to_line(record: dict[str, Any]) -> str:
    """Return ``record`` as one line of JSON; half a surrogate pair stays JSON's escape."""
    line = json.dumps(record, ensure_ascii=False, separators=(",", ":"))
    return line.encode(errors="backslashreplace").decode()


class LogSink(Unread):
    """Write each record as one line of JSON. ``write`` takes the line where stdout is not the function's log."""

    keeps = False

    def __init__(self, write: Callable[[str], None] = print_line) -> None:
        self._write = write

    def put(self, key: str, record: dict[str, Any], deadline: Deadline) -> None:  # noqa: ARG002 - the protocol's
        """Write ``record``; a redelivered one is written again, under the same key."""
        self._write(to_line(record))


def trace(error: BaseException, url: str = "") -> str:
    """Return the traceback of ``error`` and its causes, fit for a log: its texts without what ``url`` hides."""
    import re
    import traceback

    text = "".join(traceback.format_exception(error))
    for form in (url, repr(url)[1:-1]) if url else ():
        text = text.replace(form, redact(url))
    for secret, shown in (
        (r"(//|[^\s\"'<>/@:]+:)[^\s\"'<>]*@", r"\1…@"),  # a password before the host
        (r"(?<=[\w./\]])(?:[?#]|%3[fF]|%23)[^\s\"'<>]+", "?…"),  # a query, a fragment
        (r"(?i)((?:sig|signature|token|credential|secret|password|key)=)[^\s&\"'<>]+", r"\1…"),
    ):
        text = re.sub(secret, shown, text)
    return text
