"""Engines behind one small protocol: a tensor's bytes in, the output tensors' bytes out.

Bytes with a shape and a dtype cross this border, never arrays, so that an engine with a C interface needs no
numpy. One file an engine; ``select`` picks one by the setting ``engine`` among those that ``order`` says can run
the file.
"""

from collections.abc import Callable, Iterable, Sequence
from math import prod
from typing import TYPE_CHECKING, Protocol, TypeVar

from mlserverless.errors import ModelUnavailable
from mlserverless.logs import log
from mlserverless.model_toml import Delegate
from mlserverless.model_values import DOCS
from mlserverless.named_tuple import NamedTuple
from mlserverless.types import is_tflite

if TYPE_CHECKING:
    from mlserverless.types import Contents

Found = TypeVar("Found")

# Bytes an element, of what is read and written here.
WIDTHS = {"bool": 1, "uint8": 1, "int8": 1, "uint16": 2, "int16": 2, "float16": 2, "uint32": 4, "int32": 4}
WIDTHS |= {"float32": 4, "uint64": 8, "int64": 8, "float64": 8}
ORDER = ("litert", "litert-python", "tflite-runtime", "tensorflow")
ONNX = ("onnxruntime",)  # what runs an .onnx file
CHANNELS = (1, 3, 4)  # that an image's tensor may have


class Tensor(NamedTuple):
    """An input or output: real value = ``scale`` × (stored − ``zero_point``); scale 0.0 means not quantised.

    ``alias`` is what the model's signature calls it, "" where it has none.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    scale: float = 0.0
    zero_point: int = 0
    alias: str = ""

    @property
    def known_as(self) -> str:
        """What an answer and ``/model`` call it: the signature's name, else the model's own."""
        return self.alias or self.name

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
        """The model's outputs, in order; after a run with the shapes that they had in it."""

    def run(self, data: bytes) -> list[bytes]:
        """Run the model on its one input (C order, little endian) and return each output's bytes."""


class Wanted(NamedTuple):
    """What a model is loaded with beside its threads.

    ``signature``: the one to run, "" for the only or first; ``size``: the (height, width) in pixels of an input
    that leaves them open, ``layout`` and ``channels`` what tells where, "" and 0 for what its shape says;
    ``delegates``: libraries that run part of it; ``outputs``: the names of those that model.toml says, which alone
    have to be readable; () for all.
    """

    signature: str = ""
    size: tuple[int, ...] = ()
    delegates: tuple[Delegate, ...] = ()
    layout: str = ""
    channels: int = 0
    outputs: tuple[str, ...] = ()


PLAIN = Wanted()


class Load(Protocol):
    """Loads a model's contents with a number of threads."""

    def __call__(self, model: "Contents", threads: int, wanted: Wanted = ..., /) -> Interpreter:
        """Return the model, ready to run; raise ModelUnavailable where it cannot be.

        Raises EngineMissing where this engine, as it is installed, cannot do it and another one may.
        """


class Engine(NamedTuple):
    """A name and the function that loads a model."""

    name: str
    load: Load


class EngineMissing(ImportError):
    """The engine's package, library or symbol is not here. The text says what to install."""


def order(model: "Contents", wanted: Wanted = PLAIN) -> tuple[str, ...]:
    """Return the engines that can run ``model`` as ``wanted``, the first choice first."""
    if not is_tflite(model):
        return ONNX
    # A delegate is loaded by the Python interpreters; LiteRT's C interface takes none of this kind.
    return ORDER[1:] if wanted.delegates else ORDER


def select(name: str, order: Sequence[str] = ORDER) -> Engine:
    """Return the engine called ``name``, or for ``auto`` the first of ``order`` that is installed.

    Raises ModelUnavailable where it is not, or not one of ``order``, saying what was tried.
    """
    if name not in ("auto", *order):
        what = "an ONNX model" if order == ONNX else f"this model{' with delegates' * (order != ORDER)}"
        raise ModelUnavailable(
            f"The engine {name} cannot run {what}; {', '.join(order)} can, and the setting engine = auto chooses. "
            f"See {DOCS}."
        )
    found, engine, tried = first_installed(order if name == "auto" else (name,), _find)
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


def chosen(keys: Sequence[str], wanted: str) -> int:
    """Return which of a model's signatures, called ``keys``, is ``wanted``, "" for the first.

    Raises ModelUnavailable, with those that there are, where it is not among them.
    """
    if not wanted:
        return 0
    if wanted in keys:
        return list(keys).index(wanted)
    there = f"it has {', '.join(map(repr, keys))}" if keys else "it has none, so leave the key out"
    raise ModelUnavailable(f"The model has no signature {wanted!r}: {there}. See {DOCS}.")


def closed(shape: Sequence[int], wanted: Wanted) -> tuple[int, ...]:
    """Return an image input's ``shape`` with what it leaves open (below 0) filled in.

    The batch is 1; height and width are the ``size`` of ``wanted``. Raises ModelUnavailable where a side is open
    and no size is given.
    """
    sizes = list(shape)
    if len(sizes) != 3 and sizes and sizes[0] < 0:
        sizes[0] = 1
    if min(sizes, default=1) >= 0 or not 2 <= len(sizes) <= 4:
        return tuple(max(size, 1) for size in sizes)
    if not wanted.size:
        raise ModelUnavailable(
            f"The model takes {tuple(shape)}, of which -1 is left open: say size = [height, width] in [input] of "
            f"its model.toml. See {DOCS}."
        )
    height, width = wanted.size
    first, last = sizes[-3:][0] in CHANNELS, sizes[-1] in CHANNELS
    planar = wanted.layout == "nchw" or (not wanted.layout and first and not last)
    channels = wanted.channels or 3
    full: tuple[int, ...] = (channels, height, width) if planar else (height, width, channels)
    if len(sizes) == 2:
        full = (height * width * channels,)
    elif len(sizes) == 3 and not first and not last:  # one channel, of which its shape says nothing
        full = (1, height, width)
    filled = (1, *full)[-len(sizes) :] if len(sizes) != 2 else (1, *full)
    return tuple(size if size >= 0 else given for size, given in zip(sizes, filled, strict=True))


def _find(name: str) -> Engine:
    if name == "litert":
        from mlserverless.engines import litert

        return litert.engine()
    if name == "onnxruntime":
        from mlserverless.engines import onnx

        return onnx.engine()
    from mlserverless.engines import tflite

    return tflite.engine(name)
