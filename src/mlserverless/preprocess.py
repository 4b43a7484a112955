"""Pixels of the model's size -> the bytes of its input tensor, by table and exactly, without numpy.

A pixel of 8 bits has 256 values, so each range is a table of 256 entries, computed in float32 step by step as
numpy would and applied with ``bytes.translate``: one pass for each byte of an element, per channel where channels
differ. What a resizer left in floating point goes another way, :mod:`mlserverless.floats`.
"""

import struct
from functools import lru_cache
from math import floor
from typing import TYPE_CHECKING, Any

from mlserverless.engines import Tensor
from mlserverless.errors import ModelUnavailable
from mlserverless.model_values import DOCS, RANGES
from mlserverless.ranges import CAFFE, FLOATS, FORMATS, IMAGENET, QUANTISED, as_they_are, quantised
from mlserverless.single import f32
from mlserverless.target import ORDERS, Target, target

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image

    from mlserverless.floats import Planes
    from mlserverless.model_toml import Input
    from mlserverless.model_values import Range

AS_IT_IS = bytes(range(256))


def scaled(pixel: int, channel: int, scale: "Range") -> float:
    """Return the real value, a float32, of a ``pixel`` 0…255 of ``channel`` (RGB order) in the range ``scale``.

    raw: x · unit: x / 255 · signed: x / 127.5 − 1 · imagenet: (x / 255 − mean) / std · caffe: x − mean ·
    (mean, std): (x − mean) / std, in pixel values.
    """
    if scale in ("raw", ""):
        return float(pixel)
    if scale == "unit":
        return f32(pixel / 255)
    if scale == "signed":
        return f32(f32(pixel / 127.5) - 1)
    if scale == "imagenet":
        mean, std = f32(IMAGENET[0][channel]), f32(IMAGENET[1][channel])
        return f32(f32(f32(pixel / 255) - mean) / std)
    if scale == "caffe":
        return f32(pixel - f32(CAFFE[channel]))
    if isinstance(scale, str):
        raise ValueError(f"{scale!r} is not a range; ranges are raw, unit, signed, imagenet, caffe")
    means, stds = scale
    mean, std = f32(means[channel % len(means)]), f32(stds[channel % len(stds)])
    return f32(f32(pixel - mean) / std)


@lru_cache(maxsize=32)
def tables(scale: "Range", tensor: Tensor, channel: int) -> tuple[bytes, ...]:
    """Return one 256-byte table for each byte of the tensor's dtype: pixel value -> that byte.

    A quantised 8-bit tensor takes raw pixels as they are (lowered by 128 for int8), which is what TFLite's own
    image classifiers feed; in another range the real value is quantised as TFLite does it, half rounded away from
    zero.
    Raises ModelUnavailable for a dtype or a range that has no table.
    """
    try:
        return _tables(scale, tensor, channel)
    except ArithmeticError as error:  # a mean or a std that leaves what a float holds
        raise ModelUnavailable(f"The range {scale} cannot be computed for the model's input: {error}.") from error


def _tables(scale: "Range", tensor: Tensor, channel: int) -> tuple[bytes, ...]:
    form = FORMATS.get(tensor.dtype)
    if form is None:
        raise ModelUnavailable(f"The model's input is {tensor.dtype}; images go into {', '.join(FORMATS)}.")
    values: list[Any]
    if tensor.dtype in FLOATS:
        values = [scaled(pixel, channel, scale) for pixel in range(256)]
    elif as_they_are(scale, tensor):
        lowered = QUANTISED.get(tensor.dtype, (0, 0, 0))[2]
        values = [pixel - lowered for pixel in range(256)]
    else:
        low, high, _ = quantised(scale, tensor)
        real = [f32(scaled(pixel, channel, scale) / f32(tensor.scale)) for pixel in range(256)]
        steps = [floor(abs(x) + 0.5) * (1 if x >= 0 else -1) + tensor.zero_point for x in real]
        values = [min(max(step, low), high) for step in steps]
    packed = [struct.pack(form, value) for value in values]
    return tuple(bytes(entry[i] for entry in packed) for i in range(len(packed[0])))


def check(wanted: "Input", tensor: Tensor) -> Target:
    """Return what an image has to become for ``tensor``; raise ModelUnavailable where it could not be fed.

    Told when the model is loaded, so that no request finds it: the shape, the dtype, a range that is missing, has
    another number of channels or leaves what the dtype holds.
    """
    found = target(wanted, tensor)
    scale, count = wanted.range, len(ORDERS[found.channels])
    if not scale and not as_they_are(scale, tensor):
        raise ModelUnavailable(
            f"Nothing says which range the model wants its {tensor.dtype} pixels in: set range in [input] of its "
            f"model.toml to {', '.join(RANGES)} or a mean and std. See {DOCS}."
        )
    given = {3} if scale in ("imagenet", "caffe") else set() if isinstance(scale, str) else set(map(len, scale))
    if given - {1, count}:
        told = scale if isinstance(scale, str) else f"of {max(given)} means and stds"
        raise ModelUnavailable(
            f"The range {told} does not fit the model's input of {count} channels ({found.channels}): give one "
            f"number, or one a channel. See {DOCS}."
        )
    for channel in ORDERS[found.channels]:
        tables(scale, tensor, channel)
    return found


def tensor_bytes(pixels: "bytes | Planes", scale: "Range", tensor: Tensor, target: Target | None = None) -> bytes:
    """Return ``pixels`` as the bytes of ``tensor``: in its dtype, and the order and layout of ``target``.

    ``pixels`` are interleaved uint8 in the order RGB, RGBA or grey, or the planes that a resizer left in floating
    point. Without a ``target`` they are RGB, and go into (1, height, width, 3); for the range caffe as BGR.
    """
    if target is None:
        target = Target(0, 0, "bgr" if scale == "caffe" else "rgb", "nhwc")
    if not isinstance(pixels, bytes):
        from mlserverless import floats  # only a model with such a resizer pays for it

        return floats.tensor_bytes(pixels, scale, tensor, target)
    order = ORDERS[target.channels]
    count = len(order)
    by_channel = [tables(scale, tensor, channel) for channel in order]
    width = len(by_channel[0])
    if target.layout == "nchw" and count > 1:
        places = enumerate(order)
        return b"".join(_translated(pixels[channel::count], by_channel[place]) for place, channel in places)
    if order[0] == 0 and by_channel.count(by_channel[0]) == count:
        return _translated(pixels, by_channel[0])
    out = bytearray(len(pixels) * width)
    for place, channel in enumerate(order):
        plane = pixels[channel::count]
        for i, table in enumerate(by_channel[place]):
            out[place * width + i :: count * width] = plane.translate(table)
    return bytes(out)


def _translated(pixels: bytes, by_byte: tuple[bytes, ...]) -> bytes:
    width = len(by_byte)
    if width == 1:
        return pixels if by_byte[0] == AS_IT_IS else pixels.translate(by_byte[0])
    out = bytearray(len(pixels) * width)
    for i, table in enumerate(by_byte):
        out[i::width] = pixels.translate(table)
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
