"""The bytes of the model's output tensor -> the best classes, without numpy."""

import math
from array import array
from collections.abc import Container
from typing import NamedTuple

from mlserverless.engines import Tensor
from mlserverless.errors import InvalidRequest, ModelUnavailable
from mlserverless.readers import shown
from mlserverless.types import Options, Score

CODES = {"float32": "f", "uint8": "B", "int8": "b"}


class Choice(NamedTuple):
    """Which classes an answer holds: :class:`Options` with every gap filled from the settings.

    Empty ``allow`` means every label; ``threshold`` is the lowest score kept.
    """

    top_k: int
    threshold: float
    allow: tuple[str, ...]
    deny: tuple[str, ...]


def scores(data: bytes, tensor: Tensor, activation: str) -> list[float]:
    """Return the real values of an output tensor, ``activation`` (none, softmax, sigmoid) applied.

    Quantised values are scale × (stored − zero point) (TFLite quantisation specification). Raises
    ModelUnavailable for another dtype, and for NaN and infinities, which no client could read as JSON.
    """
    if tensor.dtype not in CODES:
        raise ModelUnavailable(f"The model's output is {tensor.dtype}; read are float32, uint8 and int8.")
    values = array(CODES[tensor.dtype], data)
    if tensor.scale:
        real = [tensor.scale * (value - tensor.zero_point) for value in values]
    else:
        real = [float(value) for value in values]
    if not all(map(math.isfinite, real)):
        found = "NaN" if any(map(math.isnan, real)) else "infinite scores"
        raise ModelUnavailable(f"The model answered {found}: its weights or its input's range are wrong.")
    if activation == "softmax":
        highest = max(real)
        powers = [math.exp(value - highest) for value in real]
        total = math.fsum(powers)
        return [power / total for power in powers]
    if activation == "sigmoid":
        return [1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x)) for x in real]
    return real


def choose(options: Options, default: Choice, known: Container[str]) -> Choice:
    """Return ``default`` with what the request's ``options`` say instead.

    A request narrows the labels that the settings allow and never widens them; its ``top_k`` and
    ``score_threshold`` take the settings' place. Raises InvalidRequest for a label that the
    model does not have.
    """
    for name, labels in (("labels_allow", options.labels_allow), ("labels_deny", options.labels_deny)):
        if unknown := [label for label in labels or () if label not in known]:
            raise InvalidRequest(f"{name} names {shown(unknown[0])}, which is not a label of this model.")
    allow = options.labels_allow or ()
    if allow and default.allow:
        allow = tuple(label for label in allow if label in default.allow)
        if not allow:
            raise InvalidRequest("labels_allow names no label that this function is set to answer.")
    return Choice(
        top_k=default.top_k if options.top_k is None else options.top_k,
        threshold=default.threshold if options.score_threshold is None else options.score_threshold,
        allow=allow or default.allow,
        deny=default.deny + (options.labels_deny or ()),
    )


def best(values: list[float], labels: tuple[str, ...], choice: Choice) -> tuple[Score, ...]:
    """Return the chosen classes, best first; equal scores in the order of the model's output."""
    allow, deny = frozenset(choice.allow), frozenset(choice.deny)
    kept = [
        index
        for index, (label, value) in enumerate(zip(labels, values, strict=True))
        if value >= choice.threshold and label not in deny and (not allow or label in allow)
    ]
    kept.sort(key=lambda index: -values[index])
    return tuple(Score(labels[index], index, values[index]) for index in kept[: choice.top_k])
