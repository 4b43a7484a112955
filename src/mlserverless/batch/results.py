"""The result file from the work file's rows: JSON lines as they are, flat CSV, nested Parquet.

Rows are read and written one after the other, or a few thousand at a time.
"""

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mlserverless.batch.columns import NEEDED
from mlserverless.batch.sources import SourceUnreadable
from mlserverless.batch.work import Work

KINDS = {".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv", ".parquet": "parquet"}
ROWS = 4096  # of a Parquet file that are held at a time
ANSWERS = ("predictions", "detections", "outputs")
SIDES = ("top", "left", "bottom", "right")


def make(work: Work, kind: str) -> Path | None:
    """Return the file of this ``kind`` made from the rows of ``work``; None where they are it."""
    if kind == "jsonl":
        return None
    work.sync()
    made = work.out.with_name(work.out.name + ".new")
    (_csv if kind == "csv" else _parquet)(work, made)
    return made


def kind_of(out: Path) -> str:
    """Return the kind that the name of ``out`` says; raise SourceUnreadable where it says none."""
    try:
        return KINDS[out.suffix.lower()]
    except KeyError:
        raise SourceUnreadable(
            f"--out {str(out)!r} says no format: name it .jsonl, .csv or .parquet, or give --format."
        ) from None


def ready(kind: str) -> None:
    """Raise SourceUnreadable where files of this ``kind`` cannot be made here."""
    if kind == "parquet":
        try:
            import pyarrow.parquet  # noqa: F401
        except ImportError as error:
            raise SourceUnreadable(f"{NEEDED} ({error})") from error


def _rows(work: Work) -> Iterator[dict[str, Any]]:
    return map(json.loads, work.lines())


def _csv(work: Work, path: Path) -> None:
    # In a text the quotes would be escaped, so that what is counted are members.
    boxes = outputs = most = 0
    for line in work.lines():
        most = max(most, line.count(b'"label":'))
        boxes, outputs = boxes or b'"detections":[' in line, outputs or b'"outputs":[' in line
    columns = ("label", "score", *(SIDES if boxes else ()))
    names = [f"{column}_{place}" for place in range(1, most + 1) for column in columns]
    last = (*(("outputs",) if outputs else ()), "problem_code", "problem_detail", "attempts")
    with path.open("w", encoding="utf-8", newline="", errors="backslashreplace") as file:
        writer = csv.writer(file)
        writer.writerow(["index", "source", "model", *names, *last])
        for row in _rows(work):
            found = [
                value
                for one in row.get("predictions", row.get("detections", ()))
                for value in (one["label"], one["score"], *(one["box"].values() if boxes else ()))
            ]
            found += [""] * (len(names) - len(found))
            problem = row.get("problem", {})
            told = [problem.get("code", ""), problem.get("detail", ""), row["attempts"]]
            raw = [json.dumps(row.get("outputs", []), separators=(",", ":"))] if outputs else []
            writer.writerow([row["index"], row["source"], row.get("model", ""), *found, *raw, *told])


def _parquet(work: Work, path: Path) -> None:
    import pyarrow
    from pyarrow import parquet

    answer = next(
        (name for line in work.lines() for name in ANSWERS if f'"{name}":['.encode() in line), "predictions"
    )
    schema = _schema(pyarrow, answer)
    with parquet.ParquetWriter(path, schema) as writer:
        rows: list[dict[str, Any]] = []
        for row in _rows(work):
            rows.append(row)
            if len(rows) == ROWS:
                writer.write_table(pyarrow.Table.from_pylist(rows, schema))
                rows.clear()
        writer.write_table(pyarrow.Table.from_pylist(rows, schema))


def _schema(pyarrow: Any, answer: str) -> Any:
    text, number, whole = pyarrow.string(), pyarrow.float64(), pyarrow.int32()
    score = [("label", text), ("index", whole), ("score", number)]
    box = pyarrow.struct([(side, number) for side in SIDES])
    tensor = [("name", text), ("shape", pyarrow.list_(pyarrow.int64())), ("datatype", text)]
    members = {
        "predictions": score,
        "detections": [*score, ("box", box)],
        "outputs": [*tensor, ("data", pyarrow.list_(number))],
    }[answer]
    problem = [("code", text), ("detail", text), ("status", whole), ("retryable", pyarrow.bool_())]
    return pyarrow.schema(
        [
            ("index", pyarrow.int64()),
            ("source", text),
            ("model", text),
            ("sha256", text),
            (answer, pyarrow.list_(pyarrow.struct(members))),
            ("problem", pyarrow.struct(problem)),
            ("attempts", whole),
        ]
    )
