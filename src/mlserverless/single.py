"""Arithmetic in float32, step by step, as the libraries do it whose results are to be met."""

import struct


def f32(value: float) -> float:
    """Round to the nearest float32. One rounding of an exact double-width step equals float32 arithmetic.

    Raises OverflowError for what a float32 does not hold.
    """
    rounded: float = struct.unpack("<f", struct.pack("<f", value))[0]
    return rounded
