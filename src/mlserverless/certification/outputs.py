"""From the model's input to its scores: what a notebook has of it against what is served, and why they differ."""

import numpy as np

from mlserverless.certification import arrangement, difference, mends
from mlserverless.certification.activations import Activations
from mlserverless.certification.arrays import Array
from mlserverless.certification.difference import Difference
from mlserverless.certification.findings import ABSENT, AGREES, DIVERGES, EQUAL, Found, Stage
from mlserverless.certification.reference import Reference
from mlserverless.certification.served import Served
from mlserverless.model_toml import ACTIVATIONS

CLOSE = 1e-4  # of the largest value: two float kernels add up in another order
STEPS = 2.0  # of a quantised output, whose rounding may differ by one in each of two layers
LOOSE, FARTHEST = 0.05, 0.3  # of the largest value, in the mean and at most: a quantised model and its original
BETTER = 0.2  # times as far apart: a guess has to come that near to explain what does not fit
AGREEMENT = 0.93  # in the first class, of a quantised model with its original


class Outputs:
    """The stages output and scores of one reference."""

    def __init__(self, served: Served, reference: Reference, tolerances: dict[str, float], *, lossy: bool) -> None:
        self.served, self.reference, self.tolerances, self.lossy = served, reference, tolerances, lossy
        self.tensors, self.isolated = self._tensors()
        self.values = np.stack([served.run(tensor) for tensor in self.tensors])
        self.activations = Activations(served, self.tensors, self.values)

    def _tensors(self) -> tuple[list[Array], bool]:
        """Return what the model is run on: the notebook's own input where that can be fed, so that only the model
        tells; else what is served."""
        served, given = self.served, self.reference.input
        tensor, target = served.tensor, served.target
        alike = given is not None and (given.dtype.kind == "f") == tensor.dtype.startswith("float")
        # Rounded to fewer bits than the model takes, it is not what the notebook's model answered to.
        if given is not None and alike and given.dtype.itemsize >= np.dtype(tensor.dtype).itemsize:
            each = [arrangement.views(sample, target).get(arrangement.NATURAL) for sample in given]
            if (right := [one for one in each if one is not None]) and len(right) == len(given):
                turned = [one.transpose(2, 0, 1) if target.layout == "nchw" else one for one in right]
                return [np.ascontiguousarray(one, tensor.dtype).reshape(tensor.shape) for one in turned], True
        return [served.fed(served.resized(source)) for source in self.reference.images], False

    def output(self) -> Found:
        """Compare what the model answered in the notebook with what it answers here, to the same input."""
        theirs = self.reference.output
        if theirs is None:
            return Stage("output", ABSENT), []
        if theirs.shape[1] != self.values.shape[1]:
            return Stage("output", DIVERGES), [mends.classes(self.values, theirs)]
        integer = theirs.dtype.kind in "ui"
        mine = self._stored() if integer and self.served.loaded.output.scale else self.values
        stage = self._compared("output", mine, theirs)
        if stage.verdict == EQUAL:
            return stage, self.activations.twice()
        better = self._explained(theirs, stage)
        if better is None and stage.verdict == AGREES:
            return stage, self.activations.twice()
        if better is None:
            return stage, [mends.other_model()] if self.isolated else []
        way, fits = better
        if way == "stored":
            return stage._replace(verdict=DIVERGES), [mends.stored()]
        if way == "before":
            return fits._replace(note="the notebook's output is before the activation that the file ends in"), (
                self.activations.twice()
            )
        if way == self.activations.own:
            return fits._replace(note="the notebook's output has the activation in it, which is added here"), []
        return stage._replace(verdict=DIVERGES), [self.activations.other(way)]

    def scores(self) -> Found:
        """Compare the notebook's scores, after the activation."""
        theirs = self.reference.scores
        if theirs is None or theirs.shape[1] != self.values.shape[1]:
            return Stage("scores", ABSENT), []
        base = self.values
        mine = np.stack([self.served.activated(values) for values in base])
        stage = self._compared("scores", mine, theirs)
        if stage.verdict == EQUAL:
            return stage, []
        better = self._explained(theirs, stage)
        if better is None:
            return stage, []
        way, fits = better
        if way == "stored":
            return stage._replace(verdict=DIVERGES), [mends.stored()]
        if way == self.activations.own:
            return fits, []
        return stage._replace(verdict=DIVERGES), [self.activations.other(way)]

    def _compared(self, name: str, mine: Array, theirs: Array) -> Stage:
        tensor = self.served.loaded.output
        spread = max(1e-9, float(np.abs(theirs).max()))
        tolerance = CLOSE * max(1.0, spread)
        if not tensor.dtype.startswith("float"):
            step = 1.0 if theirs.dtype.kind in "ui" else tensor.scale or 1.0
            tolerance = max(tolerance, STEPS * step)
        tolerance = self.tolerances.get(name, tolerance)
        gap = difference.between(list(mine), list(theirs), tolerance)
        if gap.largest <= tolerance:
            return Stage(name, EQUAL, gap, tolerance, "values")
        same = agreement(mine, theirs)
        bar = self.tolerances.get("top1", AGREEMENT if self.lossy else 1.0)
        far = gap.mean > LOOSE * spread or gap.largest > FARTHEST * spread
        # Asked for by its user, the first class alone counts; by itself, only of what cannot be exact.
        near = same >= bar and ("top1" in self.tolerances or (not far and (self.lossy or not self.isolated)))
        note = f"the same first class for {same:.1%}"
        return Stage(name, AGREES if near else DIVERGES, gap, tolerance, "values", note)

    def _explained(self, theirs: Array, stage: Stage) -> tuple[str, Stage] | None:
        """Return what makes the notebook's values of the model's, by name, and the comparison that then fits."""
        ways: dict[str, tuple[Array, Array]] = {}
        for act in ACTIVATIONS:
            ways[act] = np.stack([self.served.activated(one, act) for one in self.values]), theirs
        soft = ways["softmax"][0]
        ways["twice"] = np.stack([self.served.activated(one, "softmax") for one in soft]), theirs
        if self.served.loaded.output.scale:
            ways["stored"] = self._stored(), theirs
        if theirs.shape[1] > 1:
            ways["before"] = (
                self.values,
                np.stack([self.served.activated(one, "softmax") for one in theirs.astype(np.float64)]),
            )
        stages = {name: self._compared(stage.name, *pair) for name, pair in ways.items()}
        best = min(stages, key=lambda name: _relative(stages[name].difference, ways[name][1]))
        own = _relative(stage.difference, theirs)
        if stages[best].verdict == DIVERGES or _relative(stages[best].difference, ways[best][1]) > BETTER * own:
            return None
        return best, stages[best]

    def _stored(self) -> Array:
        return np.stack([self.served.stored(tensor) for tensor in self.tensors])


def agreement(mine: Array, theirs: Array) -> float:
    """Return the share of images with the same first class in both; of a single score, the same side of ½."""
    if mine.shape[1] == 1:
        return float(((mine[:, 0] > 0.5) == (theirs[:, 0] > 0.5)).mean())
    return float((mine.argmax(1) == theirs.argmax(1)).mean())


def _relative(gap: Difference, theirs: Array) -> float:
    return gap.largest / max(1e-9, float(np.abs(theirs).max()))
