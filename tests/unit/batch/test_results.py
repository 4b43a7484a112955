"""The result file: JSON lines, flat CSV, nested Parquet."""

import csv
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from mlserverless.batch import results
from mlserverless.batch.engine import Done, Item
from mlserverless.batch.sources import SourceUnreadable
from mlserverless.batch.work import Work

MODEL = {"model": "m", "sha256": "0a"}
BOX = {"top": 0.1, "left": 0.2, "bottom": 0.3, "right": 0.4}
SCORES = [{"label": 'a,"b', "index": 3, "score": 0.75}, {"label": "c", "index": 1, "score": 0.125}]
PROBLEM = {
    "type": "urn:mlserverless:problem:source-not-found",
    "title": "There is no image at this address",
    "status": 404,
    "detail": "x.example answered 404 Not Found.",
    "instance": "1",
    "code": "source-not-found",
    "retryable": False,
}


def made(folder: Path, kind: str, *answers: dict[str, Any]) -> Path | None:
    work = Work(folder / f"results.{kind}")
    left = work.begin((Item(n, f"u{n}") for n in range(len(answers))), {}, restart=False)
    for item, answer in zip(list(left), answers, strict=True):
        work.add(Done(item.index, item.source, answer))
    path = results.make(work, kind)
    work.close()
    return path


def table(folder: Path, *answers: dict[str, Any]) -> list[dict[str, str]]:
    path = made(folder, "csv", *answers)
    assert path is not None
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def parquet(folder: Path, *answers: dict[str, Any]) -> list[dict[str, Any]]:
    files = pytest.importorskip(
        "pyarrow.parquet", reason="no pyarrow that goes with this numpy", exc_type=ImportError
    )
    path = made(folder, "parquet", *answers)
    found: list[dict[str, Any]] = files.read_table(path).to_pylist()
    return found


@pytest.mark.parametrize(
    ("name", "kind"), [("a.jsonl", "jsonl"), ("a.NDJSON", "jsonl"), ("a.b.csv", "csv"), ("a.parquet", "parquet")]
)
def test_the_name_says_the_kind(name: str, kind: str) -> None:
    assert results.kind_of(Path(name)) == kind


def test_a_name_that_says_none_is_refused() -> None:
    with pytest.raises(SourceUnreadable, match=r"^--out 'a\.txt' says no format: name it \.jsonl"):
        results.kind_of(Path("a.txt"))


def test_the_rows_are_the_json_lines(tmp_path: Path) -> None:
    assert made(tmp_path, "jsonl", {**MODEL, "predictions": SCORES}) is None


def test_csv_has_a_column_for_each_class_and_its_score(tmp_path: Path) -> None:
    first, second, third = table(tmp_path, {**MODEL, "predictions": SCORES}, PROBLEM, {**MODEL, "predictions": []})
    assert first == {
        "index": "0",
        "source": "u0",
        "model": "m",
        "label_1": 'a,"b',
        "score_1": "0.75",
        "label_2": "c",
        "score_2": "0.125",
        "problem_code": "",
        "problem_detail": "",
        "attempts": "1",
    }
    assert (second["problem_code"], second["problem_detail"]) == (PROBLEM["code"], PROBLEM["detail"])
    assert (second["label_1"], second["model"]) == ("", "")
    assert (third["model"], third["label_1"], third["problem_code"]) == ("m", "", "")


def test_csv_has_boxes_where_objects_were_detected(tmp_path: Path) -> None:
    found = [{**score, "box": BOX} for score in SCORES]
    (row,) = table(tmp_path, {**MODEL, "detections": found})
    assert list(row)[3:9] == ["label_1", "score_1", "top_1", "left_1", "bottom_1", "right_1"]
    assert (row["label_2"], row["left_2"]) == ("c", "0.2")


def test_csv_has_raw_tensors_as_json(tmp_path: Path) -> None:
    outputs = [{"name": "mask", "shape": [2], "datatype": "INT64", "data": [0, 3]}]
    first, second = table(tmp_path, {**MODEL, "outputs": outputs}, PROBLEM)
    assert json.loads(first["outputs"]) == outputs
    assert (second["outputs"], second["problem_code"]) == ("[]", "source-not-found")


def test_parquet_has_nested_classes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "ROWS", 2)
    first, second, _ = parquet(tmp_path, {**MODEL, "predictions": SCORES}, PROBLEM, {**MODEL, "predictions": []})
    assert first == {
        "index": 0,
        "source": "u0",
        **MODEL,
        "predictions": SCORES,
        "problem": None,
        "attempts": 1,
    }
    kept = ("code", "detail", "status", "retryable")
    assert second["problem"] == {name: PROBLEM[name] for name in kept}
    assert second["predictions"] is None


def test_parquet_has_what_the_model_answers(tmp_path: Path) -> None:
    found = [{**score, "box": BOX} for score in SCORES]
    assert parquet(tmp_path, PROBLEM, {**MODEL, "detections": found})[1]["detections"] == found
    (tmp_path / "results.parquet.part").unlink()
    outputs = [{"name": "mask", "shape": [2], "datatype": "INT64", "data": [0.0, 3.0]}]
    assert parquet(tmp_path, {**MODEL, "outputs": outputs})[0]["outputs"] == outputs


def test_parquet_of_problems_alone_and_of_nothing(tmp_path: Path) -> None:
    assert parquet(tmp_path, PROBLEM)[0]["predictions"] is None
    (tmp_path / "results.parquet.part").unlink()
    assert parquet(tmp_path) == []


def test_without_pyarrow_it_is_told_before_anything_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.delitem(sys.modules, "pyarrow.parquet", raising=False)
    results.ready("csv")
    with pytest.raises(SourceUnreadable, match=r'pip install "mlserverless\[parquet\]"'):
        results.ready("parquet")
