"""The stage input: the tensor that a notebook feeds to the model against what is served, and why they differ."""

import numpy as np

from mlserverless import ranges
from mlserverless.certification import arrangement, casts, difference, explaining, matching, mends
from mlserverless.certification.arrays import Array
from mlserverless.certification.case import Case
from mlserverless.certification.findings import ABSENT, DIVERGES, EQUAL, Found, Stage
from mlserverless.certification.matching import Match
from mlserverless.certification.search import LEVEL, Guess
from mlserverless.model_toml import Input
from mlserverless.target import Target

CLOSE = {"float32": 1e-6, "float16": 1e-3, "float64": 1e-6}  # of the largest value: a rounding or two


def compared(case: Case, given: list[Array], tolerance: float | None = None) -> Found:
    """Compare the tensor that the notebook feeds.

    ``given``: its own pixels at the model's size, (height, width, C) each, where they are what is served, else [].
    ``tolerance``: instead of what :func:`_stage` allows.
    """
    served, theirs_all = case.served, case.reference.input
    if theirs_all is None:
        return Stage("input", ABSENT), []
    theirs = arrangement.all_views(theirs_all, served.target).get(arrangement.NATURAL)
    if theirs is None:
        return Stage("input", DIVERGES), [mends.size(theirs_all.shape[1:], served.target)]
    pixels = [served.resized(source) for source in case.sources]
    exact = bool(given) or case.untouched(pixels, range(len(pixels)))
    stage = _stage(case, given or pixels, theirs, served.input, exact, tolerance)
    if stage.verdict == EQUAL:
        told = "the notebook has the channels in another place than the model's file, which is taken into account"
        return stage._replace(note=told if arrangement.planes_first(theirs_all[0], served.target) else ""), []
    if found := casts.found(served, pixels, theirs):
        return stage, [found]

    def views(wanted: Target) -> dict[str, list[Array]]:
        return arrangement.all_views(theirs_all, wanted)

    def slack(match: Match) -> float:
        return _slack(theirs_all, match)

    def fits(guess: Guess, wanted: Input, made: list[Array], images: list[int]) -> bool:
        right = [views(served.target)[guess.view][i] for i in images]
        return _stage(case, made, right, wanted, case.untouched(made, images), tolerance).verdict == EQUAL

    explained = case.search.explain(views, slack)
    if not (explained and explained.fits) and _each(pixels, theirs, slack):
        return stage, [mends.each()]
    more = explaining.told(case, explained, fits, theirs_all, slack(explained.match) if explained else 0.0)
    return stage, more or [explaining.unknown(case, "range", stage, explained)]


def _stage(
    case: Case, pixels: list[Array], theirs: list[Array], wanted: Input, exact: bool, allowed: float | None
) -> Stage:
    """Compare what is fed of ``pixels`` with the notebook's tensors, (height, width, C) each.

    ``exact``: the pixels are the notebook's, so that only arithmetic may differ; else they may be a level off.
    """
    served, tensor = case.served, case.served.tensor
    fed = [served.fed(one, wanted) for one in pixels]
    ours = [arrangement.views(one, served.target)[arrangement.NATURAL].astype(np.float64) for one in fed]
    slopes = [abs(high - low) / 255 for low, high in (matching.line(wanted.range, c) for c in range(3))]
    level = 0.0 if exact else max(slopes) * LEVEL
    largest = max(1.0, *(float(np.abs(one).max()) for one in theirs))
    ways: list[tuple[list[Array], float, str]] = []
    if tensor.dtype in CLOSE:
        ways.append((ours, CLOSE[tensor.dtype] * largest + level, "values"))
    else:
        raw = ranges.as_they_are(wanted.range, tensor)
        steps = 0.0 if exact else LEVEL if raw else level / tensor.scale
        ways.append((ours, 0.0 if raw and exact else max(1.0, steps), "steps"))
        if theirs[0].dtype.kind == "f" and tensor.scale:
            real = [tensor.scale * (one - tensor.zero_point) for one in ours]
            ways.append((real, tensor.scale * (0.501 + steps), "values"))
    stages = []
    for mine, usual, unit in ways:
        tolerance = usual if allowed is None else allowed
        gap = difference.between(mine, theirs, tolerance)
        verdict = EQUAL if gap.largest <= tolerance else DIVERGES
        stages.append(Stage("input", verdict, gap, tolerance, unit))
    return min(stages, key=lambda one: one.difference.largest / (one.tolerance or 1e-9))


def _each(pixels: list[Array], theirs: list[Array], slack: "matching.Slack") -> bool:
    """Whether each image by itself is in a range, though all together are not."""
    found = [matching.match([mine], [one]) for mine, one in zip(pixels, theirs, strict=True)]
    return len(found) > 1 and all(one.largest <= LEVEL + slack(one) for one in found)


def _slack(theirs: Array, match: Match) -> float:
    """Return how many levels a value may be off by its own rounding."""
    slope = min(map(abs, match.slopes)) or 1e-9
    if theirs.dtype.kind in "ui":
        return 0.5 / slope
    return float(np.abs(theirs).max()) * CLOSE.get(str(theirs.dtype), 1e-6) / slope
