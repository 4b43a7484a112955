"""What a ``model.toml`` may say: its keys, what each accepts, and an error for anything else."""

import os
from collections.abc import Callable
from typing import Any

from mlserverless import toml
from mlserverless.errors import ModelUnavailable
from mlserverless.model_values import (
    DOCS,
    MAX_SIDE,
    Range,
    choice,
    flag,
    one_of,
    refuse,
    scale,
    score,
    share,
    size,
    text,
    whole,
)
from mlserverless.named_tuple import NamedTuple

TASKS = ("classify", "detect", "raw")
METADATA = ("use", "ignore")  # the .tflite file's own
# Whose arithmetic resizes -> the methods that it has. docs/reference/presets.md says which call each one is.
METHODS = {
    "pillow": ("nearest", "bilinear", "bicubic", "lanczos", "box", "hamming"),
    "tensorflow": (
        *("nearest", "bilinear", "bicubic", "lanczos3", "lanczos5", "gaussian", "mitchellcubic", "area"),
    ),
    "torch": ("nearest", "nearest-exact", "bilinear", "bicubic", "lanczos", "area"),
    "torchvision": ("nearest", "nearest-exact", "bilinear", "bicubic", "lanczos"),
    "mediapipe": ("bilinear",),
}
RESIZERS = tuple(METHODS)
RESIZE = tuple(dict.fromkeys(method for methods in METHODS.values() for method in methods))
# Those that can go with and without antialiasing, and which they do where nothing is said, as the library does.
ANTIALIAS = {"tensorflow": False, "torch": False, "torchvision": True}
SMOOTHED = ("bilinear", "bicubic", "lanczos3", "lanczos5", "gaussian", "mitchellcubic")
FIT = ("stretch", "crop", "cut", "pad", "centre")
CHANNELS = ("rgb", "bgr", "gray", "rgba")
LAYOUTS = ("nhwc", "nchw", "flat")
ACTIVATIONS = ("none", "softmax", "sigmoid")
MAX_OFFSET = 1_000_000  # classes
KEYS = {
    "": (
        *("name", "file", "sha256", "labels", "labels_locale", "metadata", "task", "signature"),
        *("input", "output", "delegates", "certificate"),
    ),
    "input": (
        *("preset", "size", "channels", "layout", "resize", "resizer", "antialias", "fit", "crop", "side"),
        "range",
    ),
    "output": ("activation", "scores", "boxes", "classes", "count", "offset", "score_threshold"),
    "delegates": ("library", "options", "required"),
}
# Keys of [output] that a task does not read; and what it does take.
UNREAD = {"classify": ("boxes", "classes", "count"), "raw": KEYS["output"]}
TAKES = {
    "classify": "takes only activation, scores, offset and score_threshold of [output]. Leave it out, or say "
    'task = "detect"',
    "raw": "answers the tensors as they are: it takes nothing of [output]. Leave it out, or say another task",
}
TEXTS = ("name", "file", "sha256", "labels", "labels_locale", "metadata", "signature")


class Input(NamedTuple):
    """How the model wants its images. "", (), 0 and None: nothing says it.

    ``size`` is (height, width) in pixels, and ``usual`` where it is only what the preset's models have more often
    than not; ``side`` the shorter side, in pixels, before the middle is cut out;
    ``crop`` the share of the middle that is kept. What :func:`read_input` returns is one that the resizer has.
    """

    preset: str = ""
    size: tuple[int, ...] = ()
    channels: str = ""
    layout: str = ""
    resize: str = "bilinear"
    resizer: str = "pillow"
    antialias: bool | None = None
    fit: str = "stretch"
    crop: float = 1.0
    side: int = 0
    range: Range = ""
    usual: bool = False


class Output(NamedTuple):
    """What the model's outputs mean. Names are those of output tensors; ``offset`` is the first label's index."""

    activation: str = "none"
    scores: str = ""
    boxes: str = ""
    classes: str = ""
    count: str = ""  # type: ignore[assignment]  # hides tuple.count, which nobody calls on this
    offset: int = 0
    score_threshold: float | None = None


class Delegate(NamedTuple):
    """A shared library that runs part of a model, and the options that it is given.

    ``library`` is a path, or a name that the system's loader searches for. ``required``: without it the model is
    not to run.
    """

    library: str
    options: tuple[tuple[str, str], ...] = ()
    required: bool = True


def parse(data: bytes, path: str) -> dict[str, Any]:
    """Return what a model.toml says; ``path`` is its name in errors. ModelUnavailable for what it may not say."""
    try:
        table = toml.loads(data.decode())
    except ValueError as error:
        raise ModelUnavailable(f"{path} cannot be read: {error}.") from error
    for section, accepted in KEYS.items():
        values = table.get(section, {}) if section else table
        several = section == "delegates" and bool(values)
        if several and not (isinstance(values, list) and all(isinstance(entry, dict) for entry in values)):
            refuse(section, values, "[[delegates]], a table each", path)
        if not several and not isinstance(values, dict):
            refuse(section, values, f"a section [{section}]", path)
        for entry in values if several else (values,):
            for key in entry:
                if key not in accepted:
                    place = f"[{section}] " if section else ""
                    raise ModelUnavailable(
                        f"{path}: {place}{key} is not known; known are {', '.join(accepted)}. See {DOCS}."
                    )
    for key in TEXTS:
        if not isinstance(value := table.get(key, ""), str):
            refuse(key, value, "a text", path)
        if "\0" in value:  # of which no file's name can have one
            refuse(key, value, "a text without NUL", path)
    if table.get("file") == "":
        refuse("file", "", "the name of the model's file, or no such line", path)
    if "certificate" in table:
        from mlserverless import certificate  # only a certified model pays for it

        certificate.check(table["certificate"], path)
    return table


def read_task(table: dict[str, Any], file: str) -> str:
    """Return the task that a model.toml, ``table``, says, or ""; ``file`` is the model's, for errors.

    Raises ModelUnavailable for one that there is not, and for a key that does nothing for a model of that task.
    """
    if "task" not in table:
        return ""
    task = choice("task", table["task"], TASKS, file)
    for key in UNREAD.get(task, ()):
        if (value := table.get("output", {}).get(key, "")) not in ("", "none", 0):  # which ask for nothing
            raise ModelUnavailable(
                f"{file}: output.{key} is {value!r}, but task is {task}, which {TAKES[task]}. See {DOCS}."
            )
    return task


def read_input(given: dict[str, Any], file: str) -> Input:
    """Return what the section ``[input]`` says, its preset filled in; ``file`` is the model's, for errors.

    Raises ModelUnavailable for a key, a value or a combination that there is not.
    """
    readers: dict[str, Callable[[str, Any, str], Any]] = {
        "preset": text,
        "size": size,
        "channels": one_of(CHANNELS),
        "layout": one_of(LAYOUTS),
        "resize": one_of(RESIZE),
        "resizer": one_of(RESIZERS),
        "antialias": flag,
        "fit": one_of(FIT),
        "crop": share,
        "side": whole(1, MAX_SIDE),
        "range": scale,
    }
    taken = {key: readers[key](f"input.{key}", value, file) for key, value in given.items()}
    if taken.get("preset"):
        from mlserverless import presets  # only a model that names one pays for it

        taken = presets.filled(taken, file)
    return _combined(Input(**taken), file)


def antialiases(wanted: Input) -> bool:
    """Whether ``wanted`` looks at all pixels when it makes an image smaller: as it says, else as its resizer."""
    if wanted.antialias is not None:
        return wanted.antialias
    if wanted.resizer in ANTIALIAS and wanted.resize in SMOOTHED:
        return ANTIALIAS[wanted.resizer]
    return wanted.resize == "lanczos" or (wanted.resizer == "pillow" and wanted.resize != "nearest")


def _combined(wanted: Input, file: str) -> Input:
    """Return ``wanted``; raise ModelUnavailable for a combination that its resizer does not have."""
    resizer, method, fit = wanted.resizer, wanted.resize, wanted.fit
    if method not in METHODS[resizer]:
        having = ", ".join(name for name, methods in METHODS.items() if method in methods)
        accepted = f'with resizer = "{resizer}" one of {", ".join(METHODS[resizer])} ({method} is of {having})'
        refuse("input.resize", method, accepted, file)
    fixed = antialiases(wanted._replace(antialias=None))
    if wanted.antialias not in (None, fixed) and not (resizer in ANTIALIAS and method in SMOOTHED):
        refuse("input.antialias", wanted.antialias, f"{str(fixed).lower()} alone for {resizer}'s {method}", file)
    if wanted.side and (fit != "crop" or wanted.crop != 1):
        refuse("input.side", wanted.side, 'one with fit = "crop" and without crop', file)
    if wanted.crop != 1 and fit not in ("crop", "stretch"):
        refuse("input.crop", wanted.crop, f'none with fit = "{fit}"', file)
    if resizer == "mediapipe" and (fit != "stretch" or wanted.crop != 1):
        refuse("input.fit", fit, '"stretch" without crop for mediapipe', file)
    if fit == "crop" and not wanted.side and resizer in ANTIALIAS:
        refuse("input.fit", fit, f'"cut" for {resizer}, which cuts whole pixels, or a side beside it', file)
    return wanted


def read_output(given: dict[str, Any], file: str) -> Output:
    """Return what the section ``[output]`` says; ``file`` is the model's, for errors. Raises ModelUnavailable."""
    readers: dict[str, Callable[[str, Any, str], Any]] = dict.fromkeys(KEYS["output"], text)
    readers |= {
        "activation": one_of(ACTIVATIONS),
        "offset": whole(-MAX_OFFSET, MAX_OFFSET),
        "score_threshold": score,
    }
    return Output(**{key: readers[key](f"output.{key}", value, file) for key, value in given.items()})


def read_delegates(given: Any, file: str) -> tuple[Delegate, ...]:
    """Return the ``[[delegates]]``; ``file`` is the model's, for errors. Raises ModelUnavailable."""
    found = []
    for entry in given:
        library, options = entry.get("library"), entry.get("options", {})
        plain = isinstance(options, dict) and all(
            type(value) in (str, int, float, bool) for value in options.values()
        )
        if not isinstance(library, str) or not library or not plain:
            refuse(
                "delegates", entry, 'a library and options: { library = "libdelegate.so", options = {…} }', file
            )
        texts = (
            (key, str(value).lower() if isinstance(value, bool) else str(value)) for key, value in options.items()
        )
        required = flag("delegates.required", entry.get("required", True), file)
        found.append(Delegate(_beside(library, file), tuple(texts), required))
    return tuple(found)


def _beside(library: str, file: str) -> str:
    # What stands in the model's folder is meant before what the system's loader finds by that name.
    path = os.path.join(os.path.dirname(os.path.abspath(file)), library)
    return path if "/" in library or os.path.isfile(path) else library
