"""Metadata out of the bytes of a .tflite file. Label files are only named: ``labels.packed`` reads one."""

import struct
from math import isfinite
from typing import TYPE_CHECKING

from mlserverless.errors import ModelUnavailable
from mlserverless.metadata import slots
from mlserverless.metadata.flatbuffer import Table
from mlserverless.metadata.records import Calibration, LabelFile, Metadata, TensorInfo

if TYPE_CHECKING:
    from mlserverless.types import Contents

NAME = "TFLITE_METADATA"
IDENTIFIER = b"M001"
# The values that are known, of the union ProcessUnitOptions, and of AssociatedFileType
NORMALIZATION, CALIBRATION, THRESHOLDING = 1, 2, 3
AXIS_LABELS, VALUE_LABELS, AXIS_CALIBRATION = 2, 3, 4
# All values, in their order, of ScoreTransformationType, of the union ContentProperties, and of ColorSpaceType
TRANSFORMATIONS = ("identity", "log", "inverse logistic")
CONTENTS = ("", "feature", "image", "bounding box", "audio")
COLOR_SPACES = ("", "rgb", "gray")
MAX_BYTES = 16_000_000  # of the metadata, label files aside: a detector's anchors may stand in it
MAX_TEXT_BYTES = 100_000  # of a description or a licence
BUDGET_BYTES = 8_000_000  # some thirty thousand tables: half a second
OPEN = 'If the model is right all the same, set metadata = "ignore" in model.toml. See docs/reference/metadata.md.'


def read(model: "Contents") -> Metadata:
    """Return the metadata of the .tflite file ``model``; empty where it has none.

    Raises ModelUnavailable where there is some and it is corrupt.
    """
    try:
        packed = buffer(model)
        return _read(packed) if packed else Metadata()
    except (struct.error, IndexError, UnicodeDecodeError, ValueError) as error:
        raise corrupt(error) from error


def image_input(inputs: tuple[TensorInfo, ...]) -> TensorInfo | None:
    """Return what metadata says of the image input: the first that is an image, or the first."""
    return next((told for told in inputs if told.content == "image"), inputs[0] if inputs else None)


def corrupt(error: Exception) -> ModelUnavailable:
    """Return the error that tells what is wrong with a model's metadata."""
    return ModelUnavailable(f"The model's TFLite metadata is corrupt: {error}. {OPEN}")


def buffer(model: "Contents") -> bytes:
    """Return the flatbuffer of the metadata in ``model``, b"" where there is none. Raises as :class:`Table`
    does."""
    root = Table.root(model)
    for entry in root.tables(slots.METADATA):
        if entry.text(slots.METADATA_NAME) == NAME:
            held = root.entry(slots.BUFFERS, entry.number(slots.METADATA_INDEX, "<I"))
            if (size := max(held.length(slots.DATA), held.number(slots.SIZE, "<Q"))) > MAX_BYTES:
                raise ValueError(f"it has {size:,} bytes, more than {MAX_BYTES:,}")
            # A file of more than 2 GB keeps its buffers behind the flatbuffer.
            start, size = held.number(slots.OFFSET, "<Q"), held.number(slots.SIZE, "<Q")
            return held.raw(slots.DATA) or (model[start : start + size] if start > 1 else b"")
    return b""


def _read(packed: bytes) -> Metadata:
    if packed[4:8] != IDENTIFIER:
        raise ValueError(f"its identifier is {packed[4:8]!r}, not M001")
    root = Table.root(packed, BUDGET_BYTES)
    names = [_name(file) for file in root.tables(slots.ABOUT_FILES)]
    inputs: tuple[TensorInfo, ...] = ()
    outputs: tuple[TensorInfo, ...] = ()
    for graph in root.tables(slots.SUBGRAPH_METADATA)[:1]:
        files = graph.tables(slots.GRAPH_FILES)
        names += map(_name, files)
        taken, given = slots.INPUT_TENSOR_METADATA, slots.OUTPUT_TENSOR_METADATA
        before, after = slots.INPUT_PROCESS_UNITS, slots.OUTPUT_PROCESS_UNITS
        inputs = tuple(_tensor(one, graph.tables(before), [], names) for one in graph.tables(taken))
        outputs = tuple(_tensor(one, graph.tables(after), files, names) for one in graph.tables(given))
    return Metadata(
        name=root.text(slots.ABOUT_NAME),
        description=root.text(slots.ABOUT_DESCRIPTION, MAX_TEXT_BYTES),
        version=root.text(slots.ABOUT_VERSION),
        author=root.text(slots.AUTHOR),
        license=root.text(slots.LICENSE, MAX_TEXT_BYTES),
        min_parser_version=root.text(slots.MIN_PARSER_VERSION),
        inputs=inputs,
        outputs=outputs,
        files=tuple(dict.fromkeys(names)),
        present=True,
    )


def _tensor(tensor: Table, units: list[Table], files: list[Table], names: list[str]) -> TensorInfo:
    # What a tensor says itself comes before what its graph says of all inputs or outputs.
    own = tensor.tables(slots.INFO_FILES)
    names += map(_name, own)
    found = TensorInfo(
        tensor.text(slots.INFO_NAME),
        tensor.text(slots.INFO_DESCRIPTION, MAX_TEXT_BYTES),
        tensor.texts(slots.DIMENSION_NAMES),
        labels=_labels(own) or _labels(files),
    )
    if content := tensor.table(slots.CONTENT):
        found = _content(found, content)
    if stats := tensor.table(slots.STATS):
        found = found._replace(maximum=stats.floats(slots.MAX), minimum=stats.floats(slots.MIN))
    for unit in units + tensor.tables(slots.PROCESS_UNITS):
        kind, options = unit.number(slots.OPTIONS_TYPE, "<B"), unit.table(slots.OPTIONS)
        if not options:
            continue
        if kind == NORMALIZATION:
            mean, std = options.floats(slots.MEAN), options.floats(slots.STD)
            _check(mean, std)
            found = found._replace(mean=mean, std=std)
        elif kind == THRESHOLDING:
            least = options.real(slots.GLOBAL_SCORE_THRESHOLD)
            found = found._replace(score_threshold=_finite(least, "score threshold"))
        elif kind == CALIBRATION:
            found = found._replace(calibration=_calibration(options, own + files))
    return found


def _content(found: TensorInfo, content: Table) -> TensorInfo:
    kind, properties = content.number(slots.CONTENT_PROPERTIES_TYPE, "<B"), content.table(slots.CONTENT_PROPERTIES)
    found = found._replace(content=CONTENTS[kind] if kind < len(CONTENTS) else "")
    if not properties or found.content != "image":
        return found
    color, size = properties.number(slots.COLOR_SPACE, "<B"), properties.table(slots.DEFAULT_SIZE)
    return found._replace(
        color_space=COLOR_SPACES[color] if color < len(COLOR_SPACES) else "",
        default_size=(size.number(slots.HEIGHT, "<I"), size.number(slots.WIDTH, "<I")) if size else (),
    )


def _calibration(options: Table, files: list[Table]) -> Calibration:
    kind = options.number(slots.SCORE_TRANSFORMATION, "<B")
    if kind >= len(TRANSFORMATIONS):
        raise ValueError(f"its score transformation is {kind}; known are 0, 1 and 2")
    for file in files:
        if file.number(slots.FILE_TYPE, "<B") == AXIS_CALIBRATION:
            default = options.real(slots.DEFAULT_SCORE)
            return Calibration(_name(file), TRANSFORMATIONS[kind], _finite(default, "default score"))
    raise ValueError("it wants scores calibrated and names no file that says how")


def _labels(files: list[Table]) -> tuple[LabelFile, ...]:
    kinds = ((file, file.number(slots.FILE_TYPE, "<B")) for file in files)
    return tuple(
        LabelFile(_name(file), file.text(slots.FILE_LOCALE), kind == VALUE_LABELS)
        for file, kind in kinds
        if kind in (AXIS_LABELS, VALUE_LABELS)
    )


def _name(file: Table) -> str:
    return file.text(slots.FILE_NAME)


def _finite(value: float, what: str) -> float:
    if not isfinite(value):
        raise ValueError(f"its {what} is {value}")
    return value


def _check(mean: tuple[float, ...], std: tuple[float, ...]) -> None:
    if len({len(mean), len(std)} - {0, 1}) > 1 or not all(map(isfinite, mean + std)) or not all(std):
        raise ValueError(f"its mean {mean[:4]} and std {std[:4]} are no normalisation of a tensor's channels")
