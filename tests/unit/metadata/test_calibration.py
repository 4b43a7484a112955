"""Score calibration: the file of sigmoids, and the formula of the schema worked out by hand."""

import math

import pytest

from helpers import modelfile
from mlserverless.errors import ModelUnavailable
from mlserverless.metadata.calibration import Curves, Sigmoid, apply, read
from mlserverless.metadata.records import Calibration


def carried(text: str) -> bytes:
    return modelfile.model(modelfile.metadata(), {"curves.csv": text.encode()})


def test_file_is_read() -> None:
    data = carried("0.9,4.5,-2\n\n1, 2e0 ,0.5,0.25\n")
    found = read(data, Calibration("curves.csv", "log", 0.125))
    sigmoids = (Sigmoid(0.9, 4.5, -2.0), None, Sigmoid(1.0, 2.0, 0.5, 0.25))
    assert found == Curves(sigmoids, "log", 0.125)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1,2,3\n1,2", "line 2 of 'curves.csv' is '1,2'; it holds scale, slope, offset and perhaps min_score"),
        ("1,2,3,4,5", "line 1 of"),
        ("1,x,3", "line 1 of"),
        ("-1,2,3", "the scale not below 0"),
        ("1,nan,3", "line 1 of"),
    ],
)
def test_line_that_is_none_is_told(text: str, said: str) -> None:
    with pytest.raises(ModelUnavailable, match="metadata is corrupt") as caught:
        read(carried(text), Calibration("curves.csv"))
    assert said in str(caught.value)


def test_missing_file_is_told() -> None:
    with pytest.raises(ModelUnavailable, match="no archive stands behind the model"):
        read(modelfile.model(modelfile.metadata()), Calibration("curves.csv"))


def test_a_sigmoid() -> None:
    found = apply([0.25, 0.5, 0.75], Curves((Sigmoid(0.9, 4.0, -2.0),) * 3))
    assert found == pytest.approx([0.9 / (1 + math.exp(1)), 0.45, 0.9 / (1 + math.exp(-1))], rel=1e-12)


def test_below_its_minimum_and_without_a_sigmoid_a_score_is_the_default() -> None:
    sigmoid = Sigmoid(1.0, 0.0, 0.0, 0.5)
    assert apply([0.4, 0.5, 0.6, 0.9], Curves((sigmoid, sigmoid, sigmoid, None), default=0.125)) == [
        *(0.125, 0.125, 0.5, 0.125),
    ]


@pytest.mark.parametrize(
    ("transformation", "score", "expected"),
    [
        ("log", 0.5, 0.5 / 1.5),  # 1 / (1 + e^-log(x)) = x / (1 + x)
        ("inverse logistic", 0.3, 0.3),  # the sigmoid takes it back
        ("log", 0.0, 1e-16),
        ("inverse logistic", 1.0, 1.0),
    ],
)
def test_transformations(transformation: str, score: float, expected: float) -> None:
    (found,) = apply([score], Curves((Sigmoid(1.0, 1.0, 0.0),), transformation))
    assert found == pytest.approx(expected, rel=1e-9)


def test_far_ends_do_not_overflow() -> None:
    assert apply([1e30, -1e30], Curves((Sigmoid(0.5, 1.0, 0.0),) * 2)) == [0.5, 0.0]
