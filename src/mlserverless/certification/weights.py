"""Whether a model's weights are rounded, so that it cannot answer exactly what it was made of."""

import struct
from typing import TYPE_CHECKING

from mlserverless.metadata import slots
from mlserverless.metadata.flatbuffer import Table
from mlserverless.types import is_tflite

if TYPE_CHECKING:
    from mlserverless.types import Contents

ROUNDED = {1: "float16", 3: "uint8", 7: "int16", 9: "int8", 17: "int4"}  # TensorType
LARGE = 64  # bytes; smaller constants are shapes and axes


def rounded(model: "Contents") -> bool:
    """Return whether a weight of the .tflite file ``model`` has fewer bits than a float32; False for others."""
    if not is_tflite(model):
        return False
    try:
        root = Table.root(model)
        buffers = root.tables(slots.BUFFERS)
        for graph in root.tables(slots.SUBGRAPHS):
            for tensor in graph.tables(slots.TENSORS):
                if tensor.number(slots.TYPE, "<b") in ROUNDED:
                    buffer = buffers[tensor.number(slots.TENSOR_BUFFER, "<I")]
                    if max(buffer.length(slots.DATA), buffer.number(slots.SIZE, "<Q")) > LARGE:
                        return True
    except (struct.error, ValueError, IndexError):
        return False
    return False
