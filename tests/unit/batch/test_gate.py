"""Turns: never more than allowed, fewer after a refusal, more again after good answers."""

import threading
import time

import pytest

from mlserverless.batch.gate import Closed, Gate


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_no_more_than_the_most_have_a_turn_at_a_time() -> None:
    gate, lock, at_a_time, most = Gate(3), threading.Lock(), 0, 0

    def work() -> None:
        nonlocal at_a_time, most
        for _ in range(5):
            with gate.turn():
                with lock:
                    at_a_time += 1
                    most = max(most, at_a_time)
                time.sleep(0.002)
                with lock:
                    at_a_time -= 1

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert most == 3


def test_a_refusal_halves_the_turns_once_for_all_that_were_under_way() -> None:
    clock = Clock()
    gate = Gate(8, clock)
    clock.now = 101.0
    gate.refused(100.5)
    assert gate.limit == 4
    gate.refused(100.9)  # had begun before they were halved
    assert gate.limit == 4
    gate.refused(101.5)
    assert gate.limit == 2


def test_one_turn_is_always_left() -> None:
    gate = Gate(2)
    for began in (1e9, 2e9, 3e9):
        gate.refused(began)
    assert gate.limit == 1
    with gate.turn():
        pass


def test_good_answers_bring_a_turn_back_after_as_many_as_there_are_and_never_more_than_the_most() -> None:
    gate = Gate(4)
    gate.refused(1e9)
    assert gate.limit == 2
    for _ in range(3):
        gate.good()
    assert gate.limit == 3
    for _ in range(50):
        gate.good()
    assert gate.limit == 4


def test_nobody_has_a_turn_while_all_are_held() -> None:
    gate = Gate(4)
    began = time.monotonic()
    gate.refused(began, 0.2)
    with gate.turn():
        assert time.monotonic() - began >= 0.2


def test_a_shorter_hold_does_not_end_a_longer_one() -> None:
    gate = Gate(4)
    began = time.monotonic()
    gate.refused(began, 0.2)
    gate.refused(began, 0.01)
    with gate.turn():
        assert time.monotonic() - began >= 0.2


def test_who_waits_is_let_go_when_the_gate_is_closed() -> None:
    gate, ended = Gate(1), list[str]()

    def wait(what: str) -> None:
        with pytest.raises(Closed):
            gate.rest(30) if what == "rest" else gate.turn().__enter__()
        ended.append(what)

    with gate.turn():
        threads = [threading.Thread(target=wait, args=(what,)) for what in ("rest", "turn")]
        for thread in threads:
            thread.start()
        time.sleep(0.05)
        gate.close()
        for thread in threads:
            thread.join(5)
    assert sorted(ended) == ["rest", "turn"]
    with pytest.raises(Closed), gate.turn():
        pass


def test_a_rest_is_as_long_as_asked() -> None:
    began = time.monotonic()
    Gate(1).rest(0.1)
    assert 0.1 <= time.monotonic() - began < 5
