"""The section ``[certificate]`` into a model.toml, whose other bytes stay as they are."""

import os
import re
import tempfile
import tomllib
from pathlib import Path
from typing import Any

from mlserverless.certificate import DOCS
from mlserverless.errors import ModelUnavailable

HEADER = re.compile(rb"[ \t]*\[[ \t]*certificate[ \t]*\][ \t]*(#.*)?")
ANY_HEADER = re.compile(rb"[ \t]*\[")
PAIR = re.compile(rb"[ \t]*[A-Za-z0-9_-]+[ \t]*=")
DIGITS = 9  # after the point; the smallest difference that is told


def write(path: Path, table: dict[str, Any]) -> None:
    """Write ``table`` as the section ``[certificate]`` of the model.toml at ``path``, in place of an older one.

    Comments, order and line ends of everything else are kept byte for byte. Raises ModelUnavailable where the file
    cannot be written or says it in a way that cannot be replaced; it is then as it was.
    """
    target = Path(os.path.realpath(path))
    try:
        before = target.read_bytes()
        after = replaced(before, table)
        if _others(after) != _others(before) or tomllib.loads(after.decode()).get("certificate") != _read_back(
            table
        ):
            raise ModelUnavailable(
                f"{path} says its certificate in another way than as a section [certificate]: take it out, then "
                f"run `mlserverless certify` again. See {DOCS}."
            )
        _swap(target, after)
    except (OSError, ValueError) as error:
        raise ModelUnavailable(
            f"{path} cannot be written: {getattr(error, 'strerror', None) or error}."
        ) from error


def replaced(text: bytes, table: dict[str, Any]) -> bytes:
    """Return the model.toml ``text`` with ``table`` as its section ``[certificate]``."""
    newline = b"\r\n" if b"\r\n" in text else b"\n"
    lines = text.splitlines(keepends=True)
    pairs = [f"{key} = {_value(value)}".encode() + newline for key, value in table.items()]
    start = next((i for i, line in enumerate(lines) if HEADER.fullmatch(line.rstrip(b"\r\n"))), None)
    if start is None:
        gap = [newline] if text and not text.endswith((b"\n" + newline, newline * 2)) else []
        ended = [newline] if text and not text.endswith(b"\n") else []
        return b"".join([text, *ended, *gap, b"[certificate]" + newline, *pairs])
    end = next((i for i in range(start + 1, len(lines)) if ANY_HEADER.match(lines[i])), len(lines))
    kept = [line for line in lines[start + 1 : end] if not PAIR.match(line)]  # comments and blank lines
    if lines[start][-1:] != b"\n":
        lines[start] += newline
    return b"".join([*lines[: start + 1], *pairs, *kept, *lines[end:]])


def _value(value: Any) -> str:
    # Digits and a point: what the reader of plain lines takes, so that no function imports tomllib for it.
    if isinstance(value, float):
        text = f"{value:.{DIGITS}f}".rstrip("0")
        return text + "0" if text.endswith(".") else text
    if isinstance(value, int):
        return str(value)
    if not value.isascii() or not value.isprintable() or set(value) & {'"', "\\"}:
        raise ValueError(f"{value!r} is no plain text")
    return f'"{value}"'


def _read_back(table: dict[str, Any]) -> dict[str, Any]:
    return {key: round(value, DIGITS) if isinstance(value, float) else value for key, value in table.items()}


def _others(text: bytes) -> dict[str, Any]:
    table = tomllib.loads(text.decode())
    return {key: value for key, value in table.items() if key != "certificate"}


def _swap(path: Path, data: bytes) -> None:
    # Whoever reads it meanwhile sees the old file or the new one.
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".model-", suffix=".toml")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.chmod(name, path.stat().st_mode & 0o7777)
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise
