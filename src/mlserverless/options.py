"""A request's options, read from JSON, a query string or keyword arguments: one set of rules for all."""

from collections.abc import Mapping
from typing import Any

from mlserverless import readers
from mlserverless.errors import InvalidRequest
from mlserverless.types import Options

READERS: dict[str, readers.Reader] = {
    "top_k": readers.whole(1, 1000),
    "score_threshold": readers.number(-1e9, 1e9),
    "labels_allow": ("a list of labels", readers.split),
    "labels_deny": ("a list of labels", readers.split),
    "model": ("the name of a model", readers.text),
}
LISTS = tuple(name for name, (_, reader) in READERS.items() if reader is readers.split)
NUMBERS = tuple(name for name, (_, reader) in READERS.items() if hasattr(reader, "__self__"))


def read_options(given: Mapping[str, Any]) -> Options:
    """Return the options in ``given``; ``None`` and absence mean as the settings say.

    Raises InvalidRequest, naming the option and what it accepts, for an unknown name or a bad value.
    """
    values: dict[str, Any] = {}
    for name, value in given.items():
        if name not in READERS:
            raise InvalidRequest(f"{readers.shown(name)} is not an option; options are {', '.join(READERS)}.")
        if value is None:
            continue
        accepted, reader = READERS[name]
        try:
            values[name] = reader(value)
        except (ValueError, TypeError, OverflowError) as error:
            told = readers.shown(value)
            raise InvalidRequest(f"{name} is {told}, which is not accepted: give {accepted}.") from error
    return Options(**values)
