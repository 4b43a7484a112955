"""The cold start: fresh processes, from their ``exec`` to the first answer, and what that time is made of."""

from collections.abc import Callable, Sequence
from statistics import median
from typing import Any, NamedTuple

from mlserverless.measure.spawn import Subject, ask
from mlserverless.measure.spread import Spread, Stage, spread, stages

WARM_UPS = 2  # the first write bytecode and fill the page cache
LISTED = 10
IMPORT_RUNS = 3
IMPORT = "import time:"
Tell = Callable[[str], None]


class Import(NamedTuple):
    """A module, the milliseconds of its own code, and those with what it imports, as ``-X importtime`` tells."""

    module: str
    own_ms: float
    whole_ms: float


class Cold(NamedTuple):
    """Cold starts, in milliseconds.

    ``total`` and ``phases`` are of processes that were left alone, ``totals`` each of them; ``inside`` is what the
    predictor told of its first request, parts of which may overlap. ``stages`` are of other processes, which did
    one thing after another; ``sequence`` is their sum, and ``saved`` what each took longer than the one left alone
    that ran just before it. ``peak`` and ``module_bytes`` are in bytes.
    """

    total: Spread
    totals: tuple[float, ...]
    phases: tuple[Stage, ...]
    inside: tuple[Stage, ...]
    stages: tuple[Stage, ...]
    sequence: Spread
    saved: Spread
    cpu: Spread
    peak: Spread
    modules: int
    module_bytes: int
    imports: tuple[Import, ...]

    @property
    def at_once(self) -> str:
        """What doing things at once is worth, in words."""
        if self.saved.median < 1:
            return "nothing is gained by doing things at once"
        return f"doing things at once instead of in sequence saves {self.saved.median:.0f} ms"

    def largest(self) -> Stage:
        """Return the stage that takes longest."""
        return max(self.stages, key=lambda stage: stage.ms.median)


def steps(runs: int) -> int:
    """Return how often :func:`measure` tells something."""
    return 2 * (runs + WARM_UPS) + IMPORT_RUNS


def measure(subject: Subject, url: str, runs: int, tell: Tell) -> Cold:
    """Return ``runs`` cold starts of ``subject`` that answer for ``url``, in turn left alone and explained.

    Raises what :func:`mlserverless.measure.spawn.ask` raises.
    """
    alone: list[dict[str, Any]] = []
    explained: list[dict[str, Any]] = []
    for turn in range(runs + WARM_UPS):
        for kind, kept in (("cold", alone), ("explain", explained)):
            tell("cold starts")
            told, _ = ask(subject, kind, url, *([""] if kind == "cold" else []))
            if turn >= WARM_UPS:
                kept.append(told)
    said = []
    for _ in range(IMPORT_RUNS):
        tell("imports")
        said.append(ask(subject, "cold", url, "", options=("-X", "importtime"))[1])
    totals = tuple(run["total"] for run in alone)
    return Cold(
        total=spread(totals),
        totals=totals,
        phases=stages([run["stages"] for run in alone]),
        inside=stages([run["inside"] for run in alone]),
        stages=stages([run["stages"] for run in explained]),
        sequence=spread(run["total"] for run in explained),
        saved=spread(apart["total"] - run["total"] for run, apart in zip(alone, explained, strict=True)),
        cpu=spread(run["cpu_ms"] for run in alone),
        peak=spread(run["peak"] for run in alone),
        modules=alone[-1]["modules"],
        module_bytes=alone[-1]["module_bytes"],
        imports=dearest(said),
    )


def dearest(runs: Sequence[str], listed: int = LISTED) -> tuple[Import, ...]:
    """Return the modules with most milliseconds of their own, medians of ``runs``: what Python wrote in each."""
    found: dict[str, list[tuple[int, int]]] = {}
    for line in (line for said in runs for line in said.splitlines()):
        own, *more = line.removeprefix(IMPORT).split("|")
        if line.startswith(IMPORT) and own.strip().isdigit() and len(more) == 2:
            name = more[1].strip()
            if not name.startswith("mlserverless.measure"):
                found.setdefault(name, []).append((int(own), int(more[0])))
    all_of_them = [
        Import(name, median(own for own, _ in times) / 1000, median(whole for _, whole in times) / 1000)
        for name, times in found.items()
    ]
    return tuple(sorted(all_of_them, key=lambda one: -one.own_ms)[:listed])
