"""A batch on a user's own cloud functions: what is asked of Lithops, and what is made of what it says."""

import os
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from mlserverless import __version__
from mlserverless.batch import call
from mlserverless.batch import lithops as module
from mlserverless.batch.engine import Done, Item, Stopped
from mlserverless.batch.lithops import Lithops
from mlserverless.batch.retry import Retry

IDENTITY = ("m", "5a", {"top_k": 1})
SOON = Retry(2, 0.001, 0.002)
PHOTOS = Path(__file__).parents[3] / "examples" / "photos"

Answer = Callable[[dict[str, Any]], dict[str, Any]]


class Future:
    """A call: ``outcome`` is what it returns, or raises; None where it is never heard of again."""

    def __init__(self, outcome: Any) -> None:
        self._outcome = outcome
        self.done = self.error = False

    def look(self) -> None:
        self.done = isinstance(self._outcome, dict)
        self.error = isinstance(self._outcome, BaseException)

    def result(self) -> Any:
        if isinstance(self._outcome, BaseException):
            raise self._outcome
        return self._outcome


class Executor:
    """What Lithops' executor is to the engine; a call's outcome is what ``behaviour`` makes of what is asked."""

    def __init__(self, behaviour: Answer, backend: str = "aws_lambda") -> None:
        self.backend, self.config = backend, {"lithops": {"execution_timeout": 0.0}}
        self.futures: list[Future] = []
        self.maps: list[list[dict[str, Any]]] = []
        self.under_way = self.most = self.kept = 0
        self.left = False
        self.cleaned: list[Future] = []
        self._behaviour = behaviour

    def map(self, function: Any, data: Sequence[Any], include_modules: Any) -> list[Future]:
        assert function is call.answer
        assert include_modules is None  # what the runtime has installed is what runs
        self.maps.append([asked for (asked,) in data])
        made = [Future(self._tried(asked)) for (asked,) in data]
        self.futures += made
        self.under_way += len(made)
        self.most = max(self.most, self.under_way)
        return made

    def _tried(self, asked: dict[str, Any]) -> Any:
        try:
            return self._behaviour(asked)
        except Exception as error:  # noqa: BLE001 - whatever it raises is the call's
            return error

    def wait(self, futures: list[Future], **how: Any) -> None:
        assert how["throw_except"] is False
        for future in futures:
            future.look()

    def clean(self, fs: list[Future], **_: Any) -> None:
        self.cleaned += fs
        self.under_way -= len(fs)
        self.kept = max(self.kept, len(self.futures))

    def __exit__(self, *_: Any) -> None:
        self.left = True


def well(asked: dict[str, Any]) -> dict[str, Any]:
    done = [(index, source, {"predictions": [source]}, 1) for index, source, _ in asked["items"]]
    return {"identity": IDENTITY, "done": done}


Make = Callable[..., tuple[Lithops, Executor]]


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch) -> Make:
    def of(behaviour: Answer, backend: str = "aws_lambda", **more: Any) -> tuple[Lithops, Executor]:
        executor = Executor(behaviour, backend)
        monkeypatch.setattr(module, "executor", lambda: executor)
        monkeypatch.setattr(module, "LOOK_S", 0.001)
        settings, options = more.pop("settings", {}), more.pop("options", {})
        engine = Lithops(settings, options, **{"retry": SOON, **more})
        engine.open()
        return engine, executor

    return of


def items(count: int) -> Iterator[Item]:
    return (Item(index, f"https://example.com/{index}") for index in range(count))


def test_items_are_answered_in_order_in_chunks(make: Make) -> None:
    engine, executor = make(well, chunk=3)
    done = list(engine.run(items(10)))
    assert done == [Done(i, one.source, {"predictions": [one.source]}) for i, one in enumerate(items(10))]
    assert [len(asked["items"]) for asked in executor.maps[1]] == [3, 3, 3, 1]
    assert executor.maps[1][0]["items"][0] == (0, "https://example.com/0", False)


def test_no_more_calls_are_under_way_than_asked_for(make: Make) -> None:
    engine, executor = make(well, chunk=1, concurrency=6)
    assert [one.index for one in engine.run(items(40))] == list(range(40))
    assert executor.most == 6


def test_one_call_at_a_time_is_one(make: Make) -> None:
    engine, executor = make(well, chunk=1, concurrency=1)
    assert len(list(engine.run(items(3)))) == 3
    assert executor.most == 1


def test_items_are_taken_as_they_are_needed_and_nothing_is_kept(make: Make) -> None:
    engine, executor = make(well, chunk=2, concurrency=4)
    taken = 0

    def source() -> Iterator[Item]:
        nonlocal taken
        for item in items(10_000):
            taken += 1
            yield item

    answers = engine.run(source())
    next(answers)
    assert taken <= 8
    for _ in range(200):
        next(answers)
    assert executor.kept <= 4
    assert len(executor.cleaned) >= 100


def test_what_the_calls_need_is_sent_along(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLSERVERLESS_MAX_PIXELS", "1234")
    monkeypatch.setenv("MLSERVERLESS_CACHE_DIR", "/here")
    given = {"allow_private_addresses": True, "model": None}
    _, executor = make(well, settings=given, options={"top_k": 2, "labels_allow": None}, downloads=3)
    ((asked,),) = executor.maps
    assert (asked["version"], asked["options"], asked["downloads"]) == (__version__, {"top_k": 2}, 3)
    assert asked["settings"]["max_pixels"] == 1234
    assert asked["settings"]["allow_private_addresses"] is True
    assert not {"cache_dir", "sink", "models", "threads"} & asked["settings"].keys()
    assert Retry(*asked["retry"]) == SOON
    assert asked["workers"] == 0


def test_on_this_machine_a_call_has_one_worker(make: Make) -> None:
    _, executor = make(well, "localhost")
    assert executor.maps[0][0]["workers"] == 1


def test_opening_tells_whose_answers_they_are(make: Make) -> None:
    engine, _ = make(well)
    assert tuple(engine.open()) == IDENTITY


def test_a_call_that_fails_is_made_again(make: Make) -> None:
    failures = iter([True, True])

    def flaky(asked: dict[str, Any]) -> dict[str, Any]:
        if asked["items"] and asked["items"][0][0] == 2 and next(failures, False):
            raise RuntimeError("it was killed")
        return well(asked)

    engine, executor = make(flaky, chunk=2)
    done = list(engine.run(items(6)))
    assert [one.index for one in done] == list(range(6))
    assert [one.attempts for one in done] == [1, 1, 3, 3, 1, 1]
    assert [len(calls) for calls in executor.maps] == [1, 3, 1, 1]


def test_of_a_chunk_that_always_fails_the_items_are_answered_alone(make: Make) -> None:
    def poisoned(asked: dict[str, Any]) -> dict[str, Any]:
        if any(index == 3 for index, _, _ in asked["items"]):
            raise MemoryError("of the\nsandbox")
        return well(asked)

    engine, _ = make(poisoned, chunk=4)
    done = list(engine.run(items(8)))
    assert [one.index for one in done] == list(range(8))
    assert [one.problem for one in done] == ["", "", "", "internal", "", "", "", ""]
    assert "MemoryError: of the sandbox" in done[3].result["detail"]
    assert done[3].result["instance"] == "3"


def test_a_chunk_of_one_that_always_fails_is_a_problem(make: Make) -> None:
    def poisoned(asked: dict[str, Any]) -> dict[str, Any]:
        if asked["items"] and asked["items"][0][0] == 1:
            raise RuntimeError("no")
        return well(asked)

    engine, executor = make(poisoned, chunk=1)
    assert [one.problem for one in engine.run(items(3))] == ["", "internal", ""]
    assert len(executor.maps) == 2 + SOON.retries


def test_where_every_call_fails_the_run_ends(make: Make) -> None:
    def broken(asked: dict[str, Any]) -> dict[str, Any]:
        if asked["items"]:
            raise PermissionError("access denied")
        return well(asked)

    engine, _ = make(broken, chunk=1)
    with pytest.raises(Stopped, match="Every call of Lithops fails: PermissionError: access denied") as raised:
        list(engine.run(items(8)))
    assert raised.value.code == "internal"


def test_a_call_that_is_never_heard_of_is_made_again(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOST_S", 0.05)
    lost = iter([True])

    def silent(asked: dict[str, Any]) -> Any:
        if asked["items"] and asked["items"][0][0] == 1 and next(lost, False):
            return None
        return well(asked)

    engine, _ = make(silent, chunk=1)
    assert [one.attempts for one in engine.run(items(3))] == [1, 2, 1]


def test_a_runtime_without_this_package_is_told(make: Make) -> None:
    def empty(_: dict[str, Any]) -> dict[str, Any]:
        raise ModuleNotFoundError("No module named 'mlserverless'", name="mlserverless")

    with pytest.raises(Stopped, match="runtime has no mlserverless in it") as raised:
        make(empty)
    assert raised.value.code == "misconfigured"


def test_a_runtime_that_lacks_something_else_cannot_make_a_call(make: Make) -> None:
    def empty(_: dict[str, Any]) -> dict[str, Any]:
        raise ModuleNotFoundError("No module named 'PIL'", name="PIL")

    with pytest.raises(Stopped, match="Lithops cannot make a call: ModuleNotFoundError: No module named 'PIL'"):
        make(empty)


def test_what_the_other_side_says_is_wrong_ends_the_run_at_once(make: Make) -> None:
    asked = []

    def wrong(one: dict[str, Any]) -> dict[str, Any]:
        asked.append(one)
        return {"stopped": ("misconfigured", "build it anew")}

    with pytest.raises(Stopped, match="build it anew"):
        make(wrong)
    assert len(asked) == 1


def test_a_model_that_cannot_be_had_is_tried_again_then_ends_the_run(make: Make) -> None:
    answers = iter([{"stopped": ("model-unavailable", "no download")}] * 2)
    engine, executor = make(lambda asked: next(answers, None) or well(asked))
    assert len(executor.maps) == 3
    assert len(list(engine.run(items(2)))) == 2
    with pytest.raises(Stopped, match="no download") as raised:
        make(lambda _: {"stopped": ("model-unavailable", "no download")})
    assert raised.value.code == "model-unavailable"


@pytest.mark.parametrize("model", [str(PHOTOS), "models/mine", "./mine.tflite"])
def test_a_model_of_this_machine_is_refused_for_a_cloud(make: Make, model: str) -> None:
    with pytest.raises(Stopped, match="is on this machine, where a function of aws_lambda cannot read it"):
        make(well, settings={"model": model})
    make(well, "localhost", settings={"model": model})


@pytest.mark.parametrize("model", ["efficientnet-lite0", "s3://models/mine"])
def test_a_bundled_model_and_a_url_are_taken_for_a_cloud(make: Make, model: str) -> None:
    make(well, settings={"model": model})


def test_files_of_this_machine_are_refused_for_a_cloud(make: Make) -> None:
    sources = [Item(0, "https://example.com/0"), Item(1, "photos/a.jpg", True)]
    engine, _ = make(well)
    with pytest.raises(Stopped, match=r"The file photos/a.jpg is on this machine"):
        list(engine.run(iter(sources)))
    engine, _ = make(well, "localhost")
    assert len(list(engine.run(iter(sources)))) == 2


@pytest.mark.parametrize("what", ["map", "wait", "clean"])
def test_what_lithops_itself_raises_ends_the_run(make: Make, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise OSError("the bucket is gone")

    engine, _ = make(well)
    monkeypatch.setattr(Executor, what, broken)
    with pytest.raises(Stopped, match="Lithops failed: OSError: the bucket is gone") as raised:
        list(engine.run(items(3)))
    assert raised.value.code == "internal"


def test_where_no_model_can_be_had_any_more_the_run_ends_with_that(make: Make) -> None:
    def gone(asked: dict[str, Any]) -> dict[str, Any]:
        return {"stopped": ("model-unavailable", "no download")} if asked["items"] else well(asked)

    engine, _ = make(gone, chunk=1)
    with pytest.raises(Stopped, match="no download") as raised:
        list(engine.run(items(8)))
    assert raised.value.code == "model-unavailable"


def test_items_are_answered_alone_no_more_at_a_time_than_calls_are(make: Make) -> None:
    def poisoned(asked: dict[str, Any]) -> dict[str, Any]:
        if len(asked["items"]) > 1:
            raise MemoryError
        return well(asked)

    engine, executor = make(poisoned, chunk=9, concurrency=4)
    assert [one.problem for one in engine.run(items(9))] == [""] * 9
    assert executor.most == 2


def test_closing_does_not_hide_how_the_run_ended(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> None:
        raise OSError("no")

    engine, _ = make(well)
    monkeypatch.setattr(Executor, "__exit__", broken)
    engine.close()


def test_closing_leaves_lithops_once(make: Make) -> None:
    engine, executor = make(well)
    engine.close()
    assert executor.left
    executor.left = False
    engine.close()
    assert not executor.left
    Lithops({}, {}).close()  # was never opened


@pytest.mark.slow
def test_lithops_own_executor_gives_what_this_machine_gives(tmp_path: Path) -> None:
    """In a process of its own: Lithops writes where the home and the temporary folder are when it is imported."""
    pytest.importorskip("cloudpickle")
    script = textwrap.dedent("""
        import sys
        from mlserverless.batch.engine import Item
        from mlserverless.batch.lithops import Lithops
        from mlserverless.batch.local import Local

        def answers(engine):
            try:
                identity = engine.open()
                return identity, list(engine.run(Item(i, path, True) for i, path in enumerate(sys.argv[1:])))
            finally:
                engine.close()

        there = answers(Lithops({}, {"top_k": 1}, chunk=2))
        assert there == answers(Local({}, {"top_k": 1}, workers=1))
        print([one.problem or one.result["predictions"][0]["label"] for one in there[1]])
    """)
    for name in ("home", "tmp"):
        (tmp_path / name).mkdir()
    config = '{"lithops": {"backend": "localhost", "storage": "localhost"}}'
    environment = {"HOME": str(tmp_path / "home"), "TMPDIR": str(tmp_path / "tmp"), "LITHOPS_CONFIG": config}
    paths = [str(PHOTOS / name) for name in ("flower.jpg", "nowhere.jpg", "rocket.jpg")]
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-c", script, *paths],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout == "['daisy', 'source-not-found', 'missile']\n"
