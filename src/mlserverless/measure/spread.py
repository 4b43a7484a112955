"""Many measurements as a few numbers, and durations as people write them."""

import statistics
from collections.abc import Iterable, Sequence
from typing import NamedTuple

UNITS = {"ms": 1.0, "s": 1000.0, "min": 60_000.0}


class Spread(NamedTuple):
    """The median, the 95th percentile (nearest rank), the least, the most and the mean of ``runs`` values."""

    median: float
    p95: float
    low: float
    high: float
    mean: float
    runs: int


class Stage(NamedTuple):
    """A part of the way to an answer, by its name, in milliseconds."""

    name: str
    ms: Spread


def spread(values: Iterable[float]) -> Spread:
    """Return the spread of ``values``, of which there is at least one."""
    ordered = sorted(values)
    rank = max(1, -(-95 * len(ordered) // 100))
    mean = statistics.fmean(ordered)
    return Spread(statistics.median(ordered), ordered[rank - 1], ordered[0], ordered[-1], mean, len(ordered))


def stages(runs: Sequence[Iterable[Sequence[object]]]) -> tuple[Stage, ...]:
    """Return the stages of ``runs``, each of which is pairs of a name and milliseconds, in the order of the first.

    A name that stands twice in one run is added up.
    """
    found: dict[str, list[float]] = {}
    for run in runs:
        summed: dict[str, float] = {}
        for name, ms in run:
            summed[str(name)] = summed.get(str(name), 0.0) + float(ms)  # type: ignore[arg-type]
        for name, ms in summed.items():
            found.setdefault(name, []).append(ms)
    return tuple(Stage(name, spread(values)) for name, values in found.items())


def parse_duration(text: str) -> float:
    """Return the milliseconds that ``text`` says: 400ms, 0.4s, "1 s", 2 min. Raises ValueError for other text."""
    compact = "".join(text.split()).lower()
    for unit, factor in UNITS.items():
        digits = compact.removesuffix(unit)
        if digits != compact and digits.replace(".", "", 1).isdecimal() and digits.isascii():
            if (value := float(digits) * factor) > 0:
                return value
            break
    raise ValueError(
        f"{text!r} is not a duration: give a number above 0 with its unit, such as 400ms, 0.4s or 2min"
    )
