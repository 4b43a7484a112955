"""What a .tflite file says of itself: normalisation and labels, read without a dependency.

TFLite metadata (schema ``metadata_schema.fbs``, identifier M001) is a flatbuffer inside a buffer of the model's
own flatbuffer (``schema.fbs``, identifier TFL3); label files stand in a zip archive appended to the file. Only the
fields needed here are read. The slot numbers below are the order of the fields in those two schemas.
"""

import struct
from math import isfinite
from typing import TYPE_CHECKING, NamedTuple

from mlserverless.errors import ModelUnavailable

if TYPE_CHECKING:
    from mlserverless.types import Contents

MODEL_BUFFERS, MODEL_METADATA = 4, 6
METADATA_NAME, METADATA_BUFFER = 0, 1
SUBGRAPHS, INPUTS, OUTPUTS = 3, 2, 3
PROCESS_UNITS, ASSOCIATED_FILES = 4, 6
UNIT_TYPE, UNIT_OPTIONS, NORMALIZATION = 0, 1, 1
FILE_NAME, FILE_TYPE, AXIS_LABELS, VALUE_LABELS = 0, 2, 2, 3
MAX_ENTRIES = 100_000
MAX_NAME_BYTES = 1000
MAX_LABELS_BYTES = 10_000_000


class Metadata(NamedTuple):
    """The image input's mean and std (in 0…255 pixel values; empty: not given), and the labels."""

    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    labels: tuple[str, ...] = ()


def read(model: "Contents") -> Metadata:
    """Return the metadata of the .tflite file ``model``; empty where it has none.

    Raises ModelUnavailable where there is some and it is corrupt.
    """
    try:
        packed = _metadata_buffer(model)
        return _read(packed, model) if packed else Metadata()
    except (struct.error, IndexError, UnicodeDecodeError, ValueError) as error:
        raise ModelUnavailable(f"The model's TFLite metadata is corrupt: {error}.") from error


def _metadata_buffer(model: "Contents") -> bytes:
    root = Table.root(model)
    for entry in root.tables(MODEL_METADATA):
        if entry.text(METADATA_NAME) == "TFLITE_METADATA":
            return root.tables(MODEL_BUFFERS)[entry.number(METADATA_BUFFER, "<I")].raw(0)
    return b""


def _read(packed: bytes, model: "Contents") -> Metadata:
    if packed[4:8] != b"M001":
        raise ValueError(f"its identifier is {packed[4:8]!r}, not M001")
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    labels: tuple[str, ...] = ()
    for graph in Table.root(packed).tables(SUBGRAPHS)[:1]:
        for tensor in graph.tables(INPUTS)[:1]:
            for unit in tensor.tables(PROCESS_UNITS):
                options = unit.table(UNIT_OPTIONS)
                if options and unit.number(UNIT_TYPE, "<B") == NORMALIZATION:
                    mean, std = options.floats(0), options.floats(1)
                    _check(mean, std)
        for tensor in graph.tables(OUTPUTS)[:1]:
            for file in tensor.tables(ASSOCIATED_FILES):
                if file.number(FILE_TYPE, "<b") in (AXIS_LABELS, VALUE_LABELS) and not labels:
                    labels = _labels(model, file.text(FILE_NAME))
    return Metadata(mean, std, labels)


def _check(mean: tuple[float, ...], std: tuple[float, ...]) -> None:
    if not {len(mean), len(std)} <= {0, 1, 3} or not all(map(isfinite, mean + std)) or not all(std):
        raise ValueError(f"its mean {mean[:3]} and std {std[:3]} are no normalisation of RGB pixels")


def _labels(model: "Contents", name: str) -> tuple[str, ...]:
    import io
    import zipfile  # only a model whose labels are packed into the file pays for it
    import zlib

    try:
        with zipfile.ZipFile(io.BytesIO(model)) as archive:
            packed = archive.getinfo(name)
            # The others take the memory that the file asks for, up to 4 GB, and raise classes of their own.
            if packed.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise RuntimeError(f"it is packed by method {packed.compress_type}, not stored or deflated")
            with archive.open(packed) as file:
                text = file.read(MAX_LABELS_BYTES + 1)
    except (KeyError, zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError) as error:
        raise ValueError(f"the label file {name!r} that it names cannot be read ({error})") from error
    if len(text) > MAX_LABELS_BYTES:
        raise ValueError(f"the label file {name!r} is larger than {MAX_LABELS_BYTES:,} bytes")
    return parse_labels(text.decode())


def parse_labels(text: str) -> tuple[str, ...]:
    """Return the lines of a label file, stripped; an empty last line is no label."""
    return tuple(line.strip() for line in text.removesuffix("\n").split("\n"))


class Table:
    """A flatbuffer table. Every read is checked against the buffer's end by ``struct`` itself."""

    def __init__(self, data: "Contents", at: int) -> None:
        self._data, self._at = data, at
        self._fields = at - self._unpack("<i", at)
        if self._fields < 0:
            raise ValueError(f"a field table is at {self._fields}")

    @classmethod
    def root(cls, data: "Contents") -> "Table":
        return cls(data, struct.unpack_from("<I", data)[0])

    def _unpack(self, form: str, at: int) -> int:
        value: int = struct.unpack_from(form, self._data, at)[0]
        return value

    def _slot(self, slot: int) -> int:
        at = 4 + 2 * slot
        offset = self._unpack("<H", self._fields + at) if at < self._unpack("<H", self._fields) else 0
        return self._at + offset if offset else 0

    def _target(self, slot: int) -> int:
        at = self._slot(slot)
        return at + self._unpack("<I", at) if at else 0

    def number(self, slot: int, form: str) -> int:
        at = self._slot(slot)
        return self._unpack(form, at) if at else 0

    def table(self, slot: int) -> "Table | None":
        at = self._target(slot)
        return Table(self._data, at) if at else None

    def tables(self, slot: int) -> list["Table"]:
        at = self._target(slot)
        if not at:
            return []
        places = [at + 4 + 4 * i for i in range(self._count(at))]
        return [Table(self._data, place + self._unpack("<I", place)) for place in places]

    def _count(self, at: int) -> int:
        count = self._unpack("<I", at)
        if count > MAX_ENTRIES:
            raise ValueError(f"it announces {count:,} entries, more than {MAX_ENTRIES:,}")
        return count

    def raw(self, slot: int) -> bytes:
        at = self._target(slot)
        length = self._unpack("<I", at) if at else 0
        if at and at + 4 + length > len(self._data):
            raise ValueError(f"{length:,} bytes are announced where {len(self._data) - at - 4:,} are left")
        return self._data[at + 4 : at + 4 + length] if at else b""

    def text(self, slot: int) -> str:
        if len(name := self.raw(slot)) > MAX_NAME_BYTES:
            raise ValueError(f"a name in it has {len(name):,} bytes, more than {MAX_NAME_BYTES:,}")
        return name.decode()

    def length(self, slot: int) -> int:
        at = self._target(slot)
        return self._unpack("<I", at) if at else 0

    def floats(self, slot: int) -> tuple[float, ...]:
        at = self._target(slot)
        return struct.unpack_from(f"<{self._count(at)}f", self._data, at + 4) if at else ()

    def whole_numbers(self, slot: int) -> tuple[int, ...]:
        at = self._target(slot)
        return struct.unpack_from(f"<{self._count(at)}i", self._data, at + 4) if at else ()
