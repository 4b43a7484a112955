"""Kernels of resizing: the weight of a pixel by its distance, and the weights of all that a kernel reaches."""

from collections.abc import Callable
from math import exp, pi, sin

from mlserverless.single import f32

# Of one pixel of the result: (source index, weight) of each that takes part.
Taps = list[tuple[int, float]]
TINY = 1000 * 2.0**-126  # the least sum of weights that is divided by


def _lanczos(radius: float) -> Callable[[float], float]:
    def kernel(x: float) -> float:
        if x > radius:
            return 0.0
        return 1.0 if x <= 1e-3 else radius * sin(pi * x) * sin(pi * x / radius) / (pi * pi * x * x)

    return kernel


def _sinc(x: float) -> float:
    if x >= 3:
        return 0.0
    return sin(pi * x) / (pi * x) * sin(pi * x / 3) / (pi * x / 3) if x else 1.0


def _triangle(x: float) -> float:
    return max(0.0, 1 - x)


def _keys(x: float) -> float:
    if x >= 2:
        return 0.0
    return ((-0.5 * x + 2.5) * x - 4) * x + 2 if x >= 1 else (1.5 * x - 2.5) * x * x + 1


def _mitchell(x: float) -> float:
    if x >= 2:
        return 0.0
    return (((-7 / 18) * x + 2) * x - 10 / 3) * x + 16 / 9 if x >= 1 else (7 / 6 * x - 2) * x * x + 8 / 9


def _gaussian(x: float) -> float:
    return 0.0 if x >= 1.5 else exp(-x * x / (2 * 0.5 * 0.5))


def normal(begin: int, weights: list[float], part: Callable[[float, float], float]) -> Taps:
    """Return ``weights`` of the pixels from ``begin`` on, made to sum up to 1 by ``part``."""
    total = 0.0
    for weight in weights:
        total = f32(total + weight)
    if abs(total) >= TINY:
        weights = [f32(part(weight, total)) for weight in weights]
    return [(begin + k, weight) for k, weight in enumerate(weights)]


# method -> how many pixels it reaches, and its kernel
FILTERS: dict[str, tuple[float, Callable[[float], float]]] = {
    "bilinear": (1.0, _triangle),
    "bicubic": (2.0, _keys),
    "lanczos": (3.0, _sinc),
    "lanczos3": (3.0, _lanczos(3.0)),
    "lanczos5": (5.0, _lanczos(5.0)),
    "gaussian": (1.5, _gaussian),
    "mitchellcubic": (2.0, _mitchell),
}
