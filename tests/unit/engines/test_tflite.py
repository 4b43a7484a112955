"""The engines that share one Python class, and that all engines see the same in a photo."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from helpers.images import TOP
from mlserverless.engines import tflite
from mlserverless.errors import ModelUnavailable
from mlserverless.predictor import Predictor


def installed(name: str) -> None:
    try:
        tflite.interpreter_module(name)
    except ImportError as error:
        pytest.skip(f"{name} is not installed here: {error}")


@pytest.fixture(params=["litert", "litert-python", "tflite-runtime"])
def engine(request: pytest.FixtureRequest) -> str:
    if request.param != "litert":
        installed(request.param)
    return str(request.param)


@pytest.fixture(scope="module")
def predictors() -> dict[str, Predictor]:
    return {}


@pytest.mark.parametrize("photo", TOP)
def test_every_engine_sees_the_same_in_a_photo(
    models: Path, photos: Path, engine: str, predictors: dict[str, Predictor], photo: str
) -> None:
    folder = models / "efficientnet-lite0"
    mine = predictors.setdefault(engine, Predictor(folder, engine=engine, concurrency=1))
    reference = predictors.setdefault("litert", Predictor(folder, engine="litert", concurrency=1))
    assert mine.load().engine == engine
    ours, wanted = mine.predict(photos / photo), reference.predict(photos / photo)
    assert ours.predictions[0].label == wanted.predictions[0].label == TOP[photo]
    scores = {score.index: score.score for score in mine.predict(photos / photo, top_k=1000).predictions}
    for score in wanted.predictions:
        assert scores[score.index] == pytest.approx(score.score, abs=0.05)


def test_score_of_the_documented_photo(models: Path, photos: Path) -> None:
    answer = Predictor(models / "efficientnet-lite0").predict(photos / "coffee.png", top_k=1)
    assert answer.to_dict()["predictions"] == [{"label": "espresso", "index": 967, "score": 0.949219}]


def test_every_engine_agrees_on_the_float_model(models: Path, photos: Path, engine: str) -> None:
    found = Predictor(models / "dogs-vs-cats", engine=engine).predict(photos / "chelsea.png")
    assert found.predictions[0].score == pytest.approx(
        Predictor(models / "dogs-vs-cats", engine="litert").predict(photos / "chelsea.png").predictions[0].score,
        abs=1e-4,
    )


@pytest.mark.parametrize("data", [b"", b"TFL3", b"\x10\0\0\0TFL3" + bytes(range(200))], ids=len)
def test_bytes_that_are_no_model_are_refused(data: bytes) -> None:
    with pytest.raises(ModelUnavailable, match=r"^litert-python cannot run this model: .+\.$"):
        tflite.engine("litert-python").load(data, 1)


class TwoInputs:
    """What an ``Interpreter`` of a model with two inputs tells."""

    def get_input_details(self) -> list[dict[str, Any]]:
        one = {"name": "a", "shape": np.array([1, 2]), "dtype": np.float32, "quantization": (0.5, 3), "index": 0}
        one["shape_signature"] = np.array([-1, 2])
        return [one, {**one, "name": "b", "dtype": np.uint8, "quantization": (0.0, 0)}]

    def get_output_details(self) -> list[dict[str, Any]]:
        return []


def test_tensors_are_described_in_plain_values() -> None:
    first, second = tflite.PythonInterpreter(TwoInputs()).inputs
    assert first == ("a", (1, 2), "float32", 0.5, 3, "")
    assert second == ("b", (1, 2), "uint8", 0.0, 0, "")
    assert all(type(value) in (int, float, str, tuple) for value in first)


def test_an_error_without_words_is_told_by_its_name() -> None:
    with (
        pytest.raises(ModelUnavailable, match=r"^cannot run it: RuntimeError\.$"),
        tflite._telling("cannot run it"),
    ):
        raise RuntimeError


def test_more_than_one_input_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^the model has 2 inputs$"):
        tflite.PythonInterpreter(TwoInputs()).run(b"")
