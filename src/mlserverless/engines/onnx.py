"""ONNX Runtime: the engine that runs .onnx files, on the CPU. It needs numpy.

Its ``InferenceSession`` takes and gives arrays; here bytes go in and out, as with every engine. Types are told as
``tensor(float)`` (NodeArg in its documentation).
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any, NoReturn

from mlserverless.engines import PLAIN, WIDTHS, Engine, EngineMissing, Tensor, Wanted, closed
from mlserverless.engines.native import hold
from mlserverless.errors import ModelUnavailable

if TYPE_CHECKING:
    from mlserverless.types import Contents

DOCS = "docs/how-to/run-an-onnx-model.md"
NAMES = {"float": "float32", "double": "float64"}  # what ONNX calls otherwise than numpy
FATAL = 4  # of its own log, only what ends the process: what else it has to say is in its exceptions


class OnnxInterpreter:
    """One session with its own memory. Several share nothing, so that each may be run by a thread of its own.

    A session may be run by several threads, but each adds its own arena then, and its number of threads is one for
    all of them: with 2 of them that saved 11 of 62 MB of EfficientNet-Lite0.
    """

    def __init__(self, onnxruntime: Any, model: "Contents", threads: int, wanted: Wanted) -> None:
        self._errors = _errors(onnxruntime)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.log_severity_level = FATAL
        # With 2 threads that wait for work by spinning a run takes twice the CPU time, and longer.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session = onnxruntime.InferenceSession(
                bytes(model), options, providers=["CPUExecutionProvider"], enable_fallback=0
            )
            hold(self, self._session)
            taken, given = self._session.get_inputs(), self._session.get_outputs()
        except self._errors as error:
            raise ModelUnavailable(f"ONNX Runtime cannot run this model: {_told(error)}.") from error
        self._opened = dict[str, int]()  # by the names that the model gives to sizes which it leaves open
        self.inputs = tuple(self._input(argument, wanted) for argument in taken)
        self.outputs = tuple(self._output(argument) for argument in given if _read(argument, wanted))
        if not self.outputs:
            names = ", ".join(argument.name for argument in given) or "none"
            raise ModelUnavailable(f"The model has no output that can be read; it has {names}. See {DOCS}.")
        self._names = [tensor.name for tensor in self.outputs]
        if any(min(tensor.shape, default=1) < 0 for tensor in self.outputs) and self._runs():
            self.run(bytes(self.inputs[0].bytes))

    def _input(self, argument: Any, wanted: Wanted) -> Tensor:
        dtype, sizes = _dtype(argument.type), _sizes(argument)
        shape = closed([size if isinstance(size, int) else -1 for size in sizes], wanted)
        self._opened |= {size: known for size, known in zip(sizes, shape, strict=True) if isinstance(size, str)}
        return Tensor(argument.name, shape, dtype)

    def _output(self, argument: Any) -> Tensor:
        sizes = (self._opened.get(size, -1) if isinstance(size, str) else size for size in _sizes(argument))
        return Tensor(argument.name, tuple(-1 if size is None else size for size in sizes), _dtype(argument.type))

    def _runs(self) -> bool:
        return len(self.inputs) == 1 and self.inputs[0].dtype in WIDTHS

    def run(self, data: bytes) -> list[bytes]:
        """Run the model on its one input and return each output's bytes; ``outputs`` have its shapes then.

        Raises ValueError for a wrong length, ModelUnavailable where an operator of the model fails.
        """
        import numpy as np

        if not self._runs():
            raise ValueError(f"the model has the inputs {self.inputs}")
        image = self.inputs[0]
        array = np.frombuffer(data, dtype=image.dtype).reshape(image.shape)
        try:
            found = self._session.run(self._names, {image.name: array})
        except self._errors as error:
            raise ModelUnavailable(f"The model cannot be run: {_told(error)}.") from error
        shapes = [tuple(answer.shape) for answer in found]
        if any(tensor.shape != shape for tensor, shape in zip(self.outputs, shapes, strict=True)):
            pairs = zip(self.outputs, shapes, strict=True)
            self.outputs = tuple(tensor._replace(shape=shape) for tensor, shape in pairs)
        return [answer.tobytes() for answer in found]


def engine() -> Engine:
    """Return this engine; raise EngineMissing with what to install where it is not here.

    Its own telemetry, which its wheels for Linux send to Microsoft by default (their Privacy.md), is off, unless
    the variable ``ORT_DISABLE_TELEMETRY`` says otherwise. It is read once, when the package is imported.
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    try:
        onnxruntime = import_module("onnxruntime")
    except ImportError as error:
        raise EngineMissing(f'{error} (pip install "mlserverless[onnx]")') from error

    def load(model: "Contents", threads: int, wanted: Wanted = PLAIN) -> OnnxInterpreter:
        if wanted.delegates:
            named = ", ".join(delegate.library for delegate in wanted.delegates)
            raise ModelUnavailable(
                f"The delegate {named} is TensorFlow Lite's, which ONNX Runtime cannot load: remove [[delegates]] "
                f"from model.toml. See {DOCS}."
            )
        return OnnxInterpreter(onnxruntime, model, threads, wanted)

    return Engine("onnxruntime", load)


def _errors(onnxruntime: Any) -> tuple[type[Exception], ...]:
    # A class for each status, without a common parent. What is no UTF-8 in a file or a message is a ValueError.
    state = vars(import_module(f"{onnxruntime.__name__}.capi.onnxruntime_pybind11_state"))
    found = [kind for kind in state.values() if isinstance(kind, type) and issubclass(kind, Exception)]
    return (*found, ValueError, RuntimeError)


def _sizes(argument: Any) -> list[int | str | None]:
    # A tensor's; other types have none that could be asked for.
    return list(argument.shape) if argument.type.startswith("tensor(") else []


def _dtype(told: str) -> str:
    inner = told.removeprefix("tensor(").removesuffix(")")
    return NAMES.get(inner, inner)


def _read(argument: Any, wanted: Wanted) -> bool:
    """Return whether the output is one to read; raise ModelUnavailable where it should be and cannot be."""
    if _dtype(argument.type) in WIDTHS:
        return True
    if not wanted.outputs or argument.name in wanted.outputs:
        _refuse(argument.name, argument.type)
    return False


def _refuse(name: str, told: str) -> NoReturn:
    what, mend = f"is {told}, which is not read here", "export the model without it"
    if "map(" in told:
        what = f"is a ZipMap ({told}), a table instead of a tensor"
        mend = 'export the classifier without it (skl2onnx: options={"zipmap": False})'
    elif "string" in told:
        what, mend = "answers texts", "export the model with whole numbers as classes"
    raise ModelUnavailable(
        f"The model's output {name!r} {what}: {mend}, or say which output has the scores as scores in [output] of "
        f"its model.toml. See {DOCS}."
    )


def _told(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".")[:500]
