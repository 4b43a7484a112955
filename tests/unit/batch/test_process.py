"""A worker process: what it is given, how its lines are read, how it ends."""

import sys
from collections.abc import Iterator
from typing import Any

import pytest

from mlserverless.batch import process
from mlserverless.batch.engine import Item
from mlserverless.batch.process import Process, Task

GREET = "import sys, os, time, json\nasked = json.loads(sys.stdin.readline())\n"


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    made: list[Process] = []

    def begin(code: str, *suspects: Task) -> Process:
        monkeypatch.setattr(process, "WORDS", (sys.executable, "-c", GREET + code))
        made.append(Process({"a": 1}, suspects))
        return made[-1]

    yield begin
    for one in made:
        one.close()


def read(one: Process) -> list[bytes]:
    found: list[bytes] = []
    while (lines := one.lines()) is not None:
        found += lines
    return found


def task(index: int) -> Task:
    return Task(Item(index, f"u{index}"))


def test_it_is_given_what_is_wanted_and_its_items_as_lines(start: Any) -> None:
    one = start("print(asked, flush=True)\nfor line in sys.stdin: print(line, end='', flush=True)")
    one.give([task(0), task(1)])
    found: list[bytes] = []
    while len(found) < 3:
        found += one.lines()
    assert found == [b"{'a': 1}", b'[0, "u0", false]', b'[1, "u1", false]']
    assert {index: given.attempts for index, given in one.under_way.items()} == {0: 1, 1: 1}


def test_long_lines_come_in_parts(start: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "READ", 1000)
    assert read(start("print('x' * 3500)\nprint('y')\nprint('torn', end='')")) == [b"x" * 3500, b"y"]


@pytest.mark.parametrize(
    ("code", "told"), [("os.kill(os.getpid(), 9)", "was killed by SIGKILL"), ("sys.exit(3)", "ended with 3")]
)
def test_it_says_how_it_ended(start: Any, code: str, told: str) -> None:
    one = start(code)
    assert read(one) == []
    assert one.ended() == told
    one.give([task(0)])  # nobody reads it


def test_a_suspect_is_tried_alone_and_before_others(start: Any) -> None:
    one = start("for line in sys.stdin: pass", task(4), task(5))
    assert one.room(10) == 0
    one.try_suspect()
    assert not one.under_way, "it is not ready yet"
    one.ready = True
    one.try_suspect()
    one.try_suspect()
    assert (list(one.under_way), one.alone, one.room(10)) == ([4], True, 0)
    one.under_way.clear()
    one.try_suspect()
    assert (list(one.under_way), one.room(10)) == ([5], 0)
    one.under_way.clear()
    assert one.room(10) == 10
    one.give([task(6)])
    assert (one.alone, one.room(10)) == (False, 9)


def test_one_that_does_not_leave_is_ended(start: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "LEAVE_S", 0.2)
    one = start("print(flush=True)\nwhile True: time.sleep(1)")
    assert list(one.lines()) == [b""]
    one.ready = True
    one.close()
    assert one.ended() == "was killed by SIGKILL"
