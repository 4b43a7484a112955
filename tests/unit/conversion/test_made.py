"""What a converted file says of itself: its input and layout, its last operator, what is read from its buffers."""

import numpy as np
import pytest

from helpers import onnxmodel
from helpers.convertible import answers, network, samples
from mlserverless.conversion import flat, made
from mlserverless.conversion.problem import Misused
from mlserverless.engines import Tensor
from mlserverless.inspection.ops import Use
from mlserverless.model_toml import read_input


def test_of_a_tflite_file() -> None:
    found = made.look(network(), "tflite", ())
    assert found.input == Tensor("image", (1, 16, 16, 3), "float32")
    assert (found.end, found.classes) == ("SOFTMAX", 5)
    assert Use("CONV_2D", 1, 1) in found.uses
    assert len(found.uses) == 5


def test_of_an_onnx_file() -> None:
    found = made.look(onnxmodel.classifier(), "onnx", ())
    assert (found.input.shape, found.end, found.classes, found.uses) == ((1, 3, 8, 6), "Softmax", 5, ())


@pytest.mark.parametrize(
    ("shape", "given", "layout"),
    [
        ((1, 8, 6, 3), {"layout": "nchw"}, ""),
        ((1, 3, 8, 6), {}, ""),
        ((1, 3, 6, 3), {}, "nhwc"),
        ((1, 3, 6, 3), {"size": [6, 3]}, ""),
        ((1, 144), {"size": [8, 6], "layout": "flat"}, ""),
    ],
)
def test_layouts(shape: tuple[int, ...], given: dict[str, object], layout: str) -> None:
    wanted = read_input({**given, "range": "unit"}, "the test")
    section, _ = made.fitted(given, wanted, Tensor("image", shape, "float32"))
    assert section == {key: value for key, value in given.items() if key != "layout"} | (
        {"layout": layout} if layout else {}
    )


def test_no_layout_fits() -> None:
    with pytest.raises(Misused, match="shape"):
        made.fitted({}, read_input({}, "the test"), Tensor("image", (1, 7, 8, 6), "float32"))


@pytest.mark.parametrize(
    ("end", "classes", "said", "by_framework", "wanted", "noted"),
    [
        ("SOFTMAX", 5, "", False, "none", False),
        ("Sigmoid", 1, "", False, "none", False),
        ("FULLY_CONNECTED", 5, "", False, "softmax", True),
        ("FULLY_CONNECTED", 1, "", False, "sigmoid", True),
        ("FULLY_CONNECTED", 5, "none", False, "none", False),
        ("SOFTMAX", 5, "softmax", False, "softmax", False),
        ("Normalizer", 5, "", True, "none", False),
        ("CONV_2D", 0, "", False, "none", False),
    ],
)
def test_activations(end: str, classes: int, said: str, by_framework: bool, wanted: str, noted: bool) -> None:
    found = made.Made(Tensor("image", (1, 2), "float32"), end, classes)
    activation, note = made.activation(found, said, by_framework)
    assert (activation, bool(note)) == (wanted, noted)


def test_buffers_behind_the_flatbuffer_are_taken_into_it() -> None:
    model = flat.unpacked(network())
    place = next(i for i, one in enumerate(model.buffers) if one.data is not None and len(one.data) > 400)
    weights = bytes(model.buffers[place].data)
    model.buffers[place].data, model.buffers[place].size = None, len(weights)
    model.buffers[place].offset = 1 << 20  # as wide as the right one
    model.buffers[place].offset = len(flat.packed(model))
    outside = flat.packed(model) + weights
    inside = flat.packed(flat.unpacked(outside))
    assert np.array_equal(answers(inside, samples(3)), answers(network(), samples(3)))
