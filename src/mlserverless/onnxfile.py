"""What an .onnx file has to be before ONNX Runtime sees it: a ModelProto with all its weights in it.

ONNX has no magic number, so the fields of the message are looked at (the numbers are ``onnx.proto``'s).
Weights in files beside the model are refused: no sha256 would cover them, and the file says where they are, which
may be anywhere on the machine, or in its memory.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, NoReturn

from mlserverless.errors import ModelUnavailable
from mlserverless.types import is_tflite

if TYPE_CHECKING:
    from mlserverless.types import Contents

DOCS = "docs/how-to/run-an-onnx-model.md"
SUFFIX = ".onnx"
VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5  # wire types; protobuf's groups, 3 and 4, are in no ONNX file
WIDTHS = {FIXED64: 8, FIXED32: 4}
IR_VERSION, GRAPH = 1, 7
# Of a ModelProto, with their wire types: ir_version, producer, domain, model_version, doc_string, graph,
# opset_import, metadata_props, training_info, functions, configuration.
MODEL = {1: 0, 2: 2, 3: 2, 4: 2, 5: 0, 6: 2, 7: 2, 8: 2, 14: 2, 20: 2, 25: 2, 26: 2}
# In which fields a tensor may be: message -> {field: message}.
WITHIN: dict[str, dict[int, str]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
}
NAME, EXTERNAL_DATA, DATA_LOCATION, EXTERNAL = 8, 13, 14, 1  # of a TensorProto
LOCATION = b"location"  # the key without which a tensor's data is not elsewhere
MAX_DEPTH = 100  # messages in messages, as protobuf itself has it

Field = tuple[int, int, int]  # a field's number, and where its value begins and ends (a varint: its value, and 0)


def check(model: "Contents", path: str) -> None:
    """Raise ModelUnavailable, naming the file ``path``, where ``model`` is no ONNX model or has data elsewhere."""
    if is_tflite(model):
        raise ModelUnavailable(f"{path} is a TFLite model: call it .tflite.")
    try:
        seen = {number for number, _, _ in _fields(model, 0, len(model), MODEL)}
        if missing := {IR_VERSION, GRAPH} - seen:
            raise ValueError(f"it lacks the field {min(missing)} of a ModelProto")
        # Nearly every file ends the search here: looking at every tensor takes longer than loading some models.
        if model.find(LOCATION) >= 0:
            _whole(model, 0, len(model), "model", path, MAX_DEPTH)
    except ValueError as error:
        raise ModelUnavailable(f"{path} is not an ONNX model, or a damaged one: {error}. See {DOCS}.") from error


def _whole(model: "Contents", start: int, end: int, kind: str, path: str, depth: int) -> None:
    if depth == 0:
        raise ValueError(f"it has messages {MAX_DEPTH} deep")
    for number, first, last in _fields(model, start, end):
        if inner := WITHIN[kind].get(number):
            if inner == "tensor":
                _tensor(model, first, last, path)
            else:
                _whole(model, first, last, inner, path, depth - 1)


def _tensor(model: "Contents", start: int, end: int, path: str) -> None:
    name, elsewhere = "", False
    for number, first, last in _fields(model, start, end):
        if number == NAME:
            name = model[first:last].decode("utf-8", "replace")[:100]
        elsewhere = elsewhere or number == EXTERNAL_DATA or (number == DATA_LOCATION and first == EXTERNAL)
    if elsewhere:
        _refuse(path, name)


def _refuse(path: str, name: str) -> NoReturn:
    raise ModelUnavailable(
        f"{path} keeps the weights of {name or 'a tensor'} in another file, which no sha256 covers: save it as "
        "one file, in Python by onnx.save(onnx.load(path), path), or in PyTorch by torch.onnx.export(…, "
        f"external_data=False). See {DOCS}."
    )


def _fields(model: "Contents", start: int, end: int, known: dict[int, int] | None = None) -> Iterator[Field]:
    """Yield the fields of the message from ``start`` to ``end``; raise ValueError where it is none.

    ``known``: the only fields that there may be, with their wire types.
    """
    at = start
    while at < end:
        begin = at
        tag, at = _varint(model, at, end)
        number, wire = tag >> 3, tag & 7
        if number == 0 or tag >= 1 << 32 or (known is not None and known.get(number) != wire):
            raise ValueError(f"at byte {begin:,} is the field {number} of wire type {wire}")
        if wire == VARINT:
            value, at = _varint(model, at, end)
            yield number, value, 0
            continue
        if wire == LENGTH:
            length, at = _varint(model, at, end)
        elif wire in WIDTHS:
            length = WIDTHS[wire]
        else:
            raise ValueError(f"at byte {begin:,} is the wire type {wire}")
        if length > end - at:
            raise ValueError(f"the field at byte {begin:,} has {length:,} bytes, of which {end - at:,} are there")
        yield number, at, at + length
        at += length


def _varint(model: "Contents", at: int, end: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= end:
            raise ValueError(f"it ends in a number at byte {at:,}")
        byte = model[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFF_FFFF_FFFF_FFFF, at
    raise ValueError(f"the number at byte {at - 10:,} is too long")
