"""A float .onnx file -> one with fewer bits, by ONNX Runtime's own tools."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mlserverless.conversion.problem import ConversionError, need

EXTRA = "convert"
PASSING = ("Identity", "Cast", "Reshape", "Squeeze", "Flatten", "DequantizeLinear", "QuantizeLinear")
WEIGHTED = ("Conv", "ConvTranspose", "Gemm", "MatMul")  # without any of these there is nothing worth 8 bits
FEWER = ("QuantizeLinear", "DynamicQuantizeLinear", "DequantizeLinear")  # operators of what was quantised


def quantised(data: bytes, how: str, samples: Sequence[Any], folder: Path) -> bytes:
    """Return the float .onnx file ``data`` quantised as ``how`` says; its input and output stay float32.

    float16: weights and what is computed, ONNX Runtime widens them where its CPU kernels have no half; dynamic and
    int8 as for .tflite, with the operators in the form of QuantizeLinear and DequantizeLinear. ``folder`` is for
    scratch. Raises ConversionError where it cannot be.
    """
    if how == "none":
        return data
    onnx = need("onnx", EXTRA)
    taken, made = folder / "unquantised.onnx", folder / "quantised.onnx"
    taken.write_bytes(data)
    try:
        if how == "float16":
            halves = need("onnxruntime.transformers.float16", EXTRA)
            model = halves.convert_float_to_float16(onnx.load_model_from_string(data), keep_io_types=True)
            return bytes(model.SerializeToString())
        if not any(node.op_type in WEIGHTED for node in onnx.load_model_from_string(data).graph.node):
            return data
        tools = need("onnxruntime.quantization", EXTRA)
        prepared = folder / "prepared.onnx"  # folded and with every shape known, as the tools ask for
        need("onnxruntime.quantization.shape_inference", EXTRA).quant_pre_process(
            str(taken), str(prepared), skip_symbolic_shape=True
        )
        if how == "dynamic":
            # Convolutions stay float: ONNX Runtime's ConvInteger takes longer, and is not there for every shape.
            tools.quantize_dynamic(
                str(prepared),
                str(made),
                per_channel=True,
                weight_type=tools.QuantType.QInt8,
                op_types_to_quantize=["MatMul", "Gemm"],
            )
        else:
            name = onnx.load_model_from_string(data).graph.input[0].name
            tools.quantize_static(
                str(prepared),
                str(made),
                _reader(tools, name, samples),
                per_channel=True,
                activation_type=tools.QuantType.QUInt8,
                weight_type=tools.QuantType.QInt8,
                extra_options={"ActivationSymmetric": False},
            )
    except (ValueError, RuntimeError, TypeError, AttributeError) as error:
        raise ConversionError(f"ONNX Runtime cannot make it {how}: {error}") from error
    return made.read_bytes()


def _reader(tools: Any, name: str, samples: Sequence[Any]) -> Any:
    class Reader(tools.CalibrationDataReader):  # type: ignore[misc]  # its base is Any here
        def __init__(self) -> None:
            self._left = iter(samples)

        def get_next(self) -> dict[str, Any] | None:
            sample = next(self._left, None)
            return None if sample is None else {name: sample}

    return Reader()


def ends(data: bytes) -> str:
    """Return the operator that makes the first output, but for those that pass it on; "" where none is known."""
    graph = need("onnx", EXTRA).load_model_from_string(data).graph
    made = {name: node for node in graph.node for name in node.output}
    name = graph.output[0].name
    while name in made and made[name].op_type in PASSING and made[name].input:
        name = made[name].input[0]
    return str(made[name].op_type) if name in made else ""


def any_fewer(data: bytes) -> bool:
    """Return whether anything in the .onnx file ``data`` computes with, or is kept in, 8 bits."""
    return any(node.op_type in FEWER for node in need("onnx", EXTRA).load_model_from_string(data).graph.node)
