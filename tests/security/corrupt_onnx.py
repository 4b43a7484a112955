"""Corrupt variants of two small .onnx models, the same at every run: of the bytes, and of what the message says.

The second kind is made through the ``onnx`` package, so that it is a sound message all the same: what an operator
reads, its attributes, the shapes and the types of its weights.
"""

import random
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from helpers import onnxmodel
from security.corrupt import Variant

NAMES = ("convolutions", "label and scores")
NUMBERS = (0, -1, 1, 2, -(2**63), 2**63 - 1, 2**31, 2**31 - 1, 100_000)
OPERATORS = ("Reshape", "Gather", "Slice", "If", "Loop", "Resize", "TopK", "Expand", "Concat", "Conv", "MatMul")
TYPES = 24  # of TensorProto.DataType
MOST = 2000  # variants of a model


class Original(NamedTuple):
    """A good file."""

    name: str
    data: bytes


def variants(count: int) -> list[Variant]:
    """Return ``count`` corrupt variants, half of each model, the kinds in turn; no two runs differ."""
    if count > len(NAMES) * MOST:
        raise ValueError(f"{count} variants are asked for; there are {len(NAMES) * MOST}")
    every = [_of(original(name)) for name in NAMES]
    return [next(every[i % len(every)]) for i in range(count)]


def original(name: str) -> Original:
    """Return the good model ``name``."""
    data = onnxmodel.classifier((1, 3, 16, 16), also="int64") if name != NAMES[0] else _convolutions()
    return Original(name, data)


def _convolutions() -> bytes:
    dice = np.random.default_rng(3)

    def weights(*shape: int) -> Any:
        return dice.normal(size=shape).astype(np.float32)

    held = {"k": weights(8, 3, 3, 3), "b": weights(8), "w": weights(8, 5), "c": weights(5)}
    nodes = [
        helper.make_node("Conv", ["image", "k", "b"], ["x"], pads=[1, 1, 1, 1], strides=[2, 2]),
        helper.make_node("Relu", ["x"], ["r"]),
        helper.make_node("MaxPool", ["r"], ["m"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("GlobalAveragePool", ["m"], ["p"]),
        helper.make_node("Flatten", ["p"], ["f"]),
        helper.make_node("Gemm", ["f", "w", "c"], ["l"]),
        helper.make_node("Softmax", ["l"], ["scores"]),
    ]
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, 16, 16])
    scores = helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, 5])
    tensors = [numpy_helper.from_array(value, name) for name, value in held.items()]
    return onnxmodel.model(helper.make_graph(nodes, "g", [image], [scores], tensors)).SerializeToString()


def _of(one: Original) -> Iterator[Variant]:
    dice = random.Random(f"corrupt {one.name}")
    kinds: tuple[tuple[str, Callable[[bytes, int], bytes]], ...] = (
        ("truncated", _cut),
        ("bits flipped", _flip),
        ("bytes overwritten", _overwrite),
        ("bytes left out", _leave_out),
        ("another message", _say),
        ("another message", _say),
    )
    for i in range(MOST):
        name, make = kinds[i % len(kinds)]
        yield Variant(one.name, name, partial(_unlike, make, one.data, dice.randrange(2**32)))


def _unlike(make: Callable[[bytes, int], bytes], data: bytes, seed: int) -> bytes:
    made = make(data, seed)
    return made if made != data else data[:-1]


def _cut(data: bytes, seed: int) -> bytes:
    return data[: seed % len(data)]


def _flip(data: bytes, seed: int) -> bytes:
    dice, mutant = random.Random(seed), bytearray(data)
    for _ in range(dice.choice((1, 1, 2, 8))):
        mutant[dice.randrange(len(mutant))] ^= 1 << dice.randrange(8)
    return bytes(mutant)


def _overwrite(data: bytes, seed: int) -> bytes:
    dice, mutant = random.Random(seed), bytearray(data)
    at, length = dice.randrange(len(data)), dice.choice((1, 1, 2, 4, 64))
    mutant[at : at + length] = dice.choice((b"\0" * length, b"\xff" * length, dice.randbytes(length)))
    return bytes(mutant)


def _leave_out(data: bytes, seed: int) -> bytes:
    dice = random.Random(seed)
    at = dice.randrange(len(data))
    return data[:at] + data[at + dice.choice((1, 2, 8, 100)) :]


def _say(data: bytes, seed: int) -> bytes:
    dice, model = random.Random(seed), onnx.load_from_string(data)
    for _ in range(dice.choice((1, 1, 2, 4))):
        dice.choice((_inputs, _attributes, _shapes, _types, _operators, _edges))(model.graph, dice)
    return model.SerializeToString()


def _inputs(graph: Any, dice: random.Random) -> None:
    node = dice.choice(graph.node)
    names = ["", "image", *(tensor.name for tensor in graph.initializer), *(n.output[0] for n in graph.node)]
    if node.input:
        node.input[dice.randrange(len(node.input))] = dice.choice(names)


def _attributes(graph: Any, dice: random.Random) -> None:
    held = [attribute for node in graph.node for attribute in node.attribute]
    attribute = dice.choice(held)
    if attribute.ints and dice.randrange(3):
        attribute.ints[dice.randrange(len(attribute.ints))] = dice.choice(NUMBERS)
    elif attribute.ints:
        attribute.ints.append(dice.choice(NUMBERS))
    else:
        attribute.i = dice.choice(NUMBERS)


def _shapes(graph: Any, dice: random.Random) -> None:
    tensor = dice.choice(graph.initializer)
    tensor.dims[dice.randrange(len(tensor.dims))] = dice.choice(NUMBERS)


def _types(graph: Any, dice: random.Random) -> None:
    told = dice.choice([*graph.initializer, *graph.input, *graph.output])
    if hasattr(told, "data_type"):
        told.data_type = dice.randrange(TYPES)
    else:
        told.type.tensor_type.elem_type = dice.randrange(TYPES)


def _operators(graph: Any, dice: random.Random) -> None:
    dice.choice(graph.node).op_type = dice.choice(OPERATORS)


def _edges(graph: Any, dice: random.Random) -> None:
    if dice.randrange(2):
        del graph.node[dice.randrange(len(graph.node))]
    else:
        tensor = dice.choice(graph.initializer)
        tensor.raw_data = tensor.raw_data[: dice.randrange(len(tensor.raw_data) + 1)]
