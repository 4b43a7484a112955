"""From an image to the model's input: what a notebook has of it against what is served, and why they differ."""

from functools import cached_property
from typing import Any

import numpy as np

from mlserverless.certification import arrangement, casts, difference, matching, mends
from mlserverless.certification.arrays import Array
from mlserverless.certification.findings import (
    ABSENT,
    DIVERGES,
    EQUAL,
    Finding,
    Stage,
)
from mlserverless.certification.matching import Match
from mlserverless.certification.reference import Reference
from mlserverless.certification.search import LEVEL, PLAUSIBLE, Explained, How, Search
from mlserverless.certification.served import Served
from mlserverless.errors import MlserverlessError
from mlserverless.formats import sniff
from mlserverless.model_toml import Input
from mlserverless.model_values import Range
from mlserverless.target import Target

SCALED = 0.02  # off 1, of the slope between two arrays of pixels: one of them is no longer pixels
CLOSE = {"float32": 1e-6, "float16": 1e-3, "float64": 1e-6}  # of the largest value: a rounding or two
Found = tuple[Stage, list[Finding]]


class Inputs:
    """The stages decode, resize and input of one reference."""

    def __init__(self, served: Served, reference: Reference, tolerances: dict[str, float]) -> None:
        self.served, self.reference, self.tolerances = served, reference, tolerances

    @cached_property
    def decode(self) -> Found:
        """Compare what the notebook decoded."""
        theirs = [_three(pixels) for pixels in self.reference.decoded]
        if not theirs:
            return Stage("decode", ABSENT), []
        tolerance = self.tolerances.get("decode", 0.0)
        ours = [self.served.upright(source) for source in self.reference.images]
        swapped = [pixels[..., ::-1] for pixels in theirs]
        note = ""
        if _apart(ours, theirs, tolerance) and not _apart(ours, swapped, tolerance):
            theirs, note = swapped, "the notebook has it in BGR order, as OpenCV decodes"
        if not (wrong := _apart(ours, theirs, tolerance)):
            return Stage(
                "decode", EQUAL, difference.between(ours, theirs, tolerance), tolerance, "levels", note
            ), []
        fitting = [(a, b) for a, b in zip(ours, theirs, strict=True) if a.shape == b.shape]
        gap = difference.between([a for a, _ in fitting], [b for _, b in fitting], tolerance)
        stage = Stage("decode", DIVERGES, gap, tolerance, "levels", note)
        findings, hows = [], Search(self.served, self.reference.images).hows()
        for i in wrong:
            source = self.reference.images[i]
            for how in (*hows, How()):
                tried = self.served.upright(source, exif=how.exif, background=how.background)
                if how != How() and any(not _apart([tried], [x[i]], tolerance) for x in (theirs, swapped)):
                    findings += mends.hows(how)
                    break
            else:
                same = ours[i].shape == theirs[i].shape
                apart = np.abs(ours[i].astype(float) - theirs[i]) if same else np.array([np.inf])
                findings.append(mends.decoder(apart.max(), apart.mean(), ours[i].shape, theirs[i].shape))
        return stage, findings

    @cached_property
    def resize(self) -> Found:
        """Compare what the notebook resized, from its decoded pixels where it has those."""
        reference, target = self.reference, self.served.target
        if not reference.resized:
            return Stage("resize", ABSENT), []
        tolerance = self.tolerances.get("resize", 1.0)
        theirs = [arrangement.views(sample, target).get(arrangement.NATURAL) for sample in reference.resized]
        if any(pixels is None for pixels in theirs):
            return Stage("resize", DIVERGES), [mends.size(reference.resized[0].shape, target)]
        right = [pixels for pixels in theirs if pixels is not None]
        ours = [self.served.resized(source) for source in self.sources]
        swapped = [pixels[..., ::-1] for pixels in right]
        note = ""
        if difference.between(ours, swapped, 0).mean < 0.5 * difference.between(ours, right, 0).mean:
            right, note = swapped, "the notebook has it in BGR order"
        gap = difference.between(ours, right, tolerance)
        if gap.largest <= tolerance:
            return Stage("resize", EQUAL, gap, tolerance, "levels", note), []
        stage = Stage("resize", DIVERGES, gap, tolerance, "levels", note)

        def views(wanted: Target) -> dict[str, list[Array]]:
            return _all(reference.resized, wanted)

        explained = self.search.explain(views, lambda _: 0.0)
        if explained and explained.fits and max(abs(slope - 1) for slope in explained.match.slopes) > SCALED:
            return stage, [mends.scaled()]
        found = self._told(explained, None)
        return stage, found or [self._unknown("resize", stage, explained)]

    @cached_property
    def input(self) -> Found:
        """Compare the tensor that the notebook feeds, from its resized pixels where it has those."""
        reference, served = self.reference, self.served
        if reference.input is None:
            return Stage("input", ABSENT), []
        theirs = _all(reference.input, served.target).get(arrangement.NATURAL)
        if theirs is None:
            return Stage("input", DIVERGES), [mends.size(reference.input.shape[1:], served.target)]
        given = self._given()
        ours = [served.fed(pixels) for pixels in given or map(served.resized, self.sources)]
        stage = self._compared(ours, theirs, served.input, resized=bool(given))
        note = ""
        if arrangement.planes_first(reference.input[0], served.target):
            note = (
                "the notebook has the channels in another place than the model's file, which is taken into account"
            )
        if stage.verdict == EQUAL:
            return stage._replace(note=note), []
        if found := casts.found(served, [served.resized(source) for source in self.sources], theirs):
            return stage, [found]

        def views(wanted: Target) -> dict[str, list[Array]]:
            return _all(reference.input, wanted)

        explained = self.search.explain(views, self._slack)
        if not (explained and explained.fits) and self._each(theirs):
            return stage, [mends.each()]
        return stage, self._told(explained, reference.input) or [self._unknown("range", stage, explained)]

    @cached_property
    def sources(self) -> tuple[bytes | Array, ...]:
        """What is resized here: the notebook's decoded pixels, if right but for the decoder, else the files."""
        decoded = self.reference.decoded
        usable = all(pixels.ndim == 3 and pixels.shape[2] == 3 and pixels.dtype == "uint8" for pixels in decoded)
        if not decoded or not usable:
            return self.reference.images
        stage, findings = self.decode
        right = stage.verdict == EQUAL or {one.cause for one in findings} == {"decoder"}
        return decoded if right and not stage.note else self.reference.images

    @cached_property
    def search(self) -> Search:
        """The search over ways to make pixels of the sources."""
        return Search(self.served, self.sources)

    def _each(self, theirs: list[Array]) -> bool:
        """Whether each image by itself is in a range, though all together are not."""
        ours = [self.served.resized(source) for source in self.sources]
        found = [matching.match([mine], [one]) for mine, one in zip(ours, theirs, strict=True)]
        return len(found) > 1 and all(one.largest <= LEVEL + self._slack(one) for one in found)

    def _unknown(self, step: str, stage: Stage, nearest: Explained | None) -> Finding:
        if nearest is not None and any(isinstance(one, bytes) and sniff(one) == "jpeg" for one in self.sources):
            largest, mean = mends.ANOTHER_DECODER
            if nearest.match.largest <= largest and nearest.match.rms <= mean and not nearest.guess.changes:
                return mends.another(stage.name, stage.difference)
        return mends.unknown(step, nearest)

    def _given(self) -> list[Array]:
        # The notebook's own resized pixels, where they are what is fed here, give or take a level.
        if not self.reference.resized:
            return []
        stage, _ = self.resize
        theirs = _all(self.reference.resized, self.served.target).get(arrangement.NATURAL)
        return theirs if stage.verdict == EQUAL and not stage.note and theirs else []

    def _compared(self, tensors: list[Array], theirs: list[Array], wanted: Input, *, resized: bool) -> Stage:
        tensor, served = self.served.tensor, self.served
        target = served.target
        ours = [arrangement.views(one, target)[arrangement.NATURAL].astype(np.float64) for one in tensors]
        slopes = [abs(high - low) / 255 for low, high in (matching.line(wanted.range, c) for c in range(3))]
        level = 0.0 if resized else max(slopes) * LEVEL
        largest = max(1.0, *(float(np.abs(one).max()) for one in theirs))
        ways: list[tuple[list[Array], float, str]] = []
        if tensor.dtype in CLOSE:
            ways.append((ours, CLOSE[tensor.dtype] * largest + level, "values"))
        else:
            raw = not tensor.scale or (wanted.range in ("", "raw") and tensor.dtype in ("uint8", "int8"))
            steps = 0.0 if resized else LEVEL if raw else level / tensor.scale
            ways.append((ours, 0.0 if raw and resized else max(1.0, steps), "steps"))
            if theirs[0].dtype.kind == "f" and tensor.scale:
                real = [tensor.scale * (one - tensor.zero_point) for one in ours]
                ways.append((real, tensor.scale * (0.501 + steps), "values"))
        stages = []
        for mine, tolerance, unit in ways:
            tolerance = self.tolerances.get("input", tolerance)
            gap = difference.between(mine, theirs, tolerance)
            verdict = EQUAL if gap.largest <= tolerance else DIVERGES
            stages.append(Stage("input", verdict, gap, tolerance, unit))
        return min(stages, key=lambda one: one.difference.largest / (one.tolerance or 1e-9))

    def _slack(self, match: Match) -> float:
        given = self.reference.input
        slope = min(map(abs, match.slopes)) or 1e-9
        if given is None:
            return 0.0
        if given.dtype.kind in "ui":
            return 0.5 / slope
        return float(np.abs(given).max()) * CLOSE.get(str(given.dtype), 1e-6) / slope

    def _told(self, explained: Explained | None, tensor: Array | None) -> list[Finding]:
        """Return what is to be said of a guess that fits, or comes nearest; ``tensor``: of the model's input."""
        if explained is None or not (explained.fits or explained.match.rms < PLAUSIBLE):
            return []
        guess, served = explained.guess, self.served
        found = (
            mends.hows(guess.how)
            + mends.geometries(guess.changes, served.input)
            + mends.layouts(guess.view, served.target)
        )
        wanted = guess.wanted
        if tensor is not None:
            order = "bgr" if explained.match.order == (2, 1, 0) else "rgb"
            scale, own = casts.fitted(explained.match, tensor, served.tensor), served.input.range or "raw"
            # What is not explained bends the fitted line, too.
            near = matching.NEAR if explained.fits else matching.NEAR + 3 * explained.match.rms
            if explained.match.grey and matching.gap(own, turned(scale), 3) <= near:
                scale, order = turned(scale), order[::-1]
            if matching.gap(own, scale, len(explained.match.order)) > near:
                wanted = wanted._replace(range=scale)
                found.append(casts.ranged(scale, served))
            if served.target.channels in ("rgb", "bgr"):
                implied = wanted.channels or ("bgr" if wanted.range == "caffe" else "rgb")
                wanted = wanted._replace(channels=order)
                if order != implied and order != served.target.channels:
                    found.append(mends.ordered(order))
                elif order != implied:  # the mended range would turn what is right
                    found[-1] = found[-1]._replace(mend=f'{found[-1].mend}\nchannels = "{order}"')
        proven = self._proven(wanted, guess.how, guess.view, tensor)
        return [one._replace(proven=proven) for one in found]

    def _proven(self, wanted: Input, how: How, view: str, tensor: Array | None) -> bool:
        """Whether what the mended model.toml makes of all images is what the notebook has."""
        theirs: Any = self.reference.resized if tensor is None else tensor
        try:
            ours = [self.search.pixels(i, wanted, how) for i in range(len(self.reference.images))]
            if tensor is None:
                right = _all(theirs, self.served.target)[view]
                return min(
                    difference.between(ours, [x[..., ::turn] for x in right], 0).largest for turn in (1, -1)
                ) <= self.tolerances.get("resize", 1.0)
            fed = [self.served.fed(pixels, wanted) for pixels in ours]
            right = _all(theirs, self.served.target)[view]
            return self._compared(fed, right, wanted, resized=False).verdict == EQUAL
        except (MlserverlessError, KeyError, ValueError):
            return False


def turned(scale: Range) -> Range:
    """Return a mean and std by channel in the opposite order."""
    return scale if isinstance(scale, str) else (scale[0][::-1], scale[1][::-1])


def _three(pixels: Array) -> Array:
    # Grey as its three equal channels; of RGBA what the first three say.
    pixels = pixels[..., None] if pixels.ndim == 2 else pixels
    return np.repeat(pixels, 3, axis=-1) if pixels.shape[-1] == 1 else pixels[..., :3]


def _all(samples: Any, target: Target) -> dict[str, list[Array]]:
    each = [arrangement.views(sample, target) for sample in samples]
    names = set(each[0]).intersection(*each) if each else set()
    return {name: [one[name] for one in each] for name in names}


def _apart(ours: list[Array], theirs: list[Array], tolerance: float) -> list[int]:
    return [
        i
        for i, (a, b) in enumerate(zip(ours, theirs, strict=True))
        if a.shape != b.shape or difference.between([a], [b], 0).largest > tolerance
    ]
