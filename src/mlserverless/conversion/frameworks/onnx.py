"""ONNX files, run by ONNX Runtime; to TFLite by onnx2tf."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mlserverless.conversion.frameworks import OPEN, Asked, closed
from mlserverless.conversion.problem import ConversionError, Misused, need
from mlserverless.conversion.source import Source
from mlserverless.engines import Tensor

EXTRA, TFLITE_EXTRA = "convert", "convert-onnx"
PICTURES = (20, 128, 128, 3)  # what onnx2tf would download to compare its layers with: float32 of 0…1


class OnnxModel:
    """An .onnx file with one input, and a session that runs it."""

    labels: tuple[str, ...] = ()
    weight = 0

    def __init__(self, data: bytes, asked: Asked, told: str) -> None:
        runtime = need("onnxruntime", EXTRA)
        self.framework = f"ONNX Runtime {runtime.__version__}"
        self._data = data
        try:
            self._session = runtime.InferenceSession(data, providers=["CPUExecutionProvider"])
        except Exception as error:  # classes of its C++ binding
            raise ConversionError(f"ONNX Runtime cannot read {told}: {error}") from error
        taken = self._session.get_inputs()
        if len(taken) != 1:
            raise Misused(f"{told} has {len(taken)} inputs; a model of images has one.")
        dtype = taken[0].type.removeprefix("tensor(").removesuffix(")").replace("float16", "half")
        dtype = {"float": "float32", "double": "float64", "half": "float16"}.get(dtype, dtype)
        self._open = not all(isinstance(side, int) and side > 0 for side in taken[0].shape)
        self.input = Tensor(taken[0].name, closed(taken[0].shape, asked, told), dtype)

    @property
    def output_shape(self) -> tuple[int, ...]:
        """The shape of its first output; -1 for a dimension that is left open."""
        sides = self._session.get_outputs()[0].shape
        return tuple(side if isinstance(side, int) else OPEN for side in sides)

    def run(self, array: Any) -> list[Any]:
        """Return its outputs, in its order."""
        return list(self._session.run(None, {self.input.name: array}))

    def onnx(self, folder: Path) -> bytes:  # noqa: ARG002 - nothing to be made
        """Return it as it is, with its input's open dimensions closed."""
        if not self._open:
            return self._data
        onnx = need("onnx", EXTRA)
        model = onnx.load_model_from_string(self._data)
        sides = next(one for one in model.graph.input if one.name == self.input.name).type.tensor_type.shape.dim
        for side, size in zip(sides, self.input.shape, strict=True):
            side.dim_value = size
        for one in model.graph.output:  # what was open in the input is so here: inferred anew
            for side in one.type.tensor_type.shape.dim:
                if not side.HasField("dim_value"):
                    side.Clear()
        return bytes(onnx.shape_inference.infer_shapes(model).SerializeToString())

    def tflite(self, folder: Path, samples: Sequence[Any]) -> bytes:
        """Return what onnx2tf makes of it, its image input with the channels last. Raises ConversionError."""
        need("tensorflow", TFLITE_EXTRA)
        onnx2tf = need("onnx2tf", TFLITE_EXTRA)
        path, out = folder / "source.onnx", folder / "onnx2tf"
        path.write_bytes(self.onnx(folder))
        # It would download them from the internet; any pictures serve to compare its layers with ONNX Runtime's.
        module: Any = sys.modules["onnx2tf.onnx2tf"]
        module.download_test_image_data = lambda: _pictures(samples)
        try:
            onnx2tf.convert(
                input_onnx_file_path=str(path),
                output_folder_path=str(out),
                copy_onnx_input_output_names_to_tflite=True,
                not_use_onnxsim=True,  # it would start a program of that name
                non_verbose=True,
                verbosity="error",
            )
        except (Exception, SystemExit) as error:  # it ends the process where it gives up
            raise ConversionError(f"onnx2tf cannot make a TFLite model of it: {error}") from error
        return (out / "source_float32.tflite").read_bytes()


def open_source(source: Source, asked: Asked) -> OnnxModel:
    """Return the model of ``source``. Raises Missing, Misused, ConversionError."""
    assert source.path is not None, "an .onnx source is a file"
    return OnnxModel(source.path.read_bytes(), asked, source.told)


def _pictures(samples: Sequence[Any]) -> Any:
    numpy = need("numpy", EXTRA)
    flat = numpy.concatenate([numpy.ravel(sample) for sample in samples]).astype(numpy.float32)
    low, high = float(flat.min()), float(flat.max())
    return (numpy.resize(flat, PICTURES) - low) / ((high - low) or 1.0)
