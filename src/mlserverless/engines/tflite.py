"""The Python ``Interpreter`` that LiteRT, tflite-runtime and TensorFlow share: the engines that need numpy.

All three packages carry the same class (``tf.lite.Interpreter``'s documentation is the reference), so one
wrapper serves them: bytes in, bytes out, whatever the package.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from mlserverless.engines import PLAIN, Engine, EngineMissing, Tensor, Wanted
from mlserverless.engines.quiet import quiet
from mlserverless.errors import ModelUnavailable

if TYPE_CHECKING:
    from mlserverless.types import Contents

# In the order in which they are taken.
PACKAGES = {
    "litert-python": ("ai_edge_litert.interpreter", "pip install ai-edge-litert"),
    "tflite-runtime": ("tflite_runtime.interpreter", 'pip install "mlserverless[tflite]", on Python 3.11'),
    "tensorflow": ("tensorflow.lite", "pip install tensorflow-cpu"),
}


class PythonInterpreter:
    """One ``Interpreter`` with its tensors allocated."""

    def __init__(self, interpreter: Any) -> None:
        self._interpreter = interpreter
        self._inputs = interpreter.get_input_details()
        self._outputs = interpreter.get_output_details()
        self.inputs = tuple(map(_describe, self._inputs))
        self.outputs = tuple(map(_describe, self._outputs))

    def run(self, data: bytes) -> list[bytes]:
        """Run the model on its one input and return each output's bytes.

        Raises ValueError for a wrong length, ModelUnavailable where an operator of the model fails.
        """
        import numpy as np

        if len(self._inputs) != 1:
            raise ValueError(f"the model has {len(self._inputs)} inputs")
        details = self._inputs[0]
        array = np.frombuffer(data, dtype=details["dtype"]).reshape(details["shape"])
        self._interpreter.set_tensor(details["index"], array)
        try:
            self._interpreter.invoke()
        except RuntimeError as error:
            raise ModelUnavailable(f"The model cannot be run: {_told(error)}.") from error
        return [self._interpreter.get_tensor(output["index"]).tobytes() for output in self._outputs]


def engine(name: str) -> Engine:
    """Return the engine called ``name``; raise EngineMissing with what to install where it is not here."""
    module = interpreter_module(name)

    def load(model: "Contents", threads: int, wanted: Wanted = PLAIN) -> PythonInterpreter:
        return PythonInterpreter(allocated(module, model, threads, f"{name} cannot run this model"))

    return Engine(name, load)


def allocated(module: Any, model: "Contents", threads: int | None, problem: str) -> Any:
    """Return ``module``'s Interpreter of ``model``, its tensors allocated.

    Raises ModelUnavailable, which says ``problem`` and the interpreter's own reason, where that fails.
    """
    try:
        with quiet():
            interpreter = module.Interpreter(model_content=bytes(model), num_threads=threads)
            interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        raise ModelUnavailable(f"{problem}: {_told(error)}.") from error
    return interpreter


def _told(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".")  # it has several lines at times


def interpreter_module(name: str) -> Any:
    """Return the module that holds the ``Interpreter`` class of the engine ``name``."""
    module, hint = PACKAGES[name]
    try:
        return import_module(module)
    except ImportError as error:
        raise EngineMissing(f"{error} ({hint})") from error


def _describe(details: dict[str, Any]) -> Tensor:
    scale, zero_point = details["quantization"]
    shape = tuple(int(size) for size in details["shape"])
    return Tensor(details["name"], shape, details["dtype"].__name__, float(scale), int(zero_point))
