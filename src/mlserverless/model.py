"""A model folder: the .tflite file, its labels, and ``model.toml``, which says how it wants its images.

``model.toml`` comes first, then the file's own TFLite metadata, then the tensors' details. The file is read
once, and its sha256 is part of every answer; where ``model.toml`` pins one, another file is refused.
"""

import os
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple

from mlserverless import metadata, model_toml
from mlserverless.errors import ModelUnavailable
from mlserverless.model_toml import DOCS, TASKS, Delegate, Input, Output, Range

if TYPE_CHECKING:
    from mlserverless.types import Contents

HERE = os.path.dirname(os.path.abspath(__file__))
# In a wheel the models are data of the package; in a checkout they stand at its top.
SHELVES = (os.path.join(HERE, "_models"), os.path.join(os.path.dirname(os.path.dirname(HERE)), "models"))
MAX_MODEL_BYTES = 2_000_000_000  # a flatbuffer's offsets are 32-bit
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


def load(where: str, sha256: str = "") -> Model:
    """Read the model at ``where``: a folder with a model.toml, a .tflite file, or a bundled model's name.

    The file must have the ``sha256`` given, and the one that model.toml pins. Raises ModelUnavailable, naming the
    file and what is wrong with it.
    """
    path = locate(where)
    folder = path if os.path.isdir(path) else ""
    table = _toml(os.path.join(folder, "model.toml")) if folder else {}
    file = os.path.join(folder, table.get("file", "model.tflite")) if folder else path
    pins = {"model.toml": table.get("sha256", ""), "the setting model_sha256": sha256}
    data, digest = _read(file, pins)
    taken = model_toml.read_input(table.get("input", {}), file)
    labels: tuple[str, ...] = ()
    if name := table.get("labels"):
        labels = _labels(os.path.join(folder, name))
    scale: Range = taken.range
    if not labels or not scale:
        told = metadata.read(data)
        labels = labels or told.labels
        scale = scale or ((told.mean, told.std) if told.mean and told.std else "")
    stem = os.path.splitext(os.path.basename(path.rstrip(os.sep)))[0]
    return Model(
        name=table.get("name") or stem,
        path=file,
        data=data,
        sha256=digest,
        pinned=any(pins.values()),
        labels=labels,
        task=model_toml.choice("task", table["task"], TASKS, file) if "task" in table else "",
        signature=table.get("signature", ""),
        input=taken._replace(range=scale),
        output=model_toml.read_output(table.get("output", {}), file),
        delegates=model_toml.read_delegates(table.get("delegates", []), file),
        certificate=tuple(table.get("certificate", {}).items()),
    )


def locate(where: str) -> str:
    """Return the path of the model folder or .tflite file that ``where`` names; raise ModelUnavailable."""
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
        f"There is no model {shown!r}: give a model folder, a .tflite file or one of {', '.join(bundled)}."
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
    from mlserverless import verify  # a pinned model does not pay for it

    verify.check(model.data)


def _read(path: str, pins: dict[str, str]) -> tuple["Contents", str]:
    try:
        if (size := os.path.getsize(path)) > MAX_MODEL_BYTES:
            raise ModelUnavailable(f"{path} has {size:,} bytes; a .tflite file has at most {MAX_MODEL_BYTES:,}.")
        data = _contents(path)
    except OSError as error:
        raise ModelUnavailable(f"The model file {path} cannot be read: {error.strerror}.") from error
    if data[4:8] != b"TFL3":
        raise ModelUnavailable(f"{path} is not a TFLite model: it lacks the identifier TFL3.")
    digest = sha256(data).hexdigest()
    for place, pinned in pins.items():
        if pinned and digest != pinned.lower():
            raise ModelUnavailable(f"{path} has the sha256 {digest}, but {place} pins {pinned}.")
    return data, digest


def _contents(path: str) -> "Contents":
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


def _toml(path: str) -> dict[str, Any]:
    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError as error:
        raise ModelUnavailable(f"{path} cannot be read: {error}.") from error
    return model_toml.parse(data, path)


def _labels(path: str) -> tuple[str, ...]:
    try:
        with open(path, encoding="utf-8") as file:
            return metadata.parse_labels(file.read())
    except (OSError, UnicodeDecodeError) as error:
        raise ModelUnavailable(f"The label file {path} cannot be read: {error}.") from error
