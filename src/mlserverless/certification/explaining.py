"""What is said of a guess that explains a notebook's pixels or input, and whether its mend makes all the same."""

from collections.abc import Callable

from mlserverless.certification import casts, matching, mends
from mlserverless.certification.arrays import Array
from mlserverless.certification.case import Case
from mlserverless.certification.findings import Finding, Stage
from mlserverless.certification.search import PLAUSIBLE, Explained, Guess
from mlserverless.errors import MlserverlessError
from mlserverless.formats import sniff
from mlserverless.model_toml import Input
from mlserverless.model_values import Range

EXACT = 1e-3  # levels that a line fitted through exact pixels may be off
# Whether pixels of these images, made as an [input] says, come out as what the notebook has.
Fits = Callable[[Guess, Input, list[Array], list[int]], bool]


def told(
    case: Case, explained: Explained | None, fits: Fits, tensor: Array | None = None, slack: float = 0.0
) -> list[Finding]:
    """Return what is to be said of a guess that fits, or comes nearest; [] where none does.

    ``tensor``: the notebook's input, where that is what is explained, whose values may be ``slack`` levels off.
    """
    if explained is None or not (explained.fits or explained.match.rms < PLAUSIBLE):
        return []
    guess, served = explained.guess, case.served
    found = (
        mends.hows(guess.how)
        + mends.geometries(guess.changes, served.input)
        + mends.layouts(guess.view, served.target)
    )
    wanted = guess.wanted
    if tensor is not None:
        wanted, more = _ranged(case, explained, fits, tensor, slack)
        found += more
    proven = _proven(case, guess, wanted, fits, list(range(len(case.sources))))
    return [one._replace(proven=proven) for one in found]


def unknown(case: Case, step: str, stage: Stage, nearest: Explained | None) -> Finding:
    """Return what is said where no guess fits: that it is another decoder, where it may be, else nothing known."""
    if nearest is not None and any(isinstance(one, bytes) and sniff(one) == "jpeg" for one in case.sources):
        largest, mean = mends.ANOTHER_DECODER
        if nearest.match.largest <= largest and nearest.match.rms <= mean and not nearest.guess.changes:
            return mends.another(stage.name, stage.difference)
    return mends.unknown(step, nearest)


def _ranged(
    case: Case, explained: Explained, fits: Fits, tensor: Array, slack: float
) -> tuple[Input, list[Finding]]:
    """Return the guess with the notebook's range and order of channels, and what is said of the two."""
    served, match, wanted = case.served, explained.match, explained.guess.wanted
    own = served.input.range or "raw"
    fitted, near = casts.fitted(match, tensor, served.tensor)
    # What is not explained bends the fitted line, too; through exact pixels it is exact.
    limit = near if explained.fits else near + 3 * match.rms
    images = range(len(case.sources))
    pixels = [case.search.pixels(i, wanted, explained.guess.how) for i in images]
    if explained.fits and tensor.dtype.kind == "f" and case.untouched(pixels, images):
        limit = min(limit, max(slack, EXACT))
    order = "bgr" if match.order == (2, 1, 0) else "rgb"
    if match.grey and matching.gap(own, fitted, 3) > limit:  # the order is told by nothing but the means
        turned = fitted[0][::-1], fitted[1][::-1]
        alike = matching.gap(own, turned, 3) <= limit
        if alike or (isinstance(matching.named(*turned), str) and not isinstance(matching.named(*fitted), str)):
            fitted, order = turned, order[::-1]
    coloured = served.target.channels in ("rgb", "bgr")
    found = list[Finding]()
    if matching.gap(own, fitted, len(match.order)) > limit:
        ordered = wanted._replace(channels=order) if coloured else wanted
        scale = _shortest(case, explained.guess, ordered, fits, matching.candidates(*fitted, near))
        wanted = wanted._replace(range=scale)
        found.append(casts.ranged(scale, served))
    implied = wanted.channels or ("bgr" if wanted.range == "caffe" else "rgb")
    either = match.grey and matching.gap(fitted, (fitted[0][::-1], fitted[1][::-1]), 3) <= limit
    if not coloured or either or order == implied:
        return wanted, found
    if order != served.target.channels:
        found.append(mends.ordered(order))
    else:  # the mended range would turn what is right
        found[-1] = found[-1]._replace(mend=f'{found[-1].mend}\nchannels = "{order}"')
    return wanted._replace(channels=order), found


def _shortest(case: Case, guess: Guess, wanted: Input, fits: Fits, ranges: list[Range]) -> Range:
    """Return the first of ``ranges`` with which the images that are looked at fit, else the first."""
    images = case.search.chosen
    proven = (one for one in ranges if _proven(case, guess, wanted._replace(range=one), fits, images))
    return next(proven, ranges[0])


def _proven(case: Case, guess: Guess, wanted: Input, fits: Fits, images: list[int]) -> bool:
    """Whether what the mended model.toml makes of ``images`` is what the notebook has."""
    try:
        return fits(guess, wanted, [case.search.pixels(i, wanted, guess.how) for i in images], images)
    except (MlserverlessError, KeyError, ValueError):
        return False
