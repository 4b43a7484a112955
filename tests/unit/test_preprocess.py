"""Pixels to tensor bytes: bit for bit what numpy's float32 arithmetic gives, for every pixel value."""

from fractions import Fraction
from math import floor
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mlserverless.engines import Tensor
from mlserverless.errors import ModelUnavailable
from mlserverless.model_toml import Input
from mlserverless.preprocess import check, preprocess_image, scaled, tables, tensor_bytes
from mlserverless.target import ORDERS, Target

PIXELS = np.arange(256, dtype=np.float32)
MEAN = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))  # torchvision.models, "mean" and "std"
F = np.float32
RANGES: dict[str, Any] = {
    "raw": lambda x, c: x,
    "unit": lambda x, c: x / F(255),
    "signed": lambda x, c: x / F(127.5) - F(1),
    "imagenet": lambda x, c: (x / F(255) - F(MEAN[0][c])) / F(MEAN[1][c]),
    "caffe": lambda x, c: x - F((123.68, 116.779, 103.939)[c]),
}
PRESETS: list[Any] = [
    ((127.0,), (128.0,)),
    ((127.5,), (127.5,)),
    ((0.0,), (255.0,)),
    ((0.0,), (1.0,)),
    ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375)),
    ((123.68, 116.78, 103.94), (1.0,)),
    ((-1.1,), (-3.3,)),
]


def numpy_values(scale: Any, channel: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    if isinstance(scale, str):
        found = RANGES[scale](PIXELS, channel)
    else:
        mean, std = (F(values[channel if len(values) == 3 else 0]) for values in scale)
        found = (PIXELS - mean) / std
    assert found.dtype == np.float32
    return np.asarray(found)


def tensor(dtype: str, scale: float = 0.0, zero_point: int = 0) -> Tensor:
    return Tensor("image", (1, 16, 16, 3), dtype, scale, zero_point)


@pytest.mark.parametrize("scale", [*RANGES, *PRESETS], ids=str)
@pytest.mark.parametrize("channel", [0, 1, 2])
def test_float_tables_are_bit_equal_to_numpy(scale: Any, channel: int) -> None:
    table = tables(scale, tensor("float32"), channel)
    assert len(table) == 4
    packed = b"".join(bytes(byte[pixel] for byte in table) for pixel in range(256))
    assert packed == numpy_values(scale, channel).astype("<f4").tobytes()


@pytest.mark.parametrize(
    ("scale", "pixel", "channel", "value"),
    [
        ("raw", 200, 0, 200.0),
        ("unit", 255, 1, 1.0),
        ("unit", 51, 1, float(F(0.2))),
        ("signed", 0, 2, -1.0),
        ("signed", 255, 2, 1.0),
        (((100.0, 0.0, 50.0), (2.0,)), 10, 2, -20.0),
    ],
)
def test_values_known_by_hand(scale: Any, pixel: int, channel: int, value: float) -> None:
    assert scaled(pixel, channel, scale) == value


def test_unknown_range_names_the_known() -> None:
    with pytest.raises(
        ValueError, match=r"'halved' is not a range; ranges are raw, unit, signed, imagenet, caffe"
    ):
        scaled(1, 0, "halved")


@pytest.mark.parametrize("scale", ["raw", ""])
def test_quantised_input_takes_raw_pixels_as_they_are(scale: str) -> None:
    every = bytes(range(256)) * 3
    assert tensor_bytes(every, scale, tensor("uint8", 0.1, 3)) == every
    lowered = np.frombuffer(tensor_bytes(every, scale, tensor("int8", 0.1, 3)), np.int8)
    assert lowered.tolist() == [pixel - 128 for pixel in range(256)] * 3


@pytest.mark.parametrize("scale", [*(name for name in RANGES if name != "raw"), *PRESETS], ids=str)
@pytest.mark.parametrize(
    ("dtype", "step", "zero"),
    [("uint8", 1 / 128, 127), ("uint8", 1.0, 0), ("int8", 1 / 255, -128), ("int8", 0.5, 0), ("int8", 0.0186, 3)],
)
def test_other_ranges_are_quantised_half_away_from_zero(scale: Any, dtype: str, step: float, zero: int) -> None:
    low, high = (0, 255) if dtype == "uint8" else (-128, 127)
    for channel in range(3):
        steps = numpy_values(scale, channel) / F(step)  # float32, then rounded as C's round() does
        away = np.trunc(steps.astype(np.float64) + np.copysign(0.5, steps)) + zero
        wanted = np.clip(away, low, high).astype(dtype)
        (table,) = tables(scale, tensor(dtype, step, zero), channel)
        assert np.frombuffer(table, dtype).tolist() == wanted.tolist()


def test_halves_go_away_from_zero_on_both_sides() -> None:
    # real value = pixel - 3, step 2: -1.5 -1 -0.5 0 0.5 1 1.5 -> -2 -1 -1 0 1 1 2
    (table,) = tables(((3.0,), (1.0,)), tensor("int8", 2.0, 0), 0)
    assert np.frombuffer(table, np.int8)[:7].tolist() == [-2, -1, -1, 0, 1, 1, 2]


def test_exact_rational_rounding_agrees_on_a_power_of_two_step() -> None:
    (table,) = tables(((127.0,), (128.0,)), tensor("uint8", 1 / 128, 127), 0)
    exact = [floor(Fraction(pixel - 127, 128) * 128 + Fraction(1, 2)) + 127 for pixel in range(256)]
    assert list(table) == exact == list(range(256))


@pytest.mark.parametrize("dtype", ["complex64", "bool", "type 42"])
def test_other_dtypes_are_refused(dtype: str) -> None:
    said = f"input is {dtype}; images go into float32, float16, float64, uint8, int8, int16, int32, int64"
    with pytest.raises(ModelUnavailable, match=said):
        tensor_bytes(b"", "unit", tensor(dtype))


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int16", "int32", "int64"])
def test_integers_without_a_scale_take_raw_only(dtype: str) -> None:
    with pytest.raises(
        ModelUnavailable, match=f"{dtype} input has no quantisation: its range must be raw, not unit"
    ):
        tensor_bytes(b"", "unit", tensor(dtype))


@pytest.mark.parametrize("dtype", ["int16", "int32", "int64"])
def test_wide_integers_take_raw_pixels_as_they_are(dtype: str) -> None:
    every = bytes(range(256)) * 3
    assert np.frombuffer(tensor_bytes(every, "raw", tensor(dtype)), dtype).tolist() == list(every)


def test_int16_is_quantised_in_the_raw_range_too() -> None:
    # 16-bit activations: real value = scale × stored, so a pixel of 200 is 200 / 0.01
    data = tensor_bytes(bytes([200, 0, 255]), "raw", tensor("int16", 0.01))
    assert np.frombuffer(data, np.int16).tolist() == [20_000, 0, 25_500]
    data = tensor_bytes(bytes([200, 0, 255]), "raw", tensor("int16", 0.001))
    assert np.frombuffer(data, np.int16).tolist() == [32_767, 0, 32_767]


@pytest.mark.parametrize("scale", [*RANGES, *PRESETS], ids=str)
@pytest.mark.parametrize("dtype", ["float16", "float64"])
def test_other_floats_are_rounded_from_float32(scale: Any, dtype: str) -> None:
    every = bytes(value for pixel in range(256) for value in (pixel, pixel, pixel))
    order = ORDERS["bgr" if scale == "caffe" else "rgb"]
    wanted = np.stack([numpy_values(scale, channel) for channel in order], 1).astype(dtype)
    assert tensor_bytes(every, scale, tensor(dtype)) == wanted.tobytes()


@pytest.mark.parametrize("scale", ["raw", "unit", "imagenet", "caffe", ((1.0, 2.0, 3.0), (4.0,))], ids=str)
@pytest.mark.parametrize("channels", ["rgb", "bgr"])
@pytest.mark.parametrize("layout", ["nhwc", "nchw", "flat"])
@pytest.mark.parametrize("dtype", ["float32", "float16", "uint8", "int8"])
def test_channels_and_layouts_are_as_numpy_would(scale: Any, channels: str, layout: str, dtype: str) -> None:
    image = np.random.default_rng(5).integers(0, 256, (5, 7, 3), np.uint8)
    given = tensor(dtype, 0.5, 3) if dtype.endswith("int8") else tensor(dtype)
    planes = []
    for channel in ORDERS[channels]:
        table = tables(scale, given, channel)  # which the tests above hold to numpy's values
        packed = np.frombuffer(b"".join(bytes(byte[pixel] for byte in table) for pixel in range(256)), dtype)
        planes.append(packed[image[:, :, channel]])
    wanted = np.stack(planes) if layout == "nchw" else np.stack(planes, 2)
    assert tensor_bytes(image.tobytes(), scale, given, Target(5, 7, channels, layout)) == wanted.tobytes()


@pytest.mark.parametrize("layout", ["nhwc", "nchw", "flat"])
@pytest.mark.parametrize("dtype", ["float32", "uint8"])
def test_grey_is_the_same_in_every_layout(layout: str, dtype: str) -> None:
    grey = bytes(range(35))
    wanted = np.frombuffer(grey, np.uint8).astype(dtype).tobytes()
    assert tensor_bytes(grey, "raw", tensor(dtype), Target(5, 7, "gray", layout)) == wanted


def test_four_channels_have_four_means() -> None:
    scale = ((1.0, 2.0, 3.0, 4.0), (1.0,))
    data = tensor_bytes(bytes([11, 22, 33, 44]), scale, tensor("float32"), Target(1, 1, "rgba", "nhwc"))
    assert np.frombuffer(data, F).tolist() == [10, 20, 30, 40]


def checked(given: Tensor, **wanted: Any) -> Target:
    return check(Input(**wanted), given)


def test_check_returns_what_an_image_has_to_become() -> None:
    assert checked(tensor("float32"), range="caffe") == Target(16, 16, "bgr", "nhwc")
    assert checked(tensor("uint8")) == Target(16, 16, "rgb", "nhwc")


@pytest.mark.parametrize("given", [tensor("float32"), tensor("float16"), tensor("int16", 0.1)], ids=str)
def test_a_range_that_nothing_tells_is_refused(given: Tensor) -> None:
    with pytest.raises(ModelUnavailable) as caught:
        checked(given)
    said = f"Nothing says which range the model wants its {given.dtype} pixels in: set range in [input]"
    assert str(caught.value).startswith(said)
    assert "raw, unit, signed, imagenet, caffe or a mean and std" in str(caught.value)


@pytest.mark.parametrize(
    ("shape", "scale", "said"),
    [
        ((1, 8, 8, 1), "imagenet", "The range imagenet does not fit the model's input of 1 channels (gray)"),
        ((1, 8, 8, 4), "caffe", "The range caffe does not fit the model's input of 4 channels (rgba)"),
        ((1, 8, 8, 1), ((1.0, 2.0, 3.0), (1.0,)), "The range of 3 means and stds does not fit"),
        ((1, 8, 8, 3), ((1.0,), (1.0,) * 4), "The range of 4 means and stds does not fit"),
    ],
)
def test_a_range_of_other_channels_is_refused(shape: tuple[int, ...], scale: Any, said: str) -> None:
    with pytest.raises(ModelUnavailable) as caught:
        checked(Tensor("image", shape, "float32"), range=scale)
    assert str(caught.value).startswith(said)


@pytest.mark.parametrize(
    ("given", "scale", "said"),
    [
        (tensor("bool"), "raw", "input is bool"),
        (tensor("uint8"), "unit", "has no quantisation"),
        (tensor("float32"), ((1e39,), (1.0,)), "cannot be computed"),
        (tensor("float16"), ((0.0,), (1e-4,)), "cannot be computed"),
    ],
)
def test_what_could_not_be_fed_is_told_when_it_is_loaded(given: Tensor, scale: Any, said: str) -> None:
    with pytest.raises(ModelUnavailable, match=said):
        checked(given, range=scale)


@pytest.mark.parametrize(
    ("scale", "given"),
    [
        (((1e30,), (1e-30,)), tensor("float32")),
        (((0.0,), (1e-60,)), tensor("float32")),
        (((1e39,), (1.0,)), tensor("float32")),
        (((0.0,), (1.0,)), tensor("uint8", 1e-42)),
    ],
)
def test_range_beyond_float32_is_told(scale: Any, given: Tensor) -> None:
    with pytest.raises(ModelUnavailable, match="cannot be computed for the model's input"):
        tensor_bytes(b"", scale, given)


@pytest.mark.parametrize("scale", [*RANGES, *PRESETS], ids=str)
def test_whole_image_is_interleaved_as_numpy_would(scale: Any) -> None:
    image = np.random.default_rng(7).integers(0, 256, (5, 7, 3), np.uint8)
    planes = [numpy_values(scale, channel)[image[:, :, channel]] for channel in range(3)]
    if scale == "caffe":
        planes.reverse()  # BGR
    assert tensor_bytes(image.tobytes(), scale, tensor("float32")) == np.stack(planes, 2).astype("<f4").tobytes()


def test_caffe_quantised_is_in_bgr_order() -> None:
    data = tensor_bytes(bytes([200, 150, 100]), "caffe", tensor("uint8", 1.0, 100))
    # B: 100 - 103.939 + 100, G: 150 - 116.779 + 100, R: 200 - 123.68 + 100
    assert list(data) == [96, 133, 176]


def test_preprocess_image_divides_by_255() -> None:
    image = Image.new("RGB", (3, 2), (255, 51, 0))
    array = preprocess_image(image)
    assert (array.shape, array.dtype) == ((1, 2, 3, 3), np.float32)
    assert array.tolist() == np.tile(np.array([1, F(51) / F(255), 0], F), (1, 2, 3, 1)).tolist()
    array += 1  # the caller's own


def test_preprocess_image_takes_arrays_and_ranges() -> None:
    array = np.zeros((1, 1, 3), np.uint8)
    assert preprocess_image(array, "signed").tolist() == [[[[-1.0, -1.0, -1.0]]]]


@pytest.mark.parametrize("shape", [(4, 4), (4, 4, 4), (1, 4, 4, 3)])
def test_preprocess_image_refuses_other_shapes(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"was given; expected \(height, width, 3\), as RGB") as caught:
        preprocess_image(np.zeros(shape, np.uint8))
    assert str(shape) in str(caught.value)


@pytest.mark.parametrize("scale", ["raw", ""])
def test_what_the_model_takes_as_it_is_is_not_copied(scale: str) -> None:
    data = bytes(range(255)) * 4
    assert tensor_bytes(data, scale, Tensor("image", (1, 10, 34, 3), "uint8")) is data
    assert tensor_bytes(data, scale, Tensor("image", (1, 10, 34, 3), "uint8", 1 / 255, 0)) is data


def test_what_the_model_takes_otherwise_is_another() -> None:
    data = bytes(range(255)) * 4
    lowered = tensor_bytes(data, "raw", Tensor("image", (1, 10, 34, 3), "int8"))
    assert lowered == bytes((value - 128) & 0xFF for value in data)
