"""Functions of one process in turn, A B C A B C …, each timed; the first turns, which warm up, do not count."""

import gc
from collections.abc import Callable, Iterable, Mapping
from statistics import median
from time import perf_counter
from typing import Any

from benchmarks.children import Failed

WARM_UPS = 3


def interleave(
    subjects: Mapping[str, Callable[[], Any]], runs: int, *, same: bool = True
) -> dict[str, list[float]]:
    """Return ``runs`` durations of each subject in milliseconds; raise Failed where they do not answer alike.

    Each turn begins with another subject, since what one leaves in the caches is the next one's gain. Garbage is
    collected between turns only.
    """
    names = list(subjects)
    spent: dict[str, list[float]] = {name: [] for name in names}
    kept = gc.isenabled()
    gc.disable()
    try:
        for turn in range(runs + WARM_UPS):
            answers: dict[str, Any] = {}
            for name in names[turn % len(names) :] + names[: turn % len(names)]:
                start = perf_counter()
                answers[name] = subjects[name]()
                seconds = perf_counter() - start
                if turn >= WARM_UPS:
                    spent[name].append(1000 * seconds)
            if same and len(set(answers.values())) != 1:
                raise Failed(f"the answers differ: {answers}")
            gc.collect(0)
    finally:
        if kept:
            gc.enable()
    return spent


def stages(timings: Iterable[Iterable[tuple[str, float]]]) -> dict[str, float]:
    """Return each stage's median over several answers' ``timings``; one that an answer went twice is summed."""
    found: dict[str, list[float]] = {}
    for at, answer in enumerate(timings):
        for name, spent in answer:
            each = found.setdefault(name, [])
            each += [0.0] * (at + 1 - len(each))
            each[at] += spent
    return {name: median(each) for name, each in found.items()}
