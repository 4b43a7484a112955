"""How many interpreters there are, of how many threads, and what a load that fails leaves behind."""

import threading
import time
from typing import Any

import pytest

from helpers.fakes import FakeInterpreter
from helpers.pools import Held, Loads, idle, in_threads, make, until, which
from mlserverless.deadline import Deadline
from mlserverless.errors import ModelUnavailable, Overloaded
from mlserverless.interpreter import Pool


def test_who_is_alone_has_all_the_threads_and_several_have_one_each() -> None:
    loads = Loads()
    pool = Pool(loads, 2, wide=2, narrow=1)
    assert loads.of[id(which(pool))] == 2
    with Held(pool) as alone, Held(pool) as beside:
        assert [loads.of[id(alone)], loads.of[id(beside)]] == [2, 1]
    assert loads.threads == [2, 1]


def test_who_comes_while_a_narrow_one_is_in_use_gets_a_narrow_one() -> None:
    """The wide one would take the cores that the other works on."""
    loads = Loads()
    pool = Pool(loads, 2, wide=2, narrow=1)
    with Held(pool):
        second = Held(pool)
        with second:
            pass  # both have been loaded
        second = Held(pool)
        assert second.lent.wait(10)
    with second as narrow:  # the wide one is idle by now, the narrow one is not
        beside = which(pool)
        assert (loads.of[id(narrow)], loads.of[id(beside)]) == (1, 1)
        assert beside is not narrow
    assert loads.of[id(which(pool))] == 2
    assert (loads.threads, pool.made) == ([2, 1, 1], 3)


@pytest.mark.parametrize("wide", [1, 4])
def test_one_of_one_is_wide(wide: int) -> None:
    loads = Loads()
    pool = Pool(loads, 1, wide=wide, narrow=1)
    assert [loads.of[id(which(pool))] for _ in range(3)] == [wide] * 3
    assert loads.threads == [wide]


def test_where_all_are_alike_an_idle_one_is_lent_before_another_is_loaded() -> None:
    loads = Loads()
    pool = Pool(loads, 3, wide=2, narrow=2)
    first, second = Held(pool), Held(pool)
    assert first.lent.wait(10)
    with second:
        first.end()
        assert which(pool) is first.interpreter
    assert loads.threads == [2, 2]


def test_where_all_are_alike_no_more_than_the_size_are_loaded() -> None:
    loads = Loads()
    pool = Pool(loads, 2)
    with Held(pool), Held(pool), pytest.raises(Overloaded):
        which(pool, Deadline(0))
    assert (loads.threads, pool.made) == ([1, 1], 2)


@pytest.mark.parametrize(("size", "wide", "most"), [(2, 1, 2), (2, 2, 3), (3, 1, 3), (3, 4, 4), (1, 4, 1)])
@pytest.mark.parametrize("pause", [0.0, 0.0005])
def test_sixteen_threads_share_no_interpreter_and_never_use_more_than_the_size(
    size: int, wide: int, most: int, pause: float
) -> None:
    lock, running, seen, wrong = threading.Lock(), set[int](), set[int](), list[str]()
    pool, answers = Pool(make, size, wide=wide, narrow=1), list[Any]()

    def use(interpreter: Any) -> Any:
        with lock:
            if id(interpreter) in running or len(running) >= size:
                wrong.append(f"{id(interpreter)} beside {running}")
            running.add(id(interpreter))
            seen.add(id(interpreter))
        answer = interpreter.run(b"")  # tells by itself where two threads run it
        time.sleep(0.0002)
        with lock:
            running.discard(id(interpreter))
        return answer

    def work() -> None:
        for _ in range(25):
            answers.append(pool.run(use, Deadline(20)))
            time.sleep(pause)

    in_threads(16, work)
    assert wrong == []
    assert answers == [[b"abc"]] * 400
    assert len(seen) == pool.made <= most
    until(lambda: idle(pool))


# --- loads that fail ---


def test_a_load_that_fails_is_told_to_all_that_wait_for_it_and_tried_again_by_the_next() -> None:
    waiting, attempts, ends = threading.Event(), list[int](), list[str]()

    def load(_: int) -> FakeInterpreter:
        attempts.append(1)
        if len(attempts) == 1:
            assert waiting.wait(10)
            raise ModelUnavailable("once")
        return make()

    pool = Pool(load, 1)

    def work() -> None:
        try:
            which(pool, Deadline(20))
        except ModelUnavailable as error:
            ends.append(str(error))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    until(lambda: len(pool._jobs) == 7)
    waiting.set()
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()
    assert ends == ["once"] * 8
    assert (pool.made, idle(pool)) == (0, True)
    assert which(pool).run(b"") == [b"abc"]


def test_loads_that_fail_free_their_slots_wide_or_narrow() -> None:
    broken = [2]

    def load(threads: int) -> FakeInterpreter:
        if threads in broken:
            raise ModelUnavailable("broken")
        return make()

    pool = Pool(load, 2, wide=2, narrow=1)
    for _ in range(5):
        with pytest.raises(ModelUnavailable):
            which(pool, Deadline(0))
    assert (pool.made, pool._in_use) == (0, 0)
    broken[0] = 1
    assert which(pool, Deadline(0))
    with Held(pool) as wide:
        for _ in range(5):
            with pytest.raises(ModelUnavailable):
                which(pool, Deadline(0))
        assert (pool.made, pool._in_use) == (1, 1)
        broken.clear()
        assert which(pool, Deadline(0)) is not wide
    assert (pool.made, idle(pool)) == (2, True)


def test_a_first_load_that_fails_beside_one_that_does_not() -> None:
    """The pool goes on with what there is."""
    second, failed = threading.Event(), threading.Event()

    def load(threads: int) -> FakeInterpreter:
        if threads == 2:
            assert second.wait(10)
            failed.set()
            raise ModelUnavailable("the wide one")
        second.set()
        assert failed.wait(10)
        return make()

    pool, ends = Pool(load, 2, wide=2, narrow=1), list[str]()

    def work() -> None:
        try:
            which(pool)
            ends.append("used")
        except ModelUnavailable as error:
            ends.append(str(error))

    in_threads(2, work)
    assert sorted(ends) == ["the wide one", "used"]
    assert which(pool, Deadline(0)).run(b"") == [b"abc"]
    assert (pool.made, idle(pool)) == (1, True)


def test_a_load_that_fails_while_another_works_leaves_the_queue_to_that_one() -> None:
    broken = list[int]()

    def load(threads: int) -> FakeInterpreter:
        if threads in broken:
            raise ModelUnavailable("broken")
        return make()

    pool = Pool(load, 2, wide=2, narrow=1)
    with Held(pool):
        broken.append(1)
        with pytest.raises(ModelUnavailable):
            which(pool)
        broken.clear()
        with Held(pool):
            waiting = Held(pool)
            until(lambda: len(pool._jobs) == 1)
            broken.append(1)
    waiting.end()
    assert (waiting.error, waiting.interpreter is not None) == (None, True)
    until(lambda: idle(pool))


def test_what_waits_beside_another_is_not_done_with_the_wide_one() -> None:
    """Though that one is given back first: it goes to who is alone, when it is idle."""
    loads = Loads()
    pool = Pool(loads, 2, wide=2, narrow=1)
    first = Held(pool)
    assert first.lent.wait(10)
    with Held(pool) as narrow:
        waiting = [Held(pool) for _ in range(2)]
        until(lambda: len(pool._jobs) == 2)
        first.end()  # its place is taken by one that waits, with another narrow one
        until(lambda: len(pool._jobs) == 1)
        for one in waiting:
            one.go_on.set()
        for one in waiting:
            one.end()
            assert loads.of[id(one.interpreter)] == 1
            assert one.interpreter is not narrow
    until(lambda: idle(pool))
    assert sorted(loads.threads) == [1, 1, 2]
    assert loads.of[id(which(pool))] == 2


def test_where_a_narrow_one_cannot_be_loaded_what_waits_is_done_with_the_wide_one() -> None:
    narrow: list[int] = []

    def load(threads: int) -> FakeInterpreter:
        narrow.extend([1] if threads == 1 else [])
        if len(narrow) > 1:
            raise ModelUnavailable("no memory")
        return make()

    pool = Pool(load, 2, wide=2, narrow=1)
    first = Held(pool)
    assert first.lent.wait(10)
    with Held(pool):
        waiting = Held(pool)
        until(lambda: len(pool._jobs) == 1)
        first.end()
        assert waiting.lent.wait(10)
        waiting.end()
        assert (waiting.error, waiting.interpreter is first.interpreter) == (None, True)
    until(lambda: idle(pool))
    assert (pool.made, len(narrow)) == (2, 2)
