"""Which part of an image is seen: against sizes worked out by hand, and against what the pixels themselves say."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from mlserverless.engines import Tensor
from mlserverless.fitting import Placement, Plan, placement, plan
from mlserverless.model_toml import Input
from mlserverless.prepare import prepare_input
from mlserverless.preprocess import tensor_bytes
from mlserverless.target import Target

SIDES = st.integers(1, 400)
FITS: list[dict[str, Any]] = [
    {},
    {"crop": 0.8},
    {"fit": "crop"},
    {"fit": "crop", "crop": 0.7},
    {"fit": "crop", "side": 50},
    {"fit": "crop", "side": 20},
    {"fit": "cut"},
    {"fit": "pad"},
    {"fit": "pad", "resizer": "tensorflow"},
    {"fit": "centre"},
]


def planned(size: tuple[int, int], target: tuple[int, int], **wanted: Any) -> Plan:
    return plan(size, target, Input(**wanted))


def test_stretch_sees_all() -> None:
    assert planned((40, 30), (8, 8)) == ((0, 0, 40, 30), (8, 8), (0, 0))


def test_central_crop_keeps_a_share_of_each_side_in_whole_pixels() -> None:
    # tf.image.central_crop: (61 - 61 · 0.875) / 2 = 3.8 and (47 - 47 · 0.875) / 2 = 2.9, cut off
    assert planned((61, 47), (8, 8), crop=0.875).box == (3, 2, 58, 45)


@pytest.mark.parametrize(
    ("size", "side", "resized", "at"),
    [
        ((640, 427), 256, (383, 256), (-80, -16)),  # 383.7 is cut off; (383 - 224) / 2 = 79.5 goes to even
        ((427, 640), 256, (256, 383), (-16, -80)),
        ((500, 500), 224, (224, 224), (0, 0)),
        ((100, 101), 224, (224, 226), (0, -1)),
        ((100, 50), 113, (226, 113), (-1, 55)),  # too low by 111: 55 above, 56 below
    ],
)
def test_a_side_is_torchvisions_resize_and_centre_crop(
    size: tuple[int, int], side: int, resized: tuple[int, int], at: tuple[int, int]
) -> None:
    assert planned(size, (224, 224), fit="crop", side=side) == ((0, 0, *size), resized, at)


def test_halves_of_a_centre_crop_go_to_the_even_pixel() -> None:
    assert [planned((wide, 10), (4, 4), fit="crop", side=10).at[0] for wide in (15, 17, 19, 21)] == [
        -6,
        -6,
        -8,
        -8,
    ]


@pytest.mark.parametrize(
    ("size", "target", "box"),
    [
        ((61, 47), (16, 21), (13, 0, 48, 47)),  # 47 · 16 // 21 = 35 wide
        ((13, 17), (32, 24), (0, 4, 13, 13)),  # 13 · 24 // 32 = 9 high
        ((1000, 1), (1, 1000), (499, 0, 500, 1)),
    ],
)
def test_cut_is_in_whole_pixels(size: tuple[int, int], target: tuple[int, int], box: tuple[int, ...]) -> None:
    assert planned(size, target, fit="cut").box == box


def test_pad_rounds_and_tensorflows_cuts_off() -> None:
    # 47 · 224 / 61 = 172.6
    assert planned((61, 47), (224, 224), fit="pad")[1:] == ((224, 173), (0, 25))
    assert planned((61, 47), (224, 224), fit="pad", resizer="tensorflow")[1:] == ((224, 172), (0, 25))


def test_centre_leaves_the_larger_rest_behind() -> None:
    assert planned((9, 4), (4, 9), fit="centre") == ((0, 0, 9, 4), (9, 4), (-2, 2))


@pytest.mark.parametrize("wanted", FITS, ids=str)
@given(SIDES, SIDES, SIDES, SIDES)
def test_what_is_seen_lies_in_the_image_and_fills_the_target(
    wanted: dict[str, Any], wide: int, high: int, across: int, down: int
) -> None:
    chosen = planned((wide, high), (across, down), **wanted)
    left, top, right, bottom = chosen.box
    assert -1e-9 <= left < right <= wide + 1e-9
    assert -1e-9 <= top < bottom <= high + 1e-9
    assert min(chosen.size) >= 1
    # Each side is either cut, or has bars, and these on both sides alike.
    for size, at, target in zip(chosen.size, chosen.at, (across, down), strict=True):
        after = target - size - at
        assert abs(after - at) <= 1 or (wanted.get("resizer") == "tensorflow" and abs(after - at) <= 2)
        assert (at <= 0 and after <= 0) or (at >= 0 and after >= 0)


def test_placement_of_what_is_padded_is_beyond_the_image() -> None:
    size, target = (40, 20), (10, 10)
    found = placement(size, target, planned(size, target, fit="pad"))
    # 10 × 5 in 10 × 10, two rows above and three below: at 5 / 20 rows of the source each
    assert found == Placement(0.0, -0.4, 1.0, 2.0)


@pytest.mark.parametrize(
    "wanted",
    [
        {"resizer": resizer, **fit}
        for resizer in ("pillow", "tensorflow", "torch")
        for fit in FITS
        if "resizer" not in fit and (resizer == "pillow" or fit.get("fit") != "crop" or "side" in fit)
    ],
    ids=str,
)
@pytest.mark.parametrize("size", [(120, 90), (90, 120), (33, 34), (200, 20)])
def test_placement_says_where_the_pixels_are_from(wanted: dict[str, Any], size: tuple[int, int]) -> None:
    """An image whose pixels say where they are: what arrives at a place is what the placement says."""
    down = Image.linear_gradient("L")
    across = down.transpose(Image.Transpose.TRANSPOSE)
    bands = [band.resize(size, Image.Resampling.BOX) for band in (across, down)]
    image = Image.merge("RGB", [*bands, Image.new("L", size, 255)])
    antialias = None if wanted["resizer"] == "pillow" else True
    target = Target(40, 30, "rgb", "nhwc")
    made = prepare_input(image, target, Input(**wanted, antialias=antialias))
    data = tensor_bytes(made.pixels, "raw", Tensor("", (1, 40, 30, 3), "uint8"), target)
    seen, checked = made.placement, 0
    near = [1 + 256 * 0.6 / side for side in size]  # the value of a little more than half a pixel of the source
    for y in range(40):
        for x in range(30):
            at = seen.left + (x + 0.5) / 30 * seen.width, seen.top + (y + 0.5) / 40 * seen.height
            *found, shown = data[3 * (30 * y + x) :][:3]
            if shown == 255 and all(0.05 < share < 0.95 for share in at):
                checked += 1
                assert all(abs(found[i] - 256 * at[i] + 0.5) <= near[i] for i in (0, 1)), (x, y)
            elif not all(-0.05 < share < 1.05 for share in at):
                assert shown == 0, "a bar"
    assert checked > 50
