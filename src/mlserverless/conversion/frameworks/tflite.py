""".tflite files in float, to be quantised or just put into a model folder."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mlserverless.conversion.frameworks import Asked, closed
from mlserverless.conversion.problem import ConversionError, Misused, need
from mlserverless.conversion.source import Source
from mlserverless.engines import Tensor

EXTRA = "convert"


class TfliteModel:
    """A .tflite file, run by LiteRT."""

    labels: tuple[str, ...] = ()
    weight = 0

    def __init__(self, data: bytes, asked: Asked, told: str) -> None:
        litert = need("ai_edge_litert.interpreter", EXTRA)
        self.framework = "LiteRT"
        self._data = data
        try:
            self._interpreter = litert.Interpreter(model_content=data)
            taken = self._interpreter.get_input_details()
            if len(taken) != 1:
                raise Misused(f"{told} has {len(taken)} inputs; a model of images has one.")
            one = taken[0]
            shape = closed([int(side) for side in one["shape_signature"]], asked, told)
            self._interpreter.resize_tensor_input(one["index"], shape)
            self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise ConversionError(f"LiteRT cannot read {told}: {error}") from error
        scale, zero = one["quantization"]
        self._place = one["index"]
        self.input = Tensor(one["name"], shape, one["dtype"].__name__, float(scale), int(zero))

    def run(self, array: Any) -> list[Any]:
        """Return its outputs, in its order, as real values."""
        self._interpreter.set_tensor(self._place, array)
        self._interpreter.invoke()
        return [self._real(one) for one in self._interpreter.get_output_details()]

    def _real(self, one: Any) -> Any:
        value = self._interpreter.get_tensor(one["index"])
        scale, zero = one["quantization"]
        return (value.astype("float32") - zero) * scale if scale else value

    def tflite(self, folder: Path, samples: Sequence[Any]) -> bytes:  # noqa: ARG002 - nothing to be made
        """Return it as it is."""
        return self._data

    def onnx(self, folder: Path) -> bytes:  # noqa: ARG002 - others have a use for it
        """Raise Misused: a .tflite file does not become ONNX."""
        raise Misused("A .tflite file does not become ONNX: leave --to onnx out.")


def open_source(source: Source, asked: Asked) -> TfliteModel:
    """Return the model of ``source``. Raises Missing, Misused, ConversionError."""
    assert source.path is not None, "a .tflite source is a file"
    return TfliteModel(source.path.read_bytes(), asked, source.told)
