"""What a SOURCE on the command line is: a file, a folder, or a name in a Python module."""

import os
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from mlserverless.conversion.problem import DOCS, Misused

SUFFIXES = {
    ".keras": "tensorflow",
    ".h5": "tensorflow",
    ".hdf5": "tensorflow",
    ".pt2": "torch",
    ".onnx": "onnx",
    ".tflite": "tflite",
}
# Files that run code when they are read, or hold weights without the network: what to give instead.
REFUSED = {
    **dict.fromkeys((".pkl", ".pickle", ".joblib"), "it is a pickle, which runs code when it is read"),
    **dict.fromkeys((".pt", ".pth", ".ckpt"), "it is a pickle, or weights without the network"),
    ".skops": "only skops.io.load can say which of its types are to be trusted",
}
# The first part of the module of one of an object's classes -> whose it is.
OWNERS = {"keras": "tensorflow", "tensorflow": "tensorflow", "torch": "torch", "sklearn": "sklearn"}
KINDS = (
    "a .keras or .h5 file, a SavedModel folder, an .onnx, .tflite or .pt2 file (torch.export), or module:name of "
    "a Keras model, a tf.function, a tf.Module, a torch.nn.Module or a scikit-learn estimator"
)


class Source(NamedTuple):
    """``framework``: the module of ``frameworks`` that reads it; ``path`` of the file or folder, or ``thing``."""

    framework: str
    told: str
    path: Path | None = None
    thing: Any = None

    @property
    def bytes(self) -> int:
        """How many bytes it takes on disk; 0 for an object."""
        if self.path is None:
            return 0
        files = [self.path] if self.path.is_file() else [file for file in self.path.rglob("*") if file.is_file()]
        return sum(file.stat().st_size for file in files)

    @property
    def name(self) -> str:
        """A name for the model, where none is given."""
        return self.path.stem if self.path else self.told.rpartition(":")[2].rpartition(".")[2]


def recognise(given: Any) -> Source:
    """Return what ``given`` is: a path, ``module:name``, or the object itself.

    Raises Misused for anything else. ``module:name`` imports the module, from the working directory, too, and
    calls what is a plain function.
    """
    if not isinstance(given, str | os.PathLike):
        return _owned(given, type(given).__name__)
    text = os.fspath(given)
    path = Path(text)
    if path.is_dir():
        if (path / "saved_model.pb").is_file():
            return Source("tensorflow", text, path)
        raise Misused(f"The folder {text} is no SavedModel: it has no saved_model.pb. Accepted are {KINDS}.")
    if path.is_file():
        suffix = path.suffix.lower()
        if suffix in SUFFIXES:
            return Source(SUFFIXES[suffix], text, path)
        if suffix in REFUSED:
            raise Misused(
                f"{text} is not read: {REFUSED[suffix]}. Write a function that loads it, and give "
                f"module:function. See {DOCS}."
            )
        raise Misused(f"{text} is none of the kinds that are read: {KINDS}.")
    module, colon, name = text.partition(":")
    if colon and name and all(part.isidentifier() for part in module.split(".")):
        return _owned(_imported(module, name), text)
    raise Misused(f"There is no {text!r}. Accepted are {KINDS}.")


def _imported(module: str, name: str) -> Any:
    if "" not in sys.path and os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())  # as `python -m` has it
    try:
        thing: Any = import_module(module)
        for part in name.split("."):
            thing = getattr(thing, part)
    except ImportError as error:
        raise Misused(f"{module} cannot be imported: {error}.") from error
    except AttributeError as error:
        raise Misused(f"{module} has no {name}: {error}.") from error
    return thing


def _owned(thing: Any, told: str) -> Source:
    framework = _owner(thing)
    if not framework and isinstance(thing, Callable):  # type: ignore[arg-type]  # the ABC is one at run time
        thing = thing()
        framework = _owner(thing)
    if not framework:
        raise Misused(f"{told} is of the type {type(thing).__name__}; accepted are {KINDS}.")
    return Source(framework, told, thing=thing)


def _owner(thing: Any) -> str:
    # By names, so that no framework is imported to be asked.
    for kind in type(thing).__mro__:
        if owner := OWNERS.get(kind.__module__.partition(".")[0]):
            return owner
    return ""
