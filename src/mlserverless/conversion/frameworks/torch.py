"""PyTorch: torch.nn.Modules, and programs that torch.export.save wrote."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mlserverless.conversion.frameworks import Asked, closed
from mlserverless.conversion.problem import ConversionError, Misused, need
from mlserverless.conversion.source import Source
from mlserverless.engines import Tensor

EXTRA = "convert-torch"
INPUT = "image"
OPSET = 18  # of ONNX: what torch.onnx.export writes without translating


class TorchModel:
    """A module in evaluation mode that takes one tensor."""

    labels: tuple[str, ...] = ()

    def __init__(self, torch: Any, module: Any, tensor: Tensor) -> None:
        self._torch, self._module, self.input = torch, module, tensor
        self.framework = f"PyTorch {torch.__version__}"
        held = [*module.parameters(), *module.buffers()]
        self.weight = sum(one.numel() * one.element_size() for one in held)

    def run(self, array: Any) -> list[Any]:
        """Return its outputs; of a dictionary in its own order."""
        with self._torch.no_grad():
            given = self._module(self._torch.from_numpy(array))
        leaves = self._torch.utils._pytree.tree_leaves(given)
        return [leaf.numpy() for leaf in leaves]

    def tflite(self, folder: Path, samples: Sequence[Any]) -> bytes:
        """Return what litert-torch makes of it. Raises ConversionError where it cannot."""
        converter = need("litert_torch", EXTRA)
        example = self._torch.from_numpy(samples[0])
        path = folder / "float.tflite"
        try:
            converter.convert(self._module, (example,)).export(str(path))
        except Exception as error:  # of torch.export, of the lowering, of MLIR: classes of their own
            raise ConversionError(f"litert-torch cannot make a TFLite model of it: {_short(error)}") from error
        return path.read_bytes()

    def onnx(self, folder: Path) -> bytes:
        """Return what torch.onnx.export makes of it. Raises ConversionError where it cannot."""
        need("onnxscript", EXTRA)
        path = folder / "float.onnx"
        example = self._torch.zeros(self.input.shape)
        try:
            self._torch.onnx.export(
                self._module,
                (example,),
                str(path),
                input_names=[INPUT],
                opset_version=OPSET,
                dynamo=True,
                external_data=False,
                verbose=False,
            )
        except Exception as error:
            raise ConversionError(f"torch.onnx.export cannot make an ONNX model of it: {_short(error)}") from error
        return path.read_bytes()


def open_source(source: Source, asked: Asked) -> TorchModel:
    """Return the model of ``source``. Raises Missing, Misused, ConversionError."""
    torch = need("torch", EXTRA)
    shape: tuple[int, ...] = ()
    if source.path is not None:
        module, shape = _exported(torch, source.path)
    else:
        module = source.thing.eval()
    return TorchModel(torch, module, Tensor(INPUT, closed(shape, asked, source.told), "float32"))


def _exported(torch: Any, path: Path) -> tuple[Any, tuple[int, ...]]:
    try:
        program = torch.export.load(path)
    except Exception as error:  # whatever it raises for a file that it does not read
        raise ConversionError(f"torch.export cannot read {path}: {_short(error)}") from error
    given: Any = program.example_inputs[0] if program.example_inputs else ()
    if len(given) != 1:
        raise Misused(f"{path} was exported with {len(given)} inputs; a model of images has one.")
    return program.module(), tuple(given[0].shape)


def _short(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text if len(text) < 600 else f"{text[:600]} …"
