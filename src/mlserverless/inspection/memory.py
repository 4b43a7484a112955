"""How much of a model is weights, what its tensors take while it runs, and how many multiply-adds a run costs."""

from collections import Counter
from math import prod
from typing import NamedTuple

from mlserverless.inspection.graph import Graph, Operator, Subgraph, Tensor
from mlserverless.verify import LEFT_OUT

ALIGNMENT = 64  # bytes: TFLite's arena places each tensor at a multiple of it (kDefaultTensorAlignment)
# Numbers that shape the graph, axes and sizes, and are no parameters unless they are quantised.
PLAIN = ("int32", "int64", "uint32", "bool", "string")
# An engine does these once, when it loads the model: what they make of a weight takes the weight's place.
UNPACKING = ("DEQUANTIZE", "DENSIFY")


class Weights(NamedTuple):
    """The constants of one dtype: how many elements, and how many bytes of the file."""

    dtype: str
    elements: int
    bytes: int


class Memory(NamedTuple):
    """Bytes that a loaded model takes, an estimate: what LiteRT took of it is in docs/reference/public-models.md.

    ``weights``: as an engine holds them, float16 and sparse ones unpacked; ``activations``: the tensors that are
    computed, as many as are needed at once. What its kernels take beside is not in it, nor are engine and file.
    """

    weights: int
    activations: int

    @property
    def total(self) -> int:
        """Both together."""
        return self.weights + self.activations


def weights(graph: Graph) -> tuple[Weights, ...]:
    """Return the parameters by dtype, most bytes first: float and quantised constants, each buffer once."""
    elements, held, seen = Counter[str](), Counter[str](), set[int]()
    for subgraph in graph.subgraphs:
        for tensor in filter(_is_parameter, subgraph.tensors):
            if tensor.buffer not in seen:
                seen.add(tensor.buffer)
                elements[tensor.dtype] += tensor.elements
                held[tensor.dtype] += tensor.held
    return tuple(Weights(dtype, elements[dtype], size) for dtype, size in held.most_common())


def _is_parameter(tensor: Tensor) -> bool:
    return bool(tensor.held) and (tensor.dtype not in PLAIN or bool(tensor.scales))


def estimate(graph: Graph) -> Memory:
    """Return what the model takes when it runs; each of its graphs has its own tensors."""
    parts = [(_unpacked(subgraph), subgraph) for subgraph in graph.subgraphs]
    activations = sum(_peak(subgraph, unpacked) for unpacked, subgraph in parts)
    return Memory(sum(_resident(subgraph, unpacked) for unpacked, subgraph in parts), activations)


def _unpacked(graph: Subgraph) -> dict[int, int]:
    """Return tensor -> the one of the file that it is an unpacked copy of."""
    found: dict[int, int] = {}
    for operator in graph.operators:
        if operator.name in UNPACKING and operator.inputs and operator.outputs:
            source = operator.inputs[0]
            if source != LEFT_OUT and (source in found or graph.tensors[source].held):
                found[operator.outputs[0]] = found.get(source, source)
    return found


def _resident(graph: Subgraph, unpacked: dict[int, int]) -> int:
    # Of what is unpacked in two steps the last one stays.
    last = {source: copy for copy, source in unpacked.items()}
    kept = {last.get(i, i) for i, tensor in enumerate(graph.tensors) if _is_parameter(tensor)}
    return sum(graph.tensors[i].bytes for i in kept)


def _peak(graph: Subgraph, unpacked: dict[int, int]) -> int:
    """Return how many bytes of tensors live at once at most.

    A tensor lives from the operator that writes it to the last that reads it; inputs live from the start, outputs
    to the end, variables always.
    """
    end = len(graph.operators)
    first, last = dict.fromkeys(graph.inputs, 0), dict.fromkeys(graph.inputs, 0)
    for number, operator in enumerate(graph.operators):
        last.update((i, number) for i in operator.inputs if i != LEFT_OUT)
        for i in operator.outputs:
            first.setdefault(i, number)
            last[i] = number
    last.update(dict.fromkeys(graph.outputs, end))
    for i, tensor in enumerate(graph.tensors):
        if tensor.variable:
            first[i], last[i] = 0, end
    grown = [0] * (end + 2)
    for i, begin in first.items():
        if not graph.tensors[i].held and i not in unpacked:
            size = -(-graph.tensors[i].bytes // ALIGNMENT) * ALIGNMENT
            grown[begin] += size
            grown[last[i] + 1] -= size
    most = taken = 0
    for change in grown:
        taken += change
        most = max(most, taken)
    return most


def multiply_adds(graph: Graph) -> int:
    """Return the multiply-adds of one run of the first graph: those of convolutions and matrix products."""
    first = graph.subgraphs[0]
    return sum(_products(operator, first.tensors) for operator in first.operators)


def _products(operator: Operator, tensors: tuple[Tensor, ...]) -> int:
    # Filters are (out, height, width, in), a depthwise one (1, height, width, channels), dense ones (out, in);
    # a transposed convolution spreads each element of its third input, and has its filter second.
    inputs = [i for i in operator.inputs if i != LEFT_OUT]
    if len(inputs) < 2 or not operator.outputs:
        return 0
    filters, made = tensors[inputs[1]].shape, tensors[operator.outputs[0]].elements
    match operator.name:
        case "CONV_2D" | "FULLY_CONNECTED":
            return made * prod(filters[1:])
        case "CONV_3D":  # its filter is (depth, height, width, in, out)
            return made * prod(filters[:-1])
        case "DEPTHWISE_CONV_2D":
            return made * prod(filters[1:3])
        case "TRANSPOSE_CONV" if len(inputs) > 2:
            return tensors[inputs[2]].elements * prod(filters[:3])
        case "BATCH_MATMUL":
            return made * abs(tensors[inputs[0]].shape[-1]) if tensors[inputs[0]].shape else 0
    return 0
