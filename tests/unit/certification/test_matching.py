"""The line that is fitted through pixels and a tensor, and the name of what it is."""

from typing import Any

import numpy as np
import pytest

from mlserverless.certification import matching
from mlserverless.certification.matching import match, mean_std, named, toml

PIXELS = np.random.default_rng(1).integers(0, 256, (20, 30, 3)).astype(np.uint8)
MEAN, STD = np.array((0.485, 0.456, 0.406)), np.array((0.229, 0.224, 0.225))


@pytest.mark.parametrize(
    ("tensor", "name"),
    [
        (PIXELS, "raw"),
        (PIXELS / 255, "unit"),
        (PIXELS / 127.5 - 1, "signed"),
        ((PIXELS / 255 - MEAN) / STD, "imagenet"),
        (PIXELS - (123.68, 116.779, 103.939), "caffe"),
        ((PIXELS - 120.0) / 60, ((120.0,), (60.0,))),
        ((PIXELS - (120.0, 110.5, 100.0)) / 58.25, ((120.0, 110.5, 100.0), (58.25, 58.25, 58.25))),
        (1 - PIXELS / 255, ((255.0,), (-255.0,))),
    ],
)
def test_a_range_is_found_from_its_values(tensor: Any, name: Any) -> None:
    found = match([PIXELS], [tensor])
    assert found.order == (0, 1, 2)
    assert found.largest < 0.01
    assert named(*mean_std(found)) == name


def test_the_order_of_channels_is_found_and_the_range_is_told_in_rgb() -> None:
    found = match([PIXELS], [((PIXELS / 255 - MEAN) / STD)[..., ::-1]])
    assert found.order == (2, 1, 0)
    assert named(*mean_std(found)) == "imagenet"


@pytest.mark.parametrize("expected", [(0, 1, 2), (2, 1, 0)])
def test_grey_pictures_have_the_expected_order(expected: tuple[int, ...]) -> None:
    grey = np.repeat(PIXELS[..., :1], 3, axis=-1)
    found = match([grey], [grey / 255], expected)
    assert found.order == expected
    assert found.grey
    assert not match([PIXELS], [PIXELS / 255]).grey


def test_other_pixels_and_constants_leave_much() -> None:
    assert match([PIXELS], [PIXELS[::-1]]).rms > 50
    assert match([PIXELS], [np.zeros(PIXELS.shape)]).rms == float("inf")
    assert match([np.zeros((3, 3, 1))], [np.ones((3, 3, 1))]).rms == float("inf")


def test_many_pixels_are_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matching, "SAMPLES", 50)
    assert named(*mean_std(match([PIXELS], [PIXELS / 255]))) == "unit"


def test_one_channel_has_no_range_of_three() -> None:
    grey = PIXELS[..., :1]
    assert named(*mean_std(match([grey], [grey / 255]))) == "unit"
    assert named(*mean_std(match([grey], [(grey - 123.675) / 58.395]))) == ((123.7,), (58.4,))


def test_numbers_of_more_and_more_digits_may_be_meant() -> None:
    found = matching.candidates((0.0,), (15.9375,))
    assert found[0] == ((0.0,), (15.94,))
    assert ((0.0,), (15.9375,)) in found
    assert matching.candidates((0.0,), (255.01,))[0] == "unit"


def test_ranges_are_apart_by_levels() -> None:
    assert matching.gap("unit", "unit", 3) == 0
    assert matching.gap("unit", ((0.0,), (256.0,)), 3) == pytest.approx(255 / 256, rel=1e-4)


def test_ranges_are_told_as_model_toml_has_them() -> None:
    assert toml("unit") == '"unit"'
    assert toml("") == '"raw"'
    assert toml(((1.0,), (2.0,))) == "{ mean = 1.0, std = 2.0 }"
    assert toml(((1.0, 2.0, 3.0), (4.0,))) == "{ mean = [1.0, 2.0, 3.0], std = 4.0 }"
