"""Which labels a model has: those of model.toml's file, or of the label files that its metadata names.

Where there are both they have to be the same. A range, which model.toml and metadata may say in different words,
is compared once the tensors are known: :mod:`mlserverless.contradictions`.
"""

import os
import struct
from typing import TYPE_CHECKING

from mlserverless.errors import ModelUnavailable
from mlserverless.metadata import labels, slots
from mlserverless.metadata.flatbuffer import Table
from mlserverless.metadata.records import LabelFile, Metadata

if TYPE_CHECKING:
    from mlserverless.types import Contents

MAX_COMPARED = 16  # label files, which each may have ten million bytes
DOCS = "docs/reference/metadata.md"


def way_out(key: str) -> str:
    """Return how to settle a contradiction about what ``key`` of model.toml says."""
    told = f'Remove {key} from model.toml, or, if the metadata is wrong, set metadata = "ignore" there.'
    return f"{told} See {DOCS}."


def label_files(model: "Contents", told: Metadata, names: tuple[str, ...] = ()) -> tuple[LabelFile, ...]:
    """Return the label files of the output that one of ``names`` means, in metadata or model; of the first, else.

    Outputs without label files are not looked at. Metadata lists the outputs in the model's order. Raises
    ModelUnavailable where the model's own names would have to be read and are corrupt.
    """
    labelled = [place for place, output in enumerate(told.outputs) if output.labels]
    if len(labelled) > 1 and any(names):
        own = _output_names(model)
        for place in labelled:
            if told.outputs[place].name in names or own[place : place + 1] in [[name] for name in names]:
                return told.outputs[place].labels
    return told.outputs[labelled[0]].labels if labelled else ()


def _output_names(model: "Contents") -> list[str]:
    try:
        graph = Table.root(model).entry(slots.SUBGRAPHS, 0)
        return [graph.entry(slots.TENSORS, i).text(slots.TENSOR_NAME) for i in graph.whole_numbers(slots.OUTPUTS)]
    except (struct.error, ValueError, IndexError) as error:
        raise ModelUnavailable(f"The model is corrupt: {error}.") from error


def agreed(model: "Contents", files: tuple[LabelFile, ...], path: str) -> tuple[str, ...]:
    """Return the labels of the file at ``path``, which model.toml names, if a label file of metadata has the same.

    Raises ModelUnavailable, naming the first line that differs, where there are some and none has.
    """
    try:
        with open(path, "rb") as file:
            text = file.read()
        found = labels.parse(text.decode())
    except (OSError, UnicodeDecodeError) as error:
        raise ModelUnavailable(f"The label file {path} cannot be read: {error}.") from error
    default = labels.choose(files, "")
    if default is None or any(labels.listed(model, file.name, text) for file in files[:MAX_COMPARED]):
        return found
    others = [file for file in files if file != default]
    packed = [labels.packed(model, file.name) for file in [default, *others][:MAX_COMPARED]]
    if found not in packed:
        raise ModelUnavailable(_difference(found, packed[0], os.path.basename(path), default.name))
    return found


def _difference(ours: tuple[str, ...], theirs: tuple[str, ...], name: str, packed: str) -> str:
    whose = f"of {packed} in the model's TFLite metadata"
    for number, (one, other) in enumerate(zip(ours, theirs, strict=False), 1):
        if one != other:
            said = f"Line {number:,} of {name}, the labels in model.toml, is {one[:80]!r}, {whose} {other[:80]!r}."
            return f"{said} {way_out('labels')}"
    said = f"{name}, the labels in model.toml, has {len(ours):,} lines, {whose[3:]} {len(theirs):,}."
    return f"{said} {way_out('labels')}"
