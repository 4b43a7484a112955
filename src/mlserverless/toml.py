"""TOML: the plain lines that settings and models are mostly made of, else the standard library's reader.

``tomllib`` costs a cold function 5 ms of import. What :func:`plain` takes, both read alike, which a test holds.
"""

from typing import Any

BARE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")


def loads(text: str) -> dict[str, Any]:
    """Return the table that ``text`` is; raise ValueError where it is not TOML."""
    table = plain(text)
    if table is None:
        import tomllib

        table = tomllib.loads(text)
    return table


def plain(text: str) -> dict[str, Any] | None:
    """Return what ``text`` says, None where it has more in it than sections, plain strings and plain numbers."""
    if not text.isascii() or "\\" in text:
        return None
    table: dict[str, Any] = {}
    section = table
    for whole in text.split("\n"):
        line = whole.strip(" ")
        if not line.isprintable():
            return None
        if not line or line[0] == "#":
            continue
        if line[0] == "[":
            name = line[1:-1]
            if line[-1] != "]" or not _bare(name) or name in table:
                return None
            section = table[name] = {}
            continue
        name, _, rest = line.partition("=")
        name, value = name.rstrip(" "), _value(rest.lstrip(" "))
        if value is None or not _bare(name) or name in section:
            return None
        section[name] = value
    return table


def _bare(name: str) -> bool:
    return bool(name) and BARE.issuperset(name)


def _value(text: str) -> str | int | float | None:
    if text[:1] == '"':
        value, quote, tail = text[1:].partition('"')
        tail = tail.lstrip(" ")
        return value if quote and tail[:1] in ("", "#") else None
    number = text.partition("#")[0].rstrip(" ")
    whole, dot, fraction = number.partition(".")
    if not whole.isdigit() or (dot and not fraction.isdigit()) or (whole[0] == "0" and len(whole) > 1):
        return None
    return float(number) if dot else int(number)
