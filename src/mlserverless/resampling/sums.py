"""Weighted sums of an image's rows and columns, in floating point or whole numbers, by Pillow's image arithmetic.

Along y that is a sum over whole rows: for the k-th tap of all rows of the result, the rows that it names are put
together, multiplied by their weights and added. Along x the same is done with the image on its side.
"""

from array import array
from collections.abc import Callable
from typing import TYPE_CHECKING

from PIL import Image

from mlserverless.floats import calculate
from mlserverless.resampling.filters import Taps

if TYPE_CHECKING:
    from mlserverless.floats import Planes

Steps = Callable[[bytes, str, int, list[Taps], str], Image.Image]
ASIDE = Image.Transpose.TRANSPOSE
AT_ONCE = 1 << 16  # pixels that are summed up at a time


def separably(
    image: Image.Image, columns: list[Taps], rows: list[Taps], steps: Steps, *, down_first: bool
) -> "Planes":
    """Return the planes of the sums along both axes, that along y first or that along x."""
    image, rows = only(image, rows)
    image, columns = only(image.transpose(ASIDE), columns)  # on its side from here
    first, second = columns, rows
    if down_first:
        image, first, second = image.transpose(ASIDE), rows, columns
    bands = len(image.getbands())
    whole = summed(steps, image.tobytes(), "L", bands * image.width, first)
    flat = array("f", whole.tobytes())
    planes = []
    for band in range(bands):
        part = Image.frombytes("F", (image.width, len(first)), flat[band::bands].tobytes()).transpose(ASIDE)
        plane = summed(steps, part.tobytes(), "F", part.width, second)
        planes.append(plane.transpose(ASIDE) if down_first else plane)
    return tuple(planes)


def only(image: Image.Image, rows: list[Taps]) -> tuple[Image.Image, list[Taps]]:
    """Return the rows of ``image`` that ``rows`` name, once each, and the same taps of that."""
    used = sorted({index for pixel in rows for index, _ in pixel})
    if len(used) == image.height:
        return image, rows
    place = {index: i for i, index in enumerate(used)}
    data = _picked(image.tobytes(), len(image.getbands()) * image.width, used)
    kept = Image.frombytes(image.mode, (image.width, len(used)), data)
    return kept, [[(place[index], weight) for index, weight in pixel] for pixel in rows]


def _picked(data: bytes, stride: int, rows: list[int]) -> bytes:
    view = memoryview(data)
    return b"".join([view[row * stride : (row + 1) * stride] for row in rows])


def _layer(
    data: bytes, mode: str, width: int, rows: list[Taps], k: int, kind: str
) -> tuple[Image.Image, Image.Image]:
    # The k-th tap of every row, and its weights, as ``kind``: F or I. A row with fewer repeats its last with none.
    stride = width * (4 if mode == "F" else 1)
    picked = _picked(data, stride, [pixel[min(k, len(pixel) - 1)][0] for pixel in rows])
    weights = [pixel[k][1] if k < len(pixel) else 0 for pixel in rows]
    packed = array("f", weights) if kind == "F" else array("i", map(int, weights))
    layer = Image.frombytes(mode, (width, len(rows)), picked)
    column = Image.frombytes(kind, (1, len(rows)), packed.tobytes())
    return layer.convert(kind), column.resize((width, len(rows)), Image.Resampling.NEAREST)


def summed(steps: Steps, data: bytes, mode: str, width: int, rows: list[Taps], kind: str = "F") -> Image.Image:
    """Return what ``steps`` make of ``data``, rows of ``width`` pixels of ``mode`` L or F, as ``kind``: F or I.

    A few at a time, so that what they work on stays in the processor's cache.
    """
    few = max(1, AT_ONCE // width)
    parts = [steps(data, mode, width, rows[i : i + few], kind).tobytes() for i in range(0, len(rows), few)]
    return Image.frombytes(kind, (width, len(rows)), b"".join(parts))


def weighted(data: bytes, mode: str, width: int, rows: list[Taps], kind: str) -> Image.Image:
    """Return for each of ``rows`` the sum of the products of its taps, added one after the other."""
    layer, weights = _layer(data, mode, width, rows, 0, kind)
    depth = max(map(len, rows))
    if depth == 1 and all(pixel[0][1] == 1 for pixel in rows):
        return layer
    total = calculate(lambda of: of["a"] * of["b"], a=layer, b=weights)
    for k in range(1, depth):
        layer, weights = _layer(data, mode, width, rows, k, kind)
        total = calculate(lambda of: of["sum"] + of["a"] * of["b"], sum=total, a=layer, b=weights)
    return total


def mixed(data: bytes, mode: str, width: int, rows: list[Taps], kind: str) -> Image.Image:
    """Return for each of ``rows`` a + (b − a) × share, which is rounded otherwise than the sum of two products."""
    (first, _), (second, share) = (_layer(data, mode, width, rows, k, kind) for k in (0, 1))
    return calculate(lambda of: of["a"] + (of["b"] - of["a"]) * of["w"], a=first, b=second, w=share)
