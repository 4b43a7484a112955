"""Quantised inputs: which range was quantised, and what a notebook does that quantises wrongly or not at all."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from mlserverless import ranges
from mlserverless.certification import matching
from mlserverless.certification.arrays import Array
from mlserverless.certification.findings import NOTEBOOK, Finding
from mlserverless.certification.matching import Match
from mlserverless.certification.served import Served
from mlserverless.engines import Tensor
from mlserverless.model_values import RANGES, Range

TELLING = 0.2  # of the values have to be no end of what the dtype holds
ALIKE = 0.98  # of the values, for a wrong way of quantising to be what a notebook did


def fitted(
    match: Match, theirs: Array, tensor: Tensor
) -> tuple[tuple[tuple[float, ...], tuple[float, ...]], float]:
    """Return mean and std of ``theirs``, a notebook's input, and how many levels the fitted line may be off.

    Of quantised numbers those of the real values before that; of raw pixels, in integers, those of the pixels.
    """
    if theirs.dtype.kind == "f":
        return matching.mean_std(match), matching.NEAR
    lowered = ranges.QUANTISED.get(tensor.dtype, (0, 0, 0))[2]
    stored = match._replace(offsets=tuple(offset + lowered for offset in match.offsets))
    if not tensor.scale or matching.named(*matching.mean_std(stored)) == "raw":
        return matching.mean_std(stored), matching.NEAR
    real = match._replace(
        slopes=tuple(tensor.scale * slope for slope in match.slopes),
        offsets=tuple(tensor.scale * (offset - tensor.zero_point) for offset in match.offsets),
    )
    # Rounded alike again and again, a fitted line may be off by half a step at an end.
    return matching.mean_std(real), matching.NEAR + 0.5 / (min(map(abs, match.slopes)) or 1e-9)


def ranged(scale: Range, served: Served) -> Finding:
    """Return what is said where a notebook's input is in the range ``scale`` and the served one is not."""
    line, had = f"range = {matching.toml(scale)}", matching.toml(served.input.range)
    formula = "x" if scale == "raw" else f"as {scale}"
    if isinstance(scale, tuple):
        mean, std = (" / ".join(f"{value:g}" for value in values) for values in scale)
        formula = f"(x − {mean}) / {std}"
    raw = served.input.range in ("", "raw")
    if not served.tensor.dtype.startswith("float") and raw != (scale == "raw"):
        told = f"the notebook quantises pixels that are {formula}; served are raw ones"
        if scale == "raw":
            told = f"the notebook puts raw pixels in; served are quantised ones of range {had}"
        return Finding("quantise", "range", told, line)
    return Finding("range", "range", f"the notebook's input is {formula} of a pixel x; served is {had}", line)


def found(served: Served, pixels: list[Array], theirs: list[Array]) -> Finding | None:
    """Return the wrong way of quantising that makes ``theirs`` of ``pixels``, (height, width, C) each."""
    tensor = served.tensor
    if tensor.dtype not in ranges.QUANTISED:
        return None
    given = np.stack(theirs).astype(np.float64)
    made = np.stack(pixels).astype(np.float64)
    low, high, _ = ranges.QUANTISED[tensor.dtype]
    for order in ((0, 1, 2), (2, 1, 0)) if made.shape[-1] == 3 else (tuple(range(made.shape[-1])),):
        for cause, told, mend, values, near in _ways(made, order, served):
            alike = np.abs(values - given) <= near
            if near:  # what is clipped is alike whatever was done to it
                inside = (values > low) & (values < high)
                alike = alike[inside] if inside.mean() >= TELLING else np.zeros(1, bool)
            if alike.mean() >= ALIKE:
                return Finding("quantise", cause, told, mend, NOTEBOOK)
    return None


def _ways(pixels: Array, order: tuple[int, ...], served: Served) -> Iterator[tuple[str, str, str, Array, float]]:
    tensor, dtype = served.tensor, np.dtype(served.tensor.dtype)
    right = "q = np.clip(np.round(x / scale) + zero_point, low, high).astype(dtype), x being in the model's range"
    turned = np.rint(pixels[..., order])
    if tensor.dtype == "int8":
        told = "the notebook casts pixels 0…255 to int8, so that those above 127 become negative"
        yield "wrapped", told, right, turned.astype(np.uint8).view(np.int8).astype(np.float64), 1.0
    if not tensor.scale:
        return
    for scale in dict.fromkeys((served.input.range, *RANGES)):
        if scale in ("", "raw"):
            continue
        lines = [matching.line(scale, channel) for channel in order]
        low, high = (np.array(ends) for ends in zip(*lines, strict=True))
        real = low + (high - low) * turned / 255
        stated = matching.toml(scale)
        told = f"the notebook casts the real values of range {stated} to {dtype}, without scale and zero point"
        for values in (np.trunc(real), np.rint(real)):
            yield "cast", told, right, _held(values, dtype), 0.0
            yield "cast", told, right, _wrapped(values, dtype), 0.0
        told = (
            f"the notebook adds the zero point to real values of range {stated}, and does not divide by the scale"
        )
        if tensor.zero_point:
            yield "no-scale", told, right, _held(np.rint(real) + tensor.zero_point, dtype), 0.0
            steps = np.rint(real / tensor.scale)
            near = max(1.0, float(np.abs(high - low).max()) / 255 / tensor.scale)
            told = f"the notebook divides the real values of range {stated} by the scale, and adds no zero point"
            yield "no-zero-point", told, right, _held(steps, dtype), near
            yield "no-zero-point", told, right, _wrapped(steps, dtype), near


def _wrapped(values: Array, dtype: Any) -> Array:
    return values.astype(np.int64).astype(dtype).astype(np.float64)


def _held(values: Array, dtype: "Any") -> Array:
    ends = np.iinfo(dtype)
    return np.clip(values, ends.min, ends.max)
