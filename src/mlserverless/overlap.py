"""What one request does side by side: a call aside (a future), and the members of a batch."""

import os
import threading
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

from mlserverless.deadline import Deadline
from mlserverless.errors import DeadlineExceeded

# Members of batches that are under way at a time, in the whole process and beside one of every batch. Each holds
# an image of at most ``max_bytes``.
MOST = 16
Item = TypeVar("Item")
Result = TypeVar("Result")
_spare = threading.Semaphore(MOST - 1)


def _forget() -> None:
    # What the parent's batches hold, its threads give back over there.
    global _spare
    _spare = threading.Semaphore(MOST - 1)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


class Aside(Generic[Result]):
    """``call``, begun now; ``concurrent.futures`` does the same for 3 ms of a cold start.

    Where no thread is to be had, the call is made when its result is asked for.
    """

    def __init__(self, call: Callable[[], Result]) -> None:
        self._call = call
        self._results: list[Result] = []
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="mlserverless-aside", daemon=True)
        try:
            self._thread.start()
            self._begun = True
        except RuntimeError:  # too many threads
            self._begun = False

    def _run(self) -> None:
        try:
            self._results.append(self._call())
        except BaseException as error:  # noqa: BLE001 - whoever asks for the result gets it
            self._error = error

    def wait(self) -> None:
        """Wait until the call has ended, however it did."""
        if self._begun:
            self._thread.join()

    def result(self, deadline: Deadline, what: str) -> Result:
        """Return what the call returned, or raise what it raised.

        Raises DeadlineExceeded where it has not ended by the ``deadline``: the time was over before ``what``.
        """
        if self._begun:
            self._thread.join(min(deadline.remaining(), threading.TIMEOUT_MAX))
            if self._thread.is_alive():
                raise DeadlineExceeded(f"The time granted to this request was over before {what}.")
        elif not self._results and self._error is None:
            self._run()
        if self._error is not None:
            raise self._error
        return self._results[0]


class Job(Generic[Result]):
    """``work`` that waits to be done by another thread; ``done`` is held until it has been tried.

    ``counted`` says whether it counts as one that waits.
    """

    def __init__(self, work: Callable[[Any], Result], *, counted: bool = True) -> None:
        self._work, self.done, self.counted = work, threading.Lock(), counted
        self._results: list[Result] = []
        self._error: BaseException | None = None
        self.done.acquire()

    def do(self, tool: Any) -> None:
        """Do the work with ``tool``."""
        try:
            self._results.append(self._work(tool))
        except BaseException as error:  # noqa: BLE001 - it is raised in the thread that asked
            self._error = error
        self.done.release()

    def fail(self, error: BaseException) -> None:
        """Let ``error`` be what comes of it."""
        self._error = error
        self.done.release()

    def result(self) -> Result:
        """Return what the work returned, or raise what it raised; once it is done, and once."""
        if self._error is None:
            return self._results[0]
        error, self._error = self._error, None  # kept, it would keep the frames that hold the image
        try:
            raise error
        finally:
            del error


def each(call: Callable[[Item], Result], items: Sequence[Item], *, in_turn: bool = False) -> list[Result]:
    """Return ``call(item)`` for each of ``items``, in their order: side by side, or ``in_turn``.

    ``MOST`` are under way at a time, fewer where other batches use the threads for more, or there are no threads:
    this one is one of them.
    """
    left, taking, results = iter(enumerate(items)), threading.Lock(), dict[int, Result]()

    def work() -> None:
        while True:
            with taking:
                found = next(left, None)
            if found is None:
                return
            results[found[0]] = call(found[1])

    others, spare = list[Aside[None]](), _spare
    while not in_turn and len(others) + 1 < min(len(items), MOST) and spare.acquire(blocking=False):
        others.append(Aside(work))
    try:
        work()
    finally:
        for other in others:
            other.wait()
            spare.release()
    for other in others:
        other.result(Deadline(), "the batch had ended")  # which raises what one of them raised
    return [results[at] for at in range(len(items))]
