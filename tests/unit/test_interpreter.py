"""The pool: one thread to an interpreter, one load at a time where one is enough, never a leaked slot."""

import threading
import time

import pytest

from helpers.fakes import IMAGE, SCORES, FakeInterpreter
from mlserverless.deadline import Deadline
from mlserverless.errors import ModelUnavailable, Overloaded
from mlserverless.interpreter import Pool


def make() -> FakeInterpreter:
    return FakeInterpreter(b"abc", (IMAGE,), (SCORES,))


def in_threads(count: int, work: object) -> None:
    threads = [threading.Thread(target=work) for _ in range(count)]  # type: ignore[arg-type]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()


def test_nothing_is_loaded_before_it_is_borrowed() -> None:
    loads: list[int] = []
    pool = Pool(lambda: loads.append(1) or make(), 2)  # type: ignore[func-returns-value]
    assert (pool.made, loads) == (0, [])
    with pool.borrow(Deadline()):
        assert (pool.made, loads) == (1, [1])


def test_an_idle_interpreter_is_used_before_another_is_loaded() -> None:
    pool = Pool(make, 5)
    seen = set()
    for _ in range(10):
        with pool.borrow(Deadline()) as interpreter:
            seen.add(id(interpreter))
    assert (pool.made, len(seen)) == (1, 1)


def test_the_last_given_back_is_the_next_lent() -> None:
    pool = Pool(make, 2)
    with pool.borrow(Deadline()) as first:
        with pool.borrow(Deadline()) as second:
            assert first is not second
        with pool.borrow(Deadline()) as again:
            assert again is second
    with pool.borrow(Deadline()) as last:
        assert last is first


def test_no_more_than_the_size_are_loaded_and_none_is_shared() -> None:
    lock, running, most, wrong = threading.Lock(), set[int](), 0, []
    pool = Pool(make, 3)

    def work() -> None:
        nonlocal most
        for _ in range(50):
            with pool.borrow(Deadline(20)) as interpreter:
                with lock:
                    if id(interpreter) in running:
                        wrong.append(interpreter)
                    running.add(id(interpreter))
                    most = max(most, len(running))
                interpreter.run(b"")
                time.sleep(0.0005)
                with lock:
                    running.discard(id(interpreter))

    in_threads(16, work)
    assert (wrong, pool.made) == ([], 3)
    assert most <= 3


def test_two_work_in_parallel() -> None:
    pool, together = Pool(make, 2), threading.Barrier(2)

    def work() -> None:
        with pool.borrow(Deadline(10)):
            together.wait(10)

    in_threads(2, work)
    assert not together.broken


def test_a_second_is_loaded_while_the_first_still_loads() -> None:
    together = threading.Barrier(2)

    def load() -> FakeInterpreter:
        together.wait(10)
        return make()

    pool = Pool(load, 2)

    def work() -> None:
        with pool.borrow(Deadline(10)):
            pass

    in_threads(2, work)
    assert pool.made == 2


def test_one_slot_is_loaded_once_however_many_wait() -> None:
    loads: list[float] = []

    def load() -> FakeInterpreter:
        loads.append(time.monotonic())
        time.sleep(0.1)
        return make()

    pool = Pool(load, 1)
    answers = []

    def work() -> None:
        with pool.borrow(Deadline(20)) as interpreter:
            answers.append(interpreter.run(b""))

    in_threads(20, work)
    assert (len(loads), len(answers)) == (1, 20)


def test_so_many_wait_and_the_next_is_told_at_once() -> None:
    pool, answered, refused = Pool(make, 1), [], []
    waiting = threading.Barrier(3, timeout=10)

    def wait() -> None:
        waiting.wait()
        with pool.borrow(Deadline(20)) as interpreter:
            answered.append(interpreter)

    with pool.borrow(Deadline()):
        threads = [threading.Thread(target=wait) for _ in range(2)]
        for thread in threads:
            thread.start()
        waiting.wait()
        until = time.monotonic() + 10
        while pool._waiting < 2 and time.monotonic() < until:
            time.sleep(0.01)
        start = time.monotonic()
        with pytest.raises(Overloaded) as caught, pool.borrow(Deadline(20), 2):
            refused.append(1)
        assert time.monotonic() - start < 1
    for thread in threads:
        thread.join(10)
    assert str(caught.value) == "All 1 interpreters are busy and 2 requests wait already."
    assert (len(answered), refused, pool._waiting) == (2, [], 0)
    with pool.borrow(Deadline(0)):  # nobody is counted who has gone
        pass


def test_no_queue_at_all() -> None:
    pool = Pool(make, 1)
    with (
        pool.borrow(Deadline()),
        pytest.raises(Overloaded, match="0 requests wait already"),
        pool.borrow(Deadline(5), 0),
    ):
        pass


@pytest.mark.parametrize("seconds", [0.0, 0.2])
def test_overloaded_when_none_comes_free_before_the_deadline(seconds: float) -> None:
    pool = Pool(make, 1)
    with pool.borrow(Deadline()):
        start = time.monotonic()
        with (
            pytest.raises(Overloaded, match=r"^All 1 interpreters were busy until the time was over\.$"),
            pool.borrow(Deadline(seconds)),
        ):
            pass
        assert seconds * 0.9 <= time.monotonic() - start < seconds + 1
    with pool.borrow(Deadline(0)):  # one that is idle is lent even then
        pass


def test_one_who_waits_gets_the_interpreter_given_back() -> None:
    pool = Pool(make, 1)
    lent = threading.Event()

    def hold() -> None:
        with pool.borrow(Deadline()):
            lent.set()
            time.sleep(0.2)

    holder = threading.Thread(target=hold)
    holder.start()
    assert lent.wait(10)
    with pool.borrow(Deadline()) as interpreter:
        assert interpreter.run(b"") == [b"abc"]
    holder.join(10)
    assert pool.made == 1


def test_failing_load_frees_its_slot_and_wakes_who_waits() -> None:
    attempts: list[int] = []

    def load() -> FakeInterpreter:
        attempts.append(1)
        time.sleep(0.05)
        if len(attempts) == 1:
            raise ModelUnavailable("once")
        return make()

    pool, ends = Pool(load, 1), []

    def work() -> None:
        try:
            with pool.borrow(Deadline(20)) as interpreter:
                ends.append(interpreter.run(b"")[0])
        except ModelUnavailable as error:
            ends.append(str(error).encode())

    in_threads(8, work)
    assert sorted(ends) == [b"abc"] * 7 + [b"once"]
    assert pool.made == 1


def test_interpreter_is_given_back_when_its_use_fails() -> None:
    pool = Pool(make, 1)
    with pytest.raises(ValueError, match=r"^mine$"), pool.borrow(Deadline()):
        raise ValueError("mine")
    with pool.borrow(Deadline(0)):
        assert pool.made == 1
