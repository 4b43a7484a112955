"""An inference request object -> the model's input of each run, and the outputs that are asked for."""

from math import prod
from typing import Any

from mlserverless.engines import WIDTHS
from mlserverless.errors import InvalidRequest
from mlserverless.named_tuple import NamedTuple
from mlserverless.readers import shown
from mlserverless.tasks.raw import DATATYPES
from mlserverless.web.inference import elements
from mlserverless.web.inference.served import Served

DOCS = "docs/reference/open-inference-protocol.md"


class Output(NamedTuple):
    """An output that is asked for: its place among the model's, its name, whether it is told in binary.

    ``classes``: told as that many of its elements, the highest first; 0 as the tensor that it is.
    """

    place: int
    name: str
    binary: bool = False
    classes: int = 0


class Asked(NamedTuple):
    """``id`` is the caller's, ``items`` the input's bytes for each run."""

    id: str | None
    items: list[bytes]
    outputs: tuple[Output, ...]


def read(given: Any, rest: memoryview, served: Served) -> Asked:
    """Return what the request object ``given`` asks for; ``rest`` are the bytes behind the JSON.

    Raises InvalidRequest, which says what is accepted.
    """
    given = _object(given, "The body's JSON")
    name = given.get("id")
    if "id" in given and not isinstance(name, str):
        raise InvalidRequest(f"id is {shown(name)}; accepted is a text.")
    inputs = given.get("inputs")
    if not isinstance(inputs, list) or len(inputs) != 1:
        found = f"a list of {len(inputs)}" if isinstance(inputs, list) else type(inputs).__name__
        raise InvalidRequest(f"inputs is {found}; the model has one input: {accepted(served)}.")
    items = _input(_object(inputs[0], "The input"), rest, served)
    return Asked(name, items, _outputs(given, served))


def accepted(served: Served) -> str:
    """Return what the model takes, for a message."""
    tensor = served.loaded.input
    shape = ["n" if size < 0 else size for size in served.shape(tensor)]
    told = f"{served.name} takes the input {tensor.known_as!r}, {DATATYPES[tensor.dtype]} "
    told += str(shape).replace("'", "")
    return f"{told} with n from 1 to {served.most}" if served.most > 1 else told


def _input(given: dict[str, Any], rest: memoryview, served: Served) -> list[bytes]:
    tensor, shape = served.loaded.input, given.get("shape")
    for key, right in (("name", (tensor.known_as, tensor.name)), ("datatype", (DATATYPES[tensor.dtype],))):
        if given.get(key) not in right:
            told = shown(given[key]) if key in given else "missing"
            raise InvalidRequest(f"The input's {key} is {told}; {accepted(served)}.")
    if not isinstance(shape, list) or set(map(type, shape)) != {int} or not _fits(shape, served):
        told = f"{shape}"[:60] if isinstance(shape, list) else shown(shape) if "shape" in given else "missing"
        raise InvalidRequest(f"The input's shape is {told}; {accepted(served)}.")
    size = _parameters(given, "The input").get("binary_data_size")
    if size is None:
        if not isinstance(given.get("data"), list):
            raise InvalidRequest(
                "The input has no data: give a list of its elements as data, or the parameter binary_data_size "
                f"and the bytes behind the JSON. See {DOCS}."
            )
        if rest:
            raise InvalidRequest(f"{len(rest):,} bytes follow the JSON, and the input has no binary_data_size.")
        rest = memoryview(elements.packed(given["data"], shape, tensor.dtype))
    elif "data" in given:
        raise InvalidRequest("The input has both data and binary_data_size: give one of them.")
    elif type(size) is not int or not size == len(rest) == prod(shape) * WIDTHS[tensor.dtype]:
        raise InvalidRequest(
            f"binary_data_size is {shown(size)}, the shape {shape} of {given['datatype']} has "
            f"{prod(shape) * WIDTHS[tensor.dtype]:,} bytes, and {len(rest):,} follow the JSON: these are to be "
            "equal. Inference-Header-Content-Length says where the JSON ends."
        )
    each = tensor.bytes
    return [bytes(rest[begin : begin + each]) for begin in range(0, len(rest), each)]


def _fits(shape: list[int], served: Served) -> bool:
    wanted = served.loaded.input.shape
    batched = served.most > 1 and tuple(shape[1:]) == wanted[1:]
    return tuple(shape) == wanted or (batched and 1 <= shape[0] <= served.most)


def _outputs(given: dict[str, Any], served: Served) -> tuple[Output, ...]:
    binary = _flag(_parameters(given, "The request"), "binary_data_output", default=False)
    asked = given.get("outputs", [])
    if not isinstance(asked, list):
        raise InvalidRequest(f"outputs is {shown(asked)}; accepted is a list of objects with a name.")
    there = {name: place for place, tensor in served.outputs for name in (tensor.name, tensor.known_as)}
    found = list[Output]()
    for one in asked:
        name = _object(one, "An output").get("name")
        if not isinstance(name, str) or name not in there:
            known = ", ".join(repr(tensor.known_as) for _, tensor in served.outputs)
            raise InvalidRequest(f"The output's name is {shown(name)}; {served.name} gives {known}.")
        if name in [output.name for output in found]:
            raise InvalidRequest(f"The output {name!r} is asked for twice.")
        parameters = _parameters(one, f"The output {name!r}")
        classes = parameters.get("classification", 0)
        if type(classes) is not int or classes < 0:
            raise InvalidRequest(f"classification is {shown(classes)}; accepted is a number of classes.")
        found.append(Output(there[name], name, _flag(parameters, "binary_data", default=binary), classes))
    return tuple(found) or tuple(Output(place, tensor.known_as, binary) for place, tensor in served.outputs)


def _object(value: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InvalidRequest(f"{what} is {type(value).__name__}; expected is an object. See {DOCS}.")
    return value


def _parameters(given: dict[str, Any], whose: str) -> dict[str, Any]:
    parameters = _object(given.get("parameters", {}), f"{whose}'s parameters")
    if shared := [name for name in parameters if name.startswith("shared_memory")]:
        raise InvalidRequest(f"{shared[0]} is not supported: a function shares no memory with its callers.")
    return parameters


def _flag(parameters: dict[str, Any], name: str, *, default: bool) -> bool:
    value = parameters.get(name, default)
    if not isinstance(value, bool):
        raise InvalidRequest(f"{name} is {shown(value)}; accepted are true and false.")
    return value
