"""Which source pixels make a pixel of a resized image, and with which weights, as TensorFlow has it.

Along one axis; positions and weights in float32, step by step, since a position that is rounded otherwise is
another weight: at pixel 2,000 by up to 1e-4. What is done is in tensorflow/core/kernels/image (resize_*_op.cc,
scale_and_translate_op.cc, sampling_kernels.h), for half-pixel centres, which tf.image.resize asks for.
"""

from functools import lru_cache
from math import ceil, floor

from mlserverless.resampling.filters import FILTERS, TINY, Taps, normal
from mlserverless.single import f32

TABLE = 1024  # steps between two pixels, of the cubic weights


def taps(method: str, antialias: bool, source: int, size: int, wanted: range) -> list[Taps]:
    """Return the taps of the pixels ``wanted`` of ``size``, to which ``source`` pixels are resized."""
    if method in PLAIN and not antialias:
        return PLAIN[method](source, size, wanted)
    return _scale_and_translate(method, antialias, source, size, wanted)


def _nearest(source: int, size: int, wanted: range) -> list[Taps]:
    scale = f32(source / size)
    return [[(min(floor(f32((i + 0.5) * scale)), source - 1), 1.0)] for i in wanted]


def _bilinear(source: int, size: int, wanted: range) -> list[Taps]:
    # The second weight is the share of the second pixel.
    scale, found = f32(source / size), []
    for i in wanted:
        at = f32(f32((i + 0.5) * scale) - 0.5)
        share = f32(at - floor(at))
        found.append([(max(floor(at), 0), f32(1 - share)), (min(ceil(at), source - 1), share)])
    return found


@lru_cache(maxsize=1)
def _cubic_table(a: float = -0.5) -> list[tuple[float, float]]:
    near = [((a + 2) * x - (a + 3)) * x * x + 1 for x in (i / TABLE for i in range(TABLE + 1))]
    far = [((a * x - 5 * a) * x + 8 * a) * x - 4 * a for x in (1 + i / TABLE for i in range(TABLE + 1))]
    return [(f32(one), f32(other)) for one, other in zip(near, far, strict=True)]


def _bicubic(source: int, size: int, wanted: range) -> list[Taps]:
    # Keys' kernel by table; taps beyond the edge count nothing, and the others are made to sum up to 1.
    scale, found, table = f32(source / size), [], _cubic_table()
    for i in wanted:
        at = f32(f32((i + 0.5) * scale) - 0.5)
        first = floor(at)
        step = round(f32(f32(at - first) * TABLE))
        (near, far), (near_2, far_2) = table[step], table[TABLE - step]
        weights = [w if 0 <= first - 1 + k < source else 0.0 for k, w in enumerate((far, near, near_2, far_2))]
        total = f32(f32(f32(weights[0] + weights[1]) + weights[2]) + weights[3])
        if abs(total) >= TINY:
            weights = [f32(w * f32(1 / total)) for w in weights]
        found.append([(min(max(first - 1 + k, 0), source - 1), w) for k, w in enumerate(weights)])
    return found


def _area(source: int, size: int, wanted: range) -> list[Taps]:
    scale, found = f32(source / size), []
    for i in wanted:
        begin, end = f32(i * scale), f32((i + 1) * scale)
        pixels = []
        for k in range(floor(begin), ceil(end)):
            if k < begin:
                weight = scale if k + 1 > end else f32(k + 1 - begin)
            else:
                weight = f32(end - k) if k + 1 > end else 1.0
            pixels.append((min(max(k, 0), source - 1), weight))
        found.append(pixels)
    return found


def _scale_and_translate(method: str, antialias: bool, source: int, size: int, wanted: range) -> list[Taps]:
    radius, kernel = FILTERS[method]
    inverse, found = f32(1 / f32(size / source)), []
    widened = max(inverse, 1.0) if antialias else 1.0
    narrowed, reach = f32(1 / widened), f32(radius * widened)
    for i in wanted:
        at = f32((i + 0.5) * inverse)
        begin = min(max(ceil(f32(f32(at - reach) - 0.5)), 0), source - 1)
        end = min(max(floor(f32(f32(at + reach) - 0.5)), 0), source - 1)
        weights = [f32(kernel(abs(f32(f32(k + 0.5 - at) * narrowed)))) for k in range(begin, end + 1)]
        found.append(normal(begin, weights, lambda w, total: w * f32(1 / total)))
    return found


PLAIN = {"nearest": _nearest, "bilinear": _bilinear, "bicubic": _bicubic, "area": _area}
