"""The engine of this machine, with real processes and a small model; origins that fail and recover."""

import json
import os
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from helpers import origin
from mlserverless import Predictor
from mlserverless.batch import local, process
from mlserverless.batch.engine import Done, Identity, Item, Stopped
from mlserverless.batch.local import Local
from mlserverless.batch.retry import Retry

PHOTOS = sorted((Path(__file__).parents[3] / "examples" / "photos").glob("*.jpg"))
MODEL = "dogs-vs-cats"
QUICK = Retry(3, first_s=0.05, most_s=0.2)
# A worker whose predictor is killed, or killed once, by some files.
DEADLY = """
import os, signal, sys
from pathlib import Path
from mlserverless.batch import worker
from mlserverless.predictor import Predictor
real = Predictor.predict
def predict(self, source, **options):
    name = str(source)
    if os.path.basename(name).startswith("kills"):
        os.kill(os.getpid(), signal.SIGKILL)
    if os.path.basename(name).startswith("once") and not Path(name + ".been").exists():
        Path(name + ".been").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return real(self, source, **options)
Predictor.predict = predict
worker.main()
"""


@pytest.fixture
def engines() -> Iterator[Any]:
    made: list[Local] = []

    def make(settings: dict[str, Any] | None = None, options: dict[str, Any] | None = None, **more: Any) -> Local:
        given = {"model": MODEL, "allow_private_addresses": True, **(settings or {})}
        made.append(Local(given, options or {}, **{"workers": 2, "retry": QUICK, **more}))
        return made[-1]

    yield make
    for engine in made:
        engine.close()


def files(paths: list[Path]) -> Iterator[Item]:
    return (Item(index, str(path), True) for index, path in enumerate(paths))


def answered(engine: Local, items: Iterator[Item]) -> list[Done]:
    return list(engine.run(items))


def alive(engine: Local) -> list[int]:
    return [one._child.pid for one in engine._processes if one._child.poll() is None]


def test_the_answers_are_the_predictors_in_order(engines: Any) -> None:
    options = {"top_k": 1, "score_threshold": 0.0, "labels_allow": None}
    engine = engines(options=options)
    paths = [PHOTOS[n % len(PHOTOS)] for n in range(40)]
    done = answered(engine, files(paths))
    assert [one.index for one in done] == list(range(40))
    assert [one.source for one in done] == [str(path) for path in paths]
    assert {one.attempts for one in done} == {1}
    predictor = Predictor(MODEL, threads=1)
    expected = {path: predictor.predict(path, top_k=1).to_dict() for path in PHOTOS}
    assert [json.dumps(one.result) for one in done] == [json.dumps(expected[path]) for path in paths]


def test_it_says_whose_answers_it_gives(engines: Any) -> None:
    engine = engines({"decode": "exact"}, {"top_k": 3})
    identity = engine.open()
    predictor = Predictor(MODEL)
    assert (identity.model, identity.sha256) == (MODEL, predictor.load().model.sha256)
    assert (identity.chosen["top_k"], identity.chosen["decode"], identity.chosen["engine"]) == (3, "exact", "auto")
    assert engine.open() is identity
    assert answered(engine, files(PHOTOS[:1])) == answered(engine, files(PHOTOS[:1]))


def test_an_image_that_cannot_be_classified_is_a_problem_among_the_others(engines: Any, tmp_path: Path) -> None:
    (tmp_path / "no.jpg").write_bytes(b"\xff\xd8\xff and no more")
    items = [
        *files([PHOTOS[0], tmp_path / "no.jpg", tmp_path / "none.jpg"]),
        Item(3, str(PHOTOS[0])),
        Item(4, ""),
        Item(5, "ftp://x.example/a.jpg"),
        Item(6, "caf\udce9.jpg", True),
    ]
    done = answered(engines(), iter(items))
    codes = ["", "undecodable-image", "source-not-found", "invalid-request", "invalid-request", "source-blocked"]
    assert [one.problem for one in done] == [*codes, "source-not-found"]
    assert [one.result.get("instance") for one in done] == [None, "1", "2", "3", "4", "5", "6"]
    assert {one.attempts for one in done} == {1}


def test_what_may_pass_is_tried_again_and_does_not_hold_up_the_rest(engines: Any) -> None:
    photo = origin.response(PHOTOS[0].read_bytes())
    replies: dict[str, origin.Reply] = {f"/{n}.jpg": photo for n in range(1, 30)}
    replies["/0.jpg"] = origin.by_connection(origin.response(status="503 Busy"), origin.reset, photo)
    with origin.serving({**replies, "/gone.jpg": origin.response(status="500 Oops")}) as running:
        replies["/0.jpg"] = photo
        urls = [*(running.url(f"/{n}.jpg") for n in range(30)), running.url("/gone.jpg")]
        done = answered(engines(), (Item(n, url) for n, url in enumerate(urls)))
    assert [one.index for one in done] == list(range(31))
    assert (done[0].attempts, done[0].problem) == (3, "")
    assert {one.attempts for one in done[1:30]} == {1}
    assert (done[30].attempts, done[30].problem, done[30].result["retryable"]) == (4, "source-error", True)


def test_retry_after_is_kept_to(engines: Any) -> None:
    photo = origin.response(PHOTOS[0].read_bytes())
    busy = origin.response(status="429 Slow down", Retry_After="2")
    with origin.serving({"/a.jpg": origin.by_connection(busy, photo)}) as running:
        begin = time.monotonic()
        (done,) = answered(engines(workers=1), iter([Item(0, running.url("/a.jpg"))]))
    assert (done.attempts, done.problem) == (2, "")
    assert time.monotonic() - begin >= 2


def test_a_model_that_cannot_be_used_ends_the_run(engines: Any, tmp_path: Path) -> None:
    with pytest.raises(Stopped) as caught:
        engines({"model": str(tmp_path)}).open()
    assert caught.value.code == "model-unavailable"
    with pytest.raises(Stopped) as caught:
        engines({"top_k": 0}).open()
    assert caught.value.code == "misconfigured"
    assert "top_k" in str(caught.value)


def test_what_the_deployment_is_to_blame_for_ends_the_run(engines: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    code = "import sys; sys.modules['obstore'] = None; from mlserverless.batch import worker; worker.main()"
    monkeypatch.setattr(process, "WORDS", (process.sys.executable, "-c", code))
    with pytest.raises(Stopped) as caught:
        answered(engines(), iter([Item(0, "s3://bucket/a.jpg")]))
    assert caught.value.code == "misconfigured"
    assert 'pip install "mlserverless[stores]"' in str(caught.value)


def deadly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "WORDS", (process.sys.executable, "-c", DEADLY))


def named(folder: Path, *names: str) -> list[Path]:
    for name in names:
        (folder / name).write_bytes(PHOTOS[0].read_bytes())
    return [folder / name for name in names]


def test_an_image_that_kills_its_process_is_told_and_takes_no_other_along(
    engines: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deadly(monkeypatch)
    names = [f"{n}.jpg" for n in range(30)]
    names[3], names[12] = "kills.jpg", "kills-too.jpg"
    done = answered(engines(), files(named(tmp_path, *names)))
    assert [one.index for one in done] == list(range(30))
    assert {one.index: one.problem for one in done if one.problem} == {3: "internal", 12: "internal"}
    assert done[3].result["detail"] == "The process that tried this image alone was killed by SIGKILL."
    assert (done[3].attempts, done[3].result["instance"]) == (2, "3")


def test_an_image_over_which_a_process_died_once_is_answered_alone(
    engines: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deadly(monkeypatch)
    names = [f"{n}.jpg" for n in range(20)]
    names[7] = "once.jpg"
    done = answered(engines(workers=1), files(named(tmp_path, *names)))
    assert [(one.index, one.problem) for one in done] == [(n, "") for n in range(20)]
    assert done[7].attempts == 2


def test_processes_that_only_die_end_the_run(
    engines: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deadly(monkeypatch)
    monkeypatch.setattr(local, "DEATHS", 4)
    with pytest.raises(
        Stopped, match=r"A worker process was killed by SIGKILL\. Fewer --workers than 1"
    ) as caught:
        answered(engines(workers=1), files(named(tmp_path, *(f"kills{n}.jpg" for n in range(9)))))
    assert caught.value.code == "internal"


def test_a_process_that_does_not_start_ends_the_run(engines: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "WORDS", (process.sys.executable, "-c", "raise SystemExit(7)"))
    with pytest.raises(Stopped, match=r"A worker process ended with 7\."):
        engines().open()


def test_a_model_that_changes_meanwhile_ends_the_run(engines: Any) -> None:
    engine = engines(workers=1)
    engine.open()
    engine._identity = Identity("another", "00", {})
    engine._processes[0].ready = False
    with pytest.raises(Stopped, match="The model or a setting has changed while the batch ran"):
        engine._take(engine._processes[0], json.dumps({"model": "m", "sha256": "0a", "chosen": {}}).encode())


def test_items_are_taken_as_they_are_needed(engines: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "WINDOW", 50)
    taken = []

    def endless() -> Iterator[Item]:
        for index in count():
            taken.append(index)
            yield Item(index, "nothing.jpg", True)

    answers = engines().run(endless())
    for expected in range(500):
        assert next(answers).index == expected
        assert len(taken) <= expected + 51
    answers.close()


def test_answers_that_take_much_memory_are_not_held_by_the_thousand(
    engines: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "HELD", 1000)  # bytes: three or four problems
    taken = []
    slow = origin.drip(b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n", b"x", 0.1, 20)
    with origin.serving({"/slow.jpg": slow}) as running:

        def items() -> Iterator[Item]:
            yield Item(0, running.url("/slow.jpg"))
            for index in range(1, 150):
                taken.append(index)
                yield Item(index, "nothing.jpg", True)

        answers = engines().run(items())
        assert next(answers).problem == "unsupported-media-type"
        assert len(taken) < 100
        assert len(list(answers)) == 149


def test_close_ends_the_processes_in_the_middle_of_a_run(engines: Any) -> None:
    engine = engines()
    answers = engine.run(files([PHOTOS[0]] * 200))
    next(answers)
    pids = alive(engine)
    assert len(pids) == 2
    engine.close()
    engine.close()
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_who_was_left_in_the_middle_can_begin_anew(engines: Any) -> None:
    engine = engines(workers=1)
    answers = engine.run(files([PHOTOS[0]] * 200))
    next(answers)
    answers.close()
    assert alive(engine) == []
    assert [one.source for one in engine.run(files(PHOTOS[1:]))] == [str(path) for path in PHOTOS[1:]]


def test_it_waits_until_the_next_try_is_due_but_not_for_one_that_finds_no_room(engines: Any) -> None:
    engine = engines()
    assert engine._patience() == local.LONGEST_S
    engine._due.append((time.monotonic() + 0.5, 0, None))
    assert 0 < engine._patience() <= 0.5
    engine._due[0] = (time.monotonic() - 5, 0, None)
    assert engine._patience() == local.LONGEST_S


def test_one_process_a_core_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "vcpus", lambda: 3.4)
    assert Local({}, {})._number == 3
    monkeypatch.setattr(local, "vcpus", lambda: 0.3)
    assert Local({}, {})._number == 1
