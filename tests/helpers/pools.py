"""Pools of interpreters that answer nothing of note, and threads that use them."""

import threading
import time
from collections.abc import Callable
from math import inf
from typing import Any

from helpers.fakes import IMAGE, SCORES, FakeInterpreter
from mlserverless.deadline import Deadline
from mlserverless.errors import MlserverlessError
from mlserverless.interpreter import Pool


class Held:
    """Works with an interpreter of ``pool`` in a thread of its own, from now until it is ended."""

    def __init__(self, pool: Pool, queue: float = inf) -> None:
        self.go_on, self.lent = threading.Event(), threading.Event()
        self.interpreter: Any = None
        self.error: MlserverlessError | None = None
        self._thread = threading.Thread(target=self._run, args=(pool, queue))
        self._thread.start()

    def _run(self, pool: Pool, queue: float) -> None:
        try:
            pool.run(self._work, Deadline(20), queue)
        except MlserverlessError as error:
            self.error = error

    def _work(self, interpreter: Any) -> None:
        self.interpreter = interpreter
        self.lent.set()
        assert self.go_on.wait(20)

    def __enter__(self) -> Any:
        assert self.lent.wait(10), self.error
        return self.interpreter

    def __exit__(self, *_: object) -> None:
        self.end()

    def end(self) -> None:
        self.go_on.set()
        self._thread.join(20)
        assert not self._thread.is_alive()


def make(_: int = 1) -> FakeInterpreter:
    """Return an interpreter, of however many threads."""
    return FakeInterpreter(b"abc", (IMAGE,), (SCORES,))


class Loads:
    """What a pool loads by: ``threads`` are what each interpreter was to have, ``of`` them by interpreter."""

    def __init__(self) -> None:
        self.threads: list[int] = []
        self.of: dict[int, int] = {}

    def __call__(self, threads: int) -> FakeInterpreter:
        made = make()
        self.threads.append(threads)
        self.of[id(made)] = threads
        return made


def which(pool: Pool, deadline: Deadline | None = None, queue: float = inf) -> Any:
    """Return the interpreter that work is done with now."""
    return pool.run(lambda interpreter: interpreter, deadline or Deadline(10), queue)


def in_threads(count: int, work: Callable[[], object]) -> None:
    """Let ``count`` threads do ``work``, and wait for them."""
    threads = [threading.Thread(target=work) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()


def until(true: Callable[[], bool]) -> None:
    """Wait until ``true()``."""
    end = time.monotonic() + 10
    while not true():
        assert time.monotonic() < end
        time.sleep(0.001)


def idle(pool: Pool) -> bool:
    """Return whether nobody works or waits, and every interpreter is there."""
    return (pool._in_use, len(pool._jobs), pool._handed, len(pool._idle)) == (0, 0, [], pool.made)
