"""A .tflite file as objects that can be changed: LiteRT's own generated classes, and what is changed with them."""

from collections.abc import Mapping, Sequence
from typing import Any

from mlserverless.conversion.problem import ConversionError, need
from mlserverless.types import TFLITE, is_tflite

EXTRA = "convert"
SIGNATURE = "serving_default"
SPARE = 1 << 20  # bytes with which a builder begins beside the file's own size
# Operators with weights and a bias -> the weights' axis of output channels (schema.fbs: filters are (out, height,
# width, in), depthwise (1, height, width, channels), dense (out, in)).
WEIGHTED = {"CONV_2D": 0, "DEPTHWISE_CONV_2D": 3, "FULLY_CONNECTED": 0}
INT8_STEPS, INT32_SAFE = 127, 2**30


def schema() -> Any:
    """Return the module of LiteRT's generated classes."""
    return need("ai_edge_litert.schema_py_generated", EXTRA)


def unpacked(data: bytes) -> Any:
    """Return the ModelT of the .tflite file ``data``; raise ConversionError where it is none.

    What ai-edge-quantizer puts behind the flatbuffer (schema.fbs, Buffer.offset) is taken into it.
    """
    import numpy

    if not is_tflite(data):
        raise ConversionError("It is not a TFLite model: it lacks the identifier TFL3.")
    model = schema().ModelT.InitFromPackedBuf(data, 0)
    for one in model.buffers:
        if one.offset > 1:
            one.data = numpy.frombuffer(data, numpy.uint8, one.size, one.offset)
            one.offset = one.size = 0
    return model


def packed(model: Any) -> bytes:
    """Return the .tflite file of a ModelT."""
    held = sum(len(one.data) for one in model.buffers if one.data is not None)
    builder = need("flatbuffers", EXTRA).Builder(held + SPARE)
    builder.Finish(model.Pack(builder), TFLITE)
    return bytes(builder.Output())


def operators() -> dict[int, str]:
    """Return the names of TFLite's operators by number."""
    codes = schema().BuiltinOperator
    return {value: name for name, value in vars(codes).items() if isinstance(value, int)}


def name(model: Any, step: Any, names: Mapping[int, str]) -> str:
    """Return the name of the operator ``step``; the number of old files stands in another field."""
    code = model.operatorCodes[step.opcodeIndex]
    return names.get(max(code.builtinCode, code.deprecatedBuiltinCode), "")


def sign(model: Any) -> None:
    """Give a model without a signature one, by which LiteRT and the quantiser call it: its tensors' own names."""
    if model.signatureDefs:
        return
    classes, graph = schema(), model.subgraphs[0]
    made = classes.SignatureDefT()
    made.signatureKey, made.subgraphIndex = SIGNATURE.encode(), 0
    made.inputs, made.outputs = (_maps(classes, graph, places) for places in (graph.inputs, graph.outputs))
    model.signatureDefs = [made]


def _maps(classes: Any, graph: Any, places: Sequence[int]) -> list[Any]:
    made, used = [], set[bytes]()
    for place in places:
        own = graph.tensors[place].name or b"tensor"
        entry = classes.TensorMapT()
        entry.name, entry.tensorIndex = (own if own not in used else own + b"_%d" % place), int(place)
        used.add(own)
        made.append(entry)
    return made


def heal(model: Any, ranges: Mapping[str, tuple[float, float]]) -> int:
    """Give output channels with next to no weights one that is not; return how many.

    A bias is quantised in steps of the input's scale × the channel's: where its weights are all zero, which
    pruning and dead ReLUs leave behind, the bias does not fit 32 bits and would be lost. The weight added moves
    the channel's output by 0.003 % of its bias at most.
    """
    import numpy

    names, healed = operators(), 0
    for graph in model.subgraphs:
        for step in graph.operators:
            axis = WEIGHTED.get(name(model, step, names))
            if axis is None or len(step.inputs) < 3 or step.inputs[2] < 0:
                continue
            taken, kernel, bias = (graph.tensors[i] for i in step.inputs[:3])
            low, high = ranges.get(taken.name.decode(), (0.0, 0.0))
            weights, offsets = (_floats(model, one) for one in (kernel, bias))
            if weights is None or offsets is None or high <= low:
                continue
            # The input's scale is that of 255 steps over its range, the channel's that of 127 over its weights.
            least = numpy.abs(offsets) * INT8_STEPS * 255 / (max(high, 0.0) - min(low, 0.0)) / INT32_SAFE
            rows = numpy.moveaxis(weights, axis, 0).reshape(len(offsets), -1).copy()
            poor = numpy.flatnonzero(numpy.abs(rows).max(axis=1) < least)
            if not len(poor):
                continue
            rows[poor, 0] = least[poor]
            moved = numpy.moveaxis(weights, axis, 0).shape
            whole = numpy.moveaxis(rows.reshape(moved), 0, axis)
            model.buffers[kernel.buffer].data = numpy.frombuffer(
                numpy.ascontiguousarray(whole, "<f4").tobytes(), numpy.uint8
            )
            healed += len(poor)
    return healed


def _floats(model: Any, tensor: Any) -> Any:
    import numpy

    data = model.buffers[tensor.buffer].data
    if data is None or not len(data) or tensor.type != schema().TensorType.FLOAT32:
        return None
    return numpy.frombuffer(bytes(data), "<f4").reshape(tensor.shape)
