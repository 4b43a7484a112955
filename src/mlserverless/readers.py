"""How the text of a setting becomes its value: each reader with the sentence that says what it accepts.

A reader raises ValueError, TypeError, KeyError or OverflowError for anything else;
:mod:`mlserverless.config` names the setting in the error it makes of that.
"""

import os
from collections.abc import Callable
from typing import Any

from mlserverless.named_tuple import NamedTuple

Reader = tuple[str, Callable[[Any], Any]]
SHORT, LONG = 10, 32
HEX = frozenset("0123456789abcdefABCDEF")


class Bounds(NamedTuple):
    """Two numbers, both included: its methods read what lies between, and tell by ``__self__`` what that is."""

    low: float
    high: float

    def whole(self, value: Any) -> int:
        """Read a whole number, or the text of one."""
        if isinstance(value, bool | float) or not self.low <= (number := int(value)) <= self.high:
            raise ValueError(value)
        return number

    def number(self, value: Any) -> float:
        """Read a number, or the text of one."""
        if isinstance(value, bool) or not self.low <= (read := float(value)) <= self.high:
            raise ValueError(value)
        return read


def whole(low: int, high: int) -> Reader:
    """Read a whole number within ``low`` and ``high``, both included."""
    return f"a whole number from {low:,} to {high:,}", Bounds(low, high).whole


def number(low: float, high: float, unit: str = "") -> Reader:
    """Read a number within ``low`` and ``high``, both included; ``unit`` is only told."""
    return f"a number from {low:g} to {high:g}{unit}", Bounds(low, high).number


def optional(reader: Reader) -> Reader:
    """Read what ``reader`` does; an empty text and None are None."""
    told, read = reader
    return f"{told}, or nothing", lambda value: None if value in ("", None) else read(value)


def one_of(*accepted: str) -> Reader:
    """Read one of the ``accepted`` words."""

    def read(value: Any) -> str:
        if value not in accepted:
            raise ValueError(value)
        return str(value)

    return "one of " + ", ".join(accepted), read


def some_of(*accepted: str) -> Reader:
    """Read at least one of the ``accepted`` words, separated by commas or as a list."""

    def read(value: Any) -> tuple[str, ...]:
        items = split(value)
        if not items or set(items) - set(accepted):
            raise ValueError(value)
        return items

    return "one or more of " + ", ".join(accepted) + ", with commas between", read


def any_of(*accepted: str) -> Reader:
    """Read any of the ``accepted`` words, each once, as :func:`some_of` does; an empty text is none of them."""
    told, read = some_of(*accepted)
    return f"{told}, or nothing", lambda value: tuple(dict.fromkeys(read(value))) if split(value) else ()


def split(value: Any) -> tuple[str, ...]:
    """Return the words of a comma-separated text, or of a list of texts, stripped, without empty ones."""
    items = value.split(",") if isinstance(value, str) else value
    if not isinstance(items, list | tuple) or not all(isinstance(item, str) for item in items):
        raise TypeError(value)
    return tuple(item.strip() for item in items if item.strip())


def text(value: Any) -> str:
    """Return ``value``, a text that is not empty (a path is taken as its text)."""
    if not (read := str(value).strip()):
        raise ValueError(value)
    return read


def url(*beginnings: str) -> Reader:
    """Read a text that begins with one of ``beginnings``, the scheme in any case; "" is itself."""

    def read(value: Any) -> str:
        given = str(value).strip()
        scheme, colon, rest = given.partition(":")
        given = scheme.lower() + colon + rest
        if not (given == "" in beginnings or any(given.startswith(one) for one in beginnings if one)):
            raise ValueError(value)
        return given

    return "a URL that begins with " + ", ".join(filter(None, beginnings)), read


def origins(value: Any) -> tuple[str, ...]:
    """Return web origins as browsers send them, scheme://host[:port] in lower case; or ``*`` alone."""
    found = tuple(one.lower() for one in split(value))
    for one in found:
        scheme, _, host = one.partition("://")
        plain = host.isascii() and host.isprintable() and not set(host) & set("/?#@* \\")
        if not (one == "*" and len(found) == 1) and not (scheme in ("http", "https") and host and plain):
            raise ValueError(value)
    return found


def path(value: Any) -> str:
    """Return ``value``, a path, as its text; an empty one is none."""
    if not isinstance(value, str | os.PathLike):
        raise TypeError(value)
    return os.fspath(value)


def flag(value: Any) -> bool:
    """Return the truth that true/yes/1 or false/no/0 says, in any case."""
    return {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}[str(value).lower()]


def colour(value: Any) -> str:
    """Return a background: ``white``, ``black``, ``drop``, or ``#rrggbb``."""
    if value in ("white", "black", "drop"):
        return str(value)
    if not isinstance(value, str) or len(value) != 7 or value[0] != "#" or set(value[1:]) - HEX:
        raise ValueError(value)
    return value.lower()


def digest(value: Any) -> str:
    """Read a SHA-256 in hexadecimal digits; an empty text is none."""
    if not isinstance(value, str) or (value and (len(value) != 64 or set(value) - HEX)):
        raise ValueError(value)
    return value.lower()


def shown(value: Any) -> str:
    """Return ``value`` for an error's text: a number, something short, a few plain words; else only its kind.

    A longer one may be a URL or a token that was put in the wrong place, and carry a signature.
    """
    told = repr(value)
    plain = isinstance(value, int | float) or (
        isinstance(value, str) and all(letter.isalnum() or letter in " -_.," for letter in value)
    )
    kind = "a text" if isinstance(value, str) else f"something of the type {type(value).__name__}"
    return told if len(told) <= SHORT or (plain and len(told) <= LONG) else f"{kind} that is not repeated here"
