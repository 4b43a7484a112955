"""The versions that quantised operators have to announce, which ai-edge-quantizer leaves as they were.

An engine refuses an operator in a version that it does not have. In the version of its float sibling it would take
one that it cannot compute, and answer nonsense: tflite-runtime 2.14 agreed with the original on 0 of 120 pictures
for a dense layer with a scale for each of its units. The numbers are those of TensorFlow Lite's
``tools/versioning/op_version.cc``; tests/modelling/conversions.py compares them with what TFLiteConverter writes.
"""

from typing import Any

from mlserverless.conversion.flat import name, operators, schema

# With 8-bit activations; any other operator that computes with them has version 2 at least.
STATIC = {"CONV_2D": 3, "DEPTHWISE_CONV_2D": 3, "FULLY_CONNECTED": 4}
# Since its first version each of these takes 8 bits as it takes the rest.
FROM_THE_FIRST = ("RESHAPE", "QUANTIZE", "SQUEEZE", "EXPAND_DIMS", "PRELU", "HARD_SWISH", "GATHER_ND", "CUSTOM")
# Float activations and 8-bit weights: with one scale, and with one for each output channel.
HYBRID = {"CONV_2D": (2, 5), "DEPTHWISE_CONV_2D": (6, 6), "FULLY_CONNECTED": (9, 12)}
HYBRID_OTHERS = {"BATCH_MATMUL": 4, "EMBEDDING_LOOKUP": 3, "TRANSPOSE_CONV": 2, "GATHER": 2}
DEQUANTIZE = {"INT8": 2, "FLOAT16": 3}


def lift(model: Any) -> None:
    """Raise the operators' versions in the ModelT ``model`` to what their tensors' types and scales need."""
    names = operators()
    codes: dict[tuple[int, int], int] = {}
    made: list[Any] = []
    for graph in model.subgraphs:
        for step in graph.operators:
            own = model.operatorCodes[step.opcodeIndex]
            version = max(own.version, needed(name(model, step, names), graph, step))
            place = codes.get((step.opcodeIndex, version))
            if place is None:
                copied = schema().OperatorCodeT()
                vars(copied).update(vars(own))
                copied.version = version
                place = codes[step.opcodeIndex, version] = len(made)
                made.append(copied)
            step.opcodeIndex = place
    model.operatorCodes = made


def needed(operator: str, graph: Any, step: Any) -> int:
    """Return the least version of ``operator`` that computes with the tensors of ``step``; 1 for a float one."""
    types = schema().TensorType
    taken = [graph.tensors[i] for i in step.inputs if i >= 0]
    given = [graph.tensors[i] for i in step.outputs]
    if not taken or not given:
        return 1
    if operator == "DEQUANTIZE":
        kinds = {types.INT8: "INT8", types.FLOAT16: "FLOAT16"}
        return 5 if _several(taken[0]) else DEQUANTIZE.get(kinds.get(taken[0].type, ""), 1)
    if operator in FROM_THE_FIRST:
        return 1
    if types.INT8 in (taken[0].type, given[0].type):  # TRANSPOSE_CONV's first input is a shape
        return STATIC.get(operator, 2)
    weights = taken[1] if len(taken) > 1 else None
    if weights is None or weights.type != types.INT8 or given[0].type != types.FLOAT32:
        return 1
    if operator in HYBRID:
        return HYBRID[operator][_several(weights)]
    return HYBRID_OTHERS.get(operator, 2)


def _several(tensor: Any) -> bool:
    """Return whether ``tensor`` has more than one scale."""
    scales = tensor.quantization.scale if tensor.quantization else None
    return scales is not None and len(scales) > 1
