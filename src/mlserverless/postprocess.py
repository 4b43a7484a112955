"""The bytes of the model's scores -> the best classes, without numpy.

``offset`` is the index in the output of the first label. Where it is above 0, the classes before it have none:
those are a background, which says that there is nothing to name, and is never among the answers. Where it is below
0, that many labels come before the first class's.
"""

import math
from array import array
from collections.abc import Container, Sequence
from functools import lru_cache

from mlserverless.engines import Tensor
from mlserverless.errors import InvalidRequest, ModelUnavailable
from mlserverless.named_tuple import NamedTuple
from mlserverless.readers import shown
from mlserverless.types import Options, Score

NEAR, NEAR_LOGITS = 0.05, 0.25  # of probabilities; of what has no bounds
CODES = {"float32": "f", "float64": "d", "uint8": "B", "int8": "b", "uint16": "H", "int16": "h", "uint32": "I"}
CODES |= {"int32": "i", "uint64": "Q", "int64": "q"}  # of the module array


class Choice(NamedTuple):
    """Which classes an answer holds: :class:`Options` with every gap filled from the settings.

    Empty ``allow`` means every label; ``threshold`` is the lowest score kept.
    """

    top_k: int
    threshold: float
    allow: tuple[str, ...]
    deny: tuple[str, ...]


def check(tensor: Tensor) -> None:
    """Raise ModelUnavailable where values of ``tensor`` could not be read, whatever they are."""
    if tensor.dtype not in CODES and tensor.dtype != "float16":
        raise ModelUnavailable(f"The model's output is {tensor.dtype}; read are float16, {', '.join(CODES)}.")
    if tensor.dtype in ("uint8", "int8"):
        _table(tensor)


def real(data: bytes, tensor: Tensor) -> list[float]:
    """Return the real values of an output tensor.

    Quantised values are scale × (stored − zero point) (TFLite quantisation specification); without a scale they
    are the stored numbers. Raises ModelUnavailable for a dtype that :func:`check` refuses, and for NaN and
    infinities, which no client could read as JSON.
    """
    if tensor.dtype not in CODES:
        check(tensor)
    if tensor.dtype in ("uint8", "int8"):
        return list(map(_table(tensor).__getitem__, data))
    values = list(map(float, stored(data, tensor.dtype)))
    if tensor.scale:
        values = [tensor.scale * (value - tensor.zero_point) for value in values]
    _check(values, tensor)
    return values


def stored(data: bytes, dtype: str) -> Sequence[float]:
    """Return the elements of a tensor as they are stored, little endian, as floats or whole numbers."""
    if dtype == "float16":  # for which the module array has no code
        import struct

        return struct.unpack(f"<{len(data) // 2}e", data)
    return array(CODES[dtype], data)


def scores(data: bytes, tensor: Tensor, activation: str) -> list[float]:
    """Return the real values of an output tensor, ``activation`` (none, softmax, sigmoid) applied.

    Raises ModelUnavailable as :func:`real` does.
    """
    values = real(data, tensor)
    if activation == "softmax":
        highest = max(values)
        powers = [math.exp(value - highest) for value in values]
        total = math.fsum(powers)
        return [power / total for power in powers]
    if activation == "sigmoid":
        return [1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x)) for x in values]
    return values


@lru_cache(maxsize=8)
def _table(tensor: Tensor) -> list[float]:
    # A byte has 256 values, an output many more classes.
    values = array(CODES[tensor.dtype], bytes(range(256)))
    real = [tensor.scale * (value - tensor.zero_point) if tensor.scale else float(value) for value in values]
    _check(real, tensor)
    return real


def _check(values: list[float], tensor: Tensor) -> None:
    if not all(map(math.isfinite, values)):
        found = "NaN" if any(map(math.isnan, values)) else "infinities"
        raise ModelUnavailable(
            f"The model answered {found} in the output {tensor.name!r}: its weights or its input's range are "
            "wrong."
        )


def nearly_equal(values: list[float]) -> bool:
    """Return whether the two highest of ``values`` are so near that rounding may put either first.

    Decoding a JPEG at a fraction of its size changes a pixel by 0.3 to 0.6 of 255 in the mean. Where that changed
    the first class, the two were at most 0.04 apart (12 in 400 crops; benchmarks, part ``warm``).
    """
    first, second = sorted(values, reverse=True)[:2] if len(values) > 1 else (math.inf, 0.0)
    return first - second <= (NEAR if second >= 0 and first <= 1 else NEAR_LOGITS)


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


def kept(values: list[float], labels: tuple[str, ...], choice: Choice, offset: int = 0) -> Sequence[int]:
    """Return the indices of the classes that ``choice`` lets be answered, whatever their scores."""
    first, last = max(0, offset), min(len(values), len(labels) + offset)
    if not choice.allow and not choice.deny:
        return range(first, last)
    allow, deny = frozenset(choice.allow), frozenset(choice.deny)
    named = enumerate(labels[first - offset : last - offset], first)
    return [i for i, label in named if label not in deny and (not allow or label in allow)]


def leading(values: list[float], labels: tuple[str, ...], choice: Choice, offset: int = 0) -> list[int]:
    """Return the indices of the highest that may be answered, best first: as many as are asked for, at least two.

    Equal ones stand in the order of the model's output; the threshold is not looked at.
    """
    indices = kept(values, labels, choice, offset)
    # What is below the lowest of them need not be sorted with its index.
    ranked = values if len(indices) == len(values) else [values[i] for i in indices]
    count = max(2, choice.top_k)
    if not (highest := sorted(ranked, reverse=True)[:count]):
        return []
    found = [i for i in indices if values[i] >= highest[-1]]
    found.sort(key=values.__getitem__, reverse=True)  # which keeps the order of equal ones
    return found[:count]


def best(
    values: list[float],
    labels: tuple[str, ...],
    choice: Choice,
    order: list[int] | None = None,
    offset: int = 0,
) -> tuple[Score, ...]:
    """Return the classes that ``choice`` asks for, best first; ``order``: what :func:`leading` says, if known."""
    order = leading(values, labels, choice, offset) if order is None else order
    asked = [i for i in order[: choice.top_k] if values[i] >= choice.threshold]
    return tuple(Score(labels[i - offset], i, values[i]) for i in asked)
