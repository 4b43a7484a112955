"""A near tie after a fast decode is decided by the whole picture; nothing else is decoded twice."""

import struct
from collections.abc import Callable
from contextlib import nullcontext
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
from mlserverless.errors import DeadlineExceeded, ImageTooLarge, InvalidRequest, Overloaded
from mlserverless.interpreter import Pool
from mlserverless.pace import Pace
from mlserverless.predictor import Predictor
from mlserverless.types import Options, Prediction, Request

# The model takes 2 × 2 pixels, so that one of 64 × 64 is decoded at an eighth.
LARGE, SMALL = gradient(64, 48), gradient(7, 5)
JPEG, PNG = encode(LARGE, "JPEG", quality=95), encode(LARGE)
TIE, CLEAR, OTHER = b"\x80\x7f\x00", b"\xc0\x20\x00", b"\x10\xd0\x00"
STAGES = ["wait", "prepare", "preprocess", "invoke"]


@pytest.fixture
def sizes(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, tuple[int, int]]]:
    """Return how each image was to be decoded, and its size once it was."""
    seen: list[tuple[str, tuple[int, int]]] = []
    whole = prepare.prepare_input

    def noted(image: Any, *given: Any, **more: Any) -> Any:
        made = whole(image, *given, **more)
        seen.append((more["decode"], image.size))
        return made

    monkeypatch.setattr(prepare, "prepare_input", noted)
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


@pytest.mark.parametrize(
    ("options", "runs", "first"),
    [
        ({}, 1, 0),
        ({"labels_deny": "cat"}, 2, 2),  # of the two that are left neither is clearly first
        ({"labels_allow": "dog,owl"}, 2, 2),
        ({"labels_allow": "dog"}, 1, 1),
        ({"labels_allow": "cat,dog"}, 1, 0),
    ],
    ids=str,
)
def test_tie_is_one_of_the_classes_that_may_be_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], runs: int, first: int
) -> None:
    engine = answering(monkeypatch, b"\xa0\x30\x2f", b"\xa0\x2f\x30")
    ready = Predictor(folder(tmp_path / "mine"))
    ready.load()
    assert ready.predict(JPEG, timeout=20, **options).predictions[0].index == first
    assert len(engine.made[0].given) == runs


def test_tie_of_classes_that_may_not_be_answered_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = answering(monkeypatch, TIE)
    assert predict(tmp_path, JPEG, 'labels = "labels.txt"', labels_deny="dog").predictions[0].index == 0
    assert len(engine.made[0].given) == 1


def test_second_look_is_no_measure_of_the_next_requests_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whole it takes many times as long: learned from, it would refuse requests that have the time."""
    now, answers = [0.0], [TIE, OTHER, CLEAR]
    monkeypatch.setattr(inference, "perf_counter", lambda: now[0])

    def answer(_: bytes) -> bytes:
        now[0] += 5.0 if len(answers) == 2 else 0.5
        return answers.pop(0)

    fake_engine(monkeypatch, answer)
    ready = Predictor(folder(tmp_path / "mine"))
    ready.load()
    assert ready.answer(Request(image=JPEG), Deadline(100, clock=lambda: now[0])).predictions[0].index == 1
    assert ready._pace.needed(1, Deadline(100)) == pytest.approx(0.5)
    assert ready.answer(Request(image=JPEG), Deadline(2, clock=lambda: now[0])).predictions[0].index == 0


def test_second_look_is_not_refused_for_what_slow_ones_took(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it may take is known from the first look at this very image."""
    answering(monkeypatch, TIE, OTHER)
    ready = Predictor(folder(tmp_path / "mine"))
    ready.load()
    run = inference.run

    def first_is_slow(*given: Any) -> bytes:
        output = run(*given)
        ready._pace.learn(1, 0.0, 15.0)  # another request's
        return output

    monkeypatch.setattr(inference, "run", first_is_slow)
    assert ready.answer(Request(image=JPEG), Deadline(20)).predictions[0].index == 1


def test_waiting_for_an_interpreter_says_nothing_of_how_long_a_second_look_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, answers = [0.0], [TIE, OTHER]
    monkeypatch.setattr(inference, "perf_counter", lambda: now[0])

    def answer(_: bytes) -> bytes:
        now[0] += 1.0
        return answers.pop(0)

    fake_engine(monkeypatch, answer)
    ready = Predictor(folder(tmp_path / "mine"), concurrency=1)
    pool, waiting, left, run = ready.load().pool, [5.0, 0.0], list[float](), Pool.run

    def waited(self: Pool, work: Any, deadline: Deadline, *given: Any) -> Any:
        left.append(deadline.remaining())
        now[0] += waiting.pop(0)
        return run(self, work, deadline, *given)

    monkeypatch.setattr(Pool, "run", waited)
    # 6 s for the first look, of which 5 are waiting. Of the 14 s that are left it may take 10, so wait for 4.
    deadline = Deadline(20, clock=lambda: now[0])
    assert ready.answer(Request(image=JPEG), deadline).predictions[0].index == 1
    assert (pool.made, waiting) == (1, [])
    assert left == [pytest.approx(20, abs=0.1), pytest.approx(14 - inference.LONGER, abs=0.1)]


@pytest.mark.parametrize(
    "error", [DeadlineExceeded("over"), ImageTooLarge("whole it is too large"), Overloaded("busy")]
)
@pytest.mark.parametrize("where", ["opening", "preparing"])
def test_first_answer_stands_where_the_second_look_comes_to_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, where: str
) -> None:
    answering(monkeypatch, TIE)
    place, name = (formats, "open_image") if where == "opening" else (prepare, "prepare_input")
    does, calls = getattr(place, name), list[int]()

    def fails_later(*given: Any, **more: Any) -> Any:
        calls.append(1)
        if len(calls) == 2:
            raise error
        return does(*given, **more)

    monkeypatch.setattr(place, name, fails_later)
    assert predict(tmp_path, JPEG).predictions[0].index == 0
    assert len(calls) == 2


def test_fault_of_ours_in_the_second_look_is_not_hidden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, TIE)  # and no second answer
    with pytest.raises(IndexError):
        predict(tmp_path, JPEG)


def test_second_look_that_has_to_wait_for_too_long_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has less time than the request: what it would take itself must be left."""
    answering(monkeypatch, TIE)
    ready, others = Predictor(folder(tmp_path / "mine"), concurrency=1), list[Held]()
    pool, open_image, opening = ready.load().pool, formats.open_image, [True, False]

    def opened(*given: Any, **more: Any) -> Any:
        if not opening.pop():
            return open_image(*given, **more)
        others.append(Held(pool))  # another has the interpreter, for as long as it likes
        assert others[0].lent.wait(10)
        return open_image(*given, **more)

    monkeypatch.setattr(formats, "open_image", opened)
    try:
        assert ready.answer(Request(image=JPEG), Deadline(0.3)).predictions[0].index == 0
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
    ran = inference.run(ready.load(), formats.open_image(JPEG), Settings(), pace, Deadline(20), timings)
    assert ran == ([(SCORES, CLEAR)], (0, 0, 1, 1))
    assert [name for name, _ in timings] == STAGES
    assert pace.needed(64 * 48, Deadline(1000)) > 0


@pytest.mark.parametrize(
    ("toml", "options", "told"),
    [
        ('task = "raw"', Options(top_k=1), "top_k is for classes, and this model answers raw tensors"),
        ('task = "raw"', Options(model="mine"), ""),
        (
            'labels = "labels.txt"',
            Options(labels_deny=("horse",)),
            "labels_deny names 'horse', which is not a label",
        ),
        ('labels = "labels.txt"', Options(top_k=2, labels_allow=("cat",)), ""),
    ],
)
def test_options_are_checked_without_an_image(
    toml: str, options: Options, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_engine(monkeypatch)
    predictor = Predictor(folder(tmp_path / "mine", toml))
    with pytest.raises(InvalidRequest, match=told) if told else nullcontext():
        predictor.check(options, Deadline())


def test_a_detectors_options_are_checked_against_the_numbers_of_its_classes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shapes = {"b": (1, 9, 4), "c": (1, 9), "s": (1, 9), "n": (1,)}
    fake_engine(monkeypatch, outputs=tuple(Tensor(name, shape, "float32") for name, shape in shapes.items()))
    toml = 'task = "detect"\n[output]\nboxes = "b"\nclasses = "c"\nscores = "s"\ncount = "n"'
    predictor = Predictor(folder(tmp_path / "mine", toml))
    predictor.check(Options(labels_allow=("16",)), Deadline())
    with pytest.raises(InvalidRequest, match="labels_allow names 'cat', which is not a label of this model"):
        predictor.check(Options(labels_allow=("cat",)), Deadline())


def test_a_model_that_is_not_there_leaves_its_options_unchecked() -> None:
    """Each image's own answer tells why."""
    Predictor("no-such-model").check(Options(top_k=1), Deadline())
