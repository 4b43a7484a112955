"""A tensor's elements: JSON's numbers -> bytes, bytes -> JSON's numbers. Little endian, C order, without numpy."""

import struct
from array import array
from collections.abc import Sequence
from itertools import chain
from math import isfinite, prod
from typing import Any

from mlserverless.engines import Tensor
from mlserverless.errors import InvalidRequest
from mlserverless.postprocess import CODES, stored
from mlserverless.tasks import raw
from mlserverless.tasks.raw import DATATYPES, DIGITS

ACCEPTED = {bool: "true or false", int: "whole numbers", float: "numbers"}
LARGEST = {"float16": "65504", "float32": "3.4028235e38", "float64": "1.7976931348623157e308"}  # IEEE 754-2008


def packed(data: list[Any], shape: Sequence[int], dtype: str) -> bytes:
    """Return the bytes of ``data``, elements of ``dtype`` that are flat or nested as ``shape`` says.

    Raises InvalidRequest for another number of elements, another nesting, and an element that the dtype does not
    hold.
    """
    flat = _flat(data, shape)
    kind = bool if dtype == "bool" else float if dtype in DIGITS else int
    allowed = {bool} if kind is bool else {int, float}
    if others := set(map(type, flat)) - allowed:
        at = next(at for at, value in enumerate(flat) if type(value) in others)
        raise _wrong(flat[at], at, dtype, ACCEPTED[kind])
    if kind is bool:
        return bytes(flat)
    if kind is float:
        return _floats(flat, dtype)
    return _whole(flat, dtype)


def _flat(data: list[Any], shape: Sequence[int]) -> list[Any]:
    wanted, level = prod(shape), data
    if level and isinstance(level[0], list):
        if len(level) != shape[0]:
            raise _nested(shape)
        for size in shape[1:]:
            if set(map(type, level)) != {list} or set(map(len, level)) != {size}:
                raise _nested(shape)
            level = list(chain.from_iterable(level))
    if len(level) != wanted:
        raise InvalidRequest(f"data has {len(level):,} elements; the shape {list(shape)} has {wanted:,}.")
    return level


def _nested(shape: Sequence[int]) -> InvalidRequest:
    return InvalidRequest(
        f"data is nested, and not as the shape {list(shape)} says: nest it so, or give its {prod(shape):,} "
        "elements in one flat list."
    )


def _floats(values: list[Any], dtype: str) -> bytes:
    try:
        # float16 has no code in the module array; struct refuses what it cannot hold, array makes it infinite.
        data = struct.pack(f"<{len(values)}e", *values) if dtype == "float16" else array(CODES[dtype], values)
        if all(map(isfinite, stored(data, dtype) if isinstance(data, bytes) else data)):
            return data if isinstance(data, bytes) else data.tobytes()
    except (OverflowError, struct.error):
        pass  # which of them is found below
    at = next(at for at, value in enumerate(values) if not _held(value, dtype))
    raise _wrong(values[at], at, dtype, f"numbers up to {LARGEST[dtype]}")


def _held(value: float, dtype: str) -> bool:
    code = "e" if dtype == "float16" else CODES[dtype]
    try:
        return isfinite(*struct.unpack(code, struct.pack(code, value)))
    except (OverflowError, struct.error):
        return False


def _whole(values: list[Any], dtype: str) -> bytes:
    if float in set(map(type, values)):  # JSON has one kind of number: 5.0 is 5
        for at, value in enumerate(values):
            if isinstance(value, float) and not value.is_integer():
                raise _wrong(value, at, dtype, "whole numbers")
        values = list(map(int, values))
    try:
        return array(CODES[dtype], values).tobytes()
    except OverflowError:
        low, high = _range(dtype)
        at = next(at for at, value in enumerate(values) if not low <= value <= high)
        raise _wrong(values[at], at, dtype, f"{low} to {high}") from None


def _range(dtype: str) -> tuple[int, int]:
    bits = 8 * array(CODES[dtype]).itemsize
    return (0, 2**bits - 1) if dtype[0] == "u" else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


def _wrong(value: Any, at: int, dtype: str, accepted: str) -> InvalidRequest:
    told = "null" if value is None else "a text" if isinstance(value, str) else "a list or an object"
    told = str(value).lower()[:20] if isinstance(value, bool | int | float) else told
    return InvalidRequest(f"Element {at:,} of data is {told}; {DATATYPES[dtype]} takes {accepted}.")


def numbers(tensor: Tensor, data: bytes) -> list[Any]:
    """Return the elements of an output as JSON's numbers, in as many digits as bring back the same float.

    Raises InvalidRequest for NaN and infinities, which JSON has no numbers for.
    """
    if (told := raw.numbers(data, tensor.dtype)) is None:
        raise InvalidRequest(
            f"The model answered NaN or an infinity in the output {tensor.name!r}, which JSON cannot say: ask for "
            'it in binary, {"parameters": {"binary_data_output": true}}.'
        )
    return told
