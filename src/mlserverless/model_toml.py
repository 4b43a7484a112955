"""What a ``model.toml`` may say: its keys, what each accepts, and an error for anything else."""

from collections.abc import Callable
from typing import Any, NamedTuple, NoReturn

from mlserverless import toml
from mlserverless.errors import ModelUnavailable

DOCS = "docs/reference/model-folder.md"
TASKS = ("classify", "detect", "raw")
RESIZE = ("nearest", "bilinear", "bicubic", "lanczos", "box")
RESIZERS = ("pillow", "tensorflow", "torch", "mediapipe")
FIT = ("stretch", "crop", "pad")
CHANNELS = ("rgb", "bgr", "gray", "rgba")
LAYOUTS = ("nhwc", "nchw", "flat")
RANGES = ("raw", "unit", "signed", "imagenet", "caffe")
ACTIVATIONS = ("none", "softmax", "sigmoid")
MAX_PIXEL_SCALE = 1e9
MAX_SIDE = 65_536  # pixels
MAX_OFFSET = 1_000_000  # classes
KEYS = {
    "": ("name", "file", "sha256", "labels", "task", "signature", "input", "output", "delegates", "certificate"),
    "input": (
        *("preset", "size", "channels", "layout", "resize", "resizer", "antialias", "fit", "crop", "side"),
        "range",
    ),
    "output": ("activation", "scores", "boxes", "classes", "count", "offset"),
    "delegates": ("library", "options"),
}
TEXTS = ("name", "file", "sha256", "labels", "signature")

Range = str | tuple[tuple[float, ...], tuple[float, ...]]


class Input(NamedTuple):
    """How the model wants its images. "", () and 0: nothing says it.

    ``size`` is (height, width) in pixels; ``side`` the shorter side, in pixels, before the middle is cut out;
    ``crop`` the share of the middle that is kept.
    """

    preset: str = ""
    size: tuple[int, ...] = ()
    channels: str = ""
    layout: str = ""
    resize: str = "bilinear"
    resizer: str = "pillow"
    antialias: bool = True
    fit: str = "stretch"
    crop: float = 1.0
    side: int = 0
    range: Range = ""


class Output(NamedTuple):
    """What the model's outputs mean. Names are those of output tensors; ``offset`` is the first label's index."""

    activation: str = "none"
    scores: str = ""
    boxes: str = ""
    classes: str = ""
    count: str = ""  # type: ignore[assignment]  # hides tuple.count, which nobody calls on this
    offset: int = 0


class Delegate(NamedTuple):
    """A shared library that runs part of a model, and the options that it is given."""

    library: str
    options: tuple[tuple[str, str], ...] = ()


def parse(data: bytes, path: str) -> dict[str, Any]:
    """Return what a model.toml says; ``path`` is its name in errors. ModelUnavailable for what it may not say."""
    try:
        table = toml.loads(data.decode())
    except ValueError as error:
        raise ModelUnavailable(f"{path} cannot be read: {error}.") from error
    for section, accepted in KEYS.items():
        values = table.get(section, {}) if section else table
        for entry in values if section == "delegates" and isinstance(values, list) else (values,):
            for key in entry if isinstance(entry, dict) else [section]:
                if key not in accepted:
                    place = f"[{section}] " if section else ""
                    raise ModelUnavailable(
                        f"{path}: {place}{key} is not known; known are {', '.join(accepted)}. See {DOCS}."
                    )
    for key in TEXTS:
        if not isinstance(table.get(key, ""), str):
            raise ModelUnavailable(f"{path}: {key} is {table[key]!r}; accepted is a text. See {DOCS}.")
    delegates = table.get("delegates", [])
    if not isinstance(delegates, list) or not all(isinstance(entry, dict) for entry in delegates):
        _refuse("delegates", delegates, "[[delegates]], a table each", path)
    if not isinstance(table.get("certificate", {}), dict):
        _refuse("certificate", table["certificate"], "what `mlserverless certify` writes", path)
    return table


def read_input(given: dict[str, Any], file: str) -> Input:
    """Return what the section ``[input]`` says; ``file`` is the model's, for errors. Raises ModelUnavailable."""
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
    return Input(**{key: readers[key](f"input.{key}", value, file) for key, value in given.items()})


def read_output(given: dict[str, Any], file: str) -> Output:
    """Return what the section ``[output]`` says; ``file`` is the model's, for errors. Raises ModelUnavailable."""
    readers: dict[str, Callable[[str, Any, str], Any]] = dict.fromkeys(KEYS["output"], text)
    readers |= {"activation": one_of(ACTIVATIONS), "offset": whole(-MAX_OFFSET, MAX_OFFSET)}
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
            _refuse(
                "delegates", entry, 'a library and options: { library = "libdelegate.so", options = {…} }', file
            )
        texts = (
            (key, str(value).lower() if isinstance(value, bool) else str(value)) for key, value in options.items()
        )
        found.append(Delegate(library, tuple(texts)))
    return tuple(found)


def one_of(accepted: tuple[str, ...]) -> Callable[[str, Any, str], str]:
    """Return a reader of one of ``accepted``."""

    def read(key: str, value: Any, file: str) -> str:
        return choice(key, value, accepted, file)

    return read


def whole(least: int, most: int) -> Callable[[str, Any, str], int]:
    """Return a reader of a whole number from ``least`` to ``most``."""

    def read(key: str, value: Any, file: str) -> int:
        if type(value) is not int or not least <= value <= most:
            _refuse(key, value, f"a whole number from {least:,} to {most:,}", file)
        return int(value)

    return read


def text(key: str, value: Any, file: str) -> str:
    """Return ``value``, a text; raise ModelUnavailable."""
    if not isinstance(value, str):
        _refuse(key, value, "a text", file)
    return str(value)


def flag(key: str, value: Any, file: str) -> bool:
    """Return ``value``, true or false; raise ModelUnavailable."""
    if not isinstance(value, bool):
        _refuse(key, value, "true or false", file)
    return bool(value)


def size(key: str, value: Any, file: str) -> tuple[int, ...]:
    """Return ``value``, a height and a width in pixels; raise ModelUnavailable."""
    if (
        not isinstance(value, list)
        or len(value) != 2
        or not all(type(x) is int and 1 <= x <= MAX_SIDE for x in value)
    ):
        _refuse(key, value, "[height, width] in pixels", file)
    return tuple(value)


def choice(key: str, value: Any, accepted: tuple[str, ...], file: str) -> str:
    """Return ``value``, one of ``accepted``; raise ModelUnavailable."""
    if value not in accepted:
        raise ModelUnavailable(f"{file}: {key} is {value!r}; accepted are {', '.join(accepted)}. See {DOCS}.")
    return str(value)


def share(key: str, value: Any, file: str) -> float:
    """Return ``value``, a share above 0 and up to 1; raise ModelUnavailable."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 1:
        _refuse(key, value, "a share above 0 and up to 1", file)
    return float(value)


def scale(key: str, value: Any, file: str) -> Range:
    """Return ``value``, the name of a range or a mean and a std ("" for none); raise ModelUnavailable."""
    if isinstance(value, dict) and set(value) == {"mean", "std"}:
        mean, std = (tuple(v) if isinstance(v, list) else (v,) for v in (value["mean"], value["std"]))
        numbers = all(type(x) in (int, float) and abs(x) < MAX_PIXEL_SCALE for x in (*mean, *std))
        if numbers and all(std) and {len(mean), len(std)} <= {1, 3, 4}:
            return tuple(map(float, mean)), tuple(map(float, std))
    if value == "" or value in RANGES:
        return str(value)
    accepted = f"{', '.join(RANGES)} or {{ mean = …, std = … }} in pixel values, one number each or one a channel"
    raise ModelUnavailable(f"{file}: {key} is {value!r}; accepted are {accepted}. See {DOCS}.")


def _refuse(key: str, value: Any, accepted: str, file: str) -> NoReturn:
    raise ModelUnavailable(f"{file}: {key} is {value!r}; accepted is {accepted}. See {DOCS}.")
