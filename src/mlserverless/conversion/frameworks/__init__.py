"""One module a framework: it reads a source, runs it, and makes a .tflite or an .onnx file of it.

``open_source(source, asked)`` of each returns an :class:`Original`. They import their framework themselves,
through :func:`mlserverless.conversion.problem.need`.
"""

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from mlserverless.conversion.problem import Misused
from mlserverless.conversion.source import Source
from mlserverless.engines import Tensor

OPEN = -1  # a dimension that is left open


class Asked(NamedTuple):
    """What is asked of a source: the shape of its input, () for its own; its signature, "" for the usual one."""

    shape: tuple[int, ...] = ()
    size: tuple[int, ...] = ()
    signature: str = ""


class Original(Protocol):
    """A model as its framework runs it."""

    @property
    def framework(self) -> str:
        """The framework and its version."""

    @property
    def input(self) -> Tensor:
        """Its one input, with no dimension left open."""

    @property
    def weight(self) -> int:
        """How many bytes its parameters take; 0 where only its file tells."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes' names, where the source knows them."""

    def run(self, array: Any) -> list[Any]:
        """Return its outputs, numpy arrays, for the ``array`` of the input's shape and dtype."""

    def tflite(self, folder: Path, samples: Sequence[Any]) -> bytes:
        """Return it as a float .tflite file; ``folder`` is for scratch, ``samples`` are like inputs to come."""

    def onnx(self, folder: Path) -> bytes:
        """Return it as a float .onnx file; ``folder`` is for scratch."""


def open_source(source: Source, asked: Asked) -> Original:
    """Return the model of ``source``; raise Missing without its framework, else ConversionError."""
    module = import_module(f"{__name__}.{source.framework}")
    found: Original = module.open_source(source, asked)
    return found


def closed(shape: Sequence[Any], asked: Asked, told: str) -> tuple[int, ...]:
    """Return ``shape`` with what it leaves open (None, a text, below 1) filled in: by ``asked``, the batch with 1.

    Raises Misused where height and width are open and nothing says them, or ``asked`` contradicts the shape.
    """
    sides = [size if isinstance(size, int) and size > 0 else OPEN for size in shape]
    if asked.shape:
        fits = len(sides) in (0, len(asked.shape)) and all(
            had in (OPEN, given) for had, given in zip(sides, asked.shape, strict=False)
        )
        if not fits:
            raise Misused(f"{told} takes {tuple(sides)}, which --input-shape {_shown(asked.shape)} does not fit.")
        return asked.shape
    if sides and sides[0] == OPEN:
        sides[0] = 1
    if OPEN in sides and len(sides) == 4 and asked.size:
        planes = sides[1] in (1, 3, 4) and sides[3] not in (1, 3, 4)
        at = 2 if planes else 1
        sides[at : at + 2] = [
            had if had != OPEN else side for had, side in zip(sides[at:], asked.size, strict=False)
        ]
    if not sides or OPEN in sides:
        raise Misused(
            f"{told} takes {tuple(sides) or 'an input without a shape'}: say --input-shape, as 1,224,224,3, or "
            "--size where only height and width are open (-1)."
        )
    return tuple(sides)


def _shown(shape: Sequence[int]) -> str:
    return ",".join(map(str, shape))
