"""Small TFLite models that run, built with the schema's own classes from the ``ai-edge-litert`` wheel.

A graph is a list of :class:`Op` over named tensors; the tests say which tensors there are and what they are worth,
so that what an engine answers can be worked out by hand.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

TYPES = {
    "float32": schema.TensorType.FLOAT32,
    "float16": schema.TensorType.FLOAT16,
    "float64": schema.TensorType.FLOAT64,
    "int8": schema.TensorType.INT8,
    "uint8": schema.TensorType.UINT8,
    "int16": schema.TensorType.INT16,
    "int32": schema.TensorType.INT32,
    "int64": schema.TensorType.INT64,
    "bool": schema.TensorType.BOOL,
}
CODES = schema.BuiltinOperator


class T(NamedTuple):
    """A tensor: -1 in its shape is left open; ``value`` makes it a constant."""

    name: str
    shape: tuple[int, ...]
    dtype: str = "float32"
    value: Any = None
    scale: float = 0.0
    zero_point: int = 0
    unshaped: bool = False


class Op(NamedTuple):
    """An operator: a built-in one's code or a custom one's name; its options: (the union's type, the table)."""

    code: int | str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    options: tuple[int, Any] | bytes | None = None


class Graph(NamedTuple):
    """A subgraph; ``signature`` is its key and what it calls its inputs and outputs, in the signature's order."""

    tensors: Sequence[T]
    ops: Sequence[Op]
    inputs: Sequence[str]
    outputs: Sequence[str]
    signature: tuple[str, dict[str, str], dict[str, str]] | None = None


def build(*graphs: Graph) -> bytes:
    """Return the .tflite file of ``graphs``."""
    model = schema.ModelT()
    model.version, model.description = 3, "made by a test"
    model.buffers, model.operatorCodes, model.subgraphs, model.signatureDefs = [schema.BufferT()], [], [], []
    codes: dict[int | str, int] = {}
    for number, graph in enumerate(graphs):
        made = schema.SubGraphT()
        made.name, made.tensors, made.operators = f"graph{number}", [], []
        places = {tensor.name: place for place, tensor in enumerate(graph.tensors)}
        for tensor in graph.tensors:
            made.tensors.append(_tensor(tensor, model))
        for op in graph.ops:
            if op.code not in codes:
                codes[op.code] = len(codes)
                model.operatorCodes.append(_code(op.code))
            made.operators.append(_operator(op, codes[op.code], places))
        made.inputs = [places[name] for name in graph.inputs]
        made.outputs = [places[name] for name in graph.outputs]
        model.subgraphs.append(made)
        if graph.signature:
            key, inputs, outputs = graph.signature
            signature = schema.SignatureDefT()
            signature.signatureKey, signature.subgraphIndex = key, number
            signature.inputs = [_map(name, places[tensor]) for name, tensor in inputs.items()]
            signature.outputs = [_map(name, places[tensor]) for name, tensor in outputs.items()]
            model.signatureDefs.append(signature)
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def _tensor(given: T, model: Any) -> Any:
    made = schema.TensorT()
    made.name, made.type = given.name, TYPES[given.dtype]
    made.shape = [] if given.unshaped else [max(size, 1) for size in given.shape]
    if min(given.shape, default=1) < 0:
        made.shapeSignature = list(given.shape)
    if given.value is not None:
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(np.asarray(given.value, given.dtype).tobytes(), np.uint8)
        made.buffer = len(model.buffers)
        model.buffers.append(buffer)
    if given.scale:
        made.quantization = schema.QuantizationParametersT()
        made.quantization.scale, made.quantization.zeroPoint = [given.scale], [given.zero_point]
    return made


def _code(code: int | str) -> Any:
    made = schema.OperatorCodeT()
    made.version = 1
    if isinstance(code, str):
        made.builtinCode = made.deprecatedBuiltinCode = CODES.CUSTOM
        made.customCode = code
    else:
        made.builtinCode, made.deprecatedBuiltinCode = code, min(code, 127)
    return made


def _operator(op: Op, code: int, places: dict[str, int]) -> Any:
    made = schema.OperatorT()
    made.opcodeIndex = code
    made.inputs = [places[name] for name in op.inputs]
    made.outputs = [places[name] for name in op.outputs]
    if isinstance(op.options, bytes):
        made.customOptions = np.frombuffer(op.options, np.uint8)
    elif op.options:
        made.builtinOptionsType, made.builtinOptions = op.options
    return made


def _map(name: str, place: int) -> Any:
    made = schema.TensorMapT()
    made.name, made.tensorIndex = name, place
    return made


def mean(source: str, axes: str, target: str) -> Op:
    """Return the mean of ``source`` over ``axes``."""
    options = schema.ReducerOptionsT()
    options.keepDims = False
    return Op(CODES.MEAN, (source, axes), (target,), (schema.BuiltinOptions.ReducerOptions, options))


def multiply(one: str, other: str, target: str) -> Op:
    """Return the product of two."""
    return Op(CODES.MUL, (one, other), (target,), (schema.BuiltinOptions.MulOptions, schema.MulOptionsT()))


def add(one: str, other: str, target: str) -> Op:
    """Return the sum of two."""
    return Op(CODES.ADD, (one, other), (target,), (schema.BuiltinOptions.AddOptions, schema.AddOptionsT()))


def cast(source: str, target: str) -> Op:
    """Return ``source`` in the dtype of ``target``."""
    return Op(CODES.CAST, (source,), (target,), (schema.BuiltinOptions.CastOptions, schema.CastOptionsT()))
