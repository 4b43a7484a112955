"""The work file: rows in order, kept over kills, refused to others."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mlserverless.batch import work as module
from mlserverless.batch.engine import Done, Item
from mlserverless.batch.work import Refused, Work

WANTED = {"source": "list", "model": "m", "sha256": "0a", "top_k": 5}
ANSWER = {"model": "m", "sha256": "0a", "predictions": [{"label": 'a "problem":{', "index": 0, "score": 1.0}]}
PROBLEM = {"type": "urn:x", "detail": "é\udc80", "code": "source-not-found"}


def items(number: int = 9, name: str = "u") -> Iterator[Item]:
    return (Item(index, f"{name}{index}") for index in range(number))


def begun(out: Path, *, restart: bool = False, wanted: dict[str, Any] = WANTED, source: Any = None) -> Any:
    work = Work(out)
    left = work.begin(source or items(), wanted, restart=restart)
    return work, left


def written(out: Path, number: int) -> None:
    work, left = begun(out)
    for item in list(left)[:number]:
        work.add(Done(item.index, item.source, PROBLEM if item.index == 1 else ANSWER))
    work.close()


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "results.jsonl"


@pytest.fixture
def part(out: Path) -> Path:
    return out.with_name("results.jsonl.part")


def test_a_batch_that_is_done_is_the_result_file(out: Path, part: Path) -> None:
    work, left = begun(out)
    assert not out.exists()
    for item in left:
        work.add(Done(item.index, item.source, ANSWER))
    work.finish(None, WANTED)
    work.close()
    assert [json.loads(line)["index"] for line in out.read_bytes().splitlines()] == list(range(9))
    assert not part.exists()
    known = Work(out).finished(WANTED)
    assert known is not None
    assert (known["rows"], known["problems"], known["top_k"]) == (9, {}, 5)


def test_it_goes_on_after_the_last_whole_row(out: Path, part: Path) -> None:
    written(out, 3)
    work, left = begun(out)
    assert [item.index for item in left] == [3, 4, 5, 6, 7, 8]
    assert (work.tally.rows, work.tally.problems) == (3, {"source-not-found": 1})
    work.add(Done(3, "u3", ANSWER))
    work.close()
    assert [json.loads(line)["index"] for line in part.read_bytes().splitlines()] == [0, 1, 2, 3]


@pytest.mark.parametrize("cut", range(1, 60, 7))
def test_a_torn_row_is_cut_off(out: Path, part: Path, cut: int) -> None:
    written(out, 3)
    whole = part.read_bytes()
    part.write_bytes(whole[:-cut])
    work, left = begun(out)
    assert next(left) == Item(2, "u2")
    work.close()
    assert part.read_bytes() == b"".join(whole.splitlines(keepends=True)[:2])


@pytest.mark.parametrize(
    "damage", [b"\0" * 20 + b"\n", b"{}\n", b"[]\n", b'{"index":7}\n', b'{"index":1,"source":"u1"\n']
)
def test_what_is_no_row_is_cut_off_with_all_after_it(out: Path, part: Path, damage: bytes) -> None:
    written(out, 3)
    first, _, last = part.read_bytes().splitlines(keepends=True)
    part.write_bytes(first + damage + last)
    work, left = begun(out)
    assert next(left).index == 1
    work.close()
    assert part.read_bytes() == first


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("top_k", 3, "top_k 5, and now it is 3"),
        ("sha256", "0b", 'sha256 "0a", and now it is "0b"'),
        ("source", "other", 'source "list", and now it is "other"'),
        ("decode", "exact", 'decode null, and now it is "exact"'),
    ],
)
def test_another_model_source_or_option_is_refused(out: Path, name: str, value: object, told: str) -> None:
    written(out, 3)
    with pytest.raises(Refused) as caught:
        begun(out, wanted={**WANTED, name: value})
    assert f"{out}.part was begun with {told}" in str(caught.value)
    assert "--restart" in str(caught.value)


def test_a_long_value_is_not_told_whole(out: Path) -> None:
    written(out, 1)
    with pytest.raises(Refused) as caught:
        begun(out, wanted={**WANTED, "labels_allow": ["x" * 10_000]})
    assert len(str(caught.value)) < 1000


def test_a_source_that_has_changed_is_refused(out: Path) -> None:
    written(out, 3)
    with pytest.raises(Refused, match="has another source in row 0 than SOURCE: it has changed"):
        begun(out, source=items(name="v"))
    with pytest.raises(Refused, match="SOURCE has fewer items than"):
        begun(out, source=items(2))


def test_a_source_that_has_grown_is_gone_on_with(out: Path) -> None:
    written(out, 3)
    work, left = begun(out, source=items(12))
    assert len(list(left)) == 9
    work.close()


def test_restart_begins_anew_with_whatever_is_wanted_now(out: Path, part: Path) -> None:
    written(out, 3)
    work, left = begun(out, restart=True, wanted={**WANTED, "top_k": 3})
    assert (next(left).index, work.tally.rows, part.read_bytes()) == (0, 0, b"")
    assert json.loads(out.with_name("results.jsonl.batch.json").read_text())["top_k"] == 3
    work.close()


def test_where_no_row_is_whole_anything_may_be_wanted(out: Path, part: Path) -> None:
    written(out, 1)
    part.write_bytes(part.read_bytes()[:-1])
    work, left = begun(out, wanted={**WANTED, "top_k": 3}, source=items(name="v"))
    assert next(left) == Item(0, "v0")
    work.close()


def test_two_at_once_cannot_write(out: Path) -> None:
    work, _ = begun(out)
    with pytest.raises(Refused, match=r"Another batch is writing .*results\.jsonl\.part\.$"):
        begun(out)
    work.close()
    begun(out)[0].close()


def test_a_lock_on_a_file_that_was_taken_away_is_none(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def samestat(mine: Any, there: Any) -> bool:
        asked.append(mine)
        return len(asked) > 1

    monkeypatch.setattr("os.path.samestat", samestat)
    begun(out)[0].close()
    assert len(asked) == 2


def test_a_result_file_of_something_else_is_left_alone(out: Path) -> None:
    out.write_text("mine\n")
    with pytest.raises(Refused, match="is there, and not from a batch"):
        Work(out).finished(WANTED)
    out.with_name("results.jsonl.batch.json").write_text("[]")
    with pytest.raises(Refused, match="is there, and not from a batch"):
        Work(out).finished(WANTED)
    assert out.read_text() == "mine\n"


def test_a_result_file_of_another_model_is_left_alone(out: Path) -> None:
    work, left = begun(out)
    for item in left:
        work.add(Done(item.index, item.source, ANSWER))
    work.finish(None, WANTED)
    work.close()
    with pytest.raises(Refused, match=r'results\.jsonl was made with sha256 "0a", and now it is "0b"'):
        Work(out).finished({**WANTED, "sha256": "0b"})


def test_nothing_is_finished_where_nothing_is_or_it_is_under_way(out: Path) -> None:
    assert Work(out).finished(WANTED) is None
    written(out, 2)
    out.write_text("of before\n")
    assert Work(out).finished(WANTED) is None


def test_a_file_made_from_the_rows_takes_their_place(out: Path, part: Path, tmp_path: Path) -> None:
    work, left = begun(out)
    work.add(Done(0, next(left).source, ANSWER))
    work.sync()
    made = tmp_path / "made"
    made.write_bytes(b"".join(work.lines()).upper())
    work.finish(made, WANTED)
    work.close()
    assert out.read_bytes().startswith(b'{"INDEX":0')
    assert not part.exists()
    assert not made.exists()


def test_rows_reach_the_disk_while_it_runs(out: Path, part: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SYNC_S", 0.0)
    work, left = begun(out)
    work.add(Done(0, next(left).source, ANSWER))
    assert part.read_bytes().count(b"\n") == 1
    work.close()
    work.close()
