"""The stage resize: a notebook's pixels at the model's size against what is served, and why they differ."""

from mlserverless.certification import arrangement, difference, explaining, mends
from mlserverless.certification.arrays import Array
from mlserverless.certification.case import Case
from mlserverless.certification.findings import ABSENT, DIVERGES, EQUAL, Found, Stage
from mlserverless.certification.search import Guess
from mlserverless.model_toml import Input
from mlserverless.target import Target

SCALED = 0.02  # off 1, of the slope between two arrays of pixels: one of them is no longer pixels
BGR = 0.5  # times as far apart in the mean: the other order of channels has to come that near to be the notebook's


def compared(case: Case, tolerance: float = 1.0) -> Found:
    """Compare what the notebook resized; ``tolerance`` in levels of 255."""
    given, target = case.reference.resized, case.served.target
    if not given:
        return Stage("resize", ABSENT), []
    theirs = arrangement.all_views(given, target).get(arrangement.NATURAL)
    if theirs is None:
        return Stage("resize", DIVERGES), [mends.size(given[0].shape, target)]
    ours = [case.served.resized(source) for source in case.sources]
    swapped = [pixels[..., ::-1] for pixels in theirs]
    note = ""
    if difference.between(ours, swapped, 0).mean < BGR * difference.between(ours, theirs, 0).mean:
        theirs, note = swapped, "the notebook has it in BGR order"
    gap = difference.between(ours, theirs, tolerance)
    if gap.largest <= tolerance:
        return Stage("resize", EQUAL, gap, tolerance, "levels", note), []
    stage = Stage("resize", DIVERGES, gap, tolerance, "levels", note)

    def views(wanted: Target) -> dict[str, list[Array]]:
        return arrangement.all_views(given, wanted)

    def fits(guess: Guess, _: Input, pixels: list[Array], images: list[int]) -> bool:
        right = [views(target)[guess.view][i] for i in images]
        either = (difference.between(pixels, [one[..., ::turn] for one in right], 0) for turn in (1, -1))
        return min(found.largest for found in either) <= tolerance

    explained = case.search.explain(views, lambda _: 0.0)
    if explained and explained.fits and max(abs(slope - 1) for slope in explained.match.slopes) > SCALED:
        return stage, [mends.scaled()]
    found = explaining.told(case, explained, fits)
    return stage, found or [explaining.unknown(case, "resize", stage, explained)]
