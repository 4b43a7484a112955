"""Loading: once, whoever asks first; everything that is wrong with a model is told with its name."""

import math
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from helpers.fakes import IMAGE, SCORES, fake_engine, folder
from helpers.images import encode, rows
from mlserverless import config, loading, model
from mlserverless.config import Settings
from mlserverless.deadline import Deadline
from mlserverless.engines import Tensor
from mlserverless.errors import ModelUnavailable
from mlserverless.predictor import Predictor

PNG = encode(rows([(1, 2, 3)] * 2, [(1, 2, 3)] * 2))


def fails(path: Path, **settings: Any) -> str:
    with pytest.raises(ModelUnavailable) as caught:
        Predictor(path, **settings).load()
    return str(caught.value)


def test_nothing_is_read_before_it_is_asked_for(tmp_path: Path) -> None:
    assert fails(tmp_path / "none").startswith(f"There is no model '{tmp_path}/none'")


def test_many_threads_load_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine, reads, answers = folder(tmp_path / "mine"), [], []
    engine, read, start = fake_engine(monkeypatch), model._read, threading.Barrier(32)

    def slowly(path: str, pinned: str) -> tuple[bytes, str]:
        reads.append(path)
        time.sleep(0.1)
        return read(path, pinned)

    monkeypatch.setattr(model, "_read", slowly)
    ready = Predictor(mine, concurrency=2, threads=1)

    def work() -> None:
        start.wait(10)
        answers.append(ready.predict(PNG, timeout=20))

    threads = [threading.Thread(target=work) for _ in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(answers) == 32
    assert len({answer.predictions for answer in answers}) == 1
    assert reads == [str(mine / "model.tflite")]
    assert len(engine.made) <= 2
    assert len(engine.asked) == 1


def test_failed_load_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_engine(monkeypatch)
    ready = Predictor(tmp_path / "mine")
    with pytest.raises(ModelUnavailable):
        ready.load()
    folder(tmp_path / "mine")
    assert ready.load().model.name == "mine"


@pytest.mark.parametrize(
    ("settings", "memory", "threads"),
    [({"threads": 3}, "", 3), ({}, "1769", 1), ({}, "128", 1), ({"threads": 2}, "128", 2)],
)
def test_threads_follow_the_setting_then_the_share(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: dict[str, int], memory: str, threads: int
) -> None:
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", memory)
    engine = fake_engine(monkeypatch)
    Predictor(folder(tmp_path / "mine"), **settings).load()
    assert engine.threads == [threads]


@pytest.mark.parametrize(("settings", "size"), [({"concurrency": 7}, 7), ({}, 4)])
def test_pool_size_follows_the_setting_then_the_share(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: dict[str, int], size: int
) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(4)), raising=False)
    monkeypatch.setattr(config, "_quota", lambda: math.inf)
    fake_engine(monkeypatch)
    assert Predictor(folder(tmp_path / "mine"), **settings).load().pool.size == size


@pytest.mark.parametrize(
    ("settings", "alone", "several"),
    [
        ({}, 4, 1),
        ({"concurrency": 2}, 4, 2),
        ({"concurrency": 8}, 4, 1),
        ({"threads": 3}, 3, 3),
        ({"threads": 3, "concurrency": 2}, 3, 3),
    ],
)
def test_who_is_alone_gets_the_whole_share_and_several_share_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: dict[str, int], alone: int, several: int
) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(4)), raising=False)
    monkeypatch.setattr(config, "_quota", lambda: math.inf)
    engine = fake_engine(monkeypatch)
    pool = Predictor(folder(tmp_path / "mine"), **settings).load().pool
    pool.run(lambda _: pool.run(lambda _: None, Deadline(0)), Deadline(0))
    assert engine.threads == [alone, several]


@pytest.mark.parametrize("spare", [False, True])
def test_first_interpreter_is_run_once_where_there_is_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spare: bool
) -> None:
    engine = fake_engine(monkeypatch, inputs=(IMAGE._replace(shape=(1, 5, 4, 3)),))
    loading.load(Settings(model=str(folder(tmp_path / "mine"))), spare=lambda: spare)
    assert engine.made[0].given == ([bytes(5 * 4 * 3)] if spare else [])


@pytest.mark.parametrize(
    ("wrong", "settings", "said"),
    [
        ({"inputs": (IMAGE._replace(dtype="float16"),)}, {}, "wants its float16 pixels in: set range"),
        ({"inputs": (IMAGE._replace(dtype="type 8"),)}, {}, "The model's input is type 8"),
        ({"inputs": (IMAGE, IMAGE)}, {}, "mine has 2 inputs"),
        ({"outputs": (SCORES._replace(dtype="type 8"),)}, {}, "The model's output is type 8"),
        ({"outputs": (SCORES._replace(shape=(1, 2)),)}, {}, "mine has 3 labels"),
        ({}, {"labels_deny": ("cow",)}, "The settings name the label 'cow'"),
    ],
)
def test_first_interpreter_of_what_cannot_be_served_is_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: dict[str, Any], settings: dict[str, Any], said: str
) -> None:
    """LiteRT takes bytes of the input's length only, and there are none of a dtype that is not known."""
    engine = fake_engine(monkeypatch, **wrong)
    with pytest.raises(ModelUnavailable, match=said):
        loading.load(Settings(model=str(folder(tmp_path / "mine")), **settings), spare=lambda: True)
    assert engine.made[0].given == []


def test_engine_setting_is_handed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = fake_engine(monkeypatch)
    loaded = Predictor(folder(tmp_path / "mine"), engine="tflite-runtime").load()
    assert (engine.asked, loaded.engine) == (["tflite-runtime"], "fake")


def test_wrong_pin_is_refused_with_both_sums(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_engine(monkeypatch)
    said = fails(folder(tmp_path / "mine", f'sha256 = "{"0" * 64}"'))
    assert "model.tflite has the sha256 " in said
    assert f"but model.toml pins {'0' * 64}" in said


def test_labels_and_classes_must_agree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_engine(monkeypatch)
    said = fails(folder(tmp_path / "mine", labels="cat\n"))
    assert said == "mine has 1 labels, but its output has 3 classes."


@pytest.mark.parametrize(
    ("labels", "ways"),
    [
        ("cat\ndog\n", ("say offset = 1 in [output]", "add its line to the label file")),
        ("none\ncat\ndog\nowl\n", ("say offset = -1 in [output]", "remove its line from the label file")),
    ],
)
def test_labels_that_are_off_by_one_are_told_with_both_ways_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, labels: str, ways: tuple[str, str]
) -> None:
    fake_engine(monkeypatch)
    said = fails(folder(tmp_path / "mine", labels=labels))
    assert all(way in said for way in ways)


@pytest.mark.parametrize(
    ("labels", "offset", "told"),
    [("cat\ndog\n", 1, ["cat", "dog"]), ("none\ncat\ndog\nowl\n", -1, ["dog", "cat", "owl"])],
)
def test_offset_makes_labels_and_classes_agree(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, labels: str, offset: int, told: list[str]
) -> None:
    fake_engine(monkeypatch)
    toml = f'labels = "labels.txt"\n[output]\noffset = {offset}'
    answer = Predictor(folder(tmp_path / "mine", toml, labels)).predict(PNG)
    assert [score.label for score in answer.predictions] == told


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        ('labels = "labels.txt"\n[output]\noffset = 1', "which do not fit with offset = 1 in [output]"),
        ("[output]\noffset = 1", "offset in [output] is 1, but it has no labels"),
    ],
)
def test_offset_that_fits_nothing_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, toml: str, said: str
) -> None:
    fake_engine(monkeypatch)
    assert said in fails(folder(tmp_path / "mine", toml))


def test_without_labels_the_indices_are_the_labels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_engine(monkeypatch)
    ready = Predictor(folder(tmp_path / "mine", 'name = "bare"'), labels_deny="2")
    assert [score.label for score in ready.predict(PNG).predictions] == ["1", "0"]


@pytest.mark.parametrize("name", ["labels_allow", "labels_deny"])
def test_setting_with_an_unknown_label_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    fake_engine(monkeypatch)
    said = fails(folder(tmp_path / "mine"), **{name: "cat, cow"})
    assert said == "The settings name the label 'cow', which mine does not have."


def test_float_model_without_a_range_names_the_key_to_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_engine(monkeypatch, inputs=(IMAGE._replace(dtype="float32"),))
    said = fails(folder(tmp_path / "mine"))
    assert (
        "Nothing says which range the model wants its float32 pixels in: set range in [input] of its model.toml"
        in said
    )
    assert "raw, unit, signed, imagenet, caffe or a mean and std" in said


def test_range_that_the_input_cannot_take_is_told_at_load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_engine(monkeypatch)
    said = fails(folder(tmp_path / "mine", '[input]\nrange = "unit"'))
    assert "no quantisation: its range must be raw" in said


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ((), "mine has 0 inputs; a model of images has one."),
        ((IMAGE, IMAGE), "mine has 2 inputs; a model of images has one."),
        ((IMAGE._replace(shape=(2, 2, 2, 3)),), "The model's input has the shape (2, 2, 2, 3); read are"),
        ((IMAGE._replace(shape=(1, 12)),), "The model's input has the shape (1, 12); height and width"),
        ((IMAGE._replace(dtype="type 8"),), "The model's input is type 8; images go into"),
    ],
)
def test_model_that_takes_no_image(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, inputs: tuple[Tensor, ...], said: str
) -> None:
    fake_engine(monkeypatch, inputs=inputs)
    assert fails(folder(tmp_path / "mine")).startswith(said)


@pytest.mark.parametrize(
    ("outputs", "said"),
    [
        ((), "nothing"),
        ((SCORES, SCORES), "(1, 3), (1, 3)"),
        ((SCORES._replace(shape=()),), "()"),
        ((SCORES._replace(shape=(1, 0)),), "(1, 0)"),
        ((SCORES._replace(shape=(4, 3)),), "(4, 3)"),
    ],
)
def test_model_whose_outputs_tell_no_task(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, outputs: tuple[Tensor, ...], said: str
) -> None:
    fake_engine(monkeypatch, outputs=outputs)
    told = fails(folder(tmp_path / "mine"))
    assert told.startswith(f"mine answers {said}: neither one output of scores, (1, classes), nor the four of a")
    assert 'scores = "…"' in told
    assert 'task = "raw"' in told


@pytest.mark.parametrize("shape", [(3,), (1, 1, 1, 3), (1, 3, 1, 1)])
def test_other_shapes_of_one_score_a_class(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shape: tuple[int, ...]
) -> None:
    fake_engine(monkeypatch, outputs=(SCORES._replace(shape=shape),))
    assert Predictor(folder(tmp_path / "mine")).predict(PNG, top_k=1).predictions[0].label == "dog"


@pytest.mark.parametrize("dtype", ["bool", "type 8"])
def test_output_of_another_dtype_is_told_at_load(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dtype: str
) -> None:
    fake_engine(monkeypatch, outputs=(SCORES._replace(dtype=dtype),))
    assert f"output is {dtype}" in fails(folder(tmp_path / "mine"))


def test_folder_says_how_the_image_is_prepared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = fake_engine(monkeypatch)
    toml = '[input]\nresize = "nearest"\nfit = "pad"\nrange = "raw"\n[output]\nactivation = "softmax"'
    ready = Predictor(folder(tmp_path / "mine", toml), background="#0a0b0c")
    ready.load()
    answer = ready.predict(encode(rows([(1, 2, 3)], [(4, 5, 6)])))
    assert engine.made[0].given == [bytes([1, 2, 3, 10, 11, 12, 4, 5, 6, 10, 11, 12])]
    assert sum(score.score for score in answer.predictions) == pytest.approx(1)
