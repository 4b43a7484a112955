"""Model files with metadata, written with the flatbuffers package, so that our reader is not checked by itself.

They hold what the reader looks at and no graph: no engine can run them. Field numbers follow ``schema.fbs`` and
``metadata_schema.fbs``.
"""

import io
import zipfile
from collections.abc import Sequence

import flatbuffers


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


def model(packed: bytes = b"", files: dict[str, bytes] | None = None) -> bytes:
    """Return a TFL3 file that carries the metadata ``packed`` and, appended as a zip archive, ``files``."""
    b = flatbuffers.Builder(256)
    empty = _table(b, 1)
    buffers = [empty, _table(b, 1, slot0=b.CreateByteVector(packed))] if packed else [empty]
    entries = []
    if packed:
        name = b.CreateString("TFLITE_METADATA")
        b.StartObject(2)
        b.PrependUOffsetTRelativeSlot(0, name, 0)
        b.PrependUint32Slot(1, 1, 0)
        entries.append(int(b.EndObject()))
    in_buffers, in_metadata = _vector(b, buffers), _vector(b, entries)
    b.Finish(_table(b, 8, slot4=in_buffers, slot6=in_metadata), file_identifier=b"TFL3")
    archive = io.BytesIO()
    if files:
        with zipfile.ZipFile(archive, "w") as out:
            for name, text in files.items():
                out.writestr(name, text)
    return bytes(b.Output()) + archive.getvalue()
