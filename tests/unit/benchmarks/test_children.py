import sys

import pytest
from benchmarks.children import Command, Failed, interleave, launcher, ratio, ratio_of, summary

# Holds a known amount of memory, says a line, goes on for a while.
CHILD = """
import sys, time
held = bytearray(64 << 20)
print(sys.argv[1], flush=True)
time.sleep(0.1)
"""


def child(said: str) -> Command:
    return Command((sys.executable, "-I", "-S", "-c", CHILD, said))


def test_the_first_line_and_the_end_are_timed_apart_and_the_peak_is_the_childs_own() -> None:
    ours = bytearray(256 << 20)  # what a child of this process would be said to have had
    with launcher() as started:
        run = started.run(child("seven"))
    assert run.said == "seven"
    assert 0 < run.wall < run.ended - 0.09
    assert 64 < run.peak_mb < 128 < len(ours) >> 20


def test_a_command_that_fails_shows_its_own_words() -> None:
    with launcher() as started, pytest.raises(Failed, match=r"ended with 3: .*no luck"):
        started.run(
            Command(
                (sys.executable, "-I", "-S", "-c", "import sys\nprint('no luck', file=sys.stderr)\nsys.exit(3)")
            )
        )


def test_a_wrong_answer_ends_the_measurement() -> None:
    with pytest.raises(Failed, match="b said '2', which is not the answer"):
        interleave({"a": child("1"), "b": child("2")}, 1, accept=lambda _, run: run.said == "1")


def test_ratios_are_taken_run_by_run() -> None:
    # The medians alone, 2 and 3, would say 0.67.
    found = ratio([1, 2, 30], [2, 3, 10])
    assert found == pytest.approx((2 / 3, 0.5, 3.0))
    assert str(found) == "0.67 × (0.50–3.00)"
    with pytest.raises(ValueError, match="zip"):
        ratio([1, 2], [1])


def test_ratios_of_runs_take_the_field_that_is_asked_for() -> None:
    with launcher() as started:
        runs = {"a": [started.run(child("1"))], "b": [started.run(child("1"))]}
    a, b = runs["a"][0], runs["b"][0]
    assert ratio_of(runs, "a", "b", "cpu").median == a.cpu / b.cpu
    assert summary([a.wall, b.wall])["max"] == max(a.wall, b.wall)
