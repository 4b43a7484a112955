"""An RGB image -> the bytes of the model's input tensor, by table and exactly, without numpy.

A pixel has 256 values, so each range is a table of 256 entries, computed in float32 step by step as numpy would
and applied with ``bytes.translate``: one pass for each byte of the float, per channel where channels differ.
"""

import struct
from functools import lru_cache
from math import floor
from typing import TYPE_CHECKING, Any

from mlserverless.engines import Tensor
from mlserverless.errors import ModelUnavailable

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image

    from mlserverless.model_toml import Range

# Mean and std of ImageNet's training images on 0…1 (torchvision's models); the means of Caffe's models in
# RGB order, on 0…255 (keras.applications.imagenet_utils, mode "caffe", which also swaps to BGR).
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
CAFFE = (123.68, 116.779, 103.939)
# Lowest and highest value, and what a raw pixel is lowered by.
AS_IT_IS = bytes(range(256))
QUANTISED = {"uint8": (0, 255, 0), "int8": (-128, 127, 128)}


def _f32(value: float) -> float:
    """Round to the nearest float32. One rounding of an exact double-width step equals float32 arithmetic."""
    rounded: float = struct.unpack("<f", struct.pack("<f", value))[0]
    return rounded


def scaled(pixel: int, channel: int, scale: "Range") -> float:
    """Return the real value, a float32, of a ``pixel`` 0…255 of ``channel`` (RGB order) in the range ``scale``.

    raw: x · unit: x / 255 · signed: x / 127.5 − 1 · imagenet: (x / 255 − mean) / std · caffe: x − mean ·
    (mean, std): (x − mean) / std, in pixel values.
    """
    if scale == "raw":
        return float(pixel)
    if scale == "unit":
        return _f32(pixel / 255)
    if scale == "signed":
        return _f32(_f32(pixel / 127.5) - 1)
    if scale == "imagenet":
        mean, std = _f32(IMAGENET[0][channel]), _f32(IMAGENET[1][channel])
        return _f32(_f32(_f32(pixel / 255) - mean) / std)
    if scale == "caffe":
        return _f32(pixel - _f32(CAFFE[channel]))
    if isinstance(scale, str):
        raise ValueError(f"{scale!r} is not a range; ranges are raw, unit, signed, imagenet, caffe")
    means, stds = scale
    mean, std = _f32(means[channel % len(means)]), _f32(stds[channel % len(stds)])
    return _f32(_f32(pixel - mean) / std)


@lru_cache(maxsize=32)
def tables(scale: "Range", tensor: Tensor, channel: int) -> tuple[bytes, ...]:
    """Return one 256-byte table for each byte of the tensor's dtype: pixel value -> that byte.

    A quantised tensor takes raw pixels as they are (lowered by 128 for int8), which is what TFLite's own image
    classifiers feed; in another range the real value is quantised as TFLite does it, half rounded away from zero.
    Raises ModelUnavailable for a dtype or a range that has no table.
    """
    try:
        return _tables(scale, tensor, channel)
    except ArithmeticError as error:  # a mean or a std that leaves what a float32 holds
        raise ModelUnavailable(f"The range {scale} cannot be computed for the model's input: {error}.") from error


def _tables(scale: "Range", tensor: Tensor, channel: int) -> tuple[bytes, ...]:
    if tensor.dtype == "float32":
        packed = [struct.pack("<f", scaled(pixel, channel, scale)) for pixel in range(256)]
        return tuple(bytes(entry[i] for entry in packed) for i in range(4))
    if tensor.dtype not in QUANTISED:
        raise ModelUnavailable(f"The model's input is {tensor.dtype}; images go into float32, uint8 and int8.")
    low, high, lowered = QUANTISED[tensor.dtype]
    if scale in ("raw", ""):
        values = [pixel - lowered for pixel in range(256)]
    elif not tensor.scale:
        raise ModelUnavailable(f"The model's {tensor.dtype} input has no quantisation: its range must be raw.")
    else:
        real = [_f32(scaled(pixel, channel, scale) / _f32(tensor.scale)) for pixel in range(256)]
        steps = [floor(abs(x) + 0.5) * (1 if x >= 0 else -1) + tensor.zero_point for x in real]
        values = [min(max(step, low), high) for step in steps]
    return (bytes(value & 0xFF for value in values),)


def tensor_bytes(pixels: bytes, scale: "Range", tensor: Tensor) -> bytes:
    """Return interleaved RGB ``pixels`` (uint8, 3 a pixel) as the bytes of ``tensor``, in its dtype and order."""
    order = (2, 1, 0) if scale == "caffe" else (0, 1, 2)
    by_channel = [tables(scale, tensor, channel) for channel in order]
    width = len(by_channel[0])
    if by_channel.count(by_channel[0]) == 3 and order == (0, 1, 2):
        if width == 1:
            return pixels if by_channel[0][0] == AS_IT_IS else pixels.translate(by_channel[0][0])
        out = bytearray(len(pixels) * width)
        for i, table in enumerate(by_channel[0]):
            out[i::width] = pixels.translate(table)
        return bytes(out)
    out = bytearray(len(pixels) * width)
    for place, channel in enumerate(order):
        plane = pixels[channel::3]
        for i, table in enumerate(by_channel[place]):
            out[place * width + i :: 3 * width] = plane.translate(table)
    return bytes(out)


def preprocess_image(img: "Image | Any", range: "Range" = "unit") -> "np.ndarray[Any, np.dtype[np.float32]]":
    """Return an RGB image, or its pixels, as float32 of shape (1, height, width, 3), scaled to ``range``.

    The default, unit, divides by 255. Values are bit-equal to the same float32 arithmetic in numpy.
    """
    import numpy as np

    array = np.asarray(img, dtype=np.uint8)
    if array.ndim != 3 or array.shape[2] != 3:
        raise ValueError(f"an image of shape {array.shape} was given; expected (height, width, 3), as RGB")
    shape = (1, *array.shape)
    data = tensor_bytes(array.tobytes(), range, Tensor("", shape, "float32"))
    return np.frombuffer(data, np.float32).reshape(shape).copy()
