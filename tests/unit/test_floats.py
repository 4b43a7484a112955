"""Planes of floats to tensor bytes: bit for bit what numpy's float32 arithmetic gives, in each dtype and order."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from mlserverless.engines import Tensor
from mlserverless.errors import ModelUnavailable
from mlserverless.floats import rounded
from mlserverless.preprocess import tensor_bytes
from mlserverless.ranges import IMAGENET
from mlserverless.target import ORDERS, Target

F = np.float32
SIZE = (7, 5)  # width, height
MEANS: Any = ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))
RANGES: dict[Any, Any] = {
    "raw": lambda x, c: x,
    "unit": lambda x, c: x / F(255),
    "signed": lambda x, c: x / F(127.5) - F(1),
    "imagenet": lambda x, c: (x / F(255) - F(IMAGENET[0][c])) / F(IMAGENET[1][c]),
    "caffe": lambda x, c: x - F((123.68, 116.779, 103.939)[c]),
    MEANS: lambda x, c: (x - F(MEANS[0][c])) / F(MEANS[1][c]),
    ((127.5,), (-127.5,)): lambda x, c: (x - F(127.5)) / F(-127.5),
}
PIXELS = arrays.arrays(F, (3, SIZE[1], SIZE[0]), elements=st.floats(-40, 300, width=32))


def planes(pixels: np.ndarray[Any, np.dtype[np.float32]]) -> tuple[Image.Image, ...]:
    return tuple(Image.frombytes("F", (plane.shape[1], plane.shape[0]), plane.tobytes()) for plane in pixels)


def of(pixels: Any, scale: Any, dtype: str, channels: str = "rgb", layout: str = "nhwc", *quantised: Any) -> Any:
    tensor = Tensor("image", (1, *SIZE[::-1], len(pixels)), dtype, *quantised)
    data = tensor_bytes(planes(pixels), scale, tensor, Target(SIZE[1], SIZE[0], channels, layout))
    return np.frombuffer(data, dtype)


@pytest.mark.parametrize("scale", RANGES, ids=str)
@pytest.mark.parametrize("channels", ["rgb", "bgr"])
@pytest.mark.parametrize("layout", ["nhwc", "nchw", "flat"])
@settings(max_examples=15)
@given(pixels=PIXELS)
def test_float_values_are_bit_equal_to_numpy(scale: Any, channels: str, layout: str, pixels: Any) -> None:
    wanted = np.stack([RANGES[scale](pixels[c], c) for c in ORDERS[channels]])
    assert wanted.dtype == F
    wanted = wanted if layout == "nchw" else wanted.transpose(1, 2, 0)
    assert of(pixels, scale, "float32", channels, layout).tobytes() == wanted.tobytes()


@pytest.mark.parametrize("dtype", ["float16", "float64"])
@settings(max_examples=15)
@given(pixels=PIXELS)
def test_other_floats_are_made_of_the_same(dtype: str, pixels: Any) -> None:
    wanted = np.stack([RANGES["imagenet"](pixels[c], c) for c in range(3)], 2).astype(dtype)
    assert of(pixels, "imagenet", dtype).tobytes() == wanted.tobytes()


@pytest.mark.parametrize(
    ("dtype", "lowered"), [("uint8", 0), ("int8", 128), ("int16", 0), ("int32", 0), ("int64", 0)]
)
@settings(max_examples=15)
@given(pixels=PIXELS)
def test_raw_pixels_are_rounded_and_held_within_the_dtype(dtype: str, lowered: int, pixels: Any) -> None:
    away = np.trunc(pixels.astype(np.float64) + np.copysign(0.5, pixels)) - lowered
    bounds = np.iinfo(dtype)
    wanted = np.clip(away, bounds.min, bounds.max).astype(dtype).transpose(1, 2, 0)
    assert of(pixels, "raw", dtype).tolist() == wanted.ravel().tolist()


@pytest.mark.parametrize("scale", [scale for scale in RANGES if scale != "raw"], ids=str)
@pytest.mark.parametrize(
    ("dtype", "step", "zero"), [("uint8", 1 / 128, 127), ("int8", 0.0186, 3), ("int16", 1e-4, 0)]
)
@settings(max_examples=15)
@given(pixels=PIXELS)
def test_quantised_as_the_tables_do_it(scale: Any, dtype: str, step: float, zero: int, pixels: Any) -> None:
    real = np.stack([RANGES[scale](pixels[c], c) for c in range(3)], 2) / F(step)
    away = np.trunc(real.astype(np.float64) + np.copysign(0.5, real)) + zero
    bounds = np.iinfo(dtype)
    found = of(pixels, scale, dtype, "rgb", "nhwc", step, zero)
    assert found.tolist() == np.clip(away, bounds.min, bounds.max).ravel().tolist()


@pytest.mark.parametrize("dtype", ["uint8", "int8"])
def test_whole_pixels_are_quantised_as_the_tables_do_it(dtype: str) -> None:
    ramp = np.arange(256, dtype=np.uint8)
    pixels = np.stack([ramp] * 3, 1).tobytes()
    floats = tuple(Image.frombytes("F", (16, 16), ramp.astype(F).tobytes()) for _ in range(3))
    tensor, target = Tensor("image", (1, 16, 16, 3), dtype, 0.0186, 3), Target(16, 16, "rgb", "nhwc")
    for scale in RANGES:
        assert tensor_bytes(floats, scale, tensor, target) == tensor_bytes(pixels, scale, tensor, target)


def test_without_quantisation_only_raw_goes_into_integers() -> None:
    with pytest.raises(ModelUnavailable, match="int32 input has no quantisation: its range must be raw, not unit"):
        of(np.zeros((3, 5, 7), F), "unit", "int32")


def test_a_value_beyond_an_integer_is_held() -> None:
    found = of(np.full((3, 5, 7), 1e30, F), ((0.0,), (1.0,)), "int8", "rgb", "nhwc", 1.0, -3)
    assert set(found.tolist()) == {127}


@given(arrays.arrays(F, (1, 50), elements=st.floats(-1e6, 1e6, width=32)))
def test_rounded_half_away_from_zero(numbers: Any) -> None:
    (plane,) = planes(numbers[None])
    found = np.frombuffer(rounded(plane).tobytes(), np.int32)
    assert found.tolist() == np.trunc(numbers.astype(np.float64) + np.copysign(0.5, numbers)).ravel().tolist()


def test_what_is_just_below_a_half_is_not_rounded_up() -> None:
    below = np.nextafter(F(0.5), F(0))
    assert below + F(0.5) == 1, "in float32, by which it must not be rounded"
    (plane,) = planes(np.array([[[below, -below, 0.5, -0.5, 2.5, -2.5]]], F))
    assert np.frombuffer(rounded(plane).tobytes(), np.int32).tolist() == [0, 0, 1, -1, 3, -3]
