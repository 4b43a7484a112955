"""A float .tflite file -> one with fewer bits, by ai-edge-quantizer, whatever framework the file came from.

none: as it is. float16: weights of 16 bits, which the engine widens when it loads them. dynamic: weights of 8
bits, activations in float, quantised as they come. int8: weights, activations, input and output of 8 bits, by the
ranges that the samples had.
"""

from collections.abc import Sequence
from typing import Any

from mlserverless.conversion import bias, flat, ranges, versions
from mlserverless.conversion.problem import ConversionError, need

EXTRA = "convert"
QUANTISATIONS = ("none", "float16", "dynamic", "int8")
EVERY = ".*"  # of the layers' names
BITS = 8


def quantised(
    data: bytes,
    how: str,
    samples: Sequence[Any],
    *,
    dense_by_unit: bool,
    span: tuple[float, float] | None = None,
) -> bytes:
    """Return the float .tflite file ``data`` quantised as ``how`` says.

    ``samples`` are inputs (float32 arrays of the input's shape) like those to come. ``dense_by_unit``: with
    "dynamic", a dense layer has a scale for each of its units, which takes version 12 of FULLY_CONNECTED;
    tflite-runtime 2.14 has 10 at most. ``span``: the least and the greatest value of the input, where these are
    not the samples'. Raises ConversionError where the model is quantised already, or cannot be.
    """
    model = flat.unpacked(data)
    if how == "none":
        return data
    taken = model.subgraphs[0].tensors[model.subgraphs[0].inputs[0]]
    if taken.type != flat.schema().TensorType.FLOAT32:
        raise ConversionError(
            "The model is quantised already, its input is not float32: give the float one, or --quantize none."
        )
    flat.sign(model)
    floats = flat.packed(model)
    found = ranges.measured(floats, samples) if how == "int8" else {}
    if found and span:
        found[taken.name.decode()] = span
    if found:
        flat.heal(model, found)
    try:
        made = flat.unpacked(_quantise(flat.packed(model), how, found, dense_by_unit))
    except (ValueError, RuntimeError, KeyError, NotImplementedError) as error:
        raise ConversionError(f"ai-edge-quantizer cannot make it {how}: {error}") from error
    versions.lift(made)
    if how == "int8":
        bias.correct(floats, made, samples)
    return flat.packed(made)


def _quantise(data: bytes, how: str, found: ranges.Ranges, dense_by_unit: bool) -> bytes:
    package = need("ai_edge_quantizer", EXTRA)
    types = need("ai_edge_quantizer.qtyping", EXTRA)
    work, every = package.quantizer.Quantizer(data), types.TFLOperationName.ALL_SUPPORTED
    result = None
    if how == "float16":
        tensors = types.TensorQuantizationConfig(num_bits=16, dtype=types.TensorDataType.FLOAT)
        config = types.OpQuantizationConfig(
            weight_tensor_config=tensors,
            compute_precision=types.ComputePrecision.FLOAT,
            explicit_dequantize=True,
        )
        casting = need("ai_edge_quantizer.algorithm_manager", EXTRA).AlgorithmName.FLOAT_CASTING
        work.update_quantization_recipe(EVERY, every, config, casting)
    elif how == "dynamic":
        work.add_dynamic_config(EVERY, every, BITS)
        # These have few weights, no fast kernel of that kind, and lose most by it.
        left = need("ai_edge_quantizer.algorithm_manager", EXTRA).AlgorithmName.NO_QUANTIZE
        work.update_quantization_recipe(
            EVERY, types.TFLOperationName.DEPTHWISE_CONV_2D, types.OpQuantizationConfig(), left
        )
        if not dense_by_unit:
            one = types.QuantGranularity.TENSORWISE
            work.add_dynamic_config(EVERY, types.TFLOperationName.FULLY_CONNECTED, BITS, granularity=one)
    else:
        work.add_static_config(EVERY, every, BITS, BITS)
        result = _calibrated(data, found)
    with ranges.unwarned():
        made = work.quantize(result, enable_progress_bar=False, enable_progress_report=False)
    return bytes(made.quantized_model)


def _calibrated(data: bytes, found: ranges.Ranges) -> dict[str, dict[str, Any]]:
    """Return the ranges ``found`` in the form in which the quantiser has its own calibration."""
    import numpy

    model = flat.unpacked(data)
    result: dict[str, dict[str, Any]] = {}
    for graph in model.subgraphs:
        for tensor in graph.tensors:
            held, name = model.buffers[tensor.buffer].data, tensor.name.decode()
            if name in found and (held is None or not len(held)):  # what is computed, no constant
                shape = (1,) * len(tensor.shape)
                low, high = (numpy.full(shape, value, numpy.float32) for value in found[name])
                result[name] = {"min": low, "max": high}
    return result
