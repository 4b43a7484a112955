"""Resizing without a library to compare with: pixels known by hand, what holds of any image, extreme shapes."""

import random
from array import array
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from mlserverless import resampling
from mlserverless.fitting import plan
from mlserverless.model_toml import METHODS, read_input
from mlserverless.resampling import filters, sums, tensorflow, torch

OTHERS = [
    {"resizer": resizer, "resize": method, "antialias": antialias}
    for resizer, methods in METHODS.items()
    if resizer != "pillow"
    for method in methods
    for antialias in (False, True)
    if (method in ("bilinear", "bicubic") and resizer != "mediapipe") or antialias == (method == "lanczos")
]


def grey(*rows: list[int]) -> Image.Image:
    return Image.frombytes("L", (len(rows[0]), len(rows)), bytes(value for row in rows for value in row))


def values(image: Image.Image, size: tuple[int, int], fill: int = 0, **given: Any) -> list[float]:
    """Return the first channel, row by row."""
    wanted = read_input(given, "model.tflite")
    made = resampling.resized(image, plan(image.size, size, wanted), size, wanted, fill)
    if isinstance(made, bytes):
        return [float(value) for value in made[:: len(image.getbands())]]
    return list(array("f", made[0].tobytes()))


@pytest.mark.parametrize(
    ("given", "size", "found"),
    [
        # Half-pixel centres: of 4 to 2 the positions are 0.5 and 2.5; of 2 to 4 they are -0.25, 0.25, 0.75, 1.25.
        ({"resizer": "tensorflow"}, (2, 1), [5.0, 25.0]),
        ({"resizer": "torch"}, (2, 1), [5.0, 25.0]),
        # Antialiased: a triangle two pixels to each side of the middle, renormalised at the edge (3, 3, 1) / 7.
        ({"resizer": "tensorflow", "antialias": True}, (2, 1), [50 / 7, 160 / 7]),
        ({"resizer": "torch", "antialias": True}, (2, 1), [50 / 7, 160 / 7]),
        ({"resizer": "torchvision"}, (2, 1), [7, 23]),
        ({"resizer": "torchvision", "antialias": False}, (2, 1), [5, 25]),
        ({"resizer": "tensorflow", "resize": "area"}, (2, 1), [5.0, 25.0]),
        ({"resizer": "torch", "resize": "area"}, (3, 1), [5.0, 15.0, 25.0]),  # cells of 2, 2, 2, that share pixels
        ({"resizer": "tensorflow", "resize": "nearest"}, (2, 1), [10.0, 30.0]),
        ({"resizer": "torch", "resize": "nearest"}, (2, 1), [0.0, 20.0]),
        ({"resizer": "torch", "resize": "nearest-exact"}, (2, 1), [10.0, 30.0]),
        # No half pixel: pixel i is at 2 i.
        ({"resizer": "mediapipe"}, (2, 1), [0, 20]),
        ({"resizer": "tensorflow"}, (8, 1), [0, 2.5, 7.5, 12.5, 17.5, 22.5, 27.5, 30]),
        ({"resizer": "mediapipe"}, (8, 1), [0, 5, 10, 15, 20, 25, 30, 30]),
    ],
    ids=str,
)
def test_values_known_by_hand(given: dict[str, Any], size: tuple[int, int], found: list[float]) -> None:
    assert values(grey([0, 10, 20, 30]), size, **given) == pytest.approx(found, rel=1e-6)
    upright = grey([0], [10], [20], [30])
    assert values(upright, size[::-1], **given) == pytest.approx(found, rel=1e-6)


@pytest.mark.parametrize("given_", OTHERS, ids=lambda given: "-".join(map(str, given.values())))
@pytest.mark.parametrize("size", [(5, 9), (40, 31), (17, 13)])
def test_one_colour_stays_that_colour(given_: dict[str, Any], size: tuple[int, int]) -> None:
    image = Image.new("RGB", (17, 13), (201, 3, 77))
    assert values(image, size, **given_) == pytest.approx([201.0] * (size[0] * size[1]), rel=1e-5)


@pytest.mark.parametrize("given_", OTHERS, ids=lambda given: "-".join(map(str, given.values())))
def test_an_image_of_that_size_stays_as_it_is(given_: dict[str, Any]) -> None:
    if given_["resize"] in ("gaussian", "mitchellcubic"):
        return  # these smooth at any size: their kernels do not vanish at whole distances
    data = random.Random(7).randbytes(17 * 13)
    image = Image.frombytes("L", (17, 13), data)
    assert values(image, (17, 13), **given_) == pytest.approx([float(value) for value in data], abs=1e-4)


@pytest.mark.parametrize("given_", OTHERS, ids=lambda given: "-".join(map(str, given.values())))
def test_an_image_on_its_side_gives_the_result_on_its_side(given_: dict[str, Any]) -> None:
    # Of little contrast: between the axes torchvision holds what overshoots within 8 bits.
    image = Image.frombytes(
        "L", (23, 14), bytes(100 + value // 5 for value in random.Random(8).randbytes(23 * 14))
    )
    upright = values(image, (9, 11), **given_)
    aside = values(image.transpose(Image.Transpose.TRANSPOSE), (11, 9), **given_)
    turned = [aside[x * 11 + y] for y in range(11) for x in range(9)]
    near = 1 if given_["resizer"] == "torchvision" else 2e-4  # rounded there, too
    assert upright == pytest.approx(turned, abs=near)


@pytest.mark.parametrize("given_", OTHERS, ids=lambda given: "-".join(map(str, given.values())))
@settings(max_examples=15)
@given(data=st.data())
def test_the_channels_do_not_mix(given_: dict[str, Any], data: st.DataObject) -> None:
    wide, high, across, down = (data.draw(st.integers(1, 20)) for _ in range(4))
    bands = [Image.frombytes("L", (wide, high), data.draw(st.binary(min_size=wide * high, max_size=wide * high)))]
    bands += [Image.new("L", (wide, high), 255)] * 2
    alone = values(bands[0], (across, down), **given_)
    assert values(Image.merge("RGB", bands), (across, down), **given_) == alone
    assert values(Image.merge("RGBA", [*bands, bands[1]]), (across, down), **given_) == alone


@given(st.integers(1, 3000), st.integers(1, 300), st.sampled_from(sorted(filters.FILTERS)), st.booleans())
def test_weights_sum_up_to_one_and_name_pixels_that_are_there(
    source: int, size: int, method: str, antialias: bool
) -> None:
    every = range(size)
    found = [tensorflow.taps(method, antialias, source, size, every)]
    if method in ("bilinear", "bicubic", "lanczos") and (antialias or method != "lanczos"):
        found.append(torch.taps(method, antialias, source, size, every))
    for pixel in (pixel for pixels in found for pixel in pixels):
        assert all(0 <= index < source for index, _ in pixel)
        assert sum(weight for _, weight in pixel) == pytest.approx(1, abs=1e-5)


@given(st.integers(1, 3000), st.integers(1, 300))
def test_areas_cover_every_pixel_alike(source: int, size: int) -> None:
    weights = [0.0] * source
    for pixel in tensorflow.taps("area", False, source, size, range(size)):
        for index, weight in pixel:
            weights[index] += weight
    scale = source / size
    assert sum(weights) == pytest.approx(source, rel=1e-4)
    if scale >= 1:
        assert weights == pytest.approx([1.0] * source, abs=2e-3)


@pytest.mark.parametrize("size", [(1, 5000), (5000, 1)])
@pytest.mark.parametrize("given_", OTHERS, ids=lambda given: "-".join(map(str, given.values())))
def test_strips_take_no_more_work_than_images(given_: dict[str, Any], size: tuple[int, int]) -> None:
    """Made 625 times smaller along a side: averaged first, so that no pixel has thousands of taps."""
    found = values(Image.new("L", size, 99), (8, 8), **given_)
    assert found == pytest.approx([99.0] * 64, rel=1e-5)


def test_what_is_averaged_first_keeps_its_mean() -> None:
    image = grey([value for value in range(250) for _ in range(20)])
    found = values(image, (2, 1), resizer="tensorflow", resize="bilinear", antialias=True)
    assert found[0] + found[1] == pytest.approx(249, abs=1)
    assert found[0] < 80 < 160 < found[1]


@pytest.mark.parametrize("resizer", ["torch", "torchvision"])
def test_a_strip_is_resized_only_where_it_is_seen(resizer: str) -> None:
    # Resized whole it would be 224 × 11 million.
    image = Image.new("L", (1, 50_000), 7)
    found = values(image, (224, 224), resizer=resizer, side=224, fit="crop")
    assert found == pytest.approx([7.0] * 224 * 224)


def test_bars_are_filled() -> None:
    made = values(grey([9, 9]), (2, 3), 40, resizer="tensorflow", fit="pad")
    assert made == [40, 40, 9, 9, 40, 40]


def test_rows_summed_in_parts_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    image = Image.frombytes("RGB", (60, 40), random.Random(9).randbytes(7200))
    at_once = values(image, (20, 10), resizer="tensorflow", resize="lanczos3", antialias=True)
    monkeypatch.setattr(sums, "AT_ONCE", 1)
    assert values(image, (20, 10), resizer="tensorflow", resize="lanczos3", antialias=True) == at_once
