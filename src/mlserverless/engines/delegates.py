"""Delegates: shared libraries that run part of a model on other hardware, or in code of their own.

A library exports ``tflite_plugin_create_delegate`` and ``tflite_plugin_destroy_delegate`` (TensorFlow Lite's
``external_delegate_interface.h``); each interpreter's package has a ``load_delegate`` that calls them. What is
loaded here is native code, so ``model.toml`` may name one only where it stands on this machine: see
:mod:`mlserverless.remote`.
"""

import ctypes
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, TypeVar

from mlserverless.errors import ModelUnavailable
from mlserverless.logs import log
from mlserverless.model_toml import Delegate

DOCS = "docs/how-to/use-a-delegate.md"
FALLBACK = (
    "To run without it, on the CPU, remove it from [[delegates]] in model.toml, or set required = false there to "
    f"run without it only where it cannot be had. See {DOCS}."
)
EXPORTS = ("tflite_plugin_create_delegate", "tflite_plugin_destroy_delegate")
Made = TypeVar("Made")


def load(module: Any, wanted: Sequence[Delegate]) -> list[Any]:
    """Return the ``wanted`` delegates, loaded by ``module``, an interpreter's: what its Interpreter takes.

    One that is not required and cannot be loaded is left out, with a warning in the log that says so. Raises
    ModelUnavailable, with the library, its options and the way without it, for one that is.
    """
    loaded = []
    for delegate in wanted:
        try:
            _check(delegate.library)
            loaded.append(_loader(module)(delegate.library, dict(delegate.options)))
        # OSError: no such library, or not for this machine; AttributeError: it exports no delegate.
        except (OSError, AttributeError, ValueError, RuntimeError) as error:
            _fall_back((delegate,), f"cannot be loaded: {_told(error)}", error)
    return loaded


def using(module: Any, wanted: Sequence[Delegate], make: Callable[[list[Any]], Made]) -> Made:
    """Return what ``make`` makes of the loaded delegates, an interpreter with its tensors allocated.

    A delegate may refuse the model only then: where ``make`` raises ModelUnavailable and none of ``wanted`` is
    required, it is called once more with none, after a warning. Raises ModelUnavailable.
    """
    loaded = load(module, wanted)
    if not loaded:
        return make([])
    try:
        return make(loaded)
    except ModelUnavailable as error:
        _fall_back(wanted, f"cannot take the model: {str(error).rstrip('.')}", error)
    return make([])


def _loader(module: Any) -> Callable[[str, dict[str, str]], Any]:
    # TensorFlow keeps it in ``tf.lite.experimental``, the two small packages beside their Interpreter.
    if hasattr(module, "load_delegate"):
        return module.load_delegate  # type: ignore[no-any-return]
    return module.experimental.load_delegate  # type: ignore[no-any-return]


def _check(library: str) -> None:
    # A Delegate that fails half made writes an error of its own into the log when it is collected.
    exported = ctypes.CDLL(library)
    for name in EXPORTS:
        getattr(exported, name)


def _fall_back(delegates: Sequence[Delegate], problem: str, error: Exception) -> None:
    named = " and ".join(f"{delegate.library} ({_options(delegate)})" for delegate in delegates)
    told = f"The delegate {named} {problem}."
    if any(delegate.required for delegate in delegates):
        raise ModelUnavailable(f"{told} {FALLBACK}") from error
    _warn(told)


@cache
def _warn(told: str) -> None:
    # Once, however many interpreters a pool has.
    log().warning("%s It is not required: the model runs without it, on the CPU.", told)


def _options(delegate: Delegate) -> str:
    options = ", ".join(f"{key} = {value}" for key, value in delegate.options)
    return f"options: {options}" if options else "no options"


def _told(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".")  # it has several lines at times
