"""What can go wrong in a conversion, and how a package is imported that may not be here."""

from importlib import import_module
from typing import Any

DOCS = "docs/how-to/convert-a-model.md"


class ConversionError(Exception):
    """The source cannot be converted as it was asked for. Nothing was written."""


class Misused(ConversionError):
    """What was asked for does not fit together, or is not there: the command is wrong, not the model."""


class Missing(ConversionError):
    """A package that this source needs is not installed. The text says how to install it."""


def need(module: str, extra: str) -> Any:
    """Return the module ``module``; raise Missing, naming the ``extra`` that brings it, where it is not here."""
    try:
        return import_module(module)
    except ImportError as error:
        if error.name and error.name.partition(".")[0] not in (module.partition(".")[0], "mlserverless"):
            what = f"{module} needs {error.name}, which is not installed"
        else:
            what = f"{module.partition('.')[0]} is not installed or cannot be imported ({error})"
        raise Missing(f'{what}: pip install "mlserverless[{extra}]". See {DOCS}.') from error
