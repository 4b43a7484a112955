"""Problems in the terms of OpenAPI 3.1, from the classes of errors themselves."""

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from mlserverless import errors
from mlserverless.errors import MlserverlessError
from mlserverless.types import Problem
from mlserverless.web.answers import ID_LENGTH, PROBLEM

Kind = type[MlserverlessError]
INSTANCE = rf"^[A-Za-z0-9\-_.:/=+]{{1,{ID_LENGTH + 4}}}$"  # a member of a batch has its number behind the id
EXAMPLE_ID = "7f3c9a54e1d24b0c8a6f0d2e5b7c1a90"


def kinds() -> list[Kind]:
    """Return every error with a code of its own, by status and code."""
    found = [MlserverlessError]
    for kind in found:
        found += kind.__subclasses__()
    ours = [kind for kind in found if "code" in vars(kind) and kind.__module__ == errors.__name__]
    return sorted({*ours, errors.InternalError} - {MlserverlessError}, key=lambda kind: (kind.status, kind.code))


def schema(kind: Kind) -> dict[str, Any]:
    """Return the wire form of ``kind`` as a schema: what it says each time is a constant."""
    told = Problem(kind.status, kind.code, kind.title, "", kind.retryable).to_dict("")
    properties: dict[str, Any] = {name: {"const": value} for name, value in told.items()}
    properties["detail"] = {"type": "string", "minLength": 1}
    properties["instance"] = {"type": "string", "pattern": INSTANCE}
    made: Any = kind.__init__
    if "retryable" in getattr(getattr(made, "__code__", None), "co_varnames", ()):  # it depends
        properties["retryable"] = {"type": "boolean"}
    about = " ".join((kind.__doc__ or "").partition("\n\n")[0].split())
    return {
        "type": "object",
        "title": kind.title,
        "description": about,
        "required": list(told),
        "properties": properties,
        "additionalProperties": False,
        "examples": [told | {"detail": about, "instance": EXAMPLE_ID}],
    }


def schemas() -> dict[str, Any]:
    """Return the schema of each problem by its class's name, and of any of them as Problem."""
    every = {kind.__name__: schema(kind) for kind in kinds()}
    return {**every, "Problem": one_of(*kinds())}


def one_of(*found: Kind) -> dict[str, Any]:
    """Return a schema that one of ``found`` satisfies, which its ``code`` tells."""
    if len(found) == 1:
        return _ref(found[0])
    mapping = {kind.code: _ref(kind)["$ref"] for kind in found}
    return {
        "oneOf": [_ref(kind) for kind in found],
        "discriminator": {"propertyName": "code", "mapping": mapping},
    }


def _ref(kind: Kind) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{kind.__name__}"}


def responses(*found: Kind) -> dict[str, Any]:
    """Return references to the responses that ``found`` make, by status."""
    return {str(same[0].status): {"$ref": f"#/components/responses/{_name(same)}"} for same in _by_status(found)}


def shared(*several: Sequence[Kind], headers: dict[str, Any]) -> dict[str, Any]:
    """Return the responses that :func:`responses` refers to of each of ``several``; all have ``headers``."""
    made: dict[str, Any] = {}
    for same in (same for found in several for same in _by_status(found)):
        waits = {"Retry-After": {"$ref": "#/components/headers/Retry-After"}} if errors.Overloaded in same else {}
        made[_name(same)] = {
            "description": "; ".join(f"`{kind.code}`: {kind.title}" for kind in same),
            "headers": headers | waits,
            "content": {PROBLEM: {"schema": one_of(*same)}},
        }
    return made


def _by_status(found: Sequence[Kind]) -> list[list[Kind]]:
    ordered = sorted(found, key=lambda kind: (kind.status, kind.code))
    return [list(same) for _, same in groupby(ordered, key=lambda kind: kind.status)]


def _name(same: list[Kind]) -> str:
    return "Or".join(kind.__name__ for kind in same)
