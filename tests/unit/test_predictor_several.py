"""Several models behind one predictor, chosen by name."""

import threading
from pathlib import Path
from typing import Any

import pytest

from helpers.fakes import fake_engine, folder
from helpers.images import encode, rows
from mlserverless import loading
from mlserverless.config import Settings
from mlserverless.deadline import Deadline
from mlserverless.errors import InvalidRequest, ModelUnavailable
from mlserverless.loading import Loaded
from mlserverless.predictor import Predictor
from mlserverless.serving import Service
from mlserverless.sinks.records import ModelId, key_of
from mlserverless.types import Options, Request

PICTURE = rows([(1, 2, 3), (4, 5, 6)], [(7, 8, 9), (10, 11, 12)])
PNG = encode(PICTURE)


@pytest.fixture
def both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Predictor:
    fake_engine(monkeypatch)
    second = folder(tmp_path / "second", 'labels = "labels.txt"', "ant\nbee\nfly\n")
    return Predictor(folder(tmp_path / "first"), models=[str(second)])


def test_a_request_chooses_one_by_its_name(both: Predictor) -> None:
    answers = [both.predict(source, **chosen) for source in (PNG, PICTURE) for chosen in ({}, {"model": "second"})]
    assert [(answer.model, answer.predictions[0].label) for answer in answers] == [
        ("first", "dog"),
        ("second", "bee"),
    ] * 2
    assert both.predict(PNG, model="first").model == "first"


def test_one_that_nobody_asks_for_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = fake_engine(monkeypatch)
    both = Predictor(folder(tmp_path / "first"), models=["missing"])
    assert both.predict(PNG).model == "first"
    assert len(engine.made) == 1
    with pytest.raises(ModelUnavailable, match="There is no model 'missing'"):
        both.predict(PNG, model="missing")


def test_each_is_loaded_once(both: Predictor) -> None:
    second = both.named("second")
    assert second is not both
    assert second is both.named("second")
    assert second.loaded is None
    both.predict(PNG, model="second")
    assert second.loaded is not None
    assert both.loaded is None
    assert both.named(None) is both.named("first") is both


def test_one_answers_while_another_is_still_being_loaded(both: Predictor, monkeypatch: pytest.MonkeyPatch) -> None:
    real, begun, told = loading.load, threading.Event(), threading.Event()

    def slowly(settings: Settings, *more: Any) -> Loaded:
        if settings.models:  # the first one's
            begun.set()
            assert told.wait(10)
        return real(settings, *more)

    monkeypatch.setattr(loading, "load", slowly)
    first = threading.Thread(target=both.predict, args=(PNG,))
    first.start()
    try:
        assert begun.wait(10)
        asked = threading.Thread(target=lambda: both.predict(PNG, model="second"))
        asked.start()
        asked.join(10)
        assert not asked.is_alive()
        assert both.named("second").loaded is not None
        assert both.loaded is None
    finally:
        told.set()
        first.join()
    assert both.loaded is not None


def test_an_unknown_name_is_an_invalid_request_that_says_which_there_are(both: Predictor) -> None:
    with pytest.raises(InvalidRequest) as caught:
        both.predict(PNG, model="third")
    assert str(caught.value) == "'third' is not a model of this function; models are first, second."
    with pytest.raises(InvalidRequest, match="a text that is not repeated here"):
        both.predict(PNG, model="https://x.example/?token=abcdefghijklmnopqrstuvwxyz")


def test_a_function_of_one_model_knows_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_engine(monkeypatch)
    alone = Predictor(folder(tmp_path / "mine"))
    assert alone.predict(PNG, model="mine").model == "mine"
    with pytest.raises(InvalidRequest, match="models are mine"):
        alone.predict(PNG, model="other")


def test_the_first_models_pin_is_not_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_engine(monkeypatch)
    first, second = folder(tmp_path / "first"), folder(tmp_path / "second")
    (second / "model.tflite").write_bytes((second / "model.tflite").read_bytes() + b"\0" * 16)
    sha256 = Predictor(first).load().model.sha256
    both = Predictor(first, models=[str(second)], model_sha256=sha256)
    assert both.predict(PNG).sha256 == sha256
    assert both.predict(PNG, model="second").sha256 != sha256


def test_a_record_is_of_the_model_that_was_asked(both: Predictor) -> None:
    service = Service(lambda: both)
    asked = Request(url="s3://b/1", options=Options(model="second"))
    assert service.model(asked) == ModelId()
    both.named("second").load(Deadline())
    assert service.model(asked).name == "second"
    assert service.model() == ModelId()
    unknown = Request(url="s3://b/1", options=Options(model="third"))
    assert service.model(unknown) == ModelId()
    assert key_of(unknown, ModelId()) != key_of(Request(url="s3://b/1"), ModelId())
