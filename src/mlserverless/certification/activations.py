"""Which activation is still to be put on a model's output, and which a notebook has put on it."""

import numpy as np

from mlserverless.certification import mends
from mlserverless.certification.arrays import Array
from mlserverless.certification.findings import NOTEBOOK, Finding
from mlserverless.certification.served import Served

SUM = 0.02  # that probabilities may be off 1, being rounded
PROBES = 8  # made-up inputs, to see what values a model can answer


class Activations:
    """What is said of the activation ``own``, model.toml's, of a model that answers ``values`` to ``tensors``.

    ``values`` are real ones, (N, classes) float64, before the activation; ``tensors`` what is fed for them.
    """

    def __init__(self, served: Served, tensors: list[Array], values: Array) -> None:
        self.served, self.tensors, self.values = served, tensors, values
        self.own = served.loaded.model.output.activation
        tensor = served.loaded.output
        self.step = 0.0 if tensor.dtype.startswith("float") else tensor.scale

    def other(self, way: str) -> Finding:
        """Return what is said where the notebook's scores are those after another activation, ``way``."""
        if way == "twice" or (way == "softmax" and probabilities(self.values, self.step)):
            told = "the notebook applies softmax to what are probabilities already"
            return Finding("activation", "twice", told, "scores = output, without another softmax", NOTEBOOK)
        if self.own != "none" and way == "none":
            return self._doubled() if self._bounded() else mends.activation(way, self.own)
        return mends.activation(way, self.own)

    def twice(self) -> list[Finding]:
        """Return what is said of values that need no activation any more, even where no scores were saved."""
        if self.own == "none" or not self._bounded():
            return []
        if self.own == "sigmoid" and self.values.shape[1] > 1 and not probabilities(self.values, self.step):
            return []  # many labels of which several may be true: nothing tells that it is done
        return [self._doubled()]

    def _doubled(self) -> Finding:
        told = f"the model's output has its activation in it already; model.toml adds {self.own} to it"
        return Finding("activation", "twice", told, 'activation = "none"')

    def _bounded(self) -> bool:
        """Whether the model's values are probabilities whatever it is fed."""
        tensor, noise = self.served.tensor, np.random.default_rng(7)
        tensors = self.tensors[:PROBES]
        low, high = (min(float(x.min()) for x in tensors), max(float(x.max()) for x in tensors))
        probes = [noise.uniform(low, high, tensor.shape).astype(tensor.dtype) for _ in range(PROBES)]
        probes += [np.full(tensor.shape, end, tensor.dtype) for end in (low, high)]
        values = np.stack([*self.values, *(self.served.run(probe) for probe in probes)])
        if values.shape[1] > 1 and self.own == "softmax":
            return probabilities(values, self.step)
        return bool(values.min() >= 0 and values.max() <= 1)


def probabilities(values: Array, step: float = 0.0) -> bool:
    """Whether each row of ``values`` has several numbers from 0 that add up to 1, each rounded to a ``step``."""
    off = SUM + values.shape[1] * step / 2
    several = values.shape[1] > 1 and values.min() >= 0 and values.max() <= 1 + step
    return bool(several and np.abs(values.sum(1) - 1).max() <= off)
