"""Which source pixels make a pixel of a resized image, and with which weights, as PyTorch and torchvision have it.

Along one axis; in float32, step by step, or, for images of 8 bits, in whole numbers. What is done is in PyTorch's
aten/src/ATen/native: UpSample.h, cpu/UpSampleKernel.cpp, cpu/UpSampleKernelAVXAntialias.h and
AdaptiveAveragePooling.cpp.
"""

from collections.abc import Callable
from math import floor

from mlserverless.resampling.filters import FILTERS, Taps, normal
from mlserverless.single import f32

MOST_WEIGHED = 65_536  # pixels of a side of which all are looked at for the largest weight


def taps(method: str, antialias: bool, source: int, size: int, wanted: range) -> list[Taps]:
    """Return the taps of the pixels ``wanted`` of ``size``, to which ``source`` pixels are resized."""
    if antialias:
        return _antialiased(method, source, size, wanted)
    return PLAIN[method](source, size, wanted)


def _nearest(shift: float) -> Callable[[int, int, range], list[Taps]]:
    def found(source: int, size: int, wanted: range) -> list[Taps]:
        scale = f32(source / size)
        return [[(min(floor(f32((i + shift) * scale)), source - 1), 1.0)] for i in wanted]

    return found


def _bilinear(source: int, size: int, wanted: range) -> list[Taps]:
    scale, found = f32(source / size), []
    for i in wanted:
        at = max(0.0, _torch_at(scale, i))
        first = min(floor(at), source - 1)
        share = f32(at - first)
        found.append([(first, f32(1 - share)), (min(first + 1, source - 1), share)])
    return found


def _torch_at(scale: float, i: int) -> float:
    # Multiplied and added in one rounding, as PyTorch is compiled for processors with FMA.
    return f32((i + 0.5) * scale - 0.5)


def _bicubic(source: int, size: int, wanted: range) -> list[Taps]:
    scale, found = f32(source / size), []
    for i in wanted:
        at = _torch_at(scale, i)
        first = floor(at)
        weights = map(f32, cubic(f32(at - first)))
        found.append([(min(max(first - 1 + k, 0), source - 1), w) for k, w in enumerate(weights)])
    return found


def cubic(share: float, a: float = -0.75) -> list[float]:
    """Return the weights of the four pixels around a position, ``share`` behind the second."""

    def near(x: float) -> float:
        return ((a + 2) * x - (a + 3)) * x * x + 1

    def far(x: float) -> float:
        return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a

    return [far(share + 1), near(share), near(1 - share), far(2 - share)]


def _area(source: int, size: int, wanted: range) -> list[Taps]:
    # Adaptive average pooling: whole pixels, which the next cell may share. Weights are counts; see _averaged.
    return [[(k, 1.0) for k in range(i * source // size, -(-(i + 1) * source // size))] for i in wanted]


def _antialiased(method: str, source: int, size: int, wanted: range) -> list[Taps]:
    radius, kernel = FILTERS[method]
    scale, found = f32(source / size), []
    reach, narrowed = (f32(radius * scale), f32(1 / scale)) if scale >= 1 else (radius, 1.0)
    for i in wanted:
        at = f32(scale * (i + 0.5))
        begin = max(int(at - reach + 0.5), 0)
        end = min(int(at + reach + 0.5), source)
        weights = [f32(kernel(abs(f32((k - at + 0.5) * narrowed)))) for k in range(begin, end)]
        found.append(normal(begin, weights, lambda w, total: w / total))
    return found


PLAIN: dict[str, Callable[[int, int, range], list[Taps]]] = {
    "nearest": _nearest(0.0),
    "nearest-exact": _nearest(0.5),
    "bilinear": _bilinear,
    "bicubic": _bicubic,
    "area": _area,
}


def in_integers(method: str, antialias: bool, source: int, size: int, wanted: range) -> tuple[list[Taps], int]:
    """Return taps with whole weights, as PyTorch has them for images of 8 bits, and by how many bits to shift.

    In double precision, then as many bits as 16 hold.
    """
    every = range(size) if size <= MOST_WEIGHED else wanted
    exact = {i: _exactly(method, antialias, source, size, i) for i in {*every, *wanted}}
    largest = max(weight for pixel in exact.values() for weight in pixel.values())
    bits = next((bits for bits in range(22) if int(0.5 + largest * 2 ** (bits + 1)) >= 2**15), 22)
    found = []
    for i in wanted:
        weights = ((k, int(w * 2**bits + (0.5 if w >= 0 else -0.5))) for k, w in exact[i].items())
        found.append([(k, float(weight)) for k, weight in weights])
    return found, bits


def _exactly(method: str, antialias: bool, source: int, size: int, i: int) -> dict[int, float]:
    scale, pixel = source / size, dict[int, float]()
    if antialias:
        radius, kernel = FILTERS[method]
        wide = max(scale, 1.0)
        at, reach = scale * (i + 0.5), radius * wide
        for k in range(max(int(at - reach + 0.5), 0), min(int(at + reach + 0.5), source)):
            pixel[k] = kernel(abs((k - at + 0.5) * (1 / wide)))
        total = 0.0
        for weight in pixel.values():  # one after the other: sum() is more exact from Python 3.12 on
            total += weight
        return {k: weight / total for k, weight in pixel.items()}
    at = scale * (i + 0.5) - 0.5
    at = at if method == "bicubic" else max(at, 0.0)
    first = floor(at)
    before, weights = (1, cubic(at - first)) if method == "bicubic" else (0, [1 - at + first, at - first])
    for k, weight in enumerate(weights, first - before):
        index = min(max(k, 0), source - 1)
        pixel[index] = pixel.get(index, 0.0) + weight
    return pixel
