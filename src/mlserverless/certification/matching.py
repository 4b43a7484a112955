"""Pixels against a tensor made of them in a way that is not known: which order of channels, which mean and std.

Whatever the range, a value is mean and std away from its pixel: value = (pixel − mean) / std. So a straight line
is fitted for each channel (ordinary least squares); what it leaves, in levels of 255, tells whether these were the
pixels at all, whichever range they were brought into.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from mlserverless import preprocess
from mlserverless.certification.arrays import Array
from mlserverless.model_values import RANGES, Range

SAMPLES = 120_000  # pixels that are looked at in a search
CLEAR = 0.9  # times as much: another order of channels has to leave less than this to be taken
NEAR = 0.3  # levels between a fitted range and a named one
DIGITS = range(7)  # of a fitted mean and std that has no name, the fewest first
SMALL = 10.0  # a std below it has two digits more
FEW = 2  # digits that are told where no more prove right


class Match(NamedTuple):
    """How ``pixels`` became a tensor: the order of channels, and by channel of it slope and offset.

    ``largest`` and ``rms`` are what that leaves unexplained, in levels of 255. ``grey``: another order leaves as
    little.
    """

    order: tuple[int, ...]
    slopes: tuple[float, ...]
    offsets: tuple[float, ...]
    largest: float
    rms: float
    grey: bool = False


Slack = Callable[[Match], float]  # levels that a value may be off by itself, being rounded


def match(pixels: list[Array], tensors: list[Array], expected: tuple[int, ...] = ()) -> Match:
    """Return the match of ``pixels`` (H, W, C) each, with ``tensors`` of the same shapes that leaves least.

    Where two orders of channels leave about the same, as in grey pictures, it is the ``expected`` one.
    """
    count = pixels[0].shape[-1]
    p = np.concatenate([np.asarray(x, np.float64).reshape(-1, count) for x in pixels])
    t = np.concatenate([np.asarray(x, np.float64).reshape(-1, count) for x in tensors])
    step = max(1, len(p) // SAMPLES)
    p, t = p[::step], t[::step]
    first = expected or tuple(range(count))
    found = _fit(p, t, first)
    if count == 3:
        swapped = _fit(p, t, first[::-1])
        if swapped.rms < CLEAR * found.rms:
            return swapped
        return found._replace(grey=CLEAR * swapped.rms <= found.rms)
    return found


def _fit(p: Array, t: Array, order: tuple[int, ...]) -> Match:
    p = p[:, order]
    centre, middle = p.mean(0), t.mean(0)
    spread = ((p - centre) ** 2).sum(0)
    slopes = ((p - centre) * (t - middle)).sum(0) / np.where(spread > 0, spread, np.inf)
    if not np.abs(slopes).min() > 0:
        return Match(order, tuple(slopes), tuple(middle), float("inf"), float("inf"))
    offsets = middle - slopes * centre
    left = (t - offsets) / slopes - p
    return Match(
        order,
        tuple(map(float, slopes)),
        tuple(map(float, offsets)),
        float(np.abs(left).max()),
        float(np.sqrt((left**2).mean(0)).max()),
    )


def mean_std(found: Match) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return mean and std, in pixel values and RGB order, of a match with real values."""
    by_channel = {
        channel: (-found.offsets[i] / found.slopes[i], 1 / found.slopes[i])
        for i, channel in enumerate(found.order)
    }
    pairs = [by_channel[channel] for channel in sorted(by_channel)]
    return tuple(mean for mean, _ in pairs), tuple(std for _, std in pairs)


def line(scale: Range, channel: int) -> tuple[float, float]:
    """Return what pixels 0 and 255 of ``channel`` (RGB order) are in the range ``scale``."""
    return preprocess.scaled(0, channel, scale), preprocess.scaled(255, channel, scale)


def gap(one: Range, other: Range, channels: int) -> float:
    """Return how far two ranges are apart, at pixel 0 or 255, in levels of the first."""
    gaps = []
    for channel in range(channels):
        (low, high), (low2, high2) = line(one, channel), line(other, channel)
        gaps.append(255 * max(abs(low - low2), abs(high - high2)) / abs(high - low))
    return max(gaps)


def named(mean: tuple[float, ...], std: tuple[float, ...], near: float = NEAR) -> Range:
    """Return the range whose mean and std these are: by its name, if ``near`` levels from it, or as numbers."""
    return candidates(mean, std, near)[0]


def candidates(mean: tuple[float, ...], std: tuple[float, ...], near: float = NEAR) -> list[Range]:
    """Return the ranges that a fitted ``mean`` and ``std`` may stand for, the shortest to write first.

    That is the name of one up to ``near`` levels away, then the numbers, with more and more digits.
    """
    fitted = mean, std
    known = [name for name in RANGES if len(mean) == 3 or name not in ("imagenet", "caffe")]
    gaps = {name: gap(fitted, name, len(mean)) for name in known}
    nearest = min(gaps, key=gaps.__getitem__)
    found: list[Range] = [nearest] if gaps[nearest] <= near else []
    for digits in DIGITS:
        # A mean is in levels; what a std is worth goes by its size.
        means = tuple(round(x, digits) + 0.0 for x in mean)  # no -0.0
        stds = tuple(round(x, digits if abs(x) >= SMALL else digits + 2) for x in std)
        if len(set(zip(means, stds, strict=True))) == 1:
            means, stds = means[:1], stds[:1]
        apart = gap(fitted, (means, stds), len(mean)) if all(stds) else float("inf")
        # Many digits are no better than few where noise has bent the line.
        if (means, stds) not in found and (apart <= NEAR / 3 or (digits >= FEW and not found)):
            found.append((means, stds))
    return found


def toml(scale: Range) -> str:
    """Return ``scale`` as model.toml has it."""
    if isinstance(scale, str):
        return f'"{scale or "raw"}"'
    told = [str(x[0]) if len(x) == 1 else str(list(x)) for x in scale]
    return f"{{ mean = {told[0]}, std = {told[1]} }}"
