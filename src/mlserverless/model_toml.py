"""What a ``model.toml`` may say: its keys, what each accepts, and an error for anything else."""

from typing import Any

from mlserverless import toml
from mlserverless.errors import ModelUnavailable

DOCS = "docs/reference/model-folder.md"
RESIZE = ("nearest", "bilinear", "bicubic", "lanczos", "box")
FIT = ("stretch", "crop", "pad")
RANGES = ("raw", "unit", "signed", "imagenet", "caffe")
ACTIVATIONS = ("none", "softmax", "sigmoid")
MAX_PIXEL_SCALE = 1e9
KEYS = {
    "": ("name", "file", "sha256", "labels", "input", "output"),
    "input": ("resize", "fit", "crop", "range"),
    "output": ("activation",),
}

TEXTS = ("name", "file", "sha256", "labels")

Range = str | tuple[tuple[float, ...], tuple[float, ...]]


def parse(data: bytes, path: str) -> dict[str, Any]:
    """Return what a model.toml says; ``path`` is its name in errors. ModelUnavailable for what it may not say."""
    try:
        table = toml.loads(data.decode())
    except ValueError as error:
        raise ModelUnavailable(f"{path} cannot be read: {error}.") from error
    for section, accepted in KEYS.items():
        values = table.get(section, {}) if section else table
        for key in values if isinstance(values, dict) else [section]:
            if key not in accepted:
                place = f"[{section}] " if section else ""
                raise ModelUnavailable(
                    f"{path}: {place}{key} is not known; known are {', '.join(accepted)}. See {DOCS}."
                )
    for key in TEXTS:
        if not isinstance(table.get(key, ""), str):
            raise ModelUnavailable(f"{path}: {key} is {table[key]!r}; accepted is a text. See {DOCS}.")
    return table


def choice(key: str, value: Any, accepted: tuple[str, ...], file: str) -> str:
    """Return ``value``, one of ``accepted``; raise ModelUnavailable."""
    if value not in accepted:
        raise ModelUnavailable(f"{file}: {key} is {value!r}; accepted are {', '.join(accepted)}. See {DOCS}.")
    return str(value)


def share(value: Any, file: str) -> float:
    """Return ``value``, a share above 0 and up to 1; raise ModelUnavailable."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 1:
        raise ModelUnavailable(
            f"{file}: input.crop is {value!r}; accepted is a share above 0 and up to 1. See {DOCS}."
        )
    return float(value)


def scale(value: Any, file: str) -> Range:
    """Return ``value``, the name of a range or a mean and a std ("" for none); raise ModelUnavailable."""
    if isinstance(value, dict) and set(value) == {"mean", "std"}:
        mean, std = (tuple(v) if isinstance(v, list) else (v,) for v in (value["mean"], value["std"]))
        numbers = all(type(x) in (int, float) and abs(x) < MAX_PIXEL_SCALE for x in (*mean, *std))
        if numbers and all(std) and {len(mean), len(std)} <= {1, 3}:
            return tuple(map(float, mean)), tuple(map(float, std))
    if value == "" or value in RANGES:
        return str(value)
    accepted = f"{', '.join(RANGES)} or {{ mean = …, std = … }} in pixel values, one or three numbers each"
    raise ModelUnavailable(f"{file}: input.range is {value!r}; accepted are {accepted}. See {DOCS}.")
