"""``load_lite_model``: the Python interpreter with its details, or why not."""

from pathlib import Path

import numpy as np
import pytest

from helpers import modelfile
from mlserverless.engines import EngineMissing, tflite
from mlserverless.errors import ModelUnavailable
from mlserverless.interpreter import load_lite_model


def test_it_is_what_the_write_up_shows(models: Path) -> None:
    interpreter, inputs, outputs = load_lite_model(str(models / "dogs-vs-cats" / "model.tflite"))
    assert inputs[0]["shape"].tolist() == [1, 150, 150, 3]
    assert outputs[0]["shape"].tolist() == [1, 1]
    interpreter.set_tensor(inputs[0]["index"], np.zeros((1, 150, 150, 3), np.float32))
    interpreter.invoke()
    assert 0 <= interpreter.get_tensor(outputs[0]["index"])[0, 0] <= 1


def test_it_takes_a_path_and_threads(models: Path) -> None:
    path = models / "dogs-vs-cats" / "model.tflite"
    assert len(load_lite_model(path, num_threads=2)) == 3  # type: ignore[arg-type]


def test_a_missing_file() -> None:
    with pytest.raises(ModelUnavailable, match=r"There is no model '/no/such/model\.tflite': give a model folder"):
        load_lite_model("/no/such/model.tflite")


def test_a_file_that_is_no_model(tmp_path: Path) -> None:
    path = tmp_path / "text.tflite"
    path.write_bytes(b"hello, world")
    with pytest.raises(ModelUnavailable, match="not a TFLite model: it lacks the identifier TFL3"):
        load_lite_model(str(path))


def test_a_file_that_no_engine_runs(tmp_path: Path) -> None:
    path = tmp_path / "broken.tflite"
    path.write_bytes(modelfile.model())  # a model file in which there is no graph
    with pytest.raises(ModelUnavailable, match=rf"^litert-python cannot run {path}: .*version 0.*[^.\s]\.$"):
        load_lite_model(str(path))


def test_without_an_engine_says_what_was_tried(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> object:
        raise EngineMissing(f"pip install {name}")

    monkeypatch.setattr(tflite, "interpreter_module", missing)
    with pytest.raises(ModelUnavailable) as caught:
        load_lite_model(str(models / "dogs-vs-cats"))
    assert "Tried litert-python: pip install litert-python; tflite-runtime: pip" in str(caught.value)
