import time

import pytest
from benchmarks import turns
from benchmarks.children import Failed


def test_subjects_take_turns_and_each_turn_begins_with_another() -> None:
    order: list[str] = []
    spent = turns.interleave({name: lambda name=name: order.append(name) for name in "abc"}, 3)
    assert {name: len(values) for name, values in spent.items()} == {"a": 3, "b": 3, "c": 3}
    assert "".join(order[:9]) == "abcbcacab"


def test_milliseconds_are_each_subjects_own() -> None:
    spent = turns.interleave({"slow": lambda: time.sleep(0.01), "none": lambda: None}, 2)
    assert min(spent["slow"]) > 9 > max(spent["none"])


def test_different_answers_end_the_measurement() -> None:
    with pytest.raises(Failed, match="the answers differ"):
        turns.interleave({"a": lambda: 1, "b": lambda: 2}, 1)
    assert turns.interleave({"a": lambda: 1, "b": lambda: 2}, 1, same=False).keys() == {"a", "b"}


def test_a_stage_that_one_answer_went_twice_is_summed() -> None:
    answers = [[("open", 1.0), ("prepare", 2.0)], [("open", 3.0), ("prepare", 4.0), ("prepare", 5.0)]]
    assert turns.stages(answers) == {"open": 2.0, "prepare": 5.5}
