"""How a value in a ``model.toml`` is read: by its key, for the error, which names the model's file, too."""

from collections.abc import Callable
from typing import Any, NoReturn

from mlserverless.errors import ModelUnavailable

DOCS = "docs/reference/model-folder.md"
RANGES = ("raw", "unit", "signed", "imagenet", "caffe")
MAX_PIXEL_SCALE = 1e9
MAX_SCORE = 1e9
MAX_SIDE = 65_536  # pixels

Range = str | tuple[tuple[float, ...], tuple[float, ...]]


def one_of(accepted: tuple[str, ...]) -> Callable[[str, Any, str], str]:
    """Return a reader of one of ``accepted``."""

    def read(key: str, value: Any, file: str) -> str:
        return choice(key, value, accepted, file)

    return read


def whole(least: int, most: int) -> Callable[[str, Any, str], int]:
    """Return a reader of a whole number from ``least`` to ``most``."""

    def read(key: str, value: Any, file: str) -> int:
        if type(value) is not int or not least <= value <= most:
            refuse(key, value, f"a whole number from {least:,} to {most:,}", file)
        return int(value)

    return read


def text(key: str, value: Any, file: str) -> str:
    """Return ``value``, a text; raise ModelUnavailable."""
    if not isinstance(value, str):
        refuse(key, value, "a text", file)
    return str(value)


def flag(key: str, value: Any, file: str) -> bool:
    """Return ``value``, true or false; raise ModelUnavailable."""
    if not isinstance(value, bool):
        refuse(key, value, "true or false", file)
    return bool(value)


def size(key: str, value: Any, file: str) -> tuple[int, ...]:
    """Return ``value``, a height and a width in pixels; raise ModelUnavailable."""
    if (
        not isinstance(value, list)
        or len(value) != 2
        or not all(type(x) is int and 1 <= x <= MAX_SIDE for x in value)
    ):
        refuse(key, value, "[height, width] in pixels", file)
    return tuple(value)


def choice(key: str, value: Any, accepted: tuple[str, ...], file: str) -> str:
    """Return ``value``, one of ``accepted``; raise ModelUnavailable."""
    if value not in accepted:
        raise ModelUnavailable(f"{file}: {key} is {value!r}; accepted are {', '.join(accepted)}. See {DOCS}.")
    return str(value)


def share(key: str, value: Any, file: str) -> float:
    """Return ``value``, a share above 0 and up to 1; raise ModelUnavailable."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 1:
        refuse(key, value, "a share above 0 and up to 1", file)
    return float(value)


def score(key: str, value: Any, file: str) -> float:
    """Return ``value``, a score; raise ModelUnavailable."""
    if type(value) not in (int, float) or not abs(value) <= MAX_SCORE:
        refuse(key, value, f"a number from {-MAX_SCORE:,.0f} to {MAX_SCORE:,.0f}", file)
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


def refuse(key: str, value: Any, accepted: str, file: str) -> NoReturn:
    """Raise ModelUnavailable for the ``value`` of a ``key``, with what is ``accepted`` and where to read on."""
    raise ModelUnavailable(f"{file}: {key} is {value!r}; accepted is {accepted}. See {DOCS}.")
