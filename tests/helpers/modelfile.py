"""Model files with metadata, written with the flatbuffers package, so that our reader is not checked by itself.

They hold what the reader looks at and no graph: no engine can run them. Field numbers follow ``schema.fbs`` and
``metadata_schema.fbs``. :func:`metadata` writes the usual; :func:`described` any tree of tables.
"""

import io
import zipfile
from collections.abc import Sequence
from typing import Any

import flatbuffers

NORMALIZATION, CALIBRATION, THRESHOLDING = 1, 2, 3  # ProcessUnitOptions
AXIS_LABELS, VALUE_LABELS, AXIS_CALIBRATION = 2, 3, 4  # AssociatedFileType
FEATURE, IMAGE, BOX = 1, 2, 3  # ContentProperties
RGB, GRAYSCALE = 1, 2  # ColorSpaceType
# A field: a text, floats, a table ({slot: field}), a list of either, or a number, as (the builder's name of its
# type, value).
Fields = dict[int, Any]
FILES = {"labels.txt": b"cat\ndog\n", "labels_de.txt": b"Katze\nHund\n", "curves.csv": b"1,2,3\n1,2,3,0.5\n"}


def _vector(builder: flatbuffers.Builder, offsets: Sequence[int]) -> int:
    builder.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    return int(builder.EndVector())


def _floats(builder: flatbuffers.Builder, values: Sequence[float]) -> int:
    builder.StartVector(4, len(values), 4)
    for value in reversed(values):
        builder.PrependFloat32(value)
    return int(builder.EndVector())


def _table(builder: flatbuffers.Builder, slots: int, **fields: int) -> int:
    builder.StartObject(slots)
    for name, offset in fields.items():
        builder.PrependUOffsetTRelativeSlot(int(name.removeprefix("slot")), offset, 0)
    return int(builder.EndObject())


def metadata(
    mean: Sequence[float] = (), std: Sequence[float] = (), labels: str = "", identifier: bytes = b"M001"
) -> bytes:
    """Return a ModelMetadata buffer: an input normalised by ``mean`` and ``std``, an output with a label file."""
    b = flatbuffers.Builder(256)
    units = []
    if mean or std:
        options = _table(b, 2, slot0=_floats(b, mean), slot1=_floats(b, std))
        b.StartObject(2)
        b.PrependUint8Slot(0, 1, 0)  # ProcessUnitOptions.NormalizationOptions
        b.PrependUOffsetTRelativeSlot(1, options, 0)
        units.append(int(b.EndObject()))
    files = []
    if labels:
        name = b.CreateString(labels)
        b.StartObject(5)
        b.PrependUOffsetTRelativeSlot(0, name, 0)
        b.PrependInt8Slot(2, 2, 0)  # AssociatedFileType.TENSOR_AXIS_LABELS
        files.append(int(b.EndObject()))
    image = _table(b, 8, slot4=_vector(b, units))
    scores = _table(b, 8, slot6=_vector(b, files))
    inputs, outputs = _vector(b, [image]), _vector(b, [scores])
    graph = _table(b, 8, slot2=inputs, slot3=outputs)
    b.Finish(_table(b, 8, slot3=_vector(b, [graph])), file_identifier=identifier)
    return bytes(b.Output())


def described(
    inputs: Sequence[Fields] = (),
    outputs: Sequence[Fields] = (),
    graph: Fields | None = None,
    about: Fields | None = None,
) -> bytes:
    """Return a ModelMetadata buffer: TensorMetadata tables, and further fields of the graph and of the whole."""
    b = flatbuffers.Builder(256)
    tensors = {slot: list(fields) for slot, fields in ((2, inputs), (3, outputs)) if fields}
    b.Finish(_field(b, {**(about or {}), 3: [{**tensors, **(graph or {})}]}), file_identifier=b"M001")
    return bytes(b.Output())


def everything() -> bytes:
    """Return a ModelMetadata buffer with all that is read. What it names is in ``FILES``."""
    image = normalised([127.5] * 3, [127.5] * 3)
    image[2], image[5] = ["batch", "rows", "columns", "channels"], {0: [1.0], 1: [-1.0]}
    image[3][1][1] = {0: ("Uint32", 16), 1: ("Uint32", 8)}
    files = [file("labels.txt"), file("labels_de.txt", locale="de"), file("curves.csv", AXIS_CALIBRATION)]
    units = [
        unit(THRESHOLDING, {0: ("Float32", 0.25)}),
        unit(CALIBRATION, {0: ("Uint8", 1), 1: ("Float32", 0.125)}),
    ]
    scores = {0: "scores", 1: "One a class", 3: {0: ("Uint8", FEATURE), 1: {}}, 4: units, 6: files}
    boxes = {0: "location", 3: {0: ("Uint8", BOX), 1: {}}}
    graph = {4: [file("words.txt", 5)], 8: [{0: "group", 1: ["image"]}], 9: [{0: "group", 1: ["scores"]}]}
    graph |= {5: [unit(NORMALIZATION, {0: [0.0], 1: [1.0]})], 6: [unit(THRESHOLDING, {0: ("Float32", 0.5)})]}
    about = {0: "m", 1: "What it does", 2: "v1", 4: "me", 5: "Apache-2.0", 6: [file("README", 1)], 7: "1.5.0"}
    return described([image], [scores, boxes], graph, about)


def repeated(times: int, tensor: Fields) -> bytes:
    """Return a ModelMetadata buffer of so many outputs, which all are the one table ``tensor``."""
    b = flatbuffers.Builder(256)
    outputs = _vector(b, [_field(b, tensor)] * times)
    b.Finish(_table(b, 8, slot3=_vector(b, [_table(b, 8, slot3=outputs)])), file_identifier=b"M001")
    return bytes(b.Output())


def unit(kind: int, options: Fields) -> Fields:
    """Return a ProcessUnit."""
    return {0: ("Uint8", kind), 1: options}


def normalised(mean: Sequence[float], std: Sequence[float], color: int = RGB) -> Fields:
    """Return the TensorMetadata of an image input."""
    content = {0: ("Uint8", IMAGE), 1: {0: ("Int8", color)}}
    return {0: "image", 3: content, 4: [unit(NORMALIZATION, {0: list(mean), 1: list(std)})]}


def file(name: str, kind: int = AXIS_LABELS, locale: str = "") -> Fields:
    """Return an AssociatedFile."""
    return {0: name, 2: ("Int8", kind), **({3: locale} if locale else {})}


def _field(b: flatbuffers.Builder, value: Any) -> int:
    if isinstance(value, str):
        return int(b.CreateString(value))
    if isinstance(value, list):
        if value and isinstance(value[0], float | int):
            return _floats(b, value)
        return _vector(b, [_field(b, entry) for entry in value])
    places = {slot: _field(b, entry) for slot, entry in value.items() if not isinstance(entry, tuple)}
    b.StartObject(max(value, default=-1) + 1)
    for slot, place in places.items():
        b.PrependUOffsetTRelativeSlot(slot, place, 0)
    for slot, entry in value.items():
        if isinstance(entry, tuple):
            getattr(b, f"Prepend{entry[0]}Slot")(slot, entry[1], None)  # written even where it is the default
    return int(b.EndObject())


def model(packed: bytes = b"", files: dict[str, bytes] | None = None) -> bytes:
    """Return a TFL3 file that carries the metadata ``packed`` and, appended as a zip archive, ``files``."""
    b = flatbuffers.Builder(256)
    return _model(b, _table(b, 1, slot0=b.CreateByteVector(packed)) if packed else 0) + _archive(files or {})


def model_with_outside(packed: bytes, files: dict[str, bytes] | None = None) -> bytes:
    """Return a TFL3 file whose metadata stands behind the flatbuffer, as in files of more than 2 GB."""
    length = len(_outside(1, len(packed)))
    return _outside(length, len(packed)) + packed + _archive(files or {})


def _outside(offset: int, size: int) -> bytes:
    b = flatbuffers.Builder(256)
    return _model(b, _field(b, {1: ("Uint64", offset), 2: ("Uint64", size)}))


def _model(b: flatbuffers.Builder, held: int) -> bytes:
    empty = _table(b, 1)
    buffers = [empty, held] if held else [empty]
    entries = []
    if held:
        name = b.CreateString("TFLITE_METADATA")
        b.StartObject(2)
        b.PrependUOffsetTRelativeSlot(0, name, 0)
        b.PrependUint32Slot(1, 1, 0)
        entries.append(int(b.EndObject()))
    in_buffers, in_metadata = _vector(b, buffers), _vector(b, entries)
    b.Finish(_table(b, 8, slot4=in_buffers, slot6=in_metadata), file_identifier=b"TFL3")
    return bytes(b.Output())


def _archive(files: dict[str, bytes]) -> bytes:
    archive = io.BytesIO()
    if files:
        with zipfile.ZipFile(archive, "w") as out:
            for name, text in files.items():
                out.writestr(name, text)
    return archive.getvalue()
