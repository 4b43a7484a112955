"""The flatbuffers that hold metadata, made with the package ``flatbuffers``: it, and a model's new root."""

from collections.abc import Mapping, Sequence
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
from mlserverless.types import TFLITE

# What a new root takes over as it stands.
MOVED = (slots.OPERATOR_CODES, slots.SUBGRAPHS, slots.DESCRIPTION, slots.METADATA_BUFFER, slots.SIGNATURES)
# What an About says, in its order.
TEXTS = (slots.ABOUT_NAME, slots.ABOUT_DESCRIPTION, slots.ABOUT_VERSION, slots.AUTHOR, slots.LICENSE)
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
    tensors = {
        slots.INPUT_TENSOR_METADATA: _vector(b, _tensors(b, inputs)),
        slots.OUTPUT_TENSOR_METADATA: _vector(b, _tensors(b, outputs)),
    }
    graphs = _vector(b, [_table(b, tensors)])
    texts = [b.CreateString(text) if text else 0 for text in about]
    fields = dict(zip(TEXTS, texts, strict=True))
    fields |= {slots.SUBGRAPH_METADATA: graphs, slots.MIN_PARSER_VERSION: b.CreateString(PARSER)}
    b.Finish(_table(b, fields), file_identifier=IDENTIFIER)
    return bytes(b.Output())


def rooted(model: bytes, root: Table, packed: bytes) -> bytes:
    """Return ``model``, whose root table is ``root``, behind a new root that leads to ``packed`` as its metadata.

    What stands in the old file is given to the builder as a negative offset: it counts from the end of what it
    builds, and there the old file begins.
    """
    b = builder(len(packed) + 1024)
    b.Prep(ALIGNMENT, 0)
    b.Prep(16, len(packed))  # which the schema asks for of a buffer's data
    held = _table(b, {slots.DATA: b.CreateByteVector(packed)})
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
    b.PrependUOffsetTRelativeSlot(slots.METADATA_NAME, name, 0)
    b.PrependUint32Slot(slots.METADATA_INDEX, number, 0)
    entries.append(b.EndObject())
    fields = {slot: -root.address(slot) for slot in MOVED if root.has(slot)}
    fields |= {slots.BUFFERS: _vector(b, buffers), slots.METADATA: _vector(b, entries)}
    top = _table(b, fields, {slots.VERSION: ("Uint32", root.number(slots.VERSION, "<I"))})
    b.Finish(top, file_identifier=TFLITE)
    return bytes(b.Output()) + model


def _tensors(b: Any, tensors: Sequence[TensorInfo]) -> list[int]:
    return [_tensor(b, tensor) for tensor in tensors]


def _tensor(b: Any, tensor: TensorInfo) -> int:
    fields = {slots.INFO_NAME: b.CreateString(tensor.name)} if tensor.name else {}
    if tensor.content:
        kind = CONTENTS.index(tensor.content)
        color = COLOR_SPACES.index(tensor.color_space)
        image = {slots.COLOR_SPACE: ("Int8", color)} if tensor.content == "image" else None
        properties = {slots.CONTENT_PROPERTIES: _table(b, {}, image)}
        fields[slots.CONTENT] = _table(b, properties, {slots.CONTENT_PROPERTIES_TYPE: ("Uint8", kind)})
    units = []
    if tensor.mean:
        mean, std = _floats(b, tensor.mean), _floats(b, tensor.std)
        units.append(_unit(b, NORMALIZATION, _table(b, {slots.MEAN: mean, slots.STD: std})))
    if tensor.score_threshold is not None:
        options = _table(b, {}, {slots.GLOBAL_SCORE_THRESHOLD: ("Float32", tensor.score_threshold)})
        units.append(_unit(b, THRESHOLDING, options))
    if units:
        fields[slots.PROCESS_UNITS] = _vector(b, units)
    if tensor.minimum or tensor.maximum:
        ends = {slots.MAX: _floats(b, tensor.maximum), slots.MIN: _floats(b, tensor.minimum)}
        fields[slots.STATS] = _table(b, ends)
    if tensor.labels:
        fields[slots.INFO_FILES] = _vector(b, [_file(b, file) for file in tensor.labels])
    return _table(b, fields)


def _unit(b: Any, kind: int, options: int) -> int:
    return _table(b, {slots.OPTIONS: options}, {slots.OPTIONS_TYPE: ("Uint8", kind)})


def _file(b: Any, file: LabelFile) -> int:
    fields = {slots.FILE_NAME: b.CreateString(file.name)}
    if file.locale:
        fields[slots.FILE_LOCALE] = b.CreateString(file.locale)
    kind = VALUE_LABELS if file.of_values else AXIS_LABELS
    return _table(b, fields, {slots.FILE_TYPE: ("Int8", kind)})


def _table(b: Any, offsets: dict[int, int], numbers: Mapping[int, tuple[str, float]] | None = None) -> int:
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
