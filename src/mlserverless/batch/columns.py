"""A table's column of URLs: CSV in UTF-8 with a header, or Parquet.

Every row is an item, an empty one too, so that results stand beside the table row by row.
"""

import csv
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from mlserverless.batch.sources import SourceUnreadable

DEFAULT = "url"  # where no column is chosen
ROWS = 4096  # of a Parquet file that are held at a time
NEEDED = 'Parquet files need pyarrow, and it cannot be imported: pip install "mlserverless[parquet]".'


def open_table(path: Path, column: str) -> tuple[Callable[[], Iterator[str]], Callable[[], int]]:
    """Return what reads the texts of a ``column``, and what counts its rows; raise SourceUnreadable."""
    if path.suffix.lower() == ".parquet":
        with _opened(path) as file:
            _at(file.schema_arrow.names, column, path)
            rows = int(file.metadata.num_rows)
        return lambda: _parquet(path, column), lambda: rows
    next(_csv(path, column), "")
    return lambda: _csv(path, column), lambda: sum(1 for _ in _csv(path, column))


def _csv(path: Path, column: str) -> Iterator[str]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            rows = csv.reader(stream)
            at = _at(next(rows, []), column, path)
            for row in rows:
                if row:  # an empty line is none
                    yield row[at].strip() if at < len(row) else ""
    except (csv.Error, UnicodeDecodeError) as error:
        raise SourceUnreadable(f"{path} is not CSV in UTF-8: {error}.") from error


def _parquet(path: Path, column: str) -> Iterator[str]:
    with _opened(path) as file:
        for batch in file.iter_batches(batch_size=ROWS, columns=[column]):
            for value in batch.column(0).to_pylist():
                yield "" if value is None else str(value).strip()


def _opened(path: Path) -> Any:
    try:
        from pyarrow import ArrowInvalid, parquet
    except ImportError as error:
        raise SourceUnreadable(f"{NEEDED} ({error})") from error
    try:
        return parquet.ParquetFile(path)
    except ArrowInvalid as error:
        raise SourceUnreadable(f"{path} is not a Parquet file.") from error


def _at(names: list[str], column: str, path: Path) -> int:
    if column not in names:
        told = ", ".join(names) or "none"
        raise SourceUnreadable(f"{path} has no column {column!r}; it has {told:.500}. Choose with --column.")
    return names.index(column)
