"""The signatures of a .tflite file, and which sizes its inputs and outputs leave open: read from the file itself.

The Python interpreters list signatures by name and not in the file's order, and do not say which tensor a name
stands for; LiteRT's C interface does not say what is open. Slots are the order of the fields in ``schema.fbs``.
"""

import struct
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from mlserverless.engines import chosen
from mlserverless.errors import ModelUnavailable
from mlserverless.metadata.flatbuffer import Table
from mlserverless.named_tuple import NamedTuple

if TYPE_CHECKING:
    from mlserverless.types import Contents

SUBGRAPHS, SIGNATURES = 2, 7
TENSORS, GRAPH_INPUTS, GRAPH_OUTPUTS = 0, 1, 2
SHAPE, SHAPE_SIGNATURE = 0, 7
INPUTS, OUTPUTS, KEY, SUBGRAPH = 0, 1, 2, 4
NAME, TENSOR = 0, 1

Shapes = list[tuple[int, ...]]
Found = TypeVar("Found")


class Signature(NamedTuple):
    """One of them: tensors' numbers -> names; ``order``: the outputs' numbers as the subgraph has them."""

    key: str = ""
    subgraph: int = 0
    inputs: dict[int, str] = {}  # noqa: RUF012 - nothing writes to it
    outputs: dict[int, str] = {}  # noqa: RUF012
    order: tuple[int, ...] = ()


def choose(model: "Contents", wanted: str) -> Signature:
    """Return the signature called ``wanted``, "" for the first; an empty one where the model has none.

    Raises ModelUnavailable where it has none called so, or is no sound flatbuffer.
    """

    def read(root: Table) -> Signature:
        found = [_read(root, entry) for entry in root.tables(SIGNATURES)]
        at = chosen([signature.key for signature in found], wanted)
        return found[at] if found else Signature()

    return _guarded(model, read)


def shapes(model: "Contents", subgraph: int) -> tuple[Shapes, Shapes]:
    """Return the shapes of the inputs and of the outputs of a ``subgraph``, -1 for each size that is left open.

    Of an output whose shape the file does not tell it is (). Raises ModelUnavailable for no sound flatbuffer.
    """

    def read(root: Table) -> tuple[Shapes, Shapes]:
        graph = root.tables(SUBGRAPHS)[subgraph]
        tensors = graph.tables(TENSORS)
        taken, given = (
            [tensors[i].whole_numbers(SHAPE_SIGNATURE) or tensors[i].whole_numbers(SHAPE) for i in numbers]
            for numbers in (graph.whole_numbers(GRAPH_INPUTS), graph.whole_numbers(GRAPH_OUTPUTS))
        )
        return taken, given

    return _guarded(model, read)


def _guarded(model: "Contents", read: Callable[[Table], Found]) -> Found:
    try:
        return read(Table.root(model))
    except (struct.error, IndexError, ValueError) as error:
        raise ModelUnavailable(f"The model's signatures are corrupt: {error}.") from error


def _read(root: Table, entry: Table) -> Signature:
    number = entry.number(SUBGRAPH, "<I")
    graph = root.tables(SUBGRAPHS)[number]
    taken, given = (
        {one.number(TENSOR, "<I"): one.text(NAME) for one in entry.tables(slot)} for slot in (INPUTS, OUTPUTS)
    )
    return Signature(entry.text(KEY), number, taken, given, graph.whole_numbers(GRAPH_OUTPUTS))
