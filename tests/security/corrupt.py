"""Corrupt variants of the bundled models, the same at every run: cut, flipped, overwritten, spliced, mislaid.

Each is an edit of a good file's bytes. Edits of the structure (everything that is no weight) are the most, since
that is what a runtime walks by its offsets and counts. Not aimed at is a sound file whose operators get tensors of
contradicting shapes: LiteRT's C interface trusts those, and only a pin tells such a file from a good one.
"""

import random
import struct
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

from mlserverless.metadata.flatbuffer import Table
from mlserverless.metadata.slots import BUFFERS

MODELS = Path(__file__).parents[2] / "models"
NAMES = ("efficientnet-lite0", "dogs-vs-cats")
# Fields of schema.fbs that are vectors: of the model, of a subgraph, of a tensor, of an operator, of an opcode.
MODEL_VECTORS = {"opcodes": 1, "subgraphs": 2, "buffers": 4, "metadata": 6}
GRAPH_VECTORS = {"tensors": 0, "inputs": 1, "outputs": 2, "operators": 3}
TENSOR_SHAPE, TENSOR_QUANTIZATION = 0, 4
OPERATOR_VECTORS = {"inputs": 1, "outputs": 2}
WORDS = (
    0xFFFFFFFF,
    0x80000000,
    0x7FFFFFFF,
    0x7FFFFFF0,
    0x10000,
    1,
    0,
)  # read as i32: −1, the lowest, the highest …
COUNTS = (0xFFFFFFFF, 0x7FFFFFFF, 0x40000000, 100_000)
FILLS = (0x00, 0xFF, None)  # None: at random


class Variant(NamedTuple):
    """A corrupt file: which model it is of, what was done to it, and how to make it."""

    model: str
    kind: str
    make: Callable[[], bytes]


class Original(NamedTuple):
    """A good file: its bytes, the places of no weights and of weights, its vectors, its operators' tensors."""

    name: str
    data: bytes
    structure: list[range]
    weights: list[range]
    vectors: list[tuple[str, int]]
    tensors: list[tuple[str, int]]


def variants(count: int) -> list[Variant]:
    """Return ``count`` corrupt variants, spread evenly over the kinds of corruption; no two runs differ."""
    originals = [original(name) for name in NAMES]
    every = [list(_of(one, other)) for one, other in zip(originals, reversed(originals), strict=True)]
    mixed = [variant for pair in zip(*every, strict=True) for variant in pair]
    if count > len(mixed):
        raise ValueError(f"{count} variants are asked for; there are {len(mixed)}")
    return [mixed[i * len(mixed) // count] for i in range(count)]


def original(name: str) -> Original:
    """Return the bundled model ``name`` with the map of its bytes."""
    data = (MODELS / name / "model.tflite").read_bytes()
    root = Table.root(data)
    starts = [at for buffer in root.tables(BUFFERS) if (at := buffer._target(0))]
    weights = [range(at + 4, at + 4 + root._unpack("<I", at)) for at in sorted(starts)]
    structure, end = [], 0
    for taken in [*weights, range(len(data), len(data))]:
        if taken.start - end >= 8:  # less is padding
            structure.append(range(end, taken.start))
        end = max(end, taken.stop)
    large = [r for r in weights if len(r) >= 64]
    return Original(name, data, structure, large, list(_vectors(root)), list(_tensors(root)))


def _vectors(root: Table) -> Iterator[tuple[str, int]]:
    graph = root.tables(MODEL_VECTORS["subgraphs"])[0]
    tensors, operators = graph.tables(GRAPH_VECTORS["tensors"]), graph.tables(GRAPH_VECTORS["operators"])
    named = [(root, MODEL_VECTORS), (graph, GRAPH_VECTORS)]
    named += [(tensors[i], {"shape": TENSOR_SHAPE}) for i in (0, len(tensors) // 2, -1)]
    named += [(operators[i], OPERATOR_VECTORS) for i in (0, len(operators) // 2, -1)]
    for table, slots in named:
        yield from ((name, at) for name, slot in slots.items() if (at := table._target(slot)))


def _tensors(root: Table) -> Iterator[tuple[str, int]]:
    # The first two inputs and the output of every operator, each as the place of its tensor's number.
    for operator in root.tables(MODEL_VECTORS["subgraphs"])[0].tables(GRAPH_VECTORS["operators"]):
        for name, slot in (("input", OPERATOR_VECTORS["inputs"]), ("output", OPERATOR_VECTORS["outputs"])):
            at = operator._target(slot)
            yield from ((name, at + 4 + 4 * i) for i in range(min(2, operator.length(slot))))


def _of(one: Original, other: Original) -> Iterator[Variant]:
    # The same number for each model, whatever its size, so that the two can be interleaved.
    rng = random.Random(f"corrupt {one.name}")
    for kind, make in (*_cuts(one, other, rng), *_runs(one, rng), *_words(one, rng)):
        yield Variant(one.name, kind, make)


def _cuts(one: Original, other: Original, rng: random.Random) -> Iterator[tuple[str, Callable[[], bytes]]]:
    data, size = one.data, len(one.data)
    lengths = (0, 1, 3, 4, 7, 8, 9, 12, 16, 20, 32, 64, 128, 1024, size - 1, size - 2, size - 4, size - 64)
    for length in (*lengths, *(rng.randrange(8, size) for _ in range(32))):
        yield "truncated", partial(_join, data[:length])
    for share in range(1, 11):
        yield "spliced", partial(_join, data, size * share // 11, other.data, len(other.data) * share // 11)
    for length in (8, 16, 64, 1024, 65_536, 1_000_000):
        yield "garbage after TFL3", partial(_join, data, 8, rng.randbytes(length))
    for i in range(12):
        at, length = _place(one.structure, rng), rng.choice((1, 2, 4, 8, 100))
        if i % 2:
            yield "bytes left out", partial(_join, data, at, data, at + length)
        else:
            yield "bytes put in", partial(_join, data, at, data, at - length)


def _runs(one: Original, rng: random.Random) -> Iterator[tuple[str, Callable[[], bytes]]]:
    for at in range(4, 36):
        yield "bit of the header", partial(_flip, one.data, at, rng.randrange(8))
    for where, name, count in ((one.structure, "structure", 80), (one.weights, "weights", 20)):
        for _ in range(count):
            yield f"bit of the {name}", partial(_flip, one.data, _place(where, rng), rng.randrange(8))
    for i in range(72):
        fill, length = FILLS[i % 3], (4, 16, 64, 1024)[i // 3 % 4]
        run = bytes([fill]) * length if fill is not None else rng.randbytes(length)
        where = one.weights if i % 6 == 5 else one.structure
        yield "run overwritten", partial(_put, one.data, _place(where, rng), run)


def _words(one: Original, rng: random.Random) -> Iterator[tuple[str, Callable[[], bytes]]]:
    for i in range(98):
        word = struct.pack("<I", WORDS[i % len(WORDS)])
        yield "word of the structure", partial(_put, one.data, _place(one.structure, rng, 4), word)
    for i in range(30):
        at = _place(one.structure, rng, 4)
        # Counted from where it stands, so 0 leads to itself and the two others before it or past the end.
        yield "offset away", partial(_put, one.data, at, struct.pack("<i", (0, -at, len(one.data))[i % 3]))
    for i in range(68):
        _, at = one.vectors[i % len(one.vectors)]
        count = COUNTS[i // len(one.vectors) % len(COUNTS)]
        yield "count of a vector", partial(_put, one.data, at, struct.pack("<I", count))
    for i in range(34):
        _, at = one.vectors[i % len(one.vectors)]
        yield "entry of a vector", partial(_put, one.data, at + 4, struct.pack("<I", WORDS[i % len(WORDS)]))
    for i in range(40):
        name, at = rng.choice(one.tensors)
        # −1 is an input left out; an operator that writes to 0 writes over the first weights or over the image.
        number = (-1, 1_000_000, -2, -1 if name == "input" else 0)[i % 4]
        yield f"{name} of an operator", partial(_put, one.data, at, struct.pack("<i", number))


def _place(ranges: list[range], rng: random.Random, align: int = 1) -> int:
    chosen = rng.choices(ranges, [len(r) for r in ranges])[0]
    return rng.choice(chosen) // align * align


def _join(head: bytes, end: int | None = None, tail: bytes = b"", start: int = 0) -> bytes:
    return head[:end] + tail[start:]


def _flip(data: bytes, at: int, bit: int) -> bytes:
    return _put(data, at, bytes([data[at] ^ 1 << bit]))


def _put(data: bytes, at: int, run: bytes) -> bytes:
    new = (data[:at] + run + data[at + len(run) :])[: len(data)]
    return new if new != data else _flip(data, at, 0)  # what stood there already is no corruption
