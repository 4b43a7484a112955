"""Score calibration: a sigmoid for each class that makes the scores of classes comparable.

``metadata_schema.fbs``, ScoreCalibrationOptions: f(x) = scale / (1 + e^-(slope × g(x) + offset)) where x is
above the class's min_score or has none, else the default score; g is the identity, log(x) or log(x) - log(1 -
x).
"""

import math
from typing import TYPE_CHECKING

from mlserverless.metadata.labels import associated
from mlserverless.metadata.read import corrupt
from mlserverless.metadata.records import Calibration
from mlserverless.named_tuple import NamedTuple

if TYPE_CHECKING:
    from mlserverless.types import Contents

LEAST = 1e-16  # stands for zero in a logarithm, as in TensorFlow Lite's task library


class Sigmoid(NamedTuple):
    """One class's; without a ``least`` it holds for every score."""

    scale: float
    slope: float
    offset: float
    least: float = -math.inf


class Curves(NamedTuple):
    """A calibration with its file read: a sigmoid for each class, None where it has the ``default`` score."""

    sigmoids: tuple[Sigmoid | None, ...]
    transformation: str = "identity"
    default: float = 0.0


def read(model: "Contents", found: Calibration) -> Curves:
    """Return the calibration that ``model`` carries; ModelUnavailable where its file cannot be read."""
    try:
        lines = associated(model, found.file).removesuffix("\n").split("\n")
        sigmoids = tuple(_sigmoid(line, number, found.file) for number, line in enumerate(lines, 1))
    except ValueError as error:
        raise corrupt(error) from error
    return Curves(sigmoids, found.transformation, found.default)


def _sigmoid(line: str, number: int, file: str) -> Sigmoid | None:
    if not line.strip():
        return None
    try:
        values = tuple(map(float, line.split(",")))
    except ValueError:
        values = ()
    if len(values) not in (3, 4) or not all(map(math.isfinite, values)) or values[0] < 0:
        raise ValueError(
            f"line {number} of {file!r} is {line[:80]!r}; it holds scale, slope, offset and perhaps "
            "min_score, the scale not below 0"
        )
    return Sigmoid(*values)


def apply(scores: list[float], curves: Curves) -> list[float]:
    """Return the calibrated ``scores``, one for each class, in the classes' order."""
    pairs = zip(scores, curves.sigmoids, strict=True)
    return [_calibrated(score, sigmoid, curves) for score, sigmoid in pairs]


def _calibrated(score: float, sigmoid: Sigmoid | None, curves: Curves) -> float:
    if sigmoid is None or not score > sigmoid.least:
        return curves.default
    if curves.transformation == "log":
        score = _log(score)
    elif curves.transformation == "inverse logistic":
        score = _log(score) - _log(1 - score)
    x = sigmoid.slope * score + sigmoid.offset
    if x >= 0:
        return sigmoid.scale / (1 + math.exp(-x))
    power = math.exp(x)
    return sigmoid.scale * power / (1 + power)


def _log(value: float) -> float:
    return math.log(max(value, LEAST))
