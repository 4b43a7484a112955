"""The signatures of a .tflite file, and which sizes its inputs and outputs leave open: read from the file itself.

The Python interpreters list signatures by name and not in the file's order, and do not say which tensor a name
stands for; LiteRT's C interface does not say what is open.
"""

import struct
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from mlserverless.engines import chosen
from mlserverless.errors import ModelUnavailable
from mlserverless.metadata import slots
from mlserverless.metadata.flatbuffer import Table
from mlserverless.named_tuple import NamedTuple

if TYPE_CHECKING:
    from mlserverless.types import Contents

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
        found = [_read(root, entry) for entry in root.tables(slots.SIGNATURES)]
        at = chosen([signature.key for signature in found], wanted)
        return found[at] if found else Signature()

    return _guarded(model, read)


def shapes(model: "Contents", subgraph: int) -> tuple[Shapes, Shapes]:
    """Return the shapes of the inputs and of the outputs of a ``subgraph``, -1 for each size that is left open.

    Of an output whose shape the file does not tell it is (). Raises ModelUnavailable for no sound flatbuffer.
    """

    def read(root: Table) -> tuple[Shapes, Shapes]:
        graph = root.tables(slots.SUBGRAPHS)[subgraph]
        tensors = graph.tables(slots.TENSORS)
        taken, given = (
            [shape(tensors[i]) for i in graph.whole_numbers(slot)] for slot in (slots.INPUTS, slots.OUTPUTS)
        )
        return taken, given

    return _guarded(model, read)


def shape(tensor: Table) -> tuple[int, ...]:
    """Return the shape of ``tensor``, a table of the file, with -1 for each size that is left open."""
    return tensor.whole_numbers(slots.SHAPE_SIGNATURE) or tensor.whole_numbers(slots.SHAPE)


def _guarded(model: "Contents", read: Callable[[Table], Found]) -> Found:
    try:
        return read(Table.root(model))
    except (struct.error, IndexError, ValueError) as error:
        raise ModelUnavailable(f"The model's signatures are corrupt: {error}.") from error


def _read(root: Table, entry: Table) -> Signature:
    number = entry.number(slots.SIGNATURE_SUBGRAPH, "<I")
    graph = root.tables(slots.SUBGRAPHS)[number]
    taken, given = (
        {one.number(slots.MAPPED_TENSOR, "<I"): one.text(slots.MAPPED_NAME) for one in entry.tables(slot)}
        for slot in (slots.SIGNATURE_INPUTS, slots.SIGNATURE_OUTPUTS)
    )
    return Signature(entry.text(slots.SIGNATURE_KEY), number, taken, given, graph.whole_numbers(slots.OUTPUTS))
