"""JSON's numbers -> bytes -> JSON's numbers."""

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlserverless.engines import WIDTHS, Tensor
from mlserverless.errors import InvalidRequest
from mlserverless.web.inference.elements import numbers, packed

SHAPE = (2, 1, 3)
DTYPES = sorted(WIDTHS)


def refused(data: list[Any], dtype: str, shape: tuple[int, ...] = SHAPE) -> str:
    with pytest.raises(InvalidRequest) as caught:
        packed(data, shape, dtype)
    return str(caught.value)


@pytest.mark.parametrize("dtype", DTYPES)
def test_flat_and_nested_are_the_bytes_that_numpy_makes(dtype: str) -> None:
    array = np.array([[[0, 1, 1]], [[1, 0, 1]]], dtype)
    assert packed(array.tolist(), SHAPE, dtype) == array.tobytes()
    assert packed(array.flatten().tolist(), SHAPE, dtype) == array.tobytes()


@pytest.mark.parametrize("dtype", [dtype for dtype in DTYPES if "int" in dtype])
def test_whole_numbers_are_taken_up_to_the_last_that_is_held(dtype: str) -> None:
    info = np.iinfo(dtype)
    wanted = np.array([info.min, info.max], dtype)
    assert packed([int(info.min), int(info.max)], (2,), dtype) == wanted.tobytes()
    assert packed([float(0), 1], (2,), dtype) == np.array([0, 1], dtype).tobytes(), "JSON has one kind of number"
    for value in (int(info.min) - 1, int(info.max) + 1):
        assert refused([0, value], dtype, (2,)) == (
            f"Element 1 of data is {str(value)[:20]}; {dtype.upper()} takes {info.min} to {info.max}."
        )
    assert refused([0.5, 1], dtype, (2,)).endswith("takes whole numbers.")


@pytest.mark.parametrize(
    ("dtype", "largest"), [("float16", 65504.0), ("float32", 3.4028234e38), ("float64", 1e308)]
)
def test_floats_are_taken_up_to_the_largest(dtype: str, largest: float) -> None:
    assert packed([largest, -1], (2,), dtype) == np.array([largest, -1], dtype).tobytes()
    for value in (math.inf, largest * 10, 10**400):
        told = refused([0.0, value], dtype, (2,))
        assert told.startswith("Element 1 of data is ")
        assert "takes numbers up to" in told


@pytest.mark.parametrize(
    ("value", "told"),
    [(True, "true"), (None, "null"), ("1", "a text"), ([], "a list or an object"), ({}, "a list")],
)
def test_what_is_no_number_is_named_with_its_place(value: Any, told: str) -> None:
    for dtype in ("float32", "uint8"):
        assert refused([0, 0, value, 0, 0, 0], dtype).startswith(f"Element 2 of data is {told}")


def test_bool_takes_nothing_else() -> None:
    assert refused([True, 1], "bool", (2,)) == "Element 1 of data is 1; BOOL takes true or false."


@pytest.mark.parametrize("data", [[], [1] * 5, [1] * 7])
def test_another_number_of_elements_is_told(data: list[int]) -> None:
    assert refused(data, "uint8") == f"data has {len(data)} elements; the shape [2, 1, 3] has 6."


@pytest.mark.parametrize(
    "data",
    [
        [[[1, 1, 1]]],
        [[[1, 1, 1]], [[1, 1]]],
        [[[1, 1, 1]], [1, 1, 1]],
        [[1, 1, 1], [1, 1, 1]],
        [[[1, 1, 1]], 5],
        [[1] * 6, [1] * 6],
    ],
)
def test_another_nesting_is_told(data: list[Any]) -> None:
    assert "is nested, and not as the shape [2, 1, 3] says" in refused(data, "uint8")


def test_what_is_nested_deeper_than_the_shape_is_told() -> None:
    assert refused([[[[1], 1, 1]], [[1, 1, 1]]], "uint8").startswith("Element 0 of data is a list")


@pytest.mark.parametrize("dtype", DTYPES)
def test_an_outputs_bytes_are_numbers(dtype: str) -> None:
    array = np.array([0, 1, 1], dtype)
    assert numbers(Tensor("y", (3,), dtype), array.tobytes()) == array.tolist()


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), max_size=20))
def test_a_float_comes_back_as_it_was(values: list[float]) -> None:
    data = np.array(values, np.float32).tobytes()
    told = json.loads(json.dumps(numbers(Tensor("y", (len(values),), "float32"), data)))
    assert packed(told, (len(values),), "float32") == data


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_json_cannot_say_is_left_to_binary(dtype: str, value: float) -> None:
    with pytest.raises(InvalidRequest, match="binary_data_output"):
        numbers(Tensor("y", (1,), dtype), np.array([value], dtype).tobytes())
