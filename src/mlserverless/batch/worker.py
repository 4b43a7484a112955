"""Run as ``python -m mlserverless.batch.worker``: one predictor of one thread, several downloads beside it.

Standard input has a line of JSON that says what to answer with, then one an item, ``[index, source, file]``.
Standard output has ``{"model": …}`` once the model is loaded, or ``{"code": …, "detail": …}``; then for each item,
as it is ready, its index, the seconds after which its origin wants to be asked again (0: it does not say), and the
wire form of what became of it. It ends when its input does: with whoever started it.
"""

import json
import os
import signal
import sys
import threading
from contextlib import suppress
from math import ceil
from pathlib import Path
from queue import SimpleQueue
from typing import Any, BinaryIO

from mlserverless.batch.retry import retry_after
from mlserverless.deadline import Deadline
from mlserverless.errors import MlserverlessError
from mlserverless.net import pool
from mlserverless.predictor import Predictor
from mlserverless.serving import problem
from mlserverless.sinks.log import to_line

# The settings on which an answer depends; the first four are options, too.
TELLING = (
    *("top_k", "score_threshold", "labels_allow", "labels_deny"),
    *("engine", "decode", "background", "formats", "max_bytes", "max_pixels", "allowed_hosts"),
)
LEAVING_S = 5.0  # for what is under way when the input ends


def main() -> None:
    """Answer until the input ends."""
    for ignored in (signal.SIGINT, signal.SIGTERM):  # a terminal sends them to all: whoever started this decides
        signal.signal(ignored, signal.SIG_IGN)
    with os.fdopen(os.dup(1), "wb", buffering=0) as out:
        os.dup2(2, 1)  # what a library prints is no answer
        _answer(json.loads(sys.stdin.buffer.readline()), out)


def _answer(wanted: dict[str, Any], out: BinaryIO) -> None:
    try:
        predictor = Predictor(**{**wanted["settings"], "threads": 1, "concurrency": 1})
        loaded = predictor.load()
    except MlserverlessError as error:
        out.write(_line({"code": error.code, "detail": str(error)}))
        return
    settings = predictor.settings._asdict()
    chosen = {name: settings[name] for name in TELLING} | wanted["options"]
    out.write(_line({"model": loaded.model.name, "sha256": loaded.model.sha256, "chosen": chosen}))
    _Answers(predictor, wanted["options"], out).run(sys.stdin.buffer, wanted["downloads"])


class _Answers:
    def __init__(self, predictor: Predictor, options: dict[str, Any], out: BinaryIO) -> None:
        self._predictor, self._options, self._out = predictor, options, out
        self._waiting: SimpleQueue[bytes | None] = SimpleQueue()
        self._writing = threading.Lock()

    def run(self, lines: BinaryIO, downloads: int) -> None:
        pool.MOST = max(pool.MOST, downloads)
        threads = [threading.Thread(target=self._work, daemon=True) for _ in range(downloads)]
        for thread in threads:
            thread.start()
        for line in lines:
            self._waiting.put(line)
        for _ in threads:
            self._waiting.put(None)
        end = Deadline(LEAVING_S)
        for thread in threads:
            thread.join(end.remaining())
        if any(thread.is_alive() for thread in threads):
            os._exit(0)  # in the middle of a library's code, which an orderly end would pull from under it

    def _work(self) -> None:
        while (asked := self._waiting.get()) is not None:
            index, source, file = json.loads(asked)
            line = b"%d %d %b" % (index, *self._answer(index, source, file))
            with self._writing, suppress(BrokenPipeError):  # whoever asked has gone
                self._out.write(line)

    def _answer(self, index: int, source: str, file: bool) -> tuple[int, bytes]:
        try:
            place = Path(source) if file else source
            limit = self._predictor.settings.timeout
            return 0, _line(self._predictor.predict(place, timeout=limit, **self._options).to_dict())
        except Exception as error:  # noqa: BLE001 - one image does not take the others with it
            asked = retry_after(str(getattr(error, "retry_after", ""))) or 0
            return ceil(asked), _line(problem(error, str(index), "" if file else source).to_dict(str(index)))


def _line(value: dict[str, Any]) -> bytes:
    return to_line(value).encode() + b"\n"


if __name__ == "__main__":
    main()
