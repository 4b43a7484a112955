"""Engines behind one small protocol: a tensor's bytes in, the output tensors' bytes out.

Bytes with a shape and a dtype cross this border, never arrays, so that an engine with a C interface needs no
numpy. One file an engine; ``select`` picks one by the setting ``engine``.
"""

from collections.abc import Callable, Iterable, Sequence
from math import prod
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeVar

from mlserverless.errors import ModelUnavailable
from mlserverless.logs import log
from mlserverless.model_toml import Delegate

if TYPE_CHECKING:
    from mlserverless.types import Contents

Found = TypeVar("Found")

WIDTHS = {"float32": 4, "uint8": 1, "int8": 1}  # of what is read and written here
ORDER = ("litert", "litert-python", "tflite-runtime", "tensorflow")


class Tensor(NamedTuple):
    """An input or output: real value = ``scale`` × (stored − ``zero_point``); scale 0.0 means not quantised."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    scale: float = 0.0
    zero_point: int = 0

    @property
    def bytes(self) -> int:
        """How many bytes its elements take."""
        return prod(self.shape) * WIDTHS.get(self.dtype, 0)


class Interpreter(Protocol):
    """One loaded model with its own buffers. Never to be run by two threads at once."""

    @property
    def inputs(self) -> Sequence[Tensor]:
        """The model's inputs, in order."""

    @property
    def outputs(self) -> Sequence[Tensor]:
        """The model's outputs, in order."""

    def run(self, data: bytes) -> list[bytes]:
        """Run the model on its one input (C order, little endian) and return each output's bytes."""


class Wanted(NamedTuple):
    """What a model is loaded with beside its threads.

    ``signature``: the one to run, "" for the only or first; ``size``: the (height, width) in pixels of an input
    that leaves them open; ``delegates``: libraries that run part of it.
    """

    signature: str = ""
    size: tuple[int, ...] = ()
    delegates: tuple[Delegate, ...] = ()


PLAIN = Wanted()


class Load(Protocol):
    """Loads a model's contents with a number of threads."""

    def __call__(self, model: "Contents", threads: int, wanted: Wanted = ..., /) -> Interpreter:
        """Return the model, ready to run; raise ModelUnavailable where it cannot be."""


class Engine(NamedTuple):
    """A name and the function that loads a model."""

    name: str
    load: Load


class EngineMissing(ImportError):
    """The engine's package, library or symbol is not here. The text says what to install."""


def select(name: str) -> Engine:
    """Return the engine called ``name``, or for ``auto`` the first of ``ORDER`` that is installed.

    Raises ModelUnavailable where it is not, saying what was tried.
    """
    found, engine, tried = first_installed(ORDER if name == "auto" else (name,), _find)
    if tried:
        log().warning("using the engine %s (%s)", found, "; ".join(tried))
    return engine


def first_installed(names: Iterable[str], find: Callable[[str], Found]) -> tuple[str, Found, list[str]]:
    """Return the first of ``names`` that is here, what ``find`` gave for it, and why those before it are not.

    ``find`` raises EngineMissing where one is not here. Raises ModelUnavailable, with every reason, where none is.
    """
    tried: list[str] = []
    for name in names:
        try:
            return name, find(name), tried
        except EngineMissing as error:
            tried.append(f"{name}: {error}")
    raise ModelUnavailable(f"No engine can run the model. Tried {'; '.join(tried)}.")


def _find(name: str) -> Engine:
    if name == "litert":
        from mlserverless.engines import litert

        return litert.engine()
    from mlserverless.engines import tflite

    return tflite.engine(name)
