"""Put the standard TFLite metadata and a label file into a model file.

Metadata is a FlatBuffer of its own (identifier "M001", schema `metadata_schema.fbs` of TensorFlow Lite
Support), kept as one more buffer of the model and found by the name "TFLITE_METADATA". The files it
mentions are a zip archive appended to the model: FlatBuffers are read from the front and zip archives
from the back, so that one file is both. The comments at the tables name the fields of the schema in slot
order.
"""

import io
import zipfile
from dataclasses import dataclass

import flatbuffers
import numpy as np
from tensorflow.lite.python import schema_py_generated as schema

# Values of the schema's unions and enumerations.
_PROCESS_NORMALIZATION = 1
_CONTENT_FEATURE, _CONTENT_IMAGE = 1, 2
_COLOR_RGB = 1
_FILE_TENSOR_AXIS_LABELS = 2

_METADATA_NAME = "TFLITE_METADATA"
_MIN_PARSER_VERSION = "1.0.0"
_ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest date zip can hold: the bytes must not depend on the clock


@dataclass(frozen=True)
class ImageClassifierCard:
    """What the metadata says about an image classifier.

    `mean` and `std` are those of raw 0..255 pixels, `pixel_range` what the input tensor accepts.
    """

    name: str
    description: str
    author: str
    licence: str
    mean: float
    std: float
    pixel_range: tuple[float, float]
    labels_file: str = "labels.txt"


@dataclass(frozen=True)
class _Reference:
    """The place of a string, vector or table already written, as opposed to a number stored in its slot."""

    offset: int


class _Writer:
    """Writes FlatBuffers objects. A table refers only to what is written already, so leaves come first."""

    def __init__(self) -> None:
        self.builder = flatbuffers.Builder(1024)

    def text(self, value: str) -> _Reference:
        return _Reference(self.builder.CreateString(value))

    def floats(self, *values: float) -> _Reference:
        self.builder.StartVector(4, len(values), 4)
        for value in reversed(values):
            self.builder.PrependFloat32(value)
        return _Reference(self.builder.EndVector())

    def references(self, *values: _Reference) -> _Reference:
        self.builder.StartVector(4, len(values), 4)
        for value in reversed(values):
            self.builder.PrependUOffsetTRelative(value.offset)
        return _Reference(self.builder.EndVector())

    def table(self, slots: dict[int, _Reference | int]) -> _Reference:
        """Write a table from slot number to value. Numbers are one byte wide, as all enumerations here."""
        self.builder.StartObject(max(slots, default=-1) + 1)
        for slot, value in slots.items():
            if isinstance(value, _Reference):
                self.builder.PrependUOffsetTRelativeSlot(slot, value.offset, 0)
            else:
                self.builder.PrependUint8Slot(slot, value, 0)
        return _Reference(self.builder.EndObject())

    def finish(self, root: _Reference) -> bytes:
        self.builder.Finish(root.offset, b"M001")
        return bytes(self.builder.Output())


def metadata(card: ImageClassifierCard) -> bytes:
    """Return the metadata FlatBuffer of an image classifier with one input and one output."""
    w = _Writer()
    mean, std = w.floats(card.mean), w.floats(card.std)
    options = w.table({0: mean, 1: std})  # NormalizationOptions: mean, std
    normalization = w.table({0: _PROCESS_NORMALIZATION, 1: options})  # ProcessUnit: options
    image = w.table({0: _COLOR_RGB})  # ImageProperties: color_space
    image_content = w.table({0: _CONTENT_IMAGE, 1: image})  # Content: content_properties
    feature_content = w.table({0: _CONTENT_FEATURE, 1: w.table({})})
    low, high = card.pixel_range
    pixel_stats = _stats(w, low, high)
    probability_stats = _stats(w, 0.0, 1.0)

    units = w.references(normalization)
    name, description = w.text("image"), w.text("Input image, RGB, raw 0..255 pixels")
    # TensorMetadata: name, description, (dimension_names), content, process_units, stats, associated_files
    tensor_in = w.table({0: name, 1: description, 3: image_content, 4: units, 5: pixel_stats})

    name, description = w.text(card.labels_file), w.text("Labels for the classes the model recognises.")
    # AssociatedFile: name, description, type
    label_files = w.references(w.table({0: name, 1: description, 2: _FILE_TENSOR_AXIS_LABELS}))
    name, description = w.text("probability"), w.text("Probability of each label.")
    tensor_out = w.table({0: name, 1: description, 3: feature_content, 5: probability_stats, 6: label_files})

    inputs, outputs = w.references(tensor_in), w.references(tensor_out)
    # SubGraphMetadata: (name, description), input_tensor_metadata, output_tensor_metadata
    subgraphs = w.references(w.table({2: inputs, 3: outputs}))
    about = [w.text(text) for text in (card.name, card.description, "v1", card.author, card.licence)]
    parser = w.text(_MIN_PARSER_VERSION)
    # ModelMetadata: name, description, version, subgraph_metadata, author, license, (files), min_parser
    root = w.table({0: about[0], 1: about[1], 2: about[2], 3: subgraphs, 4: about[3], 5: about[4], 7: parser})
    return w.finish(root)


def _stats(w: _Writer, low: float, high: float) -> _Reference:
    maximum, minimum = w.floats(high), w.floats(low)
    return w.table({0: maximum, 1: minimum})  # Stats: max, min


def pack(model: bytes, card: ImageClassifierCard, labels: bytes) -> bytes:
    """Return `model` with the metadata of `card` inside and the label file appended."""
    content = schema.ModelT.InitFromPackedBuf(bytearray(model), 0)
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(metadata(card), np.uint8)
    content.buffers.append(buffer)
    entry = schema.MetadataT()
    entry.name, entry.buffer = _METADATA_NAME, len(content.buffers) - 1
    content.metadata = [*(content.metadata or []), entry]
    builder = flatbuffers.Builder(len(model) + 4096)
    builder.Finish(content.Pack(builder), b"TFL3")

    packed = io.BytesIO()
    packed.write(builder.Output())
    with zipfile.ZipFile(packed, "a", zipfile.ZIP_STORED) as archive:
        archive.writestr(zipfile.ZipInfo(card.labels_file, _ZIP_EPOCH), labels)
    return packed.getvalue()
