"""The pool: one thread to an interpreter, one load at a time where one is enough, never a leaked slot."""

import threading
import time
from contextlib import ExitStack

import pytest

from helpers.fakes import IMAGE, SCORES, FakeInterpreter
from mlserverless.deadline import Deadline
from mlserverless.errors import ModelUnavailable, Overloaded
from mlserverless.interpreter import Pool


def make(_: int = 1) -> FakeInterpreter:
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


def in_threads(count: int, work: object) -> None:
    threads = [threading.Thread(target=work) for _ in range(count)]  # type: ignore[arg-type]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()


def test_nothing_is_loaded_before_it_is_borrowed() -> None:
    loads: list[int] = []
    pool = Pool(lambda _: loads.append(1) or make(), 2)  # type: ignore[func-returns-value]
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

    def load(_: int) -> FakeInterpreter:
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

    def load(_: int) -> FakeInterpreter:
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

    def load(_: int) -> FakeInterpreter:
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


def test_who_is_alone_has_all_the_threads_and_several_have_one_each() -> None:
    loads = Loads()
    pool = Pool(loads, 2, wide=2, narrow=1)
    with pool.borrow(Deadline()) as alone:
        assert loads.of[id(alone)] == 2
    with pool.borrow(Deadline()) as alone, pool.borrow(Deadline()) as beside:
        assert [loads.of[id(alone)], loads.of[id(beside)]] == [2, 1]
    assert loads.threads == [2, 1]


def test_who_comes_while_a_narrow_one_is_in_use_gets_a_narrow_one() -> None:
    """The wide one would take the cores that the other works on."""
    loads = Loads()
    pool = Pool(loads, 2, wide=2, narrow=1)
    first, second = ExitStack(), ExitStack()
    first.enter_context(pool.borrow(Deadline()))
    narrow = second.enter_context(pool.borrow(Deadline()))
    first.close()  # the wide one is idle, the narrow one is not
    with pool.borrow(Deadline()) as beside:
        assert beside is not narrow
        assert loads.of[id(beside)] == 1
    second.close()
    with pool.borrow(Deadline()) as alone:
        assert loads.of[id(alone)] == 2
    assert (loads.threads, pool.made) == ([2, 1, 1], 3)


def test_one_of_one_is_wide() -> None:
    loads = Loads()
    pool = Pool(loads, 1, wide=4, narrow=1)
    for _ in range(3):
        with pool.borrow(Deadline()) as interpreter:
            assert loads.of[id(interpreter)] == 4
    assert loads.threads == [4]


def test_where_all_are_alike_an_idle_one_is_lent_before_another_is_loaded() -> None:
    loads = Loads()
    pool = Pool(loads, 3, wide=2, narrow=2)
    first, second = ExitStack(), ExitStack()
    one = first.enter_context(pool.borrow(Deadline()))
    second.enter_context(pool.borrow(Deadline()))
    first.close()
    with pool.borrow(Deadline()) as again:
        assert again is one
    second.close()
    assert loads.threads == [2, 2]


def test_where_all_are_alike_no_more_than_the_size_are_loaded() -> None:
    loads = Loads()
    pool = Pool(loads, 2, wide=1, narrow=1)
    held = ExitStack()
    for _ in range(2):
        held.enter_context(pool.borrow(Deadline()))
    with pytest.raises(Overloaded), pool.borrow(Deadline(0)):
        pass
    held.close()
    assert (loads.threads, pool.made) == ([1, 1], 2)


@pytest.mark.parametrize(("size", "wide", "most"), [(2, 1, 2), (2, 2, 3), (3, 4, 4), (1, 4, 1)])
def test_sixteen_threads_share_no_interpreter_and_never_use_more_than_the_size(
    size: int, wide: int, most: int
) -> None:
    lock, running, seen, wrong = threading.Lock(), set[int](), set[int](), list[str]()
    pool = Pool(make, size, wide=wide, narrow=1)

    def work() -> None:
        for _ in range(40):
            with pool.borrow(Deadline(20)) as interpreter:
                with lock:
                    if id(interpreter) in running or len(running) >= size:
                        wrong.append(f"{id(interpreter)} beside {running}")
                    running.add(id(interpreter))
                    seen.add(id(interpreter))
                interpreter.run(b"")  # tells by itself where two threads run it
                time.sleep(0.0002)
                with lock:
                    running.discard(id(interpreter))

    in_threads(16, work)
    assert wrong == []
    assert len(seen) == pool.made <= most
    assert (pool._in_use, len(pool._idle), pool._waiting) == (0, pool.made, 0)


def test_loads_that_fail_free_their_slots_wide_or_narrow() -> None:
    broken: list[int] = []

    def load(threads: int) -> FakeInterpreter:
        if threads in broken:
            raise ModelUnavailable("broken")
        return make()

    pool = Pool(load, 2, wide=2, narrow=1)
    broken.append(2)
    for _ in range(5):
        with pytest.raises(ModelUnavailable), pool.borrow(Deadline(0)):
            pass
    assert (pool.made, pool._in_use) == (0, 0)
    broken[0] = 1
    with pool.borrow(Deadline(0)) as wide:
        for _ in range(5):
            with pytest.raises(ModelUnavailable), pool.borrow(Deadline(0)):
                pass
        assert (pool.made, pool._in_use) == (1, 1)
        broken.clear()
        with pool.borrow(Deadline(0)) as narrow:
            assert narrow is not wide
    assert (pool.made, pool._in_use) == (2, 0)


def test_a_first_load_that_fails_beside_one_that_does_not() -> None:
    """The pool goes on with what there is."""
    second, go_on = threading.Event(), threading.Event()

    def load(threads: int) -> FakeInterpreter:
        if threads == 2:
            assert second.wait(10)
            raise ModelUnavailable("the wide one")
        second.set()
        assert go_on.wait(10)
        return make()

    pool, ends = Pool(load, 2, wide=2, narrow=1), list[str]()

    def work() -> None:
        try:
            with pool.borrow(Deadline(10)):
                ends.append("used")
        except ModelUnavailable as error:
            ends.append(str(error))
            go_on.set()

    in_threads(2, work)
    assert sorted(ends) == ["the wide one", "used"]
    with pool.borrow(Deadline(0)) as one:
        assert one.run(b"") == [b"abc"]
    assert (pool.made, pool._in_use) == (1, 0)


def test_what_is_given_back_as_the_time_ends_is_lent() -> None:
    """Who waits may be told of it when the time is over by a hair: nobody else is, so it must be taken."""
    pool, held = Pool(make, 1), ExitStack()
    one = held.enter_context(pool.borrow(Deadline()))

    class Late(threading.Condition):
        def wait(self, timeout: float | None = None) -> bool:
            held.close()
            return False

    pool._changed = Late()
    with pool.borrow(Deadline(5)) as found:
        assert found is one
