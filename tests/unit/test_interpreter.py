"""The pool: one thread to an interpreter, one load at a time where one is enough, never a leaked slot."""

import threading
from typing import Any

import pytest

from helpers.fakes import FakeInterpreter
from helpers.pools import Held, Loads, idle, in_threads, make, until, which
from mlserverless import interpreter
from mlserverless.deadline import Deadline
from mlserverless.errors import Overloaded
from mlserverless.interpreter import Pool


def test_nothing_is_loaded_before_there_is_work() -> None:
    loads = Loads()
    pool = Pool(loads, 2)
    assert (pool.made, loads.threads) == (0, [])
    which(pool)
    assert (pool.made, loads.threads) == (1, [1])


def test_work_is_done_here_and_its_result_is_returned() -> None:
    pool = Pool(make, 1)
    assert pool.run(lambda one: (one.run(b"x"), threading.get_ident()), Deadline()) == (
        [b"abc"],
        threading.get_ident(),
    )


def test_an_idle_interpreter_is_used_before_another_is_loaded() -> None:
    pool = Pool(make, 5)
    assert len({id(which(pool)) for _ in range(10)}) == pool.made == 1


def test_the_last_given_back_is_the_next_lent() -> None:
    pool = Pool(make, 2)
    with Held(pool) as first:
        with Held(pool) as second:
            assert first is not second
        assert which(pool) is second
    assert which(pool) is first


def test_two_work_in_parallel() -> None:
    pool, together = Pool(make, 2), threading.Barrier(2)
    in_threads(2, lambda: pool.run(lambda _: together.wait(10), Deadline(10)))
    assert not together.broken


def test_a_second_is_loaded_while_the_first_still_loads() -> None:
    together = threading.Barrier(2)

    def load(_: int) -> FakeInterpreter:
        together.wait(10)
        return make()

    pool = Pool(load, 2)
    in_threads(2, lambda: which(pool))
    assert pool.made == 2


def test_one_slot_is_loaded_once_however_many_wait() -> None:
    loads, answers, waiting = list[int](), list[Any](), threading.Event()

    def load(_: int) -> FakeInterpreter:
        loads.append(1)
        assert waiting.wait(10)
        return make()

    pool = Pool(load, 1)

    def work() -> None:
        answers.append(pool.run(lambda one: one.run(b""), Deadline(20)))

    threads = [threading.Thread(target=work) for _ in range(20)]
    for thread in threads:
        thread.start()
    until(lambda: len(pool._jobs) == 19)
    waiting.set()
    for thread in threads:
        thread.join(20)
    assert (len(loads), answers) == (1, [[b"abc"]] * 20)
    until(lambda: idle(pool))


# --- queues ---


def test_what_waits_is_done_in_the_order_of_its_coming() -> None:
    pool, order, threads = Pool(make, 1), list[int](), list[threading.Thread]()
    with Held(pool):
        for at in range(5):
            thread = threading.Thread(target=pool.run, args=(lambda _, at=at: order.append(at), Deadline(20)))
            threads.append(thread)
            thread.start()
            until(lambda at=at: len(pool._jobs) == at + 1)  # type: ignore[misc]
    for thread in threads:
        thread.join(10)
    assert order == [0, 1, 2, 3, 4]


def test_so_many_wait_and_the_next_is_told_at_once() -> None:
    pool = Pool(make, 1)
    with Held(pool):
        waiting = [Held(pool, 2) for _ in range(2)]
        until(lambda: len(pool._jobs) == 2)
        with pytest.raises(Overloaded) as caught:
            which(pool, Deadline(20), 2)
    assert str(caught.value) == "All 1 interpreters are busy and 2 requests wait already."
    for one in waiting:
        one.go_on.set()
    for one in waiting:
        one.end()
        assert one.interpreter is not None
    until(lambda: idle(pool))


def test_members_of_a_batch_are_not_counted_as_waiting() -> None:
    """They fill nobody's queue, and a full queue does not refuse them."""
    pool = Pool(make, 1)
    with Held(pool):
        members = [Held(pool) for _ in range(16)]
        until(lambda: len(pool._jobs) == 16)
        single = Held(pool, 1)
        until(lambda: len(pool._jobs) == 17)
        with pytest.raises(Overloaded, match="interpreters are busy and 1 requests wait already"):
            which(pool, Deadline(20), 1)
        members.append(Held(pool))
        until(lambda: len(pool._jobs) == 18)
    for one in (*members, single):
        one.go_on.set()
    for one in (*members, single):
        one.end()
        assert (one.interpreter is not None, one.error) == (True, None)
    until(lambda: idle(pool))


def test_no_queue_at_all() -> None:
    pool = Pool(make, 1)
    assert which(pool, queue=0)
    with Held(pool), pytest.raises(Overloaded, match="0 requests wait already"):
        which(pool, queue=0)


@pytest.mark.parametrize("seconds", [0.0, 0.05])
def test_overloaded_when_none_comes_free_before_the_deadline(seconds: float) -> None:
    pool = Pool(make, 1)
    with (
        Held(pool),
        pytest.raises(Overloaded, match=r"^All 1 interpreters were busy until the time was over\.$"),
    ):
        which(pool, Deadline(seconds))
    assert which(pool, Deadline(0))  # one that is idle is lent even then
    assert idle(pool), "nobody is counted who has gone"


def test_work_that_was_begun_in_time_is_waited_for() -> None:
    """It runs in C, which nothing can interrupt, with an image of the caller's."""
    pool, begun, go_on = Pool(make, 1), threading.Event(), threading.Event()
    now, ends = [0.0], list[Any]()

    def work(_: Any) -> str:
        begun.set()
        assert go_on.wait(10)
        return "done"

    def ask() -> None:
        ends.append(pool.run(work, Deadline(0.2)))

    with Held(pool):
        asking = threading.Thread(target=ask)
        asking.start()
        until(lambda: len(pool._jobs) == 1)
    assert begun.wait(10)
    asking.join(0.3)
    assert (asking.is_alive(), ends) == (True, [])
    go_on.set()
    asking.join(10)
    assert (ends, now) == (["done"], [0.0])


def test_who_waits_gets_what_the_work_raised() -> None:
    pool, errors = Pool(make, 1), list[BaseException]()

    def work() -> None:
        try:
            pool.run(lambda _: {}["none"], Deadline(20))
        except KeyError as error:
            errors.append(error)

    with Held(pool):
        threads = [threading.Thread(target=work) for _ in range(3)]
        for thread in threads:
            thread.start()
        until(lambda: len(pool._jobs) == 3)
    for thread in threads:
        thread.join(10)
    assert len(errors) == 3
    until(lambda: idle(pool))
    assert which(pool)


def test_interpreter_is_given_back_when_its_use_fails() -> None:
    pool = Pool(make, 1)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            pool.run(lambda _: 1 / 0, Deadline(0))
    assert (pool.made, idle(pool)) == (1, True)


def test_where_no_thread_is_to_be_had_who_gives_back_does_what_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    pool, threads = Pool(make, 1), list[tuple[int, int]]()
    start = threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        if thread.name.startswith("mlserverless"):
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse)

    def work() -> None:
        mine = threading.get_ident()
        threads.append((mine, pool.run(lambda _: threading.get_ident(), Deadline(20))))

    for _ in range(3):  # and again: what is counted must be right afterwards
        with Held(pool) as _held:
            asking = [threading.Thread(target=work) for _ in range(3)]
            for one in asking:
                one.start()
            until(lambda: len(pool._jobs) == 3)
        for one in asking:
            one.join(10)
            assert not one.is_alive()
        until(lambda: idle(pool))
    assert len(threads) == 9
    assert all(mine != done for mine, done in threads)
    assert pool._resting == 0


def test_threads_of_the_pool_rest_and_are_used_again() -> None:
    pool, done = Pool(make, 1), list[int]()
    for _ in range(10):
        with Held(pool):
            one = threading.Thread(
                target=pool.run, args=(lambda _: done.append(threading.get_ident()), Deadline(20))
            )
            one.start()
            until(lambda: len(pool._jobs) == 1)
        one.join(10)
        until(lambda: idle(pool) and pool._resting == 1)
    assert (len(done), len(set(done))) == (10, 1)


def test_threads_that_have_rested_for_long_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interpreter, "REST_S", 0.01)
    pool, others = Pool(make, 1), set(threading.enumerate())
    with Held(pool):
        one = Held(pool)
        until(lambda: len(pool._jobs) == 1)
    one.end()
    until(lambda: not set(threading.enumerate()) - others)
    assert (pool._resting, idle(pool)) == (0, True)
