"""Processes that are kept and asked in turn."""

import re
import sys
from pathlib import Path

import pytest
from benchmarks import kept
from benchmarks.children import SUBJECTS, Command, Failed

SCRIPT = """
import sys
sys.path.insert(0, sys.argv[1])
from again import again
answers = iter(sys.argv[2].split(","))
first = int(next(answers))
print(first, flush=True)
again(lambda: int(next(answers, first)), first)
print("the end", file=sys.stderr)
"""


def command(tmp_path: Path, answers: str) -> Command:
    script = tmp_path / "subject.py"
    script.write_text(SCRIPT)
    return Command((sys.executable, str(script), str(SUBJECTS), answers), {"NAME": "value"})


def test_each_is_asked_in_every_turn_that_counts(tmp_path: Path) -> None:
    one = command(tmp_path, "7")
    found = kept.in_turn({"A": one, "B": one, "C": one}, 4)
    assert {name: len(turns) for name, turns in found.items()} == {"A": 4, "B": 4, "C": 4}
    assert all(spent.wall > 0 and spent.cpu >= 0 for turns in found.values() for spent in turns)


def test_answers_that_differ_are_no_comparison(tmp_path: Path) -> None:
    with pytest.raises(Failed, match=re.escape("the answers differ: {'A': '7', 'B': '8'}")):
        kept.in_turn({"A": command(tmp_path, "7"), "B": command(tmp_path, "8")}, 1)


def test_one_that_answers_otherwise_later_ends_it(tmp_path: Path) -> None:
    with pytest.raises(Failed, match="the answer was 7 first, and 9 later"):
        kept.in_turn({"A": command(tmp_path, "7,7,7,7,7,9")}, 5)


def test_one_that_does_not_start_says_why(tmp_path: Path) -> None:
    missing = Command((sys.executable, str(tmp_path / "missing.py")))
    with pytest.raises(Failed, match=r"ended with 2: .*can't open file"), kept.kept(missing):
        pass


def test_it_ends_with_the_block(tmp_path: Path) -> None:
    with kept.kept(command(tmp_path, "7")) as process:
        assert process.first == "7"
        assert process.ask(2).wall > 0
    assert process._process.poll() == 0
