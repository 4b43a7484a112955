"""The Python ``Interpreter`` that LiteRT, tflite-runtime and TensorFlow share: the engines that need numpy.

All three packages carry the same class (``tf.lite.Interpreter``'s documentation is the reference), so one
wrapper serves them: bytes in, bytes out, whatever the package.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any

from mlserverless.engines import PLAIN, Engine, EngineMissing, Tensor, Wanted, closed
from mlserverless.engines.native import hold
from mlserverless.engines.quiet import quiet
from mlserverless.errors import ModelUnavailable

if TYPE_CHECKING:
    from mlserverless.engines.signatures import Signature
    from mlserverless.types import Contents

# In the order in which they are taken.
PACKAGES = {
    "litert-python": ("ai_edge_litert.interpreter", "pip install ai-edge-litert"),
    "tflite-runtime": ("tflite_runtime.interpreter", 'pip install "mlserverless[tflite]", on Python 3.11'),
    "tensorflow": ("tensorflow.lite.python.interpreter", "pip install tensorflow-cpu"),
}
# What their C++ half raises of itself, and what half a table makes of the Python half.
FAILURES = (ValueError, RuntimeError, TypeError, LookupError)


class PythonInterpreter:
    """One ``Interpreter`` with its tensors allocated, and the names that a signature has for them.

    ``runner`` is the signature's, where that is of another subgraph than the first: only it runs those.
    """

    def __init__(
        self, interpreter: Any, signature: "Signature | None" = None, runner: Any = None, wanted: Wanted = PLAIN
    ) -> None:
        self._interpreter, self._runner = interpreter, runner
        hold(self, interpreter)
        if runner is None or signature is None:
            self._inputs = interpreter.get_input_details()
            self._outputs = interpreter.get_output_details()
        else:
            self._inputs = list(runner.get_input_details().values())
            order = signature.order
            self._outputs = sorted(
                runner.get_output_details().values(), key=lambda details: order.index(details["index"])
            )
        taken, given = (signature.inputs, signature.outputs) if signature else ({}, {})
        self.inputs = tuple(_describe(one, taken, closed(_open_shape(one), wanted)) for one in self._inputs)
        self.outputs = tuple(_describe(one, given) for one in self._outputs)

    def run(self, data: bytes) -> list[bytes]:
        """Run the model on its one input and return each output's bytes.

        Raises ValueError for a wrong length, ModelUnavailable where an operator of the model fails.
        """
        import numpy as np

        if len(self._inputs) != 1:
            raise ValueError(f"the model has {len(self._inputs)} inputs")
        array = np.frombuffer(data, dtype=self._inputs[0]["dtype"]).reshape(self.inputs[0].shape)
        try:
            results = self._results(array)
        except FAILURES as error:
            raise ModelUnavailable(f"The model cannot be run: {_told(error)}.") from error
        # Where the model leaves a size open, it may be another one each time.
        if any(result.shape != tensor.shape for result, tensor in zip(results, self.outputs, strict=True)):
            pairs = zip(self.outputs, results, strict=True)
            self.outputs = tuple(tensor._replace(shape=tuple(result.shape)) for tensor, result in pairs)
        return [result.tobytes() for result in results]

    def _results(self, array: Any) -> list[Any]:
        if self._runner is not None:
            answered = self._runner(**{self.inputs[0].alias: array})
            return [answered[tensor.alias] for tensor in self.outputs]
        self._interpreter.set_tensor(self._inputs[0]["index"], array)
        self._interpreter.invoke()
        return [self._tensor(place) for place in range(len(self._outputs))]

    def _tensor(self, place: int) -> Any:
        try:
            return self._interpreter.get_tensor(self._outputs[place]["index"])
        except ValueError:  # it has none for a tensor without elements
            import numpy as np

            found = self._interpreter.get_output_details()[place]
            if 0 not in found["shape"]:
                raise
            return np.zeros(found["shape"], found["dtype"])


def engine(name: str) -> Engine:
    """Return the engine called ``name``; raise EngineMissing with what to install where it is not here."""
    module = interpreter_module(name)

    def load(model: "Contents", threads: int, wanted: Wanted = PLAIN) -> PythonInterpreter:
        def make(loaded: Sequence[Any] = ()) -> PythonInterpreter:
            return _made(module, model, threads, wanted, f"{name} cannot run this model", loaded)

        if not wanted.delegates:
            return make()
        from mlserverless.engines import delegates

        return delegates.using(module, wanted.delegates, make)

    return Engine(name, load)


def _made(
    module: Any, model: "Contents", threads: int, wanted: Wanted, problem: str, delegates: Sequence[Any]
) -> PythonInterpreter:
    more = {"experimental_delegates": list(delegates)} if delegates else {}
    with _telling(problem):
        interpreter = module.Interpreter(model_content=bytes(model), num_threads=threads, **more)
        from mlserverless.engines import signatures  # what no interpreter takes for a model is not read by us

        signature = signatures.choose(model, wanted.signature)
        for details in () if signature.subgraph else interpreter.get_input_details():
            if (shape := closed(_open_shape(details), wanted)) != tuple(details["shape"]):
                interpreter.resize_tensor_input(details["index"], shape)
        interpreter.allocate_tensors()
        # Not before: a runner holds what may not be held while tensors are allocated.
        runner = interpreter.get_signature_runner(signature.key) if signature.subgraph else None
        made = PythonInterpreter(interpreter, signature, runner, wanted)
        if runner and len(made.inputs) == 1:  # whose tensors get their shapes when it runs
            made.run(bytes(made.inputs[0].bytes))
    return made


def allocated(module: Any, model: "Contents", threads: int | None, problem: str) -> Any:
    """Return ``module``'s Interpreter of ``model``, its tensors allocated.

    Raises ModelUnavailable, which says ``problem`` and the interpreter's own reason, where that fails.
    """
    with _telling(problem):
        interpreter = module.Interpreter(model_content=bytes(model), num_threads=threads)
        interpreter.allocate_tensors()
    return interpreter


@contextmanager
def _telling(problem: str) -> Iterator[None]:
    try:
        with quiet():
            yield
    except FAILURES as error:
        raise ModelUnavailable(f"{problem}: {_told(error)}.") from error


def _open_shape(details: dict[str, Any]) -> tuple[int, ...]:
    # Of a shape that leaves nothing open there is no signature in a file that is older than those.
    shape = details["shape"] if len(details["shape_signature"]) == 0 else details["shape_signature"]
    return tuple(int(size) for size in shape)


def _told(error: Exception) -> str:
    # It has several lines at times, or none.
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__


def interpreter_module(name: str) -> Any:
    """Return the module that holds the ``Interpreter`` class of the engine ``name``."""
    module, hint = PACKAGES[name]
    try:
        return import_module(module)
    except ImportError as error:
        raise EngineMissing(f"{error} ({hint})") from error


def _describe(details: dict[str, Any], names: dict[int, str], shape: tuple[int, ...] | None = None) -> Tensor:
    scale, zero_point = details["quantization"]
    if shape is None:
        shape = tuple(int(size) for size in details["shape"])
    dtype = details["dtype"].__name__.rstrip("_")  # numpy 1 calls it bool_
    alias = names.get(details["index"], "")
    return Tensor(details["name"], shape, dtype, float(scale), int(zero_point), alias)
