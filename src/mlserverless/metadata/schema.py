"""The flatbuffers that hold metadata, made with the package ``flatbuffers``: the metadata, and a model's new root.

Field numbers are the order of the fields in ``metadata_schema.fbs``, as in :mod:`.read`.
"""

from collections.abc import Sequence
from typing import Any

from mlserverless.errors import ModelUnavailable
from mlserverless.metadata import slots
from mlserverless.metadata.flatbuffer import Table
from mlserverless.metadata.read import (
    AXIS_LABELS,
    COLOR_SPACES,
    CONTENTS,
    IDENTIFIER,
    NAME,
    NORMALIZATION,
    THRESHOLDING,
    VALUE_LABELS,
)
from mlserverless.metadata.records import LabelFile, TensorInfo
from mlserverless.named_tuple import NamedTuple

# What a new root takes over as it stands.
MOVED = (slots.OPERATOR_CODES, slots.SUBGRAPHS, slots.DESCRIPTION, slots.METADATA_BUFFER, slots.SIGNATURES)
ALIGNMENT = 64  # of the old file inside the new one; the schema asks for 16
PARSER = "1.0.0"  # the first version of the schema has all of the fields below


class About(NamedTuple):
    """What is said of the model as a whole."""

    name: str
    description: str = ""
    version: str = ""
    author: str = ""
    license: str = ""


def builder(size: int) -> Any:
    """Return a flatbuffers.Builder; ModelUnavailable where the package is missing."""
    try:
        import flatbuffers
    except ImportError as error:
        raise ModelUnavailable(
            'Writing metadata needs the package flatbuffers: pip install "mlserverless[convert]".'
        ) from error
    return flatbuffers.Builder(size)


def metadata(about: About, inputs: Sequence[TensorInfo], outputs: Sequence[TensorInfo]) -> bytes:
    """Return the ModelMetadata flatbuffer of a model with one graph."""
    b = builder(1024)
    graph = _table(b, {2: _vector(b, _tensors(b, inputs)), 3: _vector(b, _tensors(b, outputs))})
    graphs = _vector(b, [graph])
    texts = [b.CreateString(text) if text else 0 for text in about]
    fields = dict(zip((0, 1, 2, 4, 5), texts, strict=True))
    b.Finish(_table(b, {**fields, 3: graphs, 7: b.CreateString(PARSER)}), file_identifier=IDENTIFIER)
    return bytes(b.Output())


def rooted(model: bytes, root: Table, packed: bytes) -> bytes:
    """Return ``model``, whose root table is ``root``, behind a new root that leads to ``packed`` as its metadata.

    What stands in the old file is given to the builder as a negative offset: it counts from the end of what it
    builds, and there the old file begins.
    """
    b = builder(len(packed) + 1024)
    b.Prep(ALIGNMENT, 0)
    b.Prep(16, len(packed))  # which the schema asks for of a buffer's data
    held = _table(b, {0: b.CreateByteVector(packed)})
    buffers = [-place for place in root.addresses(slots.BUFFERS)]
    entries = [-place for place in root.addresses(slots.METADATA)]
    number = len(buffers)
    for i, entry in enumerate(root.tables(slots.METADATA)):
        if entry.text(slots.METADATA_NAME) == NAME:
            number = entry.number(slots.METADATA_INDEX, "<I")
            del entries[i]
            break
    buffers[number : number + 1] = [held]
    name = b.CreateString(NAME)
    b.StartObject(2)
    b.PrependUOffsetTRelativeSlot(0, name, 0)
    b.PrependUint32Slot(1, number, 0)
    entries.append(b.EndObject())
    fields = {slot: -root.address(slot) for slot in MOVED if root.has(slot)}
    fields |= {slots.BUFFERS: _vector(b, buffers), slots.METADATA: _vector(b, entries)}
    top = _table(b, fields, {slots.VERSION: ("Uint32", root.number(slots.VERSION, "<I"))})
    b.Finish(top, file_identifier=b"TFL3")
    return bytes(b.Output()) + model


def _tensors(b: Any, tensors: Sequence[TensorInfo]) -> list[int]:
    return [_tensor(b, tensor) for tensor in tensors]


def _tensor(b: Any, tensor: TensorInfo) -> int:
    fields = {0: b.CreateString(tensor.name)} if tensor.name else {}
    if tensor.content:
        kind = CONTENTS.index(tensor.content)
        color = COLOR_SPACES.index(tensor.color_space)
        properties = _table(b, {}, {0: ("Int8", color)} if tensor.content == "image" else {})
        fields[3] = _table(b, {1: properties}, {0: ("Uint8", kind)})
    units = []
    if tensor.mean:
        units.append(_unit(b, NORMALIZATION, _table(b, {0: _floats(b, tensor.mean), 1: _floats(b, tensor.std)})))
    if tensor.score_threshold is not None:
        options = _table(b, {}, {0: ("Float32", tensor.score_threshold)})
        units.append(_unit(b, THRESHOLDING, options))
    if units:
        fields[4] = _vector(b, units)
    if tensor.minimum or tensor.maximum:
        fields[5] = _table(b, {0: _floats(b, tensor.maximum), 1: _floats(b, tensor.minimum)})
    if tensor.labels:
        fields[6] = _vector(b, [_file(b, file) for file in tensor.labels])
    return _table(b, fields)


def _unit(b: Any, kind: int, options: int) -> int:
    return _table(b, {1: options}, {0: ("Uint8", kind)})


def _file(b: Any, file: LabelFile) -> int:
    fields = {0: b.CreateString(file.name)}
    if file.locale:
        fields[3] = b.CreateString(file.locale)
    return _table(b, fields, {2: ("Int8", VALUE_LABELS if file.of_values else AXIS_LABELS)})


def _table(b: Any, offsets: dict[int, int], numbers: dict[int, tuple[str, float]] | None = None) -> int:
    numbers = numbers or {}
    b.StartObject(max([*offsets, *numbers], default=-1) + 1)
    for slot, place in offsets.items():
        b.PrependUOffsetTRelativeSlot(slot, place, 0)
    for slot, (kind, value) in numbers.items():
        getattr(b, f"Prepend{kind}Slot")(slot, value, 0)
    return int(b.EndObject())


def _vector(b: Any, places: Sequence[int]) -> int:
    b.StartVector(4, len(places), 4)
    for place in reversed(places):
        b.PrependUOffsetTRelative(place)
    return int(b.EndVector())


def _floats(b: Any, values: Sequence[float]) -> int:
    b.StartVector(4, len(values), 4)
    for value in reversed(values):
        b.PrependFloat32(value)
    return int(b.EndVector())
