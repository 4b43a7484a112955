"""What the function's log is given: one structured line a result, and traces without secrets."""

import json
from collections.abc import Callable
from typing import Any

from mlserverless.net.url import redact
from mlserverless.types import Outcome, Prediction


def record(outcome: Outcome) -> dict[str, Any]:
    """Return the record of an ``outcome``: its source without secrets, its request id, prediction or problem."""
    result = outcome.result
    if isinstance(result, Prediction):
        return {"source": outcome.source, "request_id": outcome.request_id, "prediction": result.to_dict()}
    return {
        "source": outcome.source,
        "request_id": outcome.request_id,
        "problem": result.to_dict(outcome.request_id),
    }


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


def _print(line: str) -> None:
    print(line, flush=True)


class LogSink:
    """Write each outcome as one line of JSON. ``write`` takes the line where stdout is not the function's log."""

    def __init__(self, write: Callable[[str], None] = _print) -> None:
        self._write = write

    def put(self, outcome: Outcome) -> None:
        """Record ``outcome``."""
        line = json.dumps(record(outcome), ensure_ascii=False, separators=(",", ":"))
        self._write(line.encode(errors="backslashreplace").decode())  # half a surrogate pair, as JSON's escape
