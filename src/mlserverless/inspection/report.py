"""All that is known of a model's file, as one record: what the table shows, and what ``--json`` prints."""

import os
from collections import Counter
from collections.abc import Sequence
from hashlib import sha256
from typing import Any, NamedTuple

from mlserverless import model as models
from mlserverless import model_toml, onnxfile, verify
from mlserverless.errors import ModelUnavailable
from mlserverless.inspection import graph, memory, onnx, trial
from mlserverless.inspection.graph import Graph, Tensor
from mlserverless.inspection.memory import Memory, Weights
from mlserverless.inspection.ops import Use
from mlserverless.inspection.trial import Verdict
from mlserverless.metadata import labels, settle
from mlserverless.metadata.read import read
from mlserverless.metadata.records import Metadata
from mlserverless.types import is_tflite

TFLITE, ONNX = "tflite", "onnx"
IMAGE_RANK, ROW_RANK = 4, 2
DEFAULT_SIDE = 224  # pixels: what most published classifiers take


class Port(NamedTuple):
    """An input or an output: its tensor, and what the signatures call it."""

    tensor: Tensor
    aliases: tuple[str, ...] = ()


class Report(NamedTuple):
    """What a model file holds.

    ``signatures``: their keys. ``labels_from``: where the labels stand. ``memory`` None, ``operators`` and
    ``weights`` (): not known, which ``notes`` says why. ``notes``: problems, a sentence each. ``unpinned``: why
    the file is refused as long as nothing pins its sha256.
    """

    path: str
    format: str
    size: int
    sha256: str
    description: str = ""
    inputs: tuple[Port, ...] = ()
    outputs: tuple[Port, ...] = ()
    signatures: tuple[str, ...] = ()
    metadata: Metadata = Metadata()
    labels: tuple[str, ...] = ()
    labels_from: str = ""
    operators: tuple[Use, ...] = ()
    weights: tuple[Weights, ...] = ()
    memory: Memory | None = None
    multiply_adds: int = 0
    table: dict[str, Any] = {}  # noqa: RUF012 - what its model.toml says; never written to
    engines: tuple[Verdict, ...] = ()
    notes: tuple[str, ...] = ()
    unpinned: str = ""
    graph: Graph | None = None


def inspect(where: str, engines: tuple[str, ...] | None = None) -> Report:
    """Return what the model at ``where`` holds: a folder, a .tflite or .onnx file, or a bundled model's name.

    ``engines`` are those to try it with: None for all that know its format. Raises ModelUnavailable where there is
    no model or it is corrupt.
    """
    path = models.locate(where)
    folder = path if os.path.isdir(path) else ""
    notes: list[str] = []
    table = _table(os.path.join(folder, "model.toml")) if folder else {}
    file = os.path.join(folder, models.file_name(table, folder)) if folder else path
    data = bytes(models.contents(file))
    base = Report(file, TFLITE, len(data), sha256(data).hexdigest(), table=table)
    if is_tflite(data):
        found = _tflite(base, data, notes)
    elif file.lower().endswith(onnxfile.SUFFIX):
        onnxfile.check(data, file)  # as when it is served, and where no package is there to read it
        found = onnx.fill(base, notes)
    else:
        raise ModelUnavailable(
            f"{file} is no model: it lacks the identifier TFL3, and its name does not end in .onnx."
        )
    if (pin := table.get("sha256", "")) and pin.lower() != found.sha256:
        notes.append(f"model.toml pins another sha256, {pin}: the file will be refused.")
    named = table.get("labels") and os.path.join(folder, table["labels"])
    found = _labelled(found, data, named, table.get("labels_locale", ""), notes)
    order = (trial.TFLITE if found.format == TFLITE else trial.ONNX) if engines is None else engines
    told = (verdict._replace(lacks=trial.lacking(verdict, found.operators)) for verdict in _tried(found, order))
    return found._replace(engines=tuple(told), notes=tuple(notes))


def _table(path: str) -> dict[str, Any]:
    table = models.read_toml(path)
    model_toml.read_input(table.get("input", {}), path)  # as when it is served
    model_toml.read_output(table.get("output", {}), path)
    model_toml.read_task(table, path)
    return table


def _tflite(base: Report, data: bytes, notes: list[str]) -> Report:
    held = graph.read(data)
    first = held.subgraphs[0]
    told = Metadata()
    try:
        told = read(data)
    except ModelUnavailable as error:
        notes.append(str(error))
    unpinned = ""
    if not base.table.get("sha256"):
        try:
            verify.check(data)
        except ModelUnavailable as error:
            unpinned = str(error)
    uses = Counter((one.name, one.version, one.custom) for part in held.subgraphs for one in part.operators)
    operators = (Use(name, version, count, custom) for (name, version, custom), count in uses.most_common())
    aliases: dict[int, list[str]] = {}
    for signature in held.signatures:
        if signature.subgraph == 0:
            for name, i in signature.inputs + signature.outputs:
                if name not in aliases.setdefault(i, []):
                    aliases[i].append(name)
    inputs, outputs = (
        tuple(Port(first.tensors[i], tuple(aliases.get(i, ()))) for i in end)
        for end in (first.inputs, first.outputs)
    )
    return base._replace(
        description=held.description,
        inputs=inputs,
        outputs=outputs,
        signatures=tuple(signature.key for signature in held.signatures),
        metadata=told,
        operators=tuple(operators),
        weights=memory.weights(held),
        memory=memory.estimate(held),
        multiply_adds=memory.multiply_adds(held),
        unpinned=unpinned,
        graph=held,
    )


def _labelled(found: Report, data: bytes, named: str | None, locale: str, notes: list[str]) -> Report:
    """Return the report with the labels of the file that model.toml names, or of the model's metadata."""
    try:
        if named:
            with open(named, encoding="utf-8") as file:
                return found._replace(labels=labels.parse(file.read()), labels_from=named)
        chosen = labels.choose(settle.label_files(data, found.metadata), locale)
        if chosen:
            held = labels.packed(data, chosen.name)
            return found._replace(labels=held, labels_from=f"{chosen.name}, packed into the model's file")
    except ModelUnavailable as error:
        notes.append(str(error))
    except (OSError, UnicodeDecodeError) as error:
        notes.append(f"The label file {named} cannot be read: {error}.")
    return found


def _tried(found: Report, names: Sequence[str]) -> list[Verdict]:
    """Return what the engines make of the model, whose open sizes are settled where they are an image's."""
    shapes = [port.tensor.shape for port in found.inputs]
    # A batch of rows is left open by many who write a model of numbers in a row.
    if any(
        graph.OPEN in (shape[1:] if len(shape) == ROW_RANK else shape) and len(shape) != IMAGE_RANK
        for shape in shapes
    ):
        told = "an input that is no image leaves sizes open"
        return [Verdict(name, trial.UNTRIED, told) for name in names]
    size: Sequence[int] = found.table.get("input", {}).get("size", ())
    if not size and any(graph.OPEN in shape[1:] for shape in shapes):
        said = found.metadata.inputs[0].default_size if found.metadata.inputs else ()
        size = said or (DEFAULT_SIDE, DEFAULT_SIDE)
    return trial.run(found.path, names, size, found.table.get("signature", ""))
