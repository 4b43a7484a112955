"""Metadata into a .tflite file: normalisation, labels and the rest, in the form that :mod:`.read` reads.

The model's own bytes stay as they are. A flatbuffer's offsets only lead forwards, so a new root, with everything
that the old one led to and the metadata besides, is put *before* the old file, and label files in a zip archive
behind it. The same arguments give the same bytes.
"""

import struct
from collections.abc import Mapping, Sequence
from math import isfinite

from mlserverless.errors import ModelUnavailable
from mlserverless.metadata import archive, schema, slots
from mlserverless.metadata.flatbuffer import Table
from mlserverless.metadata.records import LabelFile, TensorInfo
from mlserverless.types import is_tflite

MAX_BYTES = 2**31 - 1  # what a flatbuffer's readers take


def write(
    model: bytes,
    *,
    name: str,
    description: str = "",
    version: str = "",
    author: str = "",
    license: str = "",
    mean: Sequence[float] = (),
    std: Sequence[float] = (),
    minimum: Sequence[float] = (),
    maximum: Sequence[float] = (),
    labels: Sequence[str] = (),
    labels_by_locale: Mapping[str, Sequence[str]] | None = None,
    score_threshold: float | None = None,
    color_space: str = "rgb",
    output: int = 0,
    of_values: bool = False,
) -> bytes:
    """Return the .tflite file ``model`` with this metadata in it, in place of what it had.

    ``mean`` and ``std`` (in pixel values 0…255, one number or one a channel: (x - mean) / std is fed),
    ``minimum`` and ``maximum`` (of what is fed) and ``color_space`` (rgb, gray, or "" for an input that is no
    image) are of the first input. ``labels``, in the order of the model's output, become ``labels.txt``, those
    of a locale ("de", "en-US") ``labels_de.txt``; they and ``score_threshold`` are of the output number
    ``output``. ``of_values``: that output's values are places in the list of labels, as a detector's classes
    are. Files that stood behind the model before are left out. Raises ModelUnavailable where the model is none,
    is over 2 GB or keeps data behind the flatbuffer, where an argument could not be read back, and where the
    package flatbuffers is missing.
    """
    files = archive.label_files(labels, labels_by_locale or {})
    tensor = TensorInfo(
        name="image" if color_space else "input",
        content="image" if color_space else "feature",
        color_space=color_space.lower().replace("grayscale", "gray"),
        mean=_numbers("mean", mean),
        std=_numbers("std", std),
        minimum=_numbers("minimum", minimum),
        maximum=_numbers("maximum", maximum),
    )
    _check(tensor, score_threshold)
    own = archive.removed(bytes(model))
    try:
        root = Table.root(own)
        inputs, outputs = _tensors(root, own)
    except (struct.error, ValueError, IndexError) as error:
        raise ModelUnavailable(f"The model is corrupt: {error}.") from error
    if not 0 <= output < outputs:
        raise ModelUnavailable(f"The labels are of output {output}, and the model has {outputs}, counted from 0.")
    scores = TensorInfo(
        name="classes" if of_values else "scores",
        content="feature",
        labels=tuple(LabelFile(file, locale, of_values) for file, (locale, _) in files.items()),
        score_threshold=score_threshold,
    )
    packed = schema.metadata(
        schema.About(name, description, version, author, license),
        [tensor, *[TensorInfo()] * (inputs - 1)],
        [scores if i == output else TensorInfo() for i in range(outputs)],
    )
    whole = schema.rooted(own, root, packed)
    whole += archive.packed({file: text for file, (_, text) in files.items()})
    if len(whole) > MAX_BYTES:
        raise ModelUnavailable(
            f"The model would have {len(whole):,} bytes; a .tflite file has at most {MAX_BYTES:,}."
        )
    return whole


def _numbers(what: str, numbers: Sequence[float]) -> tuple[float, ...]:
    found = tuple(map(float, numbers))
    try:
        kept: tuple[float, ...] = struct.unpack(f"<{len(found)}f", struct.pack(f"<{len(found)}f", *found))
    except OverflowError:
        kept = ()
    if len(kept) != len(found) or not all(map(isfinite, kept)):
        archive.refuse(f"{what} is {found}, which float32 does not hold")
    return found


def _check(tensor: TensorInfo, score_threshold: float | None) -> None:
    mean, std = tensor.mean, tensor.std
    if bool(mean) != bool(std) or len({len(mean), len(std)} - {0, 1}) > 1 or not all(std):
        archive.refuse(
            f"mean is {mean} and std {std}; accepted are both or none, one number or one a channel, std not 0"
        )
    if tensor.color_space not in ("", "rgb", "gray"):
        archive.refuse(f"color_space is {tensor.color_space!r}; accepted are rgb, gray and an empty one")
    if score_threshold is not None and not isfinite(score_threshold):
        archive.refuse(f"score_threshold is {score_threshold}")


def _tensors(root: Table, model: bytes) -> tuple[int, int]:
    # How many inputs and outputs the first graph has. What is found by its distance from the file's beginning
    # cannot be moved: schema.fbs, Buffer.offset and Operator.large_custom_options_offset.
    if not is_tflite(model):
        raise ValueError("it lacks the identifier TFL3")
    moved = any(root.has(slot) for slot in range(slots.MODEL_SLOTS, slots.MODEL_SLOTS + 8))
    for held in root.tables(slots.BUFFERS):
        moved = moved or held.number(slots.OFFSET, "<Q") > 1
    graphs = root.tables(slots.SUBGRAPHS)
    for graph in graphs:
        for operator in graph.tables(slots.OPERATORS):
            moved = moved or operator.number(slots.LARGE_CUSTOM_OPTIONS_OFFSET, "<Q") > 1
    if moved:
        raise ModelUnavailable(
            "The model keeps data outside its flatbuffer, as models over 2 GB do: no metadata can be written "
            f"into it. See {archive.DOCS}."
        )
    if not graphs:
        raise ValueError("it has no graph")
    return graphs[0].length(slots.INPUTS), graphs[0].length(slots.OUTPUTS)
