"""What an image has to become for a model: height, width, channels and their order, by the shape of its input."""

from math import prod
from typing import TYPE_CHECKING, NoReturn

from mlserverless.errors import ModelUnavailable
from mlserverless.model_values import DOCS
from mlserverless.named_tuple import NamedTuple

if TYPE_CHECKING:
    from mlserverless.engines import Tensor
    from mlserverless.model_toml import Input

# channels -> which of a pixel's (R, G, B, A, or grey) goes first, second, …
ORDERS = {"gray": (0,), "rgb": (0, 1, 2), "bgr": (2, 1, 0), "rgba": (0, 1, 2, 3)}
USUAL = {1: "gray", 3: "rgb", 4: "rgba"}


class Target(NamedTuple):
    """``height`` and ``width`` in pixels; ``channels``: gray, rgb, bgr or rgba; ``layout``: nhwc, nchw or flat.

    nhwc and flat are the same bytes: rows, in them pixels, in them channels. nchw has a plane for each channel.
    """

    height: int
    width: int
    channels: str
    layout: str


def target(wanted: "Input", tensor: "Tensor") -> Target:
    """Return what an image has to become for ``tensor``, whose open dimensions the engine has filled.

    Read are (1, height, width, C), (1, C, height, width) and both without the leading 1, C being 1, 3 or 4;
    (1, height, width) for grey; (1, height × width × C) where ``wanted.size`` tells height and width. Raises
    ModelUnavailable for another shape, one that can be read in two ways and one that ``wanted`` contradicts, which
    a preset's usual size does not.
    """
    shape = tensor.shape
    if not shape or min(shape) < 1:
        _refuse(tensor, "a dimension is left open: set size = [height, width] in [input]")
    if wanted.layout == "flat" or (not wanted.layout and sum(side > 1 for side in shape) == 1 and len(shape) <= 2):
        height, width, count = _flat(wanted, tensor)
        layout = "flat"
    else:
        layout, (height, width, count) = _image(wanted, tensor)
    if wanted.size and not wanted.usual and wanted.size != (height, width):
        _refuse(tensor, f"that is {height} × {width}, but size in [input] is {' × '.join(map(str, wanted.size))}")
    channels = wanted.channels or ("bgr" if wanted.range == "caffe" and count == 3 else USUAL[count])
    if len(ORDERS[channels]) != count:
        _refuse(tensor, f"that is {count} channels, but channels in [input] is {channels}")
    return Target(height, width, channels, layout)


def layouts(shape: tuple[int, ...]) -> dict[str, tuple[int, int, int]]:
    """Return how an image's ``shape`` can be read: layout -> (height, width, C), the likelier first.

    {} where it cannot. A batch has to be 1. Height and width are taken as they are, those that are left open, too.
    """
    found: dict[str, tuple[int, int, int]] = {}
    inner = shape[1:] if len(shape) == 4 and shape[0] == 1 else shape
    if len(inner) == 3:
        if inner[2] in USUAL:
            found["nhwc"] = inner[0], inner[1], inner[2]
        if inner[0] in USUAL:
            found["nchw"] = inner[1], inner[2], inner[0]
    elif len(inner) == 2:
        found["nhwc"] = inner[0], inner[1], 1
    return found


def _flat(wanted: "Input", tensor: "Tensor") -> tuple[int, int, int]:
    if not wanted.size:
        _refuse(tensor, "height and width are not in it: set size = [height, width] in [input]")
    height, width = wanted.size
    count, rest = divmod(prod(tensor.shape), height * width)
    if rest or count not in USUAL:
        _refuse(tensor, f"that is not 1, 3 or 4 times the size in [input], {height} × {width}")
    return height, width, count


def _image(wanted: "Input", tensor: "Tensor") -> tuple[str, tuple[int, int, int]]:
    found = layouts(tensor.shape)
    if wanted.layout and wanted.layout not in found:
        _refuse(tensor, f"layout in [input] is {wanted.layout}, of which 1, 3 or 4 channels cannot be read")
    if not found:
        _refuse(tensor, "read are 1, 3 or 4 channels, last (nhwc) or first (nchw), or flat with a size")
    if len(found) == 2 and not wanted.layout:
        fitting = [layout for layout, sides in found.items() if sides[:2] == wanted.size]
        if len(fitting) != 1:
            _refuse(tensor, 'that can be read in two ways: set layout = "nhwc" or "nchw" in [input]')
        return fitting[0], found[fitting[0]]
    layout = wanted.layout or next(iter(found))
    return layout, found[layout]


def _refuse(tensor: "Tensor", why: str) -> NoReturn:
    raise ModelUnavailable(f"The model's input has the shape {tensor.shape}; {why}. See {DOCS}.")
