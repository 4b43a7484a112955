"""A model folder: the .tflite or .onnx file, its labels, and ``model.toml``, which says how it wants its images.

``model.toml`` comes first, then the file's own TFLite metadata, then the tensors' details. The file is read
once, and its sha256 is part of every answer; where ``model.toml`` pins one, another file is refused.
"""

import os
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from mlserverless import model_toml, model_values
from mlserverless.errors import ModelUnavailable
from mlserverless.metadata import labels, settle
from mlserverless.metadata.read import image_input, read
from mlserverless.metadata.records import Metadata
from mlserverless.model_toml import METADATA, Delegate, Input, Output
from mlserverless.model_values import DOCS, Range
from mlserverless.named_tuple import NamedTuple
from mlserverless.types import is_tflite

if TYPE_CHECKING:
    from mlserverless.metadata.calibration import Curves
    from mlserverless.types import Contents

HERE = os.path.dirname(os.path.abspath(__file__))
# In a wheel the models are data of the package; in a checkout they stand at its top.
SHELVES = (os.path.join(HERE, "_models"), os.path.join(os.path.dirname(os.path.dirname(HERE)), "models"))
MAX_MODEL_BYTES = 2_000_000_000  # a flatbuffer's offsets are 32-bit; protobuf takes as much
DEFAULT_FILES = ("model.tflite", "model.onnx")  # where model.toml names none
WRITE_BITS = 0o222  # a superuser may write to a file without them, but will not by accident
# Engines that end the whole process on a corrupt file, so that no error can be answered: tflite-runtime does on
# 303 of 880. TensorFlow, whose loader is the same, was not measured and is treated alike.
FRAGILE = ("tflite-runtime", "tensorflow")


class Model(NamedTuple):
    """A model's bytes and what is known of it. ``pinned``: a sha256 was given. ``task`` "": nothing says it."""

    name: str
    path: str
    data: "Contents"
    sha256: str
    pinned: bool = False
    labels: tuple[str, ...] = ()
    task: str = ""
    signature: str = ""
    input: Input = Input()
    output: Output = Output()
    delegates: tuple[Delegate, ...] = ()
    certificate: tuple[tuple[str, Any], ...] = ()
    metadata: Metadata = Metadata()
    curves: "Curves | None" = None


def load(where: str, sha256: str = "") -> Model:
    """Read the model at ``where``: a folder with a model.toml, a .tflite or .onnx file, or a bundled name.

    The file must have the ``sha256`` given, and the one that model.toml pins. Raises ModelUnavailable, naming the
    file and what is wrong with it.
    """
    path = locate(where)
    folder = path if os.path.isdir(path) else ""
    table = read_toml(os.path.join(folder, "model.toml")) if folder else {}
    file = os.path.join(folder, file_name(table, folder)) if folder else path
    pins = {"model.toml": table.get("sha256", ""), "the setting model_sha256": sha256}
    data, digest = _read(file, pins)
    task = model_toml.read_task(table, file)
    taken = model_toml.read_input(table.get("input", {}), file)
    output = model_toml.read_output(table.get("output", {}), file)
    told = _told(table, data, file)
    scale: Range = taken.range
    if not scale and (image := image_input(told.inputs)) and image.mean and image.std:
        scale = (image.mean, image.std)
    if output.score_threshold is None:
        output = output._replace(score_threshold=told.score_threshold)
    return Model(
        name=table.get("name") or stem(path),
        path=file,
        data=data,
        sha256=digest,
        pinned=any(pins.values()),
        labels=_labels(table, folder, data, told, output),
        task=task,
        signature=table.get("signature", ""),
        input=taken._replace(range=scale),
        output=output,
        delegates=model_toml.read_delegates(table.get("delegates", []), file),
        certificate=tuple(table.get("certificate", {}).items()),
        metadata=told,
        curves=_curves(data, told),
    )


def file_name(table: dict[str, Any], folder: str) -> str:
    """Return the name of the model's file in ``folder``: what model.toml says, ``table``, or what is there."""
    if "file" in table:
        return str(table["file"])
    there = [os.path.isfile(os.path.join(folder, name)) for name in DEFAULT_FILES]
    return DEFAULT_FILES[1 if there == [False, True] else 0]


def stem(path: str) -> str:
    """Return the name of a model that nothing else names: its folder's, or its file's without the suffix."""
    return os.path.splitext(os.path.basename(path.rstrip(os.sep)))[0]


def locate(where: str) -> str:
    """Return the path of the model folder or the file that ``where`` names; raise ModelUnavailable."""
    if "://" in where:
        raise ModelUnavailable("The model is a URL: only Predictor and a deployed function download one.")
    if os.path.isfile(where) or os.path.isfile(os.path.join(where, "model.toml")):
        return where
    if os.path.basename(where) == where:
        for shelf in SHELVES:
            if os.path.isfile(os.path.join(shelf, where, "model.toml")):
                return os.path.join(shelf, where)
    if os.path.isdir(where):
        raise ModelUnavailable(f"The folder {where!r} has no model.toml. See {DOCS}.")
    names = sorted({name for shelf in SHELVES if os.path.isdir(shelf) for name in os.listdir(shelf)})
    bundled = [name for name in names if any(os.path.isfile(os.path.join(s, name, "model.toml")) for s in SHELVES)]
    shown = where.partition("?")[0]
    raise ModelUnavailable(
        f"There is no model {shown!r}: give a model folder, a .tflite or .onnx file or "
        f"one of {', '.join(bundled)}."
    )


def trust(engine: str, model: Model) -> None:
    """Raise ModelUnavailable where ``engine`` might crash on the file and no pin says that it is the right one."""
    if model.pinned:
        return
    if engine in FRAGILE:
        raise ModelUnavailable(
            f"{engine} crashes on corrupt files, so it is given only a file whose sha256 is pinned. {model.path} "
            f"has {model.sha256}: if that is right, pin it in model.toml or MLSERVERLESS_MODEL_SHA256. See {DOCS}."
        )
    if not is_tflite(model.data):  # ONNX Runtime checks a model itself
        return
    from mlserverless import verify  # a pinned model does not pay for it

    verify.check(model.data)


def contents(path: str) -> "Contents":
    """Return what the model's file at ``path`` holds; raise ModelUnavailable where that cannot be."""
    try:
        if (size := os.path.getsize(path)) > MAX_MODEL_BYTES:
            raise ModelUnavailable(f"{path} has {size:,} bytes; a model has at most {MAX_MODEL_BYTES:,}.")
        return _opened(path)
    except OSError as error:
        raise ModelUnavailable(f"The model file {path} cannot be read: {error.strerror}.") from error


def _read(path: str, pins: dict[str, str]) -> tuple["Contents", str]:
    data = contents(path)
    if path.lower().endswith(".onnx"):
        from mlserverless import onnxfile  # a .tflite file does not pay for it

        onnxfile.check(data, path)
    elif not is_tflite(data):
        raise ModelUnavailable(f"{path} is not a TFLite model: it lacks the identifier TFL3.")
    digest = sha256(data).hexdigest()
    for place, pinned in pins.items():
        if pinned and digest != pinned.lower():
            raise ModelUnavailable(f"{path} has the sha256 {digest}, but {place} pins {pinned}.")
    return data, digest


def _opened(path: str) -> "Contents":
    # Mapped where it will not change under us, as in a deployed package: 2.5 ms less, and memory that the kernel
    # can share and drop. Elsewhere it is read: who writes over a file that is mapped ends the process.
    with open(path, "rb") as file:
        about = os.stat(file.fileno())
        writable = about.st_mode & WRITE_BITS and os.access(path, os.W_OK)
        elsewhere = about.st_dev != os.stat(__file__).st_dev  # a volume, into which others may write
        if writable or elsewhere or not about.st_size:
            return file.read()
        from mmap import ACCESS_COPY, mmap

        return mmap(file.fileno(), 0, access=ACCESS_COPY)


def read_toml(path: str) -> dict[str, Any]:
    """Return what the model.toml at ``path`` says; raise ModelUnavailable."""
    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError as error:
        raise ModelUnavailable(f"{path} cannot be read: {error}.") from error
    return model_toml.parse(data, path)


def _told(table: dict[str, Any], data: "Contents", file: str) -> Metadata:
    # What model.toml says already is compared with it.
    ignored = model_values.choice("metadata", table.get("metadata", "use"), METADATA, file) == "ignore"
    return Metadata() if ignored or not is_tflite(data) else read(data)


def _labels(
    table: dict[str, Any], folder: str, data: "Contents", told: Metadata, output: Output
) -> tuple[str, ...]:
    name, locale = table.get("labels"), table.get("labels_locale", "")
    files = settle.label_files(data, told, (output.classes, output.scores))
    if name and locale:
        raise ModelUnavailable(
            f"{folder}/model.toml has labels, a file, and labels_locale, which picks one of those in the model's "
            f"metadata: say one of the two. See {DOCS}."
        )
    if name:
        return settle.agreed(data, files, os.path.join(folder, name))
    chosen = labels.choose(files, locale)
    return labels.packed(data, chosen.name) if chosen else ()


def _curves(data: "Contents", told: Metadata) -> "Curves | None":
    for output in told.outputs:
        if output.calibration:
            from mlserverless.metadata import calibration  # few models have one

            return calibration.read(data, output.calibration)
    return None
