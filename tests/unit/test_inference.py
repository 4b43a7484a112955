"""A near tie after a fast decode is decided by the whole picture; nothing else is decoded twice."""

import struct
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from helpers.fakes import SCORES, FakeEngine, fake_engine, folder
from helpers.images import encode, gradient
from helpers.origin import response, serving
from helpers.pools import Held
from mlserverless import formats, inference, prepare
from mlserverless.config import Settings
from mlserverless.deadline import Deadline
from mlserverless.engines import Tensor
from mlserverless.errors import InvalidRequest
from mlserverless.pace import Pace
from mlserverless.predictor import Predictor
from mlserverless.types import Prediction, Request

# The model takes 2 × 2 pixels, so that one of 64 × 64 is decoded at an eighth.
LARGE, SMALL = gradient(64, 48), gradient(7, 5)
JPEG, PNG = encode(LARGE, "JPEG", quality=95), encode(LARGE)
TIE, CLEAR, OTHER = b"\x80\x7f\x00", b"\xc0\x20\x00", b"\x10\xd0\x00"
STAGES = ["wait", "prepare", "preprocess", "invoke"]


@pytest.fixture
def sizes(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, tuple[int, int]]]:
    """Return how each image was to be decoded, and its size once it was."""
    seen: list[tuple[str, tuple[int, int]]] = []
    whole = prepare.prepare_image

    def noted(image: Any, *given: Any, **more: Any) -> Any:
        made = whole(image, *given, **more)
        seen.append((more["decode"], image.size))
        return made

    monkeypatch.setattr(prepare, "prepare_image", noted)
    return seen


def answering(monkeypatch: pytest.MonkeyPatch, *answers: bytes, **more: Any) -> FakeEngine:
    """Put an engine in place that gives ``answers``, one a run, and nothing more."""
    left = list(answers)
    return fake_engine(monkeypatch, lambda _: left.pop(0), **more)


def predict(path: Path, source: Any, toml: str = "", **settings: Any) -> Prediction:
    ready = Predictor(folder(path / "mine", toml), top_k=1, **settings)
    ready.load()
    return ready.predict(source, timeout=20)


def names(prediction: Prediction) -> list[str]:
    return [name for name, _ in prediction.timings]


def test_near_tie_is_decided_by_the_whole_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sizes: list[Any]
) -> None:
    engine = answering(monkeypatch, TIE, OTHER)
    prediction = predict(tmp_path, JPEG)
    assert [(score.index, score.score) for score in prediction.predictions] == [(1, 0xD0 / 256)]
    assert sizes == [("fast", (8, 6)), ("whole", (64, 48))]
    assert names(prediction) == ["open", "load", *STAGES, "open", *STAGES]
    again = formats.open_image(JPEG)
    expected = prepare.prepare_image(
        again, (2, 2), resize="bilinear", background="white", decode="exact"
    ).tobytes()
    assert engine.made[0].given[1] == expected != engine.made[0].given[0]


def test_second_answer_counts_where_it_is_a_near_tie_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, TIE, b"\x7f\x80\x00")
    assert predict(tmp_path, JPEG).predictions[0].index == 1


def test_jpeg_of_a_url_or_a_file_is_decided_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, *[TIE, OTHER] * 2)
    (tmp_path / "a.jpg").write_bytes(JPEG)
    with serving({"/": response(JPEG)}) as origin:
        found = [
            predict(tmp_path, source, allow_private_addresses=True)
            for source in (origin.url(), tmp_path / "a.jpg")
        ]
    assert [prediction.predictions[0].index for prediction in found] == [1, 1]


@pytest.mark.parametrize(
    ("source", "settings"),
    [
        (lambda: PNG, {}),
        (lambda: encode(SMALL, "JPEG"), {}),
        (lambda: JPEG, {"decode": "exact"}),
        (lambda: Image.open(BytesIO(JPEG)), {}),
        (lambda: LARGE, {}),
    ],
    ids=["PNG", "small JPEG", "decode exact", "caller's own JPEG", "picture"],
)
def test_what_was_decoded_whole_is_not_decoded_again(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    sizes: list[Any],
    source: Callable[[], Any],
    settings: dict[str, Any],
) -> None:
    answering(monkeypatch, TIE)
    assert predict(tmp_path, source(), **settings).predictions[0].index == 0
    assert len(sizes) == 1


def test_jpeg_for_a_model_of_nearest_is_not_decoded_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, TIE)
    assert names(predict(tmp_path, JPEG, '[input]\nresize = "nearest"')) == ["open", "load", *STAGES]


def test_clear_winner_is_not_decoded_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sizes: list[Any]
) -> None:
    answering(monkeypatch, CLEAR)
    prediction = predict(tmp_path, JPEG)
    assert (prediction.predictions[0].index, sizes) == (0, [("fast", (8, 6))])
    assert names(prediction) == ["open", "load", *STAGES]


def test_model_of_one_class_has_no_ties(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, b"\x80", outputs=(SCORES._replace(shape=(1, 1)),))
    assert len(predict(tmp_path, JPEG).predictions) == 1


@pytest.mark.parametrize(("logits", "runs"), [((9.0, 8.9, 0.0), 2), ((9.0, 8.0, 0.0), 1), ((-2.0, -2.1, -9.0), 2)])
def test_what_counts_is_what_is_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, logits: tuple[float, ...], runs: int
) -> None:
    data = struct.pack("<3f", *logits)
    engine = answering(monkeypatch, *[data] * 2, outputs=(Tensor("scores", (1, 3), "float32"),))
    predict(tmp_path, JPEG)
    assert len(engine.made[0].given) == runs


def test_activation_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of logits 1 apart, which are no tie, sigmoid may make one."""
    data = struct.pack("<3f", 9.0, 8.0, 0.0)
    engine = answering(monkeypatch, *[data] * 2, outputs=(Tensor("scores", (1, 3), "float32"),))
    predict(tmp_path, JPEG, '[output]\nactivation = "sigmoid"')
    assert len(engine.made[0].given) == 2


def test_no_interpreter_is_held_between_the_two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, TIE, OTHER)
    ready = Predictor(folder(tmp_path / "mine"), concurrency=1)
    pool, in_use, open_image = ready.load().pool, list[int](), formats.open_image

    def opened(*given: Any, **more: Any) -> Any:
        in_use.append(pool._in_use)
        return open_image(*given, **more)

    monkeypatch.setattr(formats, "open_image", opened)
    ready.predict(JPEG, timeout=20)
    assert in_use == [0, 0]


@pytest.mark.parametrize(("left", "index"), [(0.5, 1), (-0.5, 0), (-100.0, 0)])
def test_first_answer_stands_where_there_is_no_time_for_a_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left: float, index: int
) -> None:
    """The whole picture takes longer than the fraction did: ``left`` seconds more than it is given, or less."""
    now, answers = [0.0], [TIE, OTHER]
    monkeypatch.setattr(inference, "perf_counter", lambda: now[0])

    def answer(_: bytes) -> bytes:
        now[0] += 1.0
        return answers.pop(0)

    fake_engine(monkeypatch, answer)
    ready = Predictor(folder(tmp_path / "mine"))
    ready.load()
    deadline = Deadline(max(1.0, 1 + inference.LONGER + left), clock=lambda: now[0])
    assert ready.answer(Request(image=JPEG), deadline).predictions[0].index == index


def test_first_answer_stands_where_no_interpreter_comes_free_for_the_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering(monkeypatch, TIE)
    ready, others = Predictor(folder(tmp_path / "mine"), concurrency=1), list[Held]()
    pool, open_image = ready.load().pool, formats.open_image

    def opened(*given: Any, **more: Any) -> Any:
        if opening.pop():  # the second time another has the interpreter
            others.append(Held(pool))
            assert others[0].lent.wait(10)
        return open_image(*given, **more)

    opening = [True, False]
    monkeypatch.setattr(formats, "open_image", opened)
    try:
        assert ready.answer(Request(image=JPEG), Deadline(20), queue=0).predictions[0].index == 0
    finally:
        others[0].end()


def test_options_that_do_not_fit_are_told_before_anything_is_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sizes: list[Any]
) -> None:
    answering(monkeypatch)
    ready = Predictor(folder(tmp_path / "mine"))
    ready.load()
    with pytest.raises(InvalidRequest, match="labels_allow names 'cow'"):
        ready.predict(JPEG, labels_allow="cow")
    assert sizes == []


def test_run_learns_how_long_it_took_and_gives_the_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, CLEAR)
    ready, pace, timings = Predictor(folder(tmp_path / "mine")), Pace(), list[tuple[str, float]]()
    output = inference.run(ready.load(), formats.open_image(JPEG), Settings(), pace, Deadline(20), timings)
    assert output == CLEAR
    assert [name for name, _ in timings] == STAGES
    assert pace.needed(64 * 48, Deadline(1000)) > 0
