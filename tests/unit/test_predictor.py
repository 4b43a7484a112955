"""The five stages together, on an engine that answers what the test says, and on the bundled models."""

import math
import struct
import sys
import threading
import time
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import mlserverless
from helpers.fakes import fake_engine, folder
from helpers.images import encode, gradient, png_header, rows
from helpers.origin import response, serving
from mlserverless import engines, formats, predictor, prepare
from mlserverless.deadline import Deadline
from mlserverless.engines import Tensor
from mlserverless.errors import (
    ConfigError,
    DeadlineExceeded,
    ImageTooLarge,
    InvalidRequest,
    ModelUnavailable,
    Overloaded,
    SourceBlocked,
    SourceNotFound,
    UndecodableImage,
)
from mlserverless.predictor import Predictor, predict
from mlserverless.types import Options, Request, Score

PICTURE = rows([(1, 2, 3), (4, 5, 6)], [(7, 8, 9), (10, 11, 12)])
PNG = encode(PICTURE)
BEST = (Score("dog", 1, 0.5), Score("cat", 0, 0.25), Score("owl", 2, 0.125))


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    return folder(tmp_path / "mine")


def test_every_kind_of_source_answers_the_same(
    mine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = fake_engine(monkeypatch)
    (tmp_path / "a.png").write_bytes(PNG)
    with serving({"/a.png": response(PNG)}) as origin:
        ready = Predictor(mine, allow_private_addresses=True)
        ready.load()
        sources: list[Any] = [
            origin.url("/a.png"),
            PNG,
            bytearray(PNG),
            memoryview(PNG),
            tmp_path / "a.png",
            PICTURE,
            Image.open(BytesIO(PNG)),
            np.asarray(PICTURE),
        ]
        answers = [ready.predict(source) for source in sources]
    assert [answer.predictions for answer in answers] == [BEST] * len(sources)
    assert engine.made[0].given == [bytes(range(1, 13))] * len(sources)
    assert answers[0].model == "mine"


@pytest.mark.parametrize(
    "source",
    [5, None, object(), {"url": "x"}, [1, 2], np.zeros((2, 2, 3))],
    ids=lambda value: type(value).__name__,
)
def test_anything_else_is_an_invalid_request_that_says_what_is_taken(
    mine: Path, monkeypatch: pytest.MonkeyPatch, source: Any
) -> None:
    fake_engine(monkeypatch)
    with pytest.raises(InvalidRequest) as caught:
        Predictor(mine).predict(source)
    assert str(caught.value).startswith(f"{type(source).__name__} is not a source; sources are a URL (str), ")


def test_str_is_always_a_url_and_never_a_file(mine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_engine(monkeypatch)
    (tmp_path / "a.png").write_bytes(PNG)
    with pytest.raises(InvalidRequest, match="not a URL"):
        Predictor(mine).predict(str(tmp_path / "a.png"))
    with pytest.raises(SourceBlocked, match="scheme 'file'"):
        Predictor(mine).predict((tmp_path / "a.png").as_uri())


def test_callers_image_is_not_decoded_at_a_fraction(models: Path) -> None:
    image = Image.open(BytesIO(encode(gradient(2000, 2000), "JPEG")))
    Predictor(models / "efficientnet-lite0").predict(image)
    assert image.size == (2000, 2000)


def test_missing_file_is_named(mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_engine(monkeypatch)
    with pytest.raises(SourceNotFound, match=r"The file /no/such\.png cannot be read: No such file or directory"):
        Predictor(mine).predict(Path("/no/such.png"))


@pytest.mark.parametrize("as_file", [False, True])
def test_more_bytes_than_allowed_are_refused(
    mine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, as_file: bool
) -> None:
    fake_engine(monkeypatch)
    (tmp_path / "a.png").write_bytes(PNG)
    source: Any = tmp_path / "a.png" if as_file else PNG
    assert Predictor(mine, max_bytes=len(PNG)).predict(source).predictions == BEST
    with pytest.raises(ImageTooLarge, match=rf"bytes; at most {len(PNG) - 1} are accepted"):
        Predictor(mine, max_bytes=len(PNG) - 1).predict(source)


def test_settings_reach_the_opening(mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_engine(monkeypatch)
    with pytest.raises(ImageTooLarge, match="at most 3 are accepted"):
        Predictor(mine, max_pixels=3).predict(PNG)
    assert Predictor(mine, formats=("gif",)).predict(encode(PICTURE, "GIF")).predictions == BEST
    with pytest.raises(UndecodableImage):
        Predictor(mine).predict(png_header(4, 4))


@pytest.mark.parametrize(
    ("settings", "options", "count"),
    [
        ({}, {}, 1),
        ({"score_threshold": 0.2}, {}, 2),
        ({"score_threshold": 0}, {}, 3),
        ({"score_threshold": None}, {}, 1),
        ({"score_threshold": ""}, {}, 1),
        ({}, {"score_threshold": 0}, 3),
        ({"score_threshold": 0}, {"score_threshold": 0.2}, 2),
        ({"score_threshold": 0.2}, {"score_threshold": 0}, 3),
    ],
)
def test_a_threshold_of_0_switches_that_of_the_model_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Any, options: Any, count: int
) -> None:
    """The request goes before the setting, that before the model; only what is not said says nothing."""
    fake_engine(monkeypatch)
    mine = folder(tmp_path / "a", 'labels = "labels.txt"\n[output]\nscore_threshold = 0.3')
    assert Predictor(mine, **settings).predict(PNG, **options).predictions == BEST[:count]


def test_options_of_a_request(mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_engine(monkeypatch)
    ready = Predictor(mine, top_k=2)
    assert ready.predict(PNG).predictions == BEST[:2]
    assert ready.predict(PNG, top_k=3).predictions == BEST
    assert ready.predict(PNG, score_threshold=0.25).predictions == BEST[:2]
    assert ready.predict(PNG, labels_allow=["owl"]).predictions == BEST[2:]
    assert ready.predict(PNG, labels_deny="dog,cat").predictions == BEST[2:]
    with pytest.raises(InvalidRequest, match="'topk' is not an option"):
        ready.predict(PNG, topk=1)
    with pytest.raises(InvalidRequest, match="labels_allow names 'cow'"):
        ready.predict(PNG, labels_allow="cow")


def test_answer_serves_adapters(mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_engine(monkeypatch)
    answer = Predictor(mine).answer(Request("id", image=PNG, options=Options(top_k=1)), Deadline(5))
    assert answer.predictions == BEST[:1]
    with pytest.raises(InvalidRequest, match="not a URL"):
        Predictor(mine).answer(Request("id"), Deadline(5))


def test_timings_name_the_stages(mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_engine(monkeypatch)
    ready = Predictor(mine, allow_private_addresses=True)
    after = ["open", "load", "wait", "prepare", "preprocess", "invoke"]  # load: what it took beyond the download
    with serving({"/": response(PNG)}) as origin:
        timings = ready.predict(origin.url()).timings
    assert [name for name, _ in timings] == ["download", *after]
    assert [name for name, _ in ready.predict(PNG).timings] == after
    assert [name for name, _ in ready.predict(PICTURE).timings] == after[2:]
    assert all(milliseconds >= 0 for _, milliseconds in timings)


def test_timings_are_in_milliseconds(mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_engine(monkeypatch, lambda _: time.sleep(0.05) or b"abc")  # type: ignore[func-returns-value]
    assert 50 <= dict(Predictor(mine).predict(PNG).timings)["invoke"] < 1050


def test_time_that_is_over_before_the_model_runs(mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = fake_engine(monkeypatch)
    ready = Predictor(mine)
    ready.load()
    with pytest.raises(DeadlineExceeded, match=r"over before the model ran\.$"):
        ready.predict(PNG, timeout=0)
    assert engine.made[0].given == []


def test_busy_interpreters_are_overload(mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    running, go_on = threading.Event(), threading.Event()

    def answer(_: bytes) -> bytes:
        running.set()
        assert go_on.wait(10)
        return b"abc"

    fake_engine(monkeypatch, answer)
    ready = Predictor(mine, concurrency=1)
    ready.load()
    other = threading.Thread(target=ready.predict, args=(PNG,))
    other.start()
    assert running.wait(10)
    with pytest.raises(Overloaded, match="All 1 interpreters"):
        ready.predict(PNG, timeout=0.2)
    go_on.set()
    other.join(10)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_answer_that_is_no_number_is_the_models_fault(
    mine: Path, monkeypatch: pytest.MonkeyPatch, value: float
) -> None:
    outputs = (Tensor("scores", (1, 3), "float32"),)
    fake_engine(monkeypatch, struct.pack("<3f", 0.1, value, 0.2), outputs=outputs)
    with pytest.raises(ModelUnavailable, match=r"^The model answered (NaN|infinities) in the output 'scores'"):
        Predictor(mine).predict(PNG)


@pytest.mark.parametrize(
    ("formats", "runs"), [(("jpeg", "png", "webp"), 3), (("png",), 1), (("gif", "png"), 1), (("gif",), 1)]
)
def test_warm_up_runs_the_model_on_a_grey_image_of_each_format(
    mine: Path, monkeypatch: pytest.MonkeyPatch, formats: tuple[str, ...], runs: int
) -> None:
    """Where no format has an example, on a grey image of none: the first run takes twice as long."""
    engine = fake_engine(monkeypatch)
    ready = Predictor(mine, formats=formats)
    ready.warm_up()
    (interpreter,) = engine.made
    assert len(interpreter.given) == runs
    assert all(len(data) == 12 and 120 < min(data) <= max(data) < 135 for data in interpreter.given)
    assert ready.loaded is not None
    assert ready._pace.needed(0, Deadline()) == 0, "what is warm now is no measure of what comes"


def test_warm_up_imports_what_a_url_needs_and_loads_beside_it(mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_engine(monkeypatch)
    opening, prepare = threading.Event(), formats.prepare
    select = engines.select

    def prepared(kinds: tuple[str, ...]) -> list[bytes]:
        opening.set()
        return prepare(kinds)

    def selected(*given: Any) -> Any:
        assert opening.wait(10), "the formats wait for the model"
        return select(*given)

    monkeypatch.setattr(formats, "prepare", prepared)
    monkeypatch.setattr(engines, "select", selected)
    Predictor(mine).warm_up()
    assert "mlserverless.net.client" in sys.modules


def test_warm_up_tells_what_is_wrong_with_the_model(mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_engine(monkeypatch, outputs=())
    with pytest.raises(ModelUnavailable, match="mine answers nothing"):
        Predictor(mine).warm_up()


def test_a_model_is_there_when_it_is_loaded(mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_engine(monkeypatch)
    ready = Predictor(mine)
    assert ready.loaded is None
    assert ready.load() is ready.loaded
    assert ready.load() is ready.loaded


@pytest.mark.parametrize(
    ("memory", "settings", "most"),
    [("1769", {}, 1), ("3538", {}, 2), ("128", {}, 1), ("128", {"concurrency": 7}, 7)],
)
def test_as_many_are_with_the_model_as_the_setting_or_the_share_says(
    mine: Path, monkeypatch: pytest.MonkeyPatch, memory: str, settings: dict[str, int], most: int
) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(8)), raising=False)
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", memory)
    fake_engine(monkeypatch)
    ready = Predictor(mine, **settings)
    assert ready.load().pool.size == most


def test_module_level_predict_keeps_one_predictor(mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = fake_engine(monkeypatch)
    monkeypatch.setattr(predictor, "_default_predictor", [])
    monkeypatch.setenv("MLSERVERLESS_MODEL", str(mine))
    assert predict(PNG, top_k=1).predictions == BEST[:1]
    assert mlserverless.predict(PNG).predictions == BEST
    assert len(engine.made) == 1


def test_bad_setting_is_told_at_once(mine: Path) -> None:
    with pytest.raises(ConfigError, match="top_k is 0, which is not accepted"):
        Predictor(mine, top_k=0)
    with pytest.raises(ConfigError, match="topk is not a setting"):
        Predictor(mine, topk=1)


def test_a_files_name_as_text_is_refused_with_what_to_give_instead() -> None:
    with pytest.raises(InvalidRequest, match=r"^'cat\.jpg' is not a URL; a file is given as a pathlib\.Path\.$"):
        Predictor().predict("cat.jpg")


def test_download_leaves_time_for_the_model(mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_engine(monkeypatch, lambda _: time.sleep(0.4) or b"abc")  # type: ignore[func-returns-value]
    ready, left = Predictor(mine), []
    ready.load()

    def download(_url: str, _settings: Any, deadline: Deadline, *_: Any) -> bytes:
        left.append(deadline.remaining())
        return PNG

    monkeypatch.setattr(predictor, "download", download)
    for _ in range(2):
        ready.answer(Request(url="https://h.example/"), Deadline(5))
    assert 4.9 < left[0] <= 5
    assert left[1] < 4.65


def test_just_the_version_that_was_meant_is_downloaded(mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[Any, ...]] = []

    def download(url: str, _settings: Any, _deadline: Deadline, version: str, pin: str, *_: Any) -> bytes:
        asked.append((url, version, pin))
        return PNG

    monkeypatch.setattr(predictor, "download", download)
    fake_engine(monkeypatch, lambda _: b"abc")
    ready = Predictor(mine)
    ready.answer(Request(url="s3://b/k", version="3", pin="version"), Deadline(5))
    ready.answer(Request(url="s3://b/k", version="a message's id"), Deadline(5))
    assert asked == [("s3://b/k", "3", "version"), ("s3://b/k", "a message's id", "")]


def test_model_that_would_not_end_in_time_is_not_begun(mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = fake_engine(monkeypatch, lambda _: time.sleep(0.4) or b"abc")  # type: ignore[func-returns-value]
    ready = Predictor(mine)
    ready.load()
    ready.predict(PNG)
    now = [0.0]
    deadline = Deadline(2, clock=lambda: now[0])
    now[0] = 1.8
    start = time.monotonic()
    with pytest.raises(
        DeadlineExceeded, match=r"^Of the 2 s granted to this request 0\.2 s are left, and an image"
    ):
        ready.answer(Request(image=PNG), deadline)
    assert time.monotonic() - start < 0.3
    assert len(engine.made[0].given) == 1


def test_thread_that_waits_for_the_model_waits_no_longer_than_its_deadline(
    mine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = fake_engine(monkeypatch)
    go_on, begun = threading.Event(), threading.Event()
    select = engine.select

    def slow(*given: Any) -> Any:
        begun.set()
        go_on.wait(10)
        return select(*given)

    monkeypatch.setattr("mlserverless.engines.select", slow)
    ready = Predictor(mine)
    first = threading.Thread(target=ready.load)
    first.start()
    begun.wait(10)
    with pytest.raises(DeadlineExceeded, match="over before the model was loaded"):
        ready.predict(PNG, timeout=0.1)
    go_on.set()
    first.join(10)
    assert ready.predict(PNG, timeout=5).predictions == BEST


def test_as_many_images_are_decoded_at_a_time_as_there_are_interpreters(
    mine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_engine(monkeypatch)
    inside, most, lock = 0, 0, threading.Lock()
    whole = prepare.prepare_input

    def counted(*given: Any, **more: Any) -> Any:
        nonlocal inside, most
        with lock:
            inside += 1
            most = max(most, inside)
        time.sleep(0.02)
        with lock:
            inside -= 1
        return whole(*given, **more)

    monkeypatch.setattr(prepare, "prepare_input", counted)
    ready = Predictor(mine, concurrency=2)
    threads = [threading.Thread(target=ready.predict, args=(PNG,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert most == 2


def test_requests_that_would_wait_too_long_a_queue_are_overloaded(
    mine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = threading.Event()
    fake_engine(monkeypatch, lambda _: go_on.wait(10) and b"abc")  # type: ignore[return-value]
    ready = Predictor(mine, concurrency=1)
    pool = ready.load().pool
    first = threading.Thread(target=ready.predict, args=(PNG,))
    first.start()
    until = time.monotonic() + 10
    while pool._idle and time.monotonic() < until:
        time.sleep(0.01)
    with pytest.raises(Overloaded, match="interpreters are busy and 0 requests wait already"):
        ready.answer(Request(image=PNG), Deadline(5), queue=0)
    go_on.set()
    first.join(10)


def test_words_that_are_no_url_are_told_without_what_may_be_a_signature(mine: Path) -> None:
    with pytest.raises(InvalidRequest) as caught:
        Predictor(mine).predict("host/cat.jpg?sig=secret#frag")
    assert str(caught.value).startswith("'host/cat.jpg' is not a URL; a file is given as a pathlib.Path")
