"""Resizing as TensorFlow, PyTorch and MediaPipe do it, on Pillow's images and without numpy.

A resize is separable: along each axis a pixel is a weighted sum of a few of the source's. Which and how much of
each is said by the modules named after the libraries; sums.py adds it up. Imported only for a model with such a
resizer.
"""

from array import array
from typing import TYPE_CHECKING, Any

from PIL import Image

from mlserverless.floats import calculate
from mlserverless.model_toml import antialiases
from mlserverless.resampling import sums, tensorflow, torch
from mlserverless.resampling.filters import FILTERS, Taps
from mlserverless.single import f32

if TYPE_CHECKING:
    from mlserverless.fitting import Plan, Size
    from mlserverless.floats import Planes
    from mlserverless.model_toml import Input

MOST_SCALE = 128  # by which a side is made smaller with all taps; beyond, it is first averaged to a fraction
STEP_BITS = 5  # of a position between two pixels, in OpenCV's warp (INTER_BITS)
STEPS = 1 << STEP_BITS


def resized(image: Image.Image, chosen: "Plan", target: "Size", wanted: "Input", fill: Any) -> "Planes | bytes":
    """Return what ``chosen`` makes of an upright ``image`` (L, RGB or RGBA), with bars of ``fill`` to ``target``.

    Planes of mode F, one a channel; interleaved bytes for the resizers that round to 8 bits.
    """
    (x, y), size = chosen.at, chosen.size
    across = range(max(0, -x), min(size[0], target[0] - x))
    down = range(max(0, -y), min(size[1], target[1] - y))
    if wanted.resizer == "mediapipe":
        planes = _warped(image, size, across, down)
    else:
        left, top, right, bottom = map(int, chosen.box)  # of these resizers' fits none is between pixels
        if (left, top, right, bottom) != (0, 0, *image.size):
            image = image.crop((left, top, right, bottom))
        planes = _resized(image, size, across, down, wanted)
    if planes[0].size != target:
        fills = fill if isinstance(fill, tuple) else (fill,)
        at = max(0, x), max(0, y)
        planes = tuple(_barred(plane, target, at, value) for plane, value in zip(planes, fills, strict=True))
    if wanted.resizer not in ("mediapipe", "torchvision"):
        return planes
    whole = [plane.convert("L") for plane in planes]
    return (Image.merge(image.mode, whole) if len(whole) > 1 else whole[0]).tobytes()


def _resized(image: Image.Image, size: "Size", across: range, down: range, wanted: "Input") -> "Planes":
    method, antialias = wanted.resize, antialiases(wanted)
    if antialias or method == "area":
        image = _reduced(image, size)
    if wanted.resizer == "torchvision" and method in FILTERS:
        return _in_integers(image, size, across, down, method, antialias)
    library = tensorflow if wanted.resizer == "tensorflow" else torch
    columns = library.taps(method, antialias, image.width, size[0], across)
    rows = library.taps(method, antialias, image.height, size[1], down)
    plain = library is tensorflow and not antialias
    steps = sums.mixed if plain and method == "bilinear" else sums.weighted
    down_first = library is tensorflow and not (plain and method in ("bilinear", "area"))
    planes = sums.separably(image, columns, rows, steps, down_first=down_first)
    if method != "area":
        return planes
    if library is tensorflow:
        scale = f32(1 / f32(f32(image.height / size[1]) * f32(image.width / size[0])))
        return tuple(calculate(lambda of: of["sum"] * scale, sum=plane) for plane in planes)
    return _averaged(planes, columns, rows)


def _averaged(planes: "Planes", columns: list[Taps], rows: list[Taps]) -> "Planes":
    # PyTorch divides by the number of rows, then by that of columns.
    down, across = (array("f", map(float, map(len, axis))).tobytes() for axis in (rows, columns))
    high = Image.frombytes("F", (1, len(rows)), down).resize(planes[0].size, Image.Resampling.NEAREST)
    wide = Image.frombytes("F", (len(columns), 1), across).resize(planes[0].size, Image.Resampling.NEAREST)
    return tuple(
        calculate(lambda of: of["sum"] / of["rows"] / of["columns"], sum=plane, rows=high, columns=wide)
        for plane in planes
    )


def _reduced(image: Image.Image, size: "Size") -> Image.Image:
    """Return ``image`` averaged to a fraction along the sides of which a pixel would have too many taps."""
    across, down = (max(1, side // (size[i] * MOST_SCALE)) for i, side in enumerate(image.size))
    return image if across == down == 1 else image.reduce((across, down))


def _barred(plane: Image.Image, size: "Size", at: tuple[int, int], value: float) -> Image.Image:
    canvas = Image.new(plane.mode, size, value)
    canvas.paste(plane, at)
    return canvas


def _in_integers(
    image: Image.Image, size: "Size", across: range, down: range, method: str, antialias: bool
) -> "Planes":
    """Return what torchvision makes of 8-bit tensors: weights of 16 bits, and 8 bits between the axes."""
    columns, bits_across = torch.in_integers(method, antialias, image.width, size[0], across)
    rows, bits_down = torch.in_integers(method, antialias, image.height, size[1], down)
    image, rows = sums.only(image, rows)
    image, columns = sums.only(image.transpose(sums.ASIDE), columns)
    bands = len(image.getbands())
    summed = sums.summed(sums.weighted, image.tobytes(), "L", bands * image.width, columns, "I")
    whole = _shifted(summed, bits_across).tobytes()
    planes = []
    for band in range(bands):
        part = Image.frombytes("L", (image.width, len(columns)), whole[band::bands]).transpose(sums.ASIDE)
        planes.append(_shifted(sums.summed(sums.weighted, part.tobytes(), "L", part.width, rows, "I"), bits_down))
    return tuple(planes)


def _shifted(summed: Image.Image, bits: int) -> Image.Image:
    # Rounded, half up; converting to L holds it within 8 bits.
    return calculate(lambda of: (of["a"] + 2 ** (bits - 1)) >> bits, a=summed).convert("L")


def _warped(image: Image.Image, size: "Size", across: range, down: range) -> "Planes":
    """Return MediaPipe's warp by OpenCV: pixel i of the result is at i × scale, in steps of 1/32 of a pixel."""
    columns = _steps(image.width, size[0], across)
    rows = _steps(image.height, size[1], down)
    planes = sums.separably(image, columns, rows, sums.weighted, down_first=False)
    # Whole numbers below 2^24, which a float32 holds exactly.
    return tuple(_shifted(plane.convert("I"), 2 * STEP_BITS) for plane in planes)


def _steps(source: int, size: int, wanted: range) -> list[Taps]:
    found = []
    for i in wanted:
        first, share = divmod(round(i * (source / size) * STEPS), STEPS)
        ends = (min(max(k, 0), source - 1) for k in (first, first + 1))
        found.append(list(zip(ends, (float(STEPS - share), float(share)), strict=True)))
    return found
