"""A model folder as a new project has it: copied, or begun around a bare model file, with the file's sha256."""

import re
from pathlib import Path

from mlserverless import engines, loading, model_toml, model_values
from mlserverless import model as models
from mlserverless.config import Settings
from mlserverless.errors import ModelUnavailable

BESIDE = ("LICENSE*", "README*")
BEGUN = """\
# How the model wants its images. See {docs}.
name = {name}
file = "{file}"
sha256 = "{sha256}"
{labels}
[input]
resize = "bilinear" # {resize}
fit = "stretch" # {fit}
{range}
[output]
activation = "none" # {activation}
"""


def model_files(where: str) -> tuple[dict[str, bytes | Path], tuple[str, ...]]:
    """Return the files of a model folder for the model at ``where``, and what is left to fill in.

    The model is tried with the engine that is installed here, if there is one. Raises ModelUnavailable where it
    cannot be read.
    """
    loaded = models.load(where)
    path = Path(models.locate(where))
    told = _refused(where)
    notes = [told] if told else []
    if path.is_dir():
        return _copied(path, loaded), tuple(notes)
    file = "model.onnx" if path.suffix.lower() == ".onnx" else "model.tflite"
    files: dict[str, bytes | Path] = {"model.toml": _begun(loaded, file).encode(), file: path}
    if told is None and not loaded.input.range:
        notes.append("Set range in [input] of model/model.toml, unless the model's input is quantised.")
    if not loaded.labels:
        notes.append("Put the labels, one a line, beside model/model.toml and name the file in it: labels = …")
    notes.append("Check resize and fit in model/model.toml against how the model was trained.")
    return files, tuple(notes)


def _copied(folder: Path, loaded: models.Model) -> dict[str, bytes | Path]:
    text = (folder / "model.toml").read_bytes()
    table = model_toml.parse(text, "model.toml")
    names = [models.file_name(table, str(folder)), *filter(None, [table.get("labels")])]
    for name in names:
        if ".." in Path(name).parts or Path(name).is_absolute():
            raise ModelUnavailable(
                f"{folder}/model.toml names {name!r}, which is not in the folder: copy it there."
            )
    pinned = text if loaded.pinned else pin(text.decode(), loaded).encode()
    files: dict[str, bytes | Path] = {"model.toml": pinned} | {name: folder / name for name in names}
    beside = sorted(path for pattern in BESIDE for path in folder.glob(pattern) if path.is_file())
    return files | {path.name: path for path in beside}


def pin(text: str, loaded: models.Model) -> str:
    """Return the model.toml ``text``, which had no sha256 or an empty one, with that of the ``loaded`` model."""
    return f'sha256 = "{loaded.sha256}"\n' + re.sub(r"(?m)^sha256[ \t]*=.*\n?", "", text)


def _begun(loaded: models.Model, file: str) -> str:
    labels = '# labels = "labels.txt" # one a line, as many as the model has classes\n'
    scale = (
        '# range = "unit" # ' + f"{', '.join(model_values.RANGES)}, or {{ mean = …, std = … }} in pixel values\n"
    )
    told = "# The file's own metadata has its {}.\n"
    return BEGUN.format(
        docs=model_values.DOCS,
        name='"' + "".join(letter for letter in loaded.name if letter.isalnum() or letter in "-_. ") + '"',
        sha256=loaded.sha256,
        file=file,
        labels=told.format("labels") if loaded.labels else labels,
        range=told.format("mean and std, the range") if loaded.input.range else scale,
        resize=", ".join(model_toml.RESIZE),
        fit=", ".join(model_toml.FIT),
        activation=", ".join(model_toml.ACTIVATIONS),
    )


def _refused(where: str) -> str | None:
    """Return why the model cannot be served as it stands, "" if it can, None where no engine is installed here."""
    try:
        engines.select(Settings().engine, engines.order(models.load(where).data))
    except ModelUnavailable:
        return None
    try:
        loading.load(Settings(model=where))
    except ModelUnavailable as error:
        return str(error)
    return ""
