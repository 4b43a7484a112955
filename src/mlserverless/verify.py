"""What LiteRT takes on trust: that a model's operators read and write the tensors that they may.

It verifies that a file is a flatbuffer of its schema (``schema.fbs``). One that is, and in which an operator's
first inputs are left out, or an operator writes over a weight or reads what none has written yet, or
quantisation scales are missing, or that has no graph at all, ends the process. A file that nobody has pinned is
refused for it, and for a custom operator, whose options nobody verifies. Tensors of contradicting shapes are
not found out: only a pin tells such a file from a good one.
"""

import struct
from typing import TYPE_CHECKING

from mlserverless.errors import ModelUnavailable
from mlserverless.metadata import slots
from mlserverless.metadata.flatbuffer import Table

if TYPE_CHECKING:
    from mlserverless.types import Contents

DOCS = "docs/reference/model-folder.md"
SCHEMA = 3  # the version of the schema; LiteRT refuses others before it looks further
NEEDED = 2  # how many of an operator's inputs may not be left out; a bias, the third, may be
CUSTOM = 32
RECURRENT = (16, 24, 27, 35, 44, 46, 52)  # LSTM, RNN, SVDF and their kin: their second input may be left out
LEFT_OUT = -1
MOST = 200_000  # tensors and operators that are looked at; a few hundred is usual


def check(model: "Contents") -> None:
    """Raise ModelUnavailable where an operator of ``model`` reads or writes a tensor that it may not."""
    try:
        root = Table.root(model)
        filled = [
            bool(buffer.length(slots.DATA) or buffer.number(slots.SIZE, "<Q"))
            for buffer in root.tables(slots.BUFFERS)
        ]
        if root.number(slots.VERSION, "<I") == SCHEMA and not root.length(slots.SUBGRAPHS):
            raise ValueError("it has no graph")
        opcodes = root.tables(slots.OPERATOR_CODES)
        codes = [builtin(code) for code in opcodes]
        custom = [
            code.text(slots.CUSTOM_CODE) for code, number in zip(opcodes, codes, strict=True) if number == CUSTOM
        ]
        seen = 0
        for graph in root.tables(slots.SUBGRAPHS):
            tensors, operators = graph.tables(slots.TENSORS), graph.tables(slots.OPERATORS)
            if (seen := seen + len(tensors) + len(operators)) > MOST:
                raise ValueError(f"it has more than {MOST:,} tensors and operators")
            _check(graph, tensors, operators, filled, codes)
    except (struct.error, ValueError, IndexError) as error:
        raise ModelUnavailable(
            f"The model is corrupt: {error}. Should the file be right, pin its sha256: then it is not checked."
        ) from error
    if custom:
        raise ModelUnavailable(
            f"The model has the custom operator {custom[0]!r}, whose options no engine verifies: broken ones end "
            f"the process. If the file is the right one, pin its sha256 in model.toml. See {DOCS}."
        )


def builtin(code: Table) -> int:
    """Return the number of a built-in operator by its ``code``, an OperatorCode: older files have it elsewhere."""
    return max(code.number(slots.BUILTIN_CODE, "<i"), code.number(slots.OLD_BUILTIN_CODE, "<b"))


def _check(
    graph: Table, tensors: list[Table], operators: list[Table], filled: list[bool], codes: list[int]
) -> None:
    ready = {i for i, tensor in enumerate(tensors) if _has_a_value(tensor, filled)}
    for i in graph.whole_numbers(slots.INPUTS):
        ready.add(_known(i, tensors, "an input of the graph"))
    for number, operator in enumerate(operators):
        needed = 1 if codes[operator.number(slots.OPCODE_INDEX, "<I")] in RECURRENT else NEEDED
        for place, i in enumerate(operator.whole_numbers(slots.INPUTS)):
            if i == LEFT_OUT and place >= needed:
                continue
            if _known(i, tensors, f"input {place} of operator {number}") not in ready:
                raise ValueError(f"operator {number} reads the tensor {i}, which none before it has written")
        for i in operator.whole_numbers(slots.OUTPUTS):
            if _known(i, tensors, f"an output of operator {number}") in ready:
                raise ValueError(f"operator {number} writes the tensor {i}, which has a value already")
            ready.add(i)
    for i in graph.whole_numbers(slots.OUTPUTS):
        _known(i, tensors, "an output of the graph")


def _has_a_value(tensor: Table, filled: list[bool]) -> bool:
    shape = tensor.whole_numbers(slots.SHAPE)
    if quantization := tensor.table(slots.QUANTIZATION):
        scales, zeros = quantization.length(slots.SCALE), quantization.length(slots.ZERO_POINT)
        along = quantization.number(slots.QUANTIZED_DIMENSION, "<i")
        if (zeros and scales != zeros) or (scales > 1 and scales not in shape[along : along + 1]):
            raise ValueError(f"a tensor of shape {shape[:8]} has {scales:,} scales and {zeros:,} zero points")
    # A constant of no elements has no bytes, either.
    return (
        filled[tensor.number(slots.TENSOR_BUFFER, "<I")]
        or 0 in shape
        or bool(tensor.number(slots.IS_VARIABLE, "<B"))
    )


def _known(i: int, tensors: list[Table], what: str) -> int:
    if not 0 <= i < len(tensors):
        raise ValueError(f"{what} is the tensor {i:,} of {len(tensors):,}")
    return i
