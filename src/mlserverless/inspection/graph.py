"""A .tflite file's graphs, read without a dependency: tensors, operators, signatures."""

import re
import struct
from math import prod
from typing import TYPE_CHECKING, NamedTuple

from mlserverless.engines.signatures import shape
from mlserverless.errors import ModelUnavailable
from mlserverless.inspection.ops import CUSTOM, known
from mlserverless.metadata import slots
from mlserverless.metadata.flatbuffer import Table
from mlserverless.verify import LEFT_OUT, builtin

if TYPE_CHECKING:
    from mlserverless.types import Contents

MAX_TEXT_BYTES = 1000
OPEN = -1  # a dimension that is settled when the model is loaded
BITS_OF = {"bool": 8}  # the other types have their number of bits in their names


class Tensor(NamedTuple):
    """One tensor. ``shape`` has -1 where a dimension is left open; real value = scale × (stored − zero point).

    Several ``scales`` and ``zero_points`` are one for each entry of the dimension ``along``. ``held``: how many
    bytes of it stand in the file, 0 for what is computed; ``variable``: a state that is kept between runs.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    scales: tuple[float, ...] = ()
    zero_points: tuple[int, ...] = ()
    along: int = 0
    buffer: int = 0
    held: int = 0
    variable: bool = False

    @property
    def elements(self) -> int:
        """How many elements it has; a dimension left open counts as 1."""
        return prod(abs(size) for size in self.shape)

    @property
    def bytes(self) -> int:
        """How many bytes its elements take, by its dtype; 0 for texts and resources, whose size nobody knows."""
        return -(-self.elements * bits(self.dtype) // 8)


class Operator(NamedTuple):
    """One step: its name, its version, the tensors that it reads (-1: left out) and writes."""

    name: str
    version: int
    custom: bool
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


class Subgraph(NamedTuple):
    """One graph, its operators in the order in which they run."""

    name: str
    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


class Signature(NamedTuple):
    """A way to call a model: its key, its graph, and its names for that graph's tensors, each with its number."""

    key: str
    subgraph: int
    inputs: tuple[tuple[str, int], ...]
    outputs: tuple[tuple[str, int], ...]


class Graph(NamedTuple):
    """What a .tflite file holds. The first of ``subgraphs`` runs where no signature is asked for."""

    description: str
    subgraphs: tuple[Subgraph, ...]
    signatures: tuple[Signature, ...]


def _text(table: Table, slot: int) -> str:
    # No engine looks at these, and some published models have bytes in them that are no UTF-8.
    return table.raw(slot)[:MAX_TEXT_BYTES].decode(errors="replace")


def bits(dtype: str) -> int:
    """Return how many bits an element takes: float32 has 32, int4 has 4, a text has none that could be told."""
    found = re.search(r"\d+", dtype)
    return int(found[0]) if found else BITS_OF.get(dtype, 0)


def read(model: "Contents") -> Graph:
    """Return what the .tflite file ``model`` holds; raise ModelUnavailable where it is corrupt."""
    try:
        root = Table.root(model)
        sizes = [_size(buffer, len(model)) for buffer in root.tables(slots.BUFFERS)]
        codes = [_code(code) for code in root.tables(slots.OPERATOR_CODES)]
        graphs = tuple(_subgraph(graph, sizes, codes) for graph in root.tables(slots.SUBGRAPHS))
        signatures = tuple(_signature(one, graphs) for one in root.tables(slots.SIGNATURES))
        description = _text(root, slots.DESCRIPTION)
    except (struct.error, ValueError, IndexError) as error:
        raise ModelUnavailable(f"The model is corrupt: {error}.") from error
    if not graphs or not graphs[0].outputs:
        raise ModelUnavailable("The model is empty: it has no graph that answers anything.")
    return Graph(description, graphs, signatures)


def _size(buffer: Table, most: int) -> int:
    if (size := buffer.length(slots.DATA) or buffer.number(slots.SIZE, "<Q")) > most:
        raise ValueError(f"a buffer of {size:,} bytes is announced, and the file has {most:,}")
    return size


def _code(code: Table) -> tuple[str, int, bool]:
    number = builtin(code)
    name = known().names.get(number, f"operator {number}")
    version = code.number(slots.CODE_VERSION, "<i") if code.has(slots.CODE_VERSION) else 1
    if name == CUSTOM:
        return _text(code, slots.CUSTOM_CODE) or "without a name", version, True
    return name, version, False


def _subgraph(graph: Table, sizes: list[int], codes: list[tuple[str, int, bool]]) -> Subgraph:
    tensors = tuple(_tensor(tensor, sizes) for tensor in graph.tables(slots.TENSORS))
    operators = []
    for step in graph.tables(slots.OPERATORS):
        reads, writes = step.whole_numbers(slots.INPUTS), step.whole_numbers(slots.OUTPUTS)
        operators.append(Operator(*codes[step.number(slots.OPCODE_INDEX, "<I")], reads, writes))
    inputs, outputs = graph.whole_numbers(slots.INPUTS), graph.whole_numbers(slots.OUTPUTS)
    named = [*inputs, *outputs, *(i for one in operators for i in one.outputs)]
    named += [i for one in operators for i in one.inputs if i != LEFT_OUT]
    if wrong := [i for i in named if not 0 <= i < len(tensors)]:
        raise ValueError(f"the tensor {wrong[0]:,} of {len(tensors):,} is named")
    return Subgraph(_text(graph, slots.GRAPH_NAME), tensors, tuple(operators), inputs, outputs)


def _tensor(tensor: Table, sizes: list[int]) -> Tensor:
    buffer, number = tensor.number(slots.TENSOR_BUFFER, "<I"), tensor.number(slots.TYPE, "<b")
    found = Tensor(
        _text(tensor, slots.TENSOR_NAME),
        shape(tensor),
        known().types.get(number, f"type {number}"),
        buffer=buffer,
        held=sizes[buffer],
        variable=bool(tensor.number(slots.IS_VARIABLE, "<B")),
    )
    if quantization := tensor.table(slots.QUANTIZATION):
        scales, zeros = quantization.floats(slots.SCALE), quantization.long_numbers(slots.ZERO_POINT)
        found = found._replace(
            scales=scales, zero_points=zeros, along=quantization.number(slots.QUANTIZED_DIMENSION, "<i")
        )
    return found


def _signature(one: Table, graphs: tuple[Subgraph, ...]) -> Signature:
    number = one.number(slots.SIGNATURE_SUBGRAPH, "<I")
    count = len(graphs[number].tensors)
    pairs = []
    for slot in (slots.SIGNATURE_INPUTS, slots.SIGNATURE_OUTPUTS):
        named = tuple(
            (_text(entry, slots.MAPPED_NAME), entry.number(slots.MAPPED_TENSOR, "<I"))
            for entry in one.tables(slot)
        )
        if wrong := [i for _, i in named if i >= count]:
            raise ValueError(f"a signature names the tensor {wrong[0]:,} of {count:,}")
        pairs.append(named)
    return Signature(_text(one, slots.SIGNATURE_KEY), number, *pairs)
