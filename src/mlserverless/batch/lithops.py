"""The items of a batch, answered by functions of the user's own cloud, which Lithops calls.

Lithops is configured as its own documentation says: a file, or the environment. What runs over there is
:func:`mlserverless.batch.call.answer`; its runtime has this package installed.
"""

import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import islice
from typing import Any

from mlserverless import __version__
from mlserverless.batch import call
from mlserverless.batch.engine import Done, Identity, Item, Stopped
from mlserverless.batch.lithops_calls import LOCALHOST, Call, executor, reachable, stopping
from mlserverless.batch.local import DOWNLOADS
from mlserverless.batch.retry import Retry
from mlserverless.config import Settings

CHUNK = 50  # items a call: some seconds of work, so that a call's start is a small part of it
CONCURRENCY = 64  # calls at a time
ALWAYS = 0  # of the calls have to have ended when Lithops returns: it looks, and does not wait
LOOK_S = 0.2  # between two looks at what has ended
LOST_S = 60.0  # beyond the time that a call is given, after which one that says nothing is taken for lost
ALL_OF = 4  # calls of which not one fails for its own images where all do
FILES = (
    "The file {file} is on this machine, where a function of {backend} cannot read it: upload the images, and "
    "list their URLs. See docs/how-to/batch-on-functions.md."
)
# Of this machine, or of nobody who answers batches.
NOT_SENT = ("cache_dir", "models", "sink", "schedule_source", "log_level", "threads", "concurrency", "queue")


class Lithops:
    """Answers with up to ``concurrency`` calls at a time, of ``chunk`` items each.

    ``settings`` are the predictor's, by name, over those in force on this machine, all of which are sent along;
    ``options`` are a request's. A call that fails is made again, then its items' one by one; one that fails alone
    is a problem, ``internal``.
    """

    def __init__(
        self,
        settings: dict[str, Any],
        options: dict[str, Any],
        *,
        chunk: int = CHUNK,
        concurrency: int = CONCURRENCY,
        downloads: int = DOWNLOADS,
        retry: Retry = Retry(),  # noqa: B008 - frozen
    ) -> None:
        self._settings = Settings.load(**{name: value for name, value in settings.items() if value is not None})
        sent = {name: value for name, value in self._settings._asdict().items() if name not in NOT_SENT}
        chosen = {name: value for name, value in options.items() if value is not None}
        self._asked: dict[str, Any] = {
            "version": __version__,
            "settings": sent,
            "options": chosen,
            "workers": 0,
            "downloads": downloads,
            "retry": tuple(retry),
        }
        self._chunk, self._retry = chunk, retry
        # The next wave has begun before the last of this one has ended.
        self._waves, self._wave = (2, concurrency // 2) if concurrency > 1 else (1, 1)
        self._executor: Any = None

    def open(self) -> Identity:
        """Have a call load the model; raise Stopped where Lithops, its runtime or the model cannot be used."""
        self._executor = executor()
        if self._executor.backend == LOCALHOST:  # which runs a call a core itself
            self._asked["workers"] = 1
        else:
            reachable(self._settings, self._executor.backend)
        first = Call(())
        self._begin([first])
        self._finish([first])
        assert first.answer is not None
        return Identity(*first.answer["identity"])

    def run(self, items: Iterator[Item]) -> Iterator[Done]:
        """Yield what becomes of each of ``items``, in their order; see :class:`Engine`."""
        waves: deque[list[Call]] = deque()
        while True:
            while len(waves) < self._waves and (wave := list(islice(self._chunks(items), self._wave))):
                self._begin(wave)
                waves.append(wave)
            if not waves:
                return
            wave = waves.popleft()
            self._finish(wave)
            for one in wave:
                assert one.answer is not None
                for index, source, result, attempts in one.answer["done"]:
                    yield Done(index, source, result, attempts + one.tries - 1)

    def close(self) -> None:
        """Let go of Lithops; calls under way on this machine are ended, those of a cloud end by themselves."""
        if self._executor is not None:
            leaving, self._executor = self._executor, None
            with suppress(Exception):  # the run has ended, however this does
                leaving.__exit__(None, None, None)

    def _chunks(self, items: Iterator[Item]) -> Iterator[Call]:
        there = self._executor.backend
        while chunk := list(islice(items, self._chunk)):
            if there != LOCALHOST and (found := next((item for item in chunk if item.file), None)):
                raise Stopped("misconfigured", FILES.format(file=found.source, backend=there))
            yield Call(chunk)

    def _begin(self, calls: Sequence[Call]) -> None:
        asked = [({**self._asked, "items": [tuple(item) for item in one.items]},) for one in calls]
        with stopping():
            futures = self._executor.map(call.answer, asked, include_modules=None)
        for one, future in zip(calls, futures, strict=True):
            one.future, one.tries = future, one.tries + 1

    def _finish(self, calls: Sequence[Call]) -> None:
        """Wait until each of the ``calls``, which have begun, has its answer; raise Stopped."""
        left = list(calls)
        while left:
            self._wait(left)
            failed = [one for one in left if one.answer is None]
            if len(failed) == len(left) >= ALL_OF:
                raise failed[0].stopped or Stopped("internal", f"Every call of Lithops fails: {failed[0].error}")
            if failed and (pause := self._retry.pause({"retryable": True}, failed[0].tries)) is not None:
                time.sleep(pause)
                self._begin(failed)
            else:
                for one in failed:
                    self._one_by_one(one)
                failed = []
            left = failed

    def _one_by_one(self, whole: Call) -> None:
        """Answer the items of a call that fails in calls of their own: one of them may be why."""
        if whole.stopped is not None:
            raise whole.stopped
        if not whole.items:
            raise Stopped("internal", f"Lithops cannot make a call: {whole.error}")
        alone = [Call([item]) for item in whole.items] if len(whole.items) > 1 else []
        for at in range(0, len(alone), self._wave):
            self._begin(wave := alone[at : at + self._wave])
            self._wait(wave)
        whole.answer = {"done": [done for one in alone or [whole] for done in one.done()]}

    def _wait(self, calls: Sequence[Call]) -> None:
        """Wait until the ``calls`` have ended, or say nothing any more; note the answer or the error of each."""
        left = {id(one): one for one in calls}
        heard, timeout_s = time.monotonic(), self._executor.config["lithops"]["execution_timeout"] + LOST_S
        while left and time.monotonic() - heard < timeout_s:
            futures = [one.future for one in left.values()]
            with stopping():
                self._executor.wait(
                    futures, throw_except=False, return_when=ALWAYS, download_results=True, show_progressbar=False
                )
            ended = [one for one in left.values() if one.future.done or one.future.error]
            for one in ended:
                one.note()
                del left[id(one)]
                heard = time.monotonic()
            if left and not ended:
                time.sleep(LOOK_S)
        for one in left.values():
            one.error = "it was not heard of again"
        # Lithops keeps every call that it ever made, with its answer.
        gone = {id(one.future) for one in calls}
        self._executor.futures = [future for future in self._executor.futures if id(future) not in gone]
        with stopping():
            self._executor.clean(fs=[one.future for one in calls], clean_cloudobjects=False, force=True)
