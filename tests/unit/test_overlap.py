"""Side by side: a call aside, and each of several items. Events say what is under way; nothing is timed."""

import gc
import threading
import weakref
from pathlib import Path
from typing import Any

import pytest

from helpers.child import run
from mlserverless import overlap
from mlserverless.deadline import Deadline
from mlserverless.errors import DeadlineExceeded, Overloaded
from mlserverless.overlap import MOST, Aside, Job, each


@pytest.fixture
def no_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)


def free_threads() -> int:
    """Return how many threads a batch could have now."""
    taken = 0
    while overlap._spare.acquire(blocking=False):
        taken += 1
    for _ in range(taken):
        overlap._spare.release()
    return taken


def past() -> Deadline:
    return Deadline(0)


# --- a call aside ---


def test_call_is_made_at_once_in_another_thread() -> None:
    made, here = threading.Event(), threading.get_ident()

    def call() -> int:
        made.set()
        return threading.get_ident()

    aside = Aside(call)
    assert made.wait(10), "nobody has asked for its result"
    assert aside.result(Deadline(10), "it was made") != here


def test_result_may_be_asked_for_again() -> None:
    calls: list[int] = []
    aside = Aside(lambda: calls.append(1) or "result")  # type: ignore[func-returns-value]
    assert [aside.result(Deadline(10), "it was made") for _ in range(3)] == ["result"] * 3
    assert calls == [1]


@pytest.mark.parametrize("result", [None, 0, ""])
def test_result_may_be_nothing(result: Any) -> None:
    assert Aside(lambda: result).result(Deadline(10), "it was made") == result


@pytest.mark.parametrize("error", [ZeroDivisionError("mine"), Overloaded("mine"), KeyboardInterrupt("mine")])
def test_error_is_raised_where_the_result_is_asked_for(error: BaseException) -> None:
    def fail() -> None:
        raise error

    aside = Aside(fail)
    for _ in range(2):
        with pytest.raises(type(error), match="mine") as caught:
            aside.result(Deadline(10), "it was made")
        assert caught.value is error


def test_result_that_does_not_come_in_time_says_before_what() -> None:
    go_on = threading.Event()
    aside = Aside(lambda: go_on.wait(10))
    with pytest.raises(DeadlineExceeded) as caught:
        aside.result(past(), "the model was loaded")
    assert str(caught.value) == "The time granted to this request was over before the model was loaded."
    go_on.set()
    assert aside.result(Deadline(10), "it was made") is True


def test_result_that_is_there_is_given_after_the_deadline() -> None:
    aside = Aside(lambda: 5)
    assert aside.result(Deadline(), "it was made") == 5  # without a limit
    assert aside.result(past(), "it was made") == 5


def test_call_is_waited_for_however_it_ends() -> None:
    ended: list[int] = []

    def fail() -> None:
        ended.append(1)
        raise ZeroDivisionError

    Aside(fail).wait()
    assert ended == [1]


@pytest.mark.usefixtures("no_threads")
def test_call_that_was_not_begun_is_not_waited_for() -> None:
    Aside(lambda: pytest.fail("was made")).wait()


def test_call_that_goes_on_does_not_keep_the_process() -> None:
    go_on = threading.Event()
    aside = Aside(lambda: go_on.wait(10))
    assert aside._thread.daemon
    go_on.set()
    aside.result(Deadline(10), "it was made")


@pytest.mark.usefixtures("no_threads")
def test_where_no_thread_is_to_be_had_the_call_is_made_when_its_result_is_asked_for() -> None:
    calls: list[int] = []
    aside = Aside(lambda: calls.append(threading.get_ident()) or "result")  # type: ignore[func-returns-value]
    assert calls == []
    assert aside.result(Deadline(), "it was made") == "result"
    assert calls == [threading.get_ident()]


@pytest.mark.usefixtures("no_threads")
def test_where_no_thread_is_to_be_had_an_error_is_raised_all_the_same() -> None:
    with pytest.raises(ZeroDivisionError):
        Aside(lambda: 1 / 0).result(Deadline(), "it was made")


@pytest.mark.usefixtures("no_threads")
def test_where_no_thread_is_to_be_had_the_call_is_made_once() -> None:
    calls: list[int] = []

    def fail() -> None:
        calls.append(1)
        raise ZeroDivisionError

    aside = Aside(fail)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            aside.result(Deadline(), "it was made")
    assert calls == [1]


# --- work that another thread does ---


def test_job_is_done_with_a_tool_and_its_result_is_told() -> None:
    job = Job(lambda tool: tool + 1)
    assert not job.done.acquire(blocking=False)
    job.do(4)
    assert job.done.acquire(blocking=False)
    assert job.result() == 5


@pytest.mark.parametrize("error", [ZeroDivisionError("mine"), KeyboardInterrupt("mine")])
def test_job_that_fails_is_done_and_raises_in_the_thread_that_asked(error: BaseException) -> None:
    def work(_: Any) -> None:
        raise error

    job = Job(work)
    job.do(None)
    assert job.done.acquire(blocking=False)
    with pytest.raises(type(error)) as caught:
        job.result()
    assert caught.value is error


def test_job_lets_go_of_the_error_that_it_has_raised() -> None:
    """Its frames hold the image: kept, it would wait with that for the collector."""

    class Image:
        pass

    job, image = Job(lambda _: 1 / 0), Image()
    job.do(None)
    gone = weakref.ref(image)

    def ask(_: Image) -> None:
        with pytest.raises(ZeroDivisionError):
            job.result()

    gc.disable()
    try:
        ask(image)
        del image
        assert gone() is None
    finally:
        gc.enable()
    assert job._error is None


def test_job_that_cannot_be_done_is_told_why() -> None:
    job: Job[int] = Job(lambda _: pytest.fail("was done"))
    job.fail(Overloaded("busy"))
    assert job.done.acquire(blocking=False)
    with pytest.raises(Overloaded, match="busy"):
        job.result()


# --- each ---


def test_results_are_in_the_items_order_whoever_is_first() -> None:
    last = threading.Event()

    def call(item: int) -> str:
        if item == 4:
            last.set()
        else:
            assert last.wait(10), "they are not side by side"
        return f"result {item}"

    assert each(call, [0, 1, 2, 3, 4]) == [f"result {item}" for item in range(5)]


def test_no_more_than_so_many_items_are_under_way() -> None:
    lock, inside, seen, full = threading.Lock(), 0, list[int](), threading.Barrier(MOST)

    def call(item: int) -> int:
        nonlocal inside
        with lock:
            inside += 1
            seen.append(inside)
        full.wait(10)
        with lock:
            inside -= 1
        return item

    assert each(call, range(3 * MOST)) == list(range(3 * MOST))
    assert max(seen) == MOST
    assert not full.broken


def test_an_items_error_is_raised_when_the_others_have_ended() -> None:
    ended: list[int] = []

    def call(item: int) -> int:
        if item == 1:
            raise ZeroDivisionError
        ended.append(item)
        return item

    with pytest.raises(ZeroDivisionError):
        each(call, [0, 1, 2])
    assert 0 in ended
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("mlserverless-batch")]


def test_items_may_be_done_in_turn() -> None:
    done: list[tuple[int, int]] = []
    found = each(lambda item: done.append((item, threading.get_ident())) or item, range(40), in_turn=True)  # type: ignore[func-returns-value]
    assert found == list(range(40))
    assert done == [(item, threading.get_ident()) for item in range(40)]


def test_what_fails_in_turn_ends_it() -> None:
    done: list[int] = []

    def call(item: int) -> None:
        if item == 2:
            raise ZeroDivisionError
        done.append(item)

    with pytest.raises(ZeroDivisionError):
        each(call, range(40), in_turn=True)
    assert done == [0, 1]


def test_an_error_does_not_leave_the_others_behind() -> None:
    """Of the result of a batch nobody is told before all of them have ended."""
    second, go_on, ended = threading.Event(), threading.Event(), list[int]()

    def call(item: int) -> None:
        if item == 0:
            assert second.wait(10)
            go_on.set()
            raise ZeroDivisionError
        second.set()
        assert go_on.wait(10)
        ended.append(item)

    with pytest.raises(ZeroDivisionError):
        each(call, [0, 1])
    assert ended == [1]


def test_an_error_of_another_thread_is_raised_here() -> None:
    here = threading.get_ident()
    together = threading.Barrier(2)

    def call(_: int) -> None:
        together.wait(10)
        if threading.get_ident() != here:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        each(call, [0, 1])


@pytest.mark.usefixtures("no_threads")
def test_where_no_thread_is_to_be_had_the_items_are_done_here() -> None:
    assert each(lambda item: (item, threading.get_ident()), [1, 2, 3]) == [
        (item, threading.get_ident()) for item in (1, 2, 3)
    ]
    assert free_threads() == MOST - 1


def test_two_batches_share_the_threads_of_the_process() -> None:
    """Each has the thread that it came with; of others there are ``MOST - 1``, whoever has them."""
    lock, inside, seen = threading.Lock(), set[int](), list[int]()
    # As many as may be are under way at once: the two that asked, and the others.
    full, once = threading.Barrier(MOST + 1), threading.Event()

    def call(item: int) -> int:
        with lock:
            inside.add(threading.get_ident())
            seen.append(len(inside))
        if not once.is_set():
            full.wait(10)
            once.set()
        with lock:
            inside.remove(threading.get_ident())
        return item

    count, found = MOST * 3, list[list[int]]()
    threads = [threading.Thread(target=lambda: found.append(each(call, range(count)))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert found == [list(range(count))] * 2
    assert (max(seen), full.broken) == (MOST + 1, False)
    assert free_threads() == MOST - 1


def test_a_batch_that_finds_no_thread_free_is_done_here() -> None:
    go_on, begun = threading.Event(), threading.Barrier(MOST + 1)

    def hold(_: int) -> None:
        begun.wait(10)
        assert go_on.wait(10)

    first = threading.Thread(target=each, args=(hold, range(MOST)))
    first.start()
    begun.wait(10)
    try:
        assert each(lambda _: threading.get_ident(), range(5)) == [threading.get_ident()] * 5
    finally:
        go_on.set()
        first.join(10)
    assert free_threads() == MOST - 1


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt])
@pytest.mark.parametrize("wrong", [range(1), range(20)])
def test_threads_are_free_again_after_errors(wrong: range, error: type[BaseException]) -> None:
    def call(item: int) -> None:
        if item in wrong:
            raise error

    for _ in range(3):
        with pytest.raises(error):
            each(call, range(20))
    assert free_threads() == MOST - 1


@pytest.mark.parametrize("items", [[], [3]])
def test_one_item_or_none_is_done_here(items: list[int]) -> None:
    assert each(lambda _: threading.get_ident(), items) == [threading.get_ident()] * len(items)


@pytest.mark.parametrize("items", [[], [3], [3, 4]])
def test_items_import_no_futures(items: list[int], tmp_path: Path) -> None:
    code = (
        "import sys; from mlserverless.overlap import each\n"
        f"found = each(lambda item: item, {items}), 'concurrent.futures' in sys.modules\n"
        "import json; print(json.dumps(found))"
    )
    assert run(code, tmp_path) == [items, False]


def test_a_call_aside_imports_no_futures(tmp_path: Path) -> None:
    code = (
        "import sys; from mlserverless.overlap import Aside; from mlserverless.deadline import Deadline\n"
        "found = [Aside(lambda: 5).result(Deadline(), 'x'), 'concurrent' in sys.modules]\n"
        "import json; print(json.dumps(found))"
    )
    assert run(code, tmp_path) == [5, False]


def test_a_fork_has_all_threads_to_spare(tmp_path: Path) -> None:
    code = """
import os
from mlserverless import overlap
overlap._spare.acquire()
if pid := os.fork():
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
else:
    taken = 0
    while overlap._spare.acquire(blocking=False):
        taken += 1
    os._exit(taken)
"""
    assert run(code, tmp_path) == overlap.MOST - 1
