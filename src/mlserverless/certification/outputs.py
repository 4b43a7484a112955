"""From the model's input to its scores: what a notebook has of it against what is served, and why they differ."""

import numpy as np

from mlserverless.certification import arrangement, difference
from mlserverless.certification.arrays import Array
from mlserverless.certification.difference import Difference
from mlserverless.certification.findings import (
    ABSENT,
    AGREES,
    DIVERGES,
    EQUAL,
    MODEL_TOML,
    NOTEBOOK,
    Finding,
    Stage,
)
from mlserverless.certification.reference import Reference
from mlserverless.certification.served import Served

CLOSE = 1e-4  # of the largest value: two float kernels add up in another order
STEPS = 2.0  # of a quantised output, whose rounding may differ by one in each of two layers
LOOSE, FARTHEST = (
    0.05,
    0.3,
)  # of the largest value, in the mean and at most: a quantised model against its original
BETTER = 0.2  # times as far apart: a guess has to come that near to explain what does not fit
AGREEMENT = 0.93  # in the first class, of a quantised model with its original
SUM = 0.02  # that probabilities may be off 1, being rounded
PROBES = 8  # made-up inputs, to see what values a model can answer
Found = tuple[Stage, list[Finding]]
ACTIVATIONS = ("none", "softmax", "sigmoid")


class Outputs:
    """The stages output and scores of one reference."""

    def __init__(self, served: Served, reference: Reference, tolerances: dict[str, float], *, lossy: bool) -> None:
        self.served, self.reference, self.tolerances, self.lossy = served, reference, tolerances, lossy
        self.activation = served.loaded.model.output.activation
        tensor = served.loaded.output
        self.step = 0.0 if tensor.dtype.startswith("float") else tensor.scale
        self.tensors, self.isolated = self._tensors()
        self.values = np.stack([served.run(tensor) for tensor in self.tensors])

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
            return Stage("output", DIVERGES), [self._classes(theirs)]
        integer = theirs.dtype.kind in "ui"
        mine = self._stored() if integer and self.served.loaded.output.scale else self.values
        stage = self._compared("output", mine, theirs)
        if stage.verdict == EQUAL:
            return stage, self._twice()
        better = self._explained(theirs, stage)
        if better is None:
            finding = Finding(
                "model",
                "values",
                "the model answers otherwise here than in the notebook, to the same input: it is another file, or "
                "was converted with a loss",
                "--tolerance top1=… if that is meant; else convert the model again",
                "command",
            )
            return stage, self._twice() if stage.verdict == AGREES else [finding] if self.isolated else []
        way, fits = better
        if way == "stored":
            return stage._replace(verdict=DIVERGES), [_stored()]
        if way == "before":
            return fits._replace(note="the notebook's output is before the activation that the file ends in"), (
                self._twice()
            )
        if way == self.activation:
            return fits._replace(note="the notebook's output has the activation in it, which is added here"), []
        return stage._replace(verdict=DIVERGES), [self._act(way)]

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
            return stage._replace(verdict=DIVERGES), [_stored()]
        return (fits, []) if way == self.activation else (stage._replace(verdict=DIVERGES), [self._act(way)])

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

    def _act(self, way: str) -> Finding:
        if way == "twice" or (way == "softmax" and probabilities(self.values, self.step)):
            told = "the notebook applies softmax to what are probabilities already"
            return Finding("activation", "twice", told, "scores = output, without another softmax", NOTEBOOK)
        if self.activation != "none" and way == "none":
            return self._doubled() if self._bounded() else _activation(way, self.activation)
        return _activation(way, self.activation)

    def _twice(self) -> list[Finding]:
        # Of values that need no activation any more, another one is told even where no scores were saved.
        if self.activation == "none" or not self._bounded():
            return []
        if self.activation == "sigmoid" and self.values.shape[1] > 1 and not probabilities(self.values, self.step):
            return []  # many labels of which several may be true: nothing tells that it is done
        return [self._doubled()]

    def _doubled(self) -> Finding:
        told = f"the model's output has its activation in it already; model.toml adds {self.activation} to it"
        return Finding("activation", "twice", told, 'activation = "none"')

    def _bounded(self) -> bool:
        """Whether the model's values are probabilities whatever it is fed."""
        tensor, noise = self.served.tensor, np.random.default_rng(7)
        tensors = self.tensors[:PROBES]
        low, high = (min(float(x.min()) for x in tensors), max(float(x.max()) for x in tensors))
        probes = [noise.uniform(low, high, tensor.shape).astype(tensor.dtype) for _ in range(PROBES)]
        probes += [np.full(tensor.shape, end, tensor.dtype) for end in (low, high)]
        values = np.stack([*self.values, *(self.served.run(probe) for probe in probes)])
        if values.shape[1] > 1 and self.activation == "softmax":
            return probabilities(values, self.step)
        return bool(values.min() >= 0 and values.max() <= 1)

    def _stored(self) -> Array:
        return np.stack([self.served.stored(tensor) for tensor in self.tensors])

    def _classes(self, theirs: Array) -> Finding:
        ours, had = self.values.shape[1], theirs.shape[1]
        if abs(ours - had) == 1:
            fewer = min(ours, had)
            longer, shorter = (self.values, theirs) if ours > had else (theirs, self.values)
            at_front = difference.between(list(longer[:, 1:]), list(shorter), 0).mean
            at_end = difference.between(list(longer[:, :-1]), list(shorter), 0).mean
            if at_front < at_end:
                told = f"the notebook's output has {had:,} classes, the model's {ours:,}: one more, at the front"
                return Finding("labels", "offset", told, f"offset = 1, and {fewer:,} labels", MODEL_TOML)
        told = f"the notebook's output has {had:,} values, the model's {ours:,}: is it of another model?"
        return Finding("model", "classes", told, "convert the notebook's model again", NOTEBOOK)


def agreement(mine: Array, theirs: Array) -> float:
    """Return the share of images with the same first class in both; of a single score, the same side of ½."""
    if mine.shape[1] == 1:
        return float(((mine[:, 0] > 0.5) == (theirs[:, 0] > 0.5)).mean())
    return float((mine.argmax(1) == theirs.argmax(1)).mean())


def probabilities(values: Array, step: float = 0.0) -> bool:
    """Whether each row of ``values`` has several numbers from 0 that add up to 1, each rounded to a ``step``."""
    off = SUM + values.shape[1] * step / 2
    several = values.shape[1] > 1 and values.min() >= 0 and values.max() <= 1 + step
    return bool(several and np.abs(values.sum(1) - 1).max() <= off)


def _relative(gap: Difference, theirs: Array) -> float:
    return gap.largest / max(1e-9, float(np.abs(theirs).max()))


def _activation(way: str, had: str) -> Finding:
    told = f"the notebook's scores are the model's output after {way}; served are those after {had}"
    if way == "none":
        told = f"the notebook's scores are the model's output as it is; served are those after {had}"
    return Finding("activation", "activation", told, f'activation = "{way}"')


def _stored() -> Finding:
    told = "the notebook takes the stored numbers of a quantised output for its scores"
    return Finding("dequantise", "stored", told, "scores = scale * (output - zero_point)", NOTEBOOK)
