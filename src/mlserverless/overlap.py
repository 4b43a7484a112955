"""What one request does side by side: a call aside, and the members of a batch."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

from mlserverless.deadline import Deadline
from mlserverless.errors import DeadlineExceeded, Overloaded

MOST = 16  # members of a batch that are under way at a time; each holds at most ``max_bytes`` of an image
Item = TypeVar("Item")
Result = TypeVar("Result")


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
    """``work`` that waits to be done by another thread; ``done`` is held until it has been tried."""

    def __init__(self, work: Callable[[Any], Result]) -> None:
        self._work, self.done = work, threading.Lock()
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
        """Return what the work returned, or raise what it raised; once it is done."""
        if self._error is not None:
            raise self._error
        return self._results[0]


class Turns:
    """What the members of one batch share: of them, ``most`` at a time are with the model or wait for it.

    A batch is one caller's. It may not fill the queue of everybody's.
    """

    def __init__(self, most: int) -> None:
        self._free = threading.Semaphore(most)

    @contextmanager
    def one(self, deadline: Deadline) -> Iterator[None]:
        """Wait for a turn, which ends with the block; Overloaded where none comes before the ``deadline``."""
        if not self._free.acquire(timeout=min(deadline.remaining(), threading.TIMEOUT_MAX)):
            raise Overloaded("The batch had more images than could be classified until the time was over.")
        try:
            yield
        finally:
            self._free.release()


def each(call: Callable[[Item], Result], items: Sequence[Item], *, in_turn: bool = False) -> list[Result]:
    """Return ``call(item)`` for each of ``items``, in their order: ``MOST`` at a time, or each after the other.

    Where fewer threads are to be had, fewer are at a time: this one is one of them.
    """
    left, taking, results = iter(enumerate(items)), threading.Lock(), dict[int, Result]()

    def work() -> None:
        while True:
            with taking:
                found = next(left, None)
            if found is None:
                return
            results[found[0]] = call(found[1])

    others = [] if in_turn else [Aside(work) for _ in range(min(len(items), MOST) - 1)]
    try:
        work()
    finally:
        for other in others:
            other.wait()
    for other in others:
        other.result(Deadline(), "the batch had ended")  # which raises what one of them raised
    return [results[at] for at in range(len(items))]
