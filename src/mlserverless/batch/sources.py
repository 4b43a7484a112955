"""What is classified: a list of URLs, a table's column, a folder, a store's prefix; read lazily, in order."""

import os
import sys
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

from mlserverless.batch.engine import Item
from mlserverless.named_tuple import NamedTuple

STORES = ("s3://", "gs://", "az://")
TABLES = (".csv", ".parquet")
# By which images are told among a folder's or a store's other files; never what a file is taken for.
SUFFIXES = {
    "jpeg": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "png": (".png",),
    "webp": (".webp",),
    "gif": (".gif",),
    "bmp": (".bmp",),
    "tiff": (".tif", ".tiff"),
    "avif": (".avif",),
}


class SourceUnreadable(Exception):
    """There is no such source, or it has not what was asked of it. The text says what is wrong and what helps."""


class Source(NamedTuple):
    """Where items come from. ``name`` tells this source from others; ``files``: its texts are paths.

    ``texts`` begins anew each time, but for standard input's. ``total``, how many there are, is None where they
    cannot be counted without being fetched.
    """

    name: str
    texts: Callable[[], Iterator[str]]
    total: Callable[[], int | None]
    files: bool

    def items(self) -> Iterator[Item]:
        """Yield what is to be classified, in order; raises SourceUnreadable where the source turns out so."""
        return (Item(index, text, self.files) for index, text in zip(count(), self.texts(), strict=False))


def find(text: str, column: str | None, formats: tuple[str, ...], *, files: bool = False) -> Source:
    """Return the source that ``text`` means; raise SourceUnreadable.

    ``column`` is a table's; ``formats`` are those whose suffixes count in folders and stores. With ``files`` a
    list's or a column's texts are paths on this machine, otherwise they are URLs.
    """
    path, suffixes = Path(text), tuple(suffix for kind in formats for suffix in SUFFIXES[kind])
    table = path.suffix.lower() in TABLES
    if column is not None and not table:
        raise SourceUnreadable("--column is for a .csv or .parquet file, and SOURCE is neither.")
    if text == "-":
        return Source("-", lambda: _lines(sys.stdin.buffer), lambda: None, files)
    if text.lower().startswith(STORES):
        return Source(text.rstrip("/"), lambda: _stored(text, suffixes), lambda: None, False)
    name = str(path.resolve())
    if path.is_dir():
        return _counted(name, lambda: _folder(path, suffixes), True)
    if not path.is_file():
        raise SourceUnreadable(
            f"There is no {text!r:.200}: SOURCE is a text, .csv or .parquet file, a folder, s3://…, gs://…, "
            "az://… or - for standard input. See docs/how-to/classify-a-list.md."
        )
    if table:
        from mlserverless.batch import columns

        column = column or columns.DEFAULT
        texts, total = columns.open_table(path, column)
        return Source(f"{name} {column}", texts, total, files)
    return _counted(name, lambda: _list(path), files)


def _counted(name: str, texts: Callable[[], Iterator[str]], files: bool) -> Source:
    return Source(name, texts, lambda: sum(1 for _ in texts()), files)


def _list(path: Path) -> Iterator[str]:
    with path.open("rb") as stream:
        yield from _lines(stream)


def _lines(stream: Any) -> Iterator[str]:
    for number, raw in enumerate(stream, 1):
        try:
            line = raw.decode("utf-8-sig" if number == 1 else "utf-8").strip()
        except UnicodeDecodeError as error:
            raise SourceUnreadable(f"Line {number:,} of SOURCE is not UTF-8.") from error
        if line and line[0] != "#":
            yield line


def _folder(path: Path, suffixes: tuple[str, ...]) -> Iterator[str]:
    # A folder at a time, so that of a million files only one folder's names are held.
    for here, folders, names in os.walk(path):
        folders.sort()
        for name in sorted(names):
            if name.lower().endswith(suffixes):
                yield os.path.join(here, name)


def _stored(prefix: str, suffixes: tuple[str, ...]) -> Iterator[str]:
    from mlserverless import stores

    return (url for url in stores.listed(prefix) if url.lower().endswith(suffixes))
