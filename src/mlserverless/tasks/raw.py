"""Outputs as they are: named tensors in the Open Inference Protocol's terms, for what has no task of its own.

Floats are told in as many digits as bring back the same number: 9 for float32, 5 for float16 (IEEE 754-2008,
5.12.2). Quantised values are the stored whole numbers; ``/model`` tells scale and zero point.
"""

from collections.abc import Sequence
from math import isfinite, prod
from typing import TYPE_CHECKING, Any, NoReturn

from mlserverless.engines import WIDTHS, Tensor
from mlserverless.errors import ModelUnavailable
from mlserverless.model_values import DOCS
from mlserverless.postprocess import stored
from mlserverless.types import RawTensor

if TYPE_CHECKING:
    from mlserverless.model import Model

# Open Inference Protocol, "Tensor Data Types"
DATATYPES = {"bool": "BOOL", "float16": "FP16", "float32": "FP32", "float64": "FP64"}
DATATYPES |= {dtype: dtype.upper() for dtype in WIDTHS if "int" in dtype}
DIGITS = {"float16": 5, "float32": 9, "float64": 17}
# Bytes of the shortest value in JSON and a comma: true, 0.0, 0.
LEAST = {dtype: 4 if dtype in DIGITS else 2 for dtype in WIDTHS} | {"bool": 5}
# of the data in JSON; a Lambda function's answer has at most 6 MiB, with all that is around it
MAX_BYTES = 6_000_000


def check(model: "Model", outputs: Sequence[Tensor]) -> None:
    """Raise ModelUnavailable where outputs cannot be told as they are, or an answer would always be too long."""
    if not outputs:
        raise ModelUnavailable(f"{model.name} answers nothing.")
    if unread := [tensor for tensor in outputs if tensor.dtype not in DATATYPES]:
        raise ModelUnavailable(
            f"{model.name}: the output {unread[0].name!r} is {unread[0].dtype}; told are {', '.join(DATATYPES)}."
        )
    if (least := sum(LEAST[tensor.dtype] * prod(tensor.shape) for tensor in outputs)) > MAX_BYTES:
        _too_long(model, f"at least {least:,}")


def answer(model: "Model", ran: Sequence[tuple[Tensor, bytes]]) -> tuple[RawTensor, ...]:
    """Return the outputs ``ran``, whole; ModelUnavailable for NaN, infinities and an answer that is too long."""
    told = tuple(
        RawTensor(tensor.known_as, tensor.shape, DATATYPES[tensor.dtype], _data(model, tensor, data))
        for tensor, data in ran
    )
    if (size := sum(len(str(value)) + 1 for tensor in told for value in tensor.data)) > MAX_BYTES:
        _too_long(model, f"{size:,}")
    return told


def numbers(data: bytes, dtype: str) -> list[Any] | None:
    """Return the elements of ``data`` as JSON's numbers; None for NaN and infinities, which JSON cannot say."""
    if dtype == "bool":
        return list(map(bool, data))
    values = stored(data, dtype)
    if dtype not in DIGITS:
        return list(values)
    if not all(map(isfinite, values)):
        return None
    digits = DIGITS[dtype]
    return [float(f"{value:.{digits}g}") for value in values]


def _data(model: "Model", tensor: Tensor, data: bytes) -> tuple[float | int | bool, ...]:
    if (told := numbers(data, tensor.dtype)) is None:
        raise ModelUnavailable(
            f"{model.name} answered NaN or an infinity in the output {tensor.name!r}: its weights or its input's "
            "range are wrong."
        )
    return tuple(told)


def _too_long(model: "Model", size: str) -> NoReturn:
    raise ModelUnavailable(
        f"The answer of {model.name} has {size} bytes of data; at most {MAX_BYTES:,} are sent, which is what a "
        "function may answer. Let the model answer less, for example the class of each pixel instead of all "
        f"scores. See {DOCS}."
    )
