"""The warm function: one process that is asked again and again, and how much it answers with more threads."""

import os
from collections.abc import Sequence
from typing import Any, NamedTuple

from mlserverless.measure.cold import Tell
from mlserverless.measure.spawn import Limits, Subject, ask
from mlserverless.measure.spread import Spread, Stage, spread, stages


class WarmImage(NamedTuple):
    """Requests for one image, in milliseconds: their ``total``, each of ``totals``, the ``stages`` as told."""

    image: str
    size: int
    total: Spread
    totals: tuple[float, ...]
    stages: tuple[Stage, ...]


class Warm(NamedTuple):
    """A warm process: its images, pairs of threads and answers a second (the first image), its peak in bytes."""

    images: tuple[WarmImage, ...]
    throughput: tuple[tuple[int, float], ...]
    peak: int


def cores() -> int:
    """Return the cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def measure(subject: Subject, images: Sequence[tuple[str, int, str]], requests: int, tell: Tell) -> Warm:
    """Return what ``requests`` for each of ``images`` (name, bytes, URL) take once the process is warm.

    Raises what :func:`mlserverless.measure.spawn.ask` raises.
    """
    tell("warm requests")
    told, _ = ask(subject, "warm", str(requests), str(cores()), *(url for _, _, url in images))
    measured = tuple(
        _image(name, size, answers) for (name, size, _), answers in zip(images, told["images"], strict=True)
    )
    return Warm(measured, tuple((threads, rate) for threads, rate in told["throughput"]), told["peak"])


def bare(subject: Subject, url: str, requests: int, limits: Limits) -> tuple[list[float], int]:
    """Return the milliseconds of ``requests`` under ``limits``, one after another, and the peak in bytes."""
    told, _ = ask(subject, "warm", str(requests), "0", url, limits=limits)
    return [answer["total"] for answer in told["images"][0]], told["peak"]


def _image(name: str, size: int, answers: list[dict[str, Any]]) -> WarmImage:
    totals = tuple(answer["total"] for answer in answers)
    rest = [
        [*answer["stages"], ("rest", max(0.0, answer["total"] - sum(ms for _, ms in answer["stages"])))]
        for answer in answers
    ]
    return WarmImage(name, size, spread(totals), totals, stages(rest))
