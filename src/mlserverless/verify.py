"""What LiteRT takes on trust: that a model's operators read and write the tensors that they may.

It verifies that a file is a flatbuffer of its schema (``schema.fbs``; the slots below are the order of its
fields). One that is, and in which an operator's first inputs are left out, or an operator writes over a weight or
reads what none has written yet, or quantisation scales are missing, or that has no graph at all, ends the process.
A file that nobody has pinned is refused for it, and for a custom operator, whose options nobody verifies. Tensors
of contradicting shapes are not found out: only a pin tells such a file from a good one.
"""

import struct
from typing import TYPE_CHECKING

from mlserverless.errors import ModelUnavailable
from mlserverless.metadata.flatbuffer import Table

if TYPE_CHECKING:
    from mlserverless.types import Contents

DOCS = "docs/reference/model-folder.md"
VERSION, OPCODES, SUBGRAPHS, BUFFERS = 0, 1, 2, 4
SCHEMA = 3  # the version of the schema; LiteRT refuses others before it looks further
TENSORS, INPUTS, OUTPUTS, OPERATORS = (
    0,
    1,
    2,
    3,
)  # of a subgraph; an operator's inputs and outputs stand there, too
SHAPE, BUFFER, QUANTIZATION, VARIABLE = 0, 2, 4, 5  # of a tensor
SCALE, ZERO_POINT, DIMENSION = 2, 3, 6  # of its quantisation
DATA, SIZE = 0, 2  # of a buffer: inside the flatbuffer, or behind it
NEEDED = 2  # how many of an operator's inputs may not be left out; a bias, the third, may be
CODE, OLD_CODE, NAME = 3, 0, 1  # of an operator's code; the old field is a byte, the name a custom operator's
CUSTOM = 32
RECURRENT = (16, 24, 27, 35, 44, 46, 52)  # LSTM, RNN, SVDF and their kin: their second input may be left out
LEFT_OUT = -1
MOST = 200_000  # tensors and operators that are looked at; a few hundred is usual


def check(model: "Contents") -> None:
    """Raise ModelUnavailable where an operator of ``model`` reads or writes a tensor that it may not."""
    try:
        root = Table.root(model)
        filled = [bool(buffer.length(DATA) or buffer.number(SIZE, "<Q")) for buffer in root.tables(BUFFERS)]
        if root.number(VERSION, "<I") == SCHEMA and not root.length(SUBGRAPHS):
            raise ValueError("it has no graph")
        opcodes = root.tables(OPCODES)
        codes = [max(code.number(CODE, "<i"), code.number(OLD_CODE, "<b")) for code in opcodes]
        custom = [code.text(NAME) for code, number in zip(opcodes, codes, strict=True) if number == CUSTOM]
        seen = 0
        for graph in root.tables(SUBGRAPHS):
            tensors, operators = graph.tables(TENSORS), graph.tables(OPERATORS)
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


def _check(
    graph: Table, tensors: list[Table], operators: list[Table], filled: list[bool], codes: list[int]
) -> None:
    ready = {i for i, tensor in enumerate(tensors) if _has_a_value(tensor, filled)}
    for i in graph.whole_numbers(INPUTS):
        ready.add(_known(i, tensors, "an input of the graph"))
    for number, operator in enumerate(operators):
        needed = 1 if codes[operator.number(0, "<I")] in RECURRENT else NEEDED
        for place, i in enumerate(operator.whole_numbers(INPUTS)):
            if i == LEFT_OUT and place >= needed:
                continue
            if _known(i, tensors, f"input {place} of operator {number}") not in ready:
                raise ValueError(f"operator {number} reads the tensor {i}, which none before it has written")
        for i in operator.whole_numbers(OUTPUTS):
            if _known(i, tensors, f"an output of operator {number}") in ready:
                raise ValueError(f"operator {number} writes the tensor {i}, which has a value already")
            ready.add(i)
    for i in graph.whole_numbers(OUTPUTS):
        _known(i, tensors, "an output of the graph")


def _has_a_value(tensor: Table, filled: list[bool]) -> bool:
    shape = tensor.whole_numbers(SHAPE)
    if quantization := tensor.table(QUANTIZATION):
        scales, zeros = quantization.length(SCALE), quantization.length(ZERO_POINT)
        along = quantization.number(DIMENSION, "<i")
        if (zeros and scales != zeros) or (scales > 1 and scales not in shape[along : along + 1]):
            raise ValueError(f"a tensor of shape {shape[:8]} has {scales:,} scales and {zeros:,} zero points")
    # A constant of no elements has no bytes, either.
    return filled[tensor.number(BUFFER, "<I")] or 0 in shape or bool(tensor.number(VARIABLE, "<B"))


def _known(i: int, tensors: list[Table], what: str) -> int:
    if not 0 <= i < len(tensors):
        raise ValueError(f"{what} is the tensor {i:,} of {len(tensors):,}")
    return i
