"""The pool's own threads: none to be had at times, gone after a fork; and nothing kept of what failed."""

import gc
import os
import random
import threading
import time
import weakref
from pathlib import Path
from typing import Any

import pytest

from helpers.child import run
from helpers.pools import Held, idle, in_threads, make, until
from mlserverless.deadline import Deadline
from mlserverless.interpreter import Pool

FORK = """
import json, os, sys, threading, warnings
from mlserverless.deadline import Deadline
from mlserverless.interpreter import Pool

warnings.simplefilter("ignore", DeprecationWarning)  # a server's workers are forked with threads, too
pool = Pool(lambda threads: object(), 1)

def queued():
    # One holds the interpreter until another waits: who gives back needs a thread of the pool's.
    held, go_on, answers = threading.Event(), threading.Event(), []
    holding = threading.Thread(target=pool.run, args=(lambda _: held.set() or go_on.wait(10), Deadline(10)))
    asking = threading.Thread(target=lambda: answers.append(pool.run(lambda _: "done", Deadline(10))), daemon=True)
    holding.start()
    held.wait(10)
    asking.start()
    while not pool._jobs:
        pass
    go_on.set()
    holding.join(10)
    asking.join(5)
    return answers

parents = queued()
while not pool._resting:
    pass
reading, writing = os.pipe()
if (child := os.fork()) == 0:
    os.write(writing, json.dumps([queued(), queued()]).encode())
    os._exit(0)
os.close(writing)
os.waitpid(child, 0)
print(json.dumps([parents, json.loads(os.read(reading, 1000)), queued()]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this Python cannot fork")
def test_a_fork_does_not_wait_for_its_parents_threads(tmp_path: Path) -> None:
    assert run(FORK, tmp_path) == [["done"], [["done"], ["done"]], ["done"]]


def test_where_every_other_thread_is_refused_no_interpreter_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """While one is refused, others give back, and threads of the pool's own come to rest."""
    rng, lock, start = random.Random(6), threading.Lock(), threading.Thread.start
    refused, answers = list[int](), list[Any]()

    def sometimes(thread: threading.Thread) -> None:
        if thread.name == "mlserverless-pool":
            with lock:
                refuse = rng.random() < 0.5
            if refuse:
                refused.append(1)
                time.sleep(0.0005)  # in which others give back
                raise RuntimeError("can't start new thread")
        start(thread)

    def slowly(one: Any) -> Any:
        time.sleep(0.0002)  # so that others queue
        return one.run(b"")

    monkeypatch.setattr(threading.Thread, "start", sometimes)
    monkeypatch.setattr("mlserverless.interpreter.REST_S", 0.001)  # so that threads end, and are asked for again
    for size in (1, 2, 3) * 8:
        pool = Pool(make, size)
        in_threads(6, lambda pool=pool: [answers.append(pool.run(slowly, Deadline(20))) for _ in range(3)])
        until(lambda pool=pool: idle(pool) and pool._resting == 0)  # type: ignore[misc]
        assert pool.made <= size
        together = threading.Barrier(size)
        in_threads(size, lambda pool=pool, all_=together: pool.run(lambda _: all_.wait(10), Deadline(10)))
    assert answers == [[b"abc"]] * 24 * 6 * 3
    assert len(refused) > 10, "or it has shown little"


class Image:
    """Something that the work holds."""


@pytest.mark.parametrize("fails", [True, False])
def test_nothing_is_kept_of_a_queued_requests_image(fails: bool) -> None:
    """Or many megabytes would wait for the collector, which a short function may never see."""
    pool, gone, ends = Pool(make, 1), list[Any](), list[str]()

    def ask() -> None:
        image = Image()
        gone.append(weakref.ref(image))

        def work(_: Any) -> Any:
            return {}[image] if fails else id(image)

        try:
            pool.run(work, Deadline(20))
        except KeyError:
            ends.append("failed")
        else:
            ends.append("answered")

    gc.disable()
    try:
        with Held(pool):
            asking = threading.Thread(target=ask)
            asking.start()
            until(lambda: len(pool._jobs) == 1)
        asking.join(10)
        until(lambda: idle(pool))
        assert ends == ["failed" if fails else "answered"]
        until(lambda: gone[0]() is None)  # the pool's thread lets go of it once it is done
    finally:
        gc.enable()
