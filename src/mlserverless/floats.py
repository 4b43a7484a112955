"""Planes of floating-point pixels -> the bytes of a model's input, by Pillow's image arithmetic, without numpy.

Each step is one operation of ``PIL.ImageMath`` on images of mode F, which is one rounding to float32, so that the
values are those of the same arithmetic on float32 arrays. Imported only for a model whose resizer leaves floating
point.
"""

import struct
from array import array
from typing import TYPE_CHECKING, Any

from PIL import Image, ImageMath

from mlserverless.ranges import CAFFE, IMAGENET, QUANTISED, as_they_are, quantised
from mlserverless.target import ORDERS, Target

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlserverless.engines import Tensor
    from mlserverless.model_values import Range

Planes = tuple[Image.Image, ...]  # of mode F and the model's size: (R, G, B), (R, G, B, A) or (grey,)
LARGEST = 2**24  # below it a float32 holds every whole number
CODES = {"uint8": "B", "int8": "b", "int16": "h", "int32": "i", "int64": "q"}


def tensor_bytes(planes: Planes, scale: "Range", tensor: "Tensor", target: Target) -> bytes:
    """Return ``planes`` as the bytes of ``tensor``, in the range ``scale`` and the order of ``target``.

    What goes into integers is rounded, half away from zero, and held within what these hold. Raises
    ModelUnavailable where the range asks for a quantisation that the tensor does not have.
    """
    order = ORDERS[target.channels]
    ready = [_elements(ranged(planes[channel], channel, scale), scale, tensor) for channel in order]
    if target.layout == "nchw" or len(ready) == 1:
        return b"".join(one.tobytes() for one in ready)
    out = array(ready[0].typecode, bytes(len(ready) * len(ready[0]) * ready[0].itemsize))
    for place, one in enumerate(ready):
        out[place :: len(ready)] = one
    return out.tobytes()


def ranged(plane: Image.Image, channel: int, scale: "Range") -> Image.Image:
    """Return ``plane`` of ``channel`` (RGB order) in the range ``scale``, by the steps of preprocess.scaled."""
    if scale in ("raw", ""):
        return plane
    if scale == "unit":
        return calculate(lambda of: of["x"] / 255.0, x=plane)
    if scale == "signed":
        return calculate(lambda of: of["x"] / 127.5 - 1.0, x=plane)
    if scale == "caffe":
        return calculate(lambda of: of["x"] - CAFFE[channel], x=plane)
    if scale == "imagenet":
        mean, std = (numbers[channel] for numbers in IMAGENET)
        return calculate(lambda of: (of["x"] / 255.0 - mean) / std, x=plane)
    assert not isinstance(scale, str)  # preprocess.check has refused other texts
    mean, std = (numbers[channel % len(numbers)] for numbers in scale)
    return calculate(lambda of: (of["x"] - mean) / std, x=plane)


def calculate(formula: "Callable[[dict[str, Any]], Any]", **images: Image.Image) -> Image.Image:
    """Return what ``formula`` makes of ``images``, by their names; each operation and each number is rounded."""
    made: Image.Image = ImageMath.lambda_eval(formula, **images)
    return made


def _elements(plane: Image.Image, scale: "Range", tensor: "Tensor") -> "array[Any]":
    values = array("f", plane.tobytes())
    if tensor.dtype == "float32":
        return values
    if tensor.dtype == "float64":
        return array("d", values)
    if tensor.dtype == "float16":
        return array("H", struct.pack(f"={len(values)}e", *values))
    if as_they_are(scale, tensor):
        low, high, lowered = QUANTISED.get(tensor.dtype, (-LARGEST, LARGEST, 0))
        real, offset = plane, -lowered
    else:
        low, high, _ = quantised(scale, tensor)
        real, offset = calculate(lambda of: of["x"] / tensor.scale, x=plane), tensor.zero_point
    # Held within a float32's whole numbers first, so that none leaves what an int32 holds.
    held = calculate(lambda of: of["min"](of["max"](of["x"], float(-LARGEST)), float(LARGEST)), x=real)
    whole = calculate(lambda of: of["min"](of["max"](of["x"] + offset, low), high), x=rounded(held))
    return array(CODES[tensor.dtype], array("i", whole.tobytes()))


def rounded(plane: Image.Image) -> Image.Image:
    """Return ``plane`` (F) in whole numbers (I), half away from zero."""
    # By what is left of the whole number before: x + 0.5 would itself be rounded, just below a half.
    whole = calculate(lambda of: of["int"](of["x"]), x=plane)
    left = calculate(lambda of: of["x"] - of["float"](of["whole"]), x=plane, whole=whole)
    return calculate(lambda of: of["whole"] + of["int"](of["left"] * 2.0), whole=whole, left=left)
