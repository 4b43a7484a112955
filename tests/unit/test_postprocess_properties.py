"""The fast ways give what the plain definitions give, whatever the values; ties and filters are in it."""

import math
import struct
from array import array

from hypothesis import example, given
from hypothesis import strategies as st

from mlserverless.engines import Tensor
from mlserverless.postprocess import Choice, best, leading, nearly_equal, scores
from mlserverless.types import Score

NAMES = ("cat", "dog", "owl", "ant", "bee")
FEW = st.sampled_from([-2.5, -1.0, -0.0, 0.0, 0.25, 0.5, 0.5000000000000001, 1.0, 255.0])  # so that many are equal
VALUES = st.lists(st.one_of(FEW, st.floats(-1e30, 1e30)), min_size=1, max_size=40)
SCALES = st.one_of(st.just(0.0), st.floats(2**-20, 1024, width=32))
LABELS = st.lists(st.sampled_from(NAMES), max_size=3).map(tuple)


def plain_best(values: list[float], labels: tuple[str, ...], choice: Choice) -> tuple[Score, ...]:
    """Choose as the reference documentation has it, in the order of its sentences."""
    kept = [
        index
        for index, value in enumerate(values)
        if value >= choice.threshold
        and labels[index] not in choice.deny
        and (not choice.allow or labels[index] in choice.allow)
    ]
    kept.sort(key=lambda index: -values[index])  # stable: equal ones stay in the model's order
    return tuple(Score(labels[index], index, values[index]) for index in kept[: choice.top_k])


@given(VALUES, st.integers(1, 50), st.one_of(FEW, st.floats(-1e9, 1e9)), LABELS, LABELS)
@example([0.5] * 5, 2, 0.0, (), ())
@example([0.0, -0.0, 0.0], 2, 0.0, (), ())
@example([0.5, 0.5, 0.7, 0.5], 2, 0.5, ("dog", "owl", "ant"), ("owl",))
@example([1.0], 1, 2.0, (), ())
def test_best_are_those_of_the_plain_definition(
    values: list[float], top_k: int, threshold: float, allow: tuple[str, ...], deny: tuple[str, ...]
) -> None:
    labels = tuple(NAMES[at % len(NAMES)] for at in range(len(values)))
    choice = Choice(top_k, threshold, allow, deny)
    order = leading(values, labels, choice)
    assert best(values, labels, choice) == plain_best(values, labels, choice)
    assert best(values, labels, choice, order) == best(values, labels, choice)
    two = plain_best(values, labels, choice._replace(top_k=2, threshold=-math.inf))
    assert order[:2] == [score.index for score in two], "of these it is asked whether they are nearly equal"


@given(st.binary(min_size=1, max_size=300), st.sampled_from(["uint8", "int8"]), SCALES, st.integers(-128, 255))
@example(bytes(range(256)), "uint8", 1 / 256, 0)
@example(bytes(range(256)), "int8", 1 / 256, -128)
@example(bytes(range(256)), "int8", 0.0, 5)
def test_bytes_become_what_the_formula_says(data: bytes, dtype: str, scale: float, zero: int) -> None:
    stored = array("b" if dtype == "int8" else "B", data)
    expected = [scale * (value - zero) if scale else float(value) for value in stored]
    found = scores(data, Tensor("scores", (1, len(data)), dtype, scale, zero), "none")
    assert found == expected
    assert all(type(value) is float for value in found)


@given(
    st.lists(st.floats(-(2.0**100), 2.0**100, width=32), min_size=1, max_size=60), SCALES, st.integers(-128, 255)
)
def test_floats_become_what_the_formula_says(values: list[float], scale: float, zero: int) -> None:
    data = struct.pack(f"<{len(values)}f", *values)
    expected = [scale * (value - zero) for value in values] if scale else values
    assert scores(data, Tensor("scores", (1, len(values)), "float32", scale, zero), "none") == expected


@given(
    st.lists(st.floats(0, 1), min_size=2, max_size=30).flatmap(lambda x: st.tuples(st.just(x), st.permutations(x)))
)
def test_order_does_not_matter_to_whether_two_are_nearly_equal(both: tuple[list[float], list[float]]) -> None:
    values, shuffled = both
    first, second = sorted(values)[-1], sorted(values)[-2]
    assert nearly_equal(shuffled) is nearly_equal(values) is (first - second <= 0.05)
