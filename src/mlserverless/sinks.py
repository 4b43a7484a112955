"""Where the results of events go: for now one structured line each in the function's log."""

import json
from collections.abc import Callable
from typing import Any

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
