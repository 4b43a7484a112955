"""What an input's shape says of the image that goes in: size, channels, layout; the shapes that are refused."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlserverless.engines import Tensor
from mlserverless.errors import ModelUnavailable
from mlserverless.model_toml import Input, read_input
from mlserverless.model_values import DOCS
from mlserverless.target import ORDERS, Target, layouts, target


def of(*shape: int, **wanted: Any) -> Target:
    return target(Input(**wanted), Tensor("image", shape, "float32"))


def read(side: int, **said: Any) -> Target:
    return target(read_input(said, "model.tflite"), Tensor("image", (1, side, side, 3), "float32"))


@pytest.mark.parametrize(
    ("shape", "found"),
    [
        ((1, 224, 192, 3), (224, 192, "rgb", "nhwc")),
        ((1, 28, 28, 1), (28, 28, "gray", "nhwc")),
        ((1, 64, 48, 4), (64, 48, "rgba", "nhwc")),
        ((1, 3, 224, 192), (224, 192, "rgb", "nchw")),
        ((1, 1, 28, 28), (28, 28, "gray", "nchw")),
        ((1, 4, 64, 48), (64, 48, "rgba", "nchw")),
        ((224, 192, 3), (224, 192, "rgb", "nhwc")),
        ((3, 224, 192), (224, 192, "rgb", "nchw")),
        ((1, 28, 27), (28, 27, "gray", "nchw")),
        ((28, 27), (28, 27, "gray", "nhwc")),
        ((1, 2, 2, 3), (2, 2, "rgb", "nhwc")),
    ],
)
def test_shapes(shape: tuple[int, ...], found: tuple[Any, ...]) -> None:
    assert of(*shape) == found


@pytest.mark.parametrize(
    ("shape", "found"),
    [
        ((1, 224, 192, 3), {"nhwc": (224, 192, 3)}),
        ((1, 3, 224, 192), {"nchw": (224, 192, 3)}),
        ((1, -1, -1, 1), {"nhwc": (-1, -1, 1)}),
        ((1, 3, 224, 4), {"nhwc": (3, 224, 4), "nchw": (224, 4, 3)}),
        ((28, 27), {"nhwc": (28, 27, 1)}),
        ((2, 224, 192, 3), {}),
        ((1, 224, 192, 5), {}),
        ((784,), {}),
        ((), {}),
    ],
)
def test_layouts_of_a_shape_the_likelier_first(
    shape: tuple[int, ...], found: dict[str, tuple[int, int, int]]
) -> None:
    assert list(layouts(shape).items()) == list(found.items())


@pytest.mark.parametrize(
    ("shape", "size", "found"),
    [
        ((1, 784), (28, 28), (28, 28, "gray", "flat")),
        ((64,), (8, 8), (8, 8, "gray", "flat")),
        ((1, 36), (4, 3), (4, 3, "rgb", "flat")),
        ((1, 48), (4, 3), (4, 3, "rgba", "flat")),
    ],
)
def test_flat_inputs_need_a_size(shape: tuple[int, ...], size: tuple[int, int], found: tuple[Any, ...]) -> None:
    assert of(*shape, size=size) == found
    with pytest.raises(ModelUnavailable, match=r"height and width are not in it: set size = \[height, width\]"):
        of(*shape)


def test_flat_may_be_asked_of_any_shape() -> None:
    assert of(1, 12, 3, size=(4, 3), layout="flat") == (4, 3, "rgb", "flat")


def test_two_readings_are_refused_until_one_is_said() -> None:
    with pytest.raises(ModelUnavailable, match='read in two ways: set layout = "nhwc" or "nchw"') as caught:
        of(1, 3, 64, 3)
    assert "(1, 3, 64, 3)" in str(caught.value)
    assert f"See {DOCS}." in str(caught.value)
    assert of(1, 3, 64, 3, layout="nhwc") == (3, 64, "rgb", "nhwc")
    assert of(1, 3, 64, 3, layout="nchw") == (64, 3, "rgb", "nchw")
    assert of(1, 3, 64, 3, size=(64, 3)) == (64, 3, "rgb", "nchw")


def test_a_size_that_fits_neither_or_both_tells_nothing() -> None:
    for size in ((5, 5), (3, 3)):
        with pytest.raises(ModelUnavailable, match="in two ways"):
            of(1, 3, 3, 3, size=size)


@pytest.mark.parametrize(
    ("shape", "wanted", "said"),
    [
        ((1, 64, 64, 2), {}, "read are 1, 3 or 4 channels, last .nhwc. or first .nchw."),
        ((2, 64, 64, 3), {}, "read are 1, 3 or 4 channels"),
        ((1, 1, 64, 64, 3), {}, "read are 1, 3 or 4 channels"),
        ((), {}, "a dimension is left open"),
        ((1, 0, 64, 3), {}, r"a dimension is left open: set size = \[height, width\] in \[input\]"),
        ((1, -1, -1, 3), {}, "a dimension is left open"),
        ((1, 64, 64, 3), {"layout": "nchw"}, "layout in .input. is nchw, of which 1, 3 or 4 channels"),
        ((1, 64, 48, 3), {"size": (48, 64)}, r"that is 64 × 48, but size in \[input\] is 48 × 64"),
        ((1, 64, 64, 1), {"channels": "rgb"}, r"that is 1 channels, but channels in \[input\] is rgb"),
        ((1, 64, 64, 3), {"channels": "gray"}, "that is 3 channels, but"),
        ((1, 64, 64, 3), {"channels": "rgba"}, "that is 3 channels, but"),
        ((1, 100), {"size": (8, 8)}, r"that is not 1, 3 or 4 times the size in \[input\], 8 × 8"),
        ((1, 128), {"size": (8, 8)}, "that is not 1, 3 or 4 times"),
    ],
)
def test_what_cannot_be_fed_is_told(shape: tuple[int, ...], wanted: dict[str, Any], said: str) -> None:
    with pytest.raises(ModelUnavailable, match=said):
        of(*shape, **wanted)


def test_a_presets_size_is_only_the_usual_one() -> None:
    assert read(150, preset="keras/xception") == (150, 150, "rgb", "nhwc")


@pytest.mark.parametrize("size", [[299, 299], [224, 224]])
def test_a_size_that_is_said_beside_a_preset_is_held_to(size: list[int]) -> None:
    """Also where it is the preset's own."""
    with pytest.raises(ModelUnavailable, match=f"that is 150 × 150, but size in .input. is {size[0]} × "):
        read(150, preset="keras/xception", size=size)
    assert read(size[0], preset="keras/xception", size=size) == (*size, "rgb", "nhwc")


def test_caffe_is_bgr_unless_said_otherwise() -> None:
    assert of(1, 8, 8, 3, range="caffe").channels == "bgr"
    assert of(1, 8, 8, 3, range="caffe", channels="rgb").channels == "rgb"
    assert of(1, 8, 8, 3, range="unit", channels="bgr").channels == "bgr"


@given(st.integers(5, 4096), st.integers(5, 4096), st.sampled_from(["gray", "rgb", "bgr", "rgba"]), st.booleans())
def test_what_is_large_enough_is_never_read_in_two_ways(
    height: int, width: int, channels: str, last: bool
) -> None:
    count = len(ORDERS[channels])
    shape = (1, height, width, count) if last else (1, count, height, width)
    assert of(*shape, channels=channels) == (height, width, channels, "nhwc" if last else "nchw")
