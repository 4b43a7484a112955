"""A batch from its source to its result file, with an engine that answers what a test says."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mlserverless.batch.engine import Done, Identity, Item, Stopped
from mlserverless.batch.run import Summary, run
from mlserverless.batch.sources import Source
from mlserverless.batch.work import Refused, Work


class Fake:
    """Answers each item with its source; a problem where that has "bad" in it; fails before the item ``fails``."""

    def __init__(self, *, fails: int = -1, sha256: str = "0a", top_k: int = 5) -> None:
        self.fails, self.identity = fails, Identity("m", sha256, {"top_k": top_k, "formats": ("jpeg",)})
        self.seen: list[int] = []
        self.ended = False

    def open(self) -> Identity:
        return self.identity

    def run(self, items: Iterator[Item]) -> Iterator[Done]:
        try:
            for item in items:
                if item.index == self.fails:
                    raise Stopped("model-unavailable", "It is gone.")
                self.seen.append(item.index)
                bad = {"code": "source-not-found"} if "bad" in item.source else {"predictions": []}
                yield Done(item.index, item.source, bad)
        finally:
            self.ended = True

    def close(self) -> None:
        pass


def source(*texts: str, total: int | None = 0) -> Source:
    return Source("list", lambda: iter(texts), lambda: total, False)


def rows(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.read_bytes().splitlines()]


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "results.jsonl"


def test_each_item_is_a_row_in_order(out: Path) -> None:
    told: list[int] = []
    summary = run(source("a", "bad", "c"), Fake(), Work(out), "jsonl", tell=lambda tally: told.append(tally.rows))
    assert [row["source"] for row in rows(out)] == ["a", "bad", "c"]
    assert (summary.rows, summary.kept, summary.problems) == (3, 0, {"source-not-found": 1})
    assert told == [0, 1, 2, 3]


def test_what_was_done_before_it_stopped_is_kept_and_not_done_again(out: Path) -> None:
    failing = Fake(fails=2)
    with pytest.raises(Stopped):
        run(source("a", "b", "c", "d"), failing, Work(out), "jsonl")
    assert failing.ended
    assert not out.exists()
    engine = Fake()
    summary = run(source("a", "b", "c", "d"), engine, Work(out), "jsonl")
    assert engine.seen == [2, 3]
    assert [row["source"] for row in rows(out)] == ["a", "b", "c", "d"]
    assert (summary.rows, summary.kept, summary.done_already) == (4, 2, False)


def test_what_is_finished_is_not_done_again_unless_that_is_asked_for(out: Path) -> None:
    run(source("a", "bad"), Fake(), Work(out), "jsonl")
    engine = Fake()
    summary = run(source("a", "bad"), engine, Work(out), "jsonl")
    assert (summary, engine.seen) == (Summary(2, 2, {"source-not-found": 1}, 0.0, True), [])
    assert run(source("a", "bad"), engine, Work(out), "jsonl", restart=True).kept == 0
    assert engine.seen == [0, 1]


def test_a_finished_file_of_another_source_or_model_is_refused(out: Path) -> None:
    run(source("a", "b"), Fake(), Work(out), "jsonl")
    with pytest.raises(Refused, match=r"results\.jsonl was made from another SOURCE: it has changed"):
        run(source("a", "c"), Fake(), Work(out), "jsonl")
    run(source("a", "c", total=None), Fake(), Work(out), "jsonl")  # standard input cannot be read twice
    with pytest.raises(Refused, match="was made with sha256"):
        run(source("a", "b"), Fake(sha256="0b"), Work(out), "jsonl")


def test_another_format_is_made_once_all_is_done(tmp_path: Path) -> None:
    out = tmp_path / "results.csv"
    with pytest.raises(Stopped):
        run(source("a", "b"), Fake(fails=1), Work(out), "csv")
    assert not out.exists()
    run(source("a", "b"), Fake(), Work(out), "csv")
    assert out.read_text().splitlines()[0] == "index,source,model,problem_code,problem_detail,attempts"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["results.csv", "results.csv.batch.json"]


def test_a_source_of_nothing_is_an_empty_file(out: Path) -> None:
    assert run(source(), Fake(), Work(out), "jsonl").to_dict() | {"seconds": 0, "rate": 0} == {
        "rows": 0,
        "classified": 0,
        "problems": {},
        "kept": 0,
        "seconds": 0,
        "rate": 0,
    }
    assert out.read_bytes() == b""


def test_the_rate_is_this_runs() -> None:
    told = Summary(10, 4, {"internal": 1}, 2.0).to_dict()
    assert (told["rate"], told["classified"]) == (3.0, 9)
