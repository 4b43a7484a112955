"""Whole conversions of what needs no framework: .tflite, .onnx and scikit-learn, and what ends them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from helpers import onnxmodel
from helpers.convertible import NAMES, SIDE, network, pictures
from mlserverless import conversion, engines
from mlserverless.conversion import run, trial
from mlserverless.conversion.problem import ConversionError, Misused
from mlserverless.conversion.run import convert
from mlserverless.engines import Tensor
from mlserverless.predictor import Predictor

UNIT = {"range": "unit"}


@pytest.fixture
def images(tmp_path: Path) -> Path:
    pictures(tmp_path / "images", 12, seed=5)
    return tmp_path / "images"


def source(folder: Path, data: bytes, name: str = "a.tflite") -> Path:
    (folder / name).write_bytes(data)
    return folder / name


def converted(tmp_path: Path, images: Path, data: bytes = b"", **given: Any) -> Any:
    path = source(tmp_path, data or network())
    return convert(
        path, tmp_path / "out", **{"images": images, "labels": NAMES, "input": UNIT, "engines": ["litert"]} | given
    )


@pytest.mark.parametrize(
    ("quantize", "most"), [("none", 1e-5), ("float16", 0.005), ("dynamic", 0.05), ("int8", 0.05)]
)
def test_tflite(tmp_path: Path, images: Path, quantize: str, most: float) -> None:
    calibrate = images if quantize == "int8" else None
    found = converted(tmp_path, images, quantize=quantize, calibrate=calibrate, engines=[])
    assert {one.engine for one in found.runs} >= {"litert", "litert-python"}
    for one in found.runs:
        assert one.largest <= most
        assert one.agreement >= 0.9
        assert one.milliseconds > 0
    assert (found.pictures, found.calibrated) == (12, 12 if quantize == "int8" else 0)
    assert (found.framework, found.original_bytes) == ("LiteRT", len(network()))
    out = tmp_path / "out"
    assert sorted(path.name for path in out.iterdir()) == [
        *("comparison.svg", "labels.txt", "model.tflite", "model.toml")
    ]
    assert found.converted_bytes == (out / "model.tflite").stat().st_size
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
    prediction = Predictor(model=str(out)).predict(next(images.iterdir()))
    assert (prediction.sha256, len(prediction.predictions)) == (found.sha256, 5)


def test_few_pictures_to_calibrate_with_are_noted(tmp_path: Path, images: Path) -> None:
    found = converted(tmp_path, images, quantize="int8", calibrate=images)
    assert "Calibrated with 12 pictures: a hundred are better." in found.notes


def test_bundled_pictures_to_calibrate_with_are_noted(tmp_path: Path, images: Path) -> None:
    found = converted(tmp_path, images, quantize="int8")
    assert found.calibrated == 48
    assert any("bundled photos" in note for note in found.notes)


def test_logits_are_told_and_taken_for_that(tmp_path: Path, images: Path) -> None:
    found = converted(tmp_path, images, network(softmax=False))
    assert any("ends in FULLY_CONNECTED" in note and "softmax" in note for note in found.notes)
    assert 'activation = "softmax"' in (tmp_path / "out" / "model.toml").read_text()
    found = converted(tmp_path, images, network(softmax=False), activation="none", force=True)
    assert found.notes == ()
    assert 'activation = "none"' in (tmp_path / "out" / "model.toml").read_text()


def test_onnx_to_onnx(tmp_path: Path) -> None:
    pictures(tmp_path / "images", 10)
    path = source(tmp_path, onnxmodel.classifier((1, 3, SIDE, SIDE)), "a.onnx")
    found = convert(
        path,
        tmp_path / "out",
        to="onnx",
        quantize="int8",
        calibrate=tmp_path / "images",
        images=tmp_path / "images",
        input=UNIT,
        labels=NAMES,
    )
    (one,) = found.engines
    assert (one.engine, one.status, found.file) == ("onnxruntime", "runs", "model.onnx")
    assert one.agreement >= 0.9
    assert one.largest < 0.05


def test_scikit_learn(tmp_path: Path, images: Path) -> None:
    """Digits, as its own data set has them: 8 × 8, grey, 0…16."""
    from sklearn.datasets import load_digits
    from sklearn.linear_model import LogisticRegression

    rows, truth = load_digits(return_X_y=True)
    estimator = LogisticRegression(max_iter=3000).fit(rows, truth)
    section = {"size": [8, 8], "channels": "gray", "layout": "flat", "range": {"mean": 0, "std": 15.9375}}
    found = convert(
        estimator,
        tmp_path / "out",
        input=section,
        name="digits",
        quantize="dynamic",
        images=images,
        calibrate=None,
    )
    (one,) = found.runs
    assert (found.file, one.engine, one.agreement) == ("model.onnx", "onnxruntime", 1.0)
    assert one.largest < 1e-4
    assert any("can be quantised" in note for note in found.notes)
    predictor = Predictor(model=str(tmp_path / "out"))
    for row, number in zip(rows[:20], estimator.predict(rows[:20]), strict=True):
        image = np.repeat((row.reshape(8, 8, 1) * 15.9375).astype(np.uint8), 3, axis=2)
        assert predictor.predict(image).predictions[0].label == str(number)


def test_layouts_are_looked_for_anew(tmp_path: Path, images: Path) -> None:
    converted(tmp_path, images, input={**UNIT, "layout": "nhwc"})
    text = (tmp_path / "out" / "model.toml").read_text()
    assert "layout" not in text
    assert 'range = "unit"' in text


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"quantize": "int4"}, "--quantize is 'int4'; accepted are none, float16, dynamic, int8"),
        ({"to": "coreml"}, "--to is 'coreml'"),
        ({"activation": "tanh"}, "--activation is 'tanh'"),
        ({"engines": ["onnxruntime"]}, "--engines is 'onnxruntime'; accepted are litert"),
        ({"calibrate": "."}, "--calibrate is for --quantize int8"),
        ({"labels": "no/labels.txt"}, "The label file no/labels.txt cannot be read"),
        ({"input": {"range": "percent"}}, "range is 'percent'"),
        ({"input": {}}, "Nothing says which range"),
        ({"to": "onnx", "engines": []}, "does not become ONNX"),
    ],
)
def test_what_is_misused(tmp_path: Path, images: Path, given: dict[str, Any], why: str) -> None:
    with pytest.raises(Misused, match=why):
        converted(tmp_path, images, **given)
    assert not (tmp_path / "out").exists()


def test_labels_of_a_file(tmp_path: Path, images: Path) -> None:
    (tmp_path / "names.txt").write_text("".join(f"{name}\n" for name in NAMES))
    converted(tmp_path, images, labels=tmp_path / "names.txt")
    assert (tmp_path / "out" / "labels.txt").read_text().split() == list(NAMES)


def test_labels_that_do_not_fit_end_it(tmp_path: Path, images: Path) -> None:
    with pytest.raises(ConversionError, match=r"No engine here runs .*has 4 labels, but its output has 5 classes"):
        converted(tmp_path, images, labels=NAMES[:4], engines=[])
    assert not (tmp_path / "out").exists()


def test_dense_layers_follow_the_engines(tmp_path: Path, images: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without tflite-runtime, named or installed, version 12; with it what it has."""
    found = converted(tmp_path, images, quantize="dynamic", engines=["litert"])
    assert [one.engine for one in found.engines] == ["litert"]
    monkeypatch.setattr(run, "find_spec", lambda name: None)
    monkeypatch.setattr(engines, "ORDER", ("litert", "tflite-runtime"))
    found = converted(tmp_path, images, quantize="dynamic", force=True, engines=[])
    (note,) = found.notes
    assert note.startswith("tflite-runtime cannot run it: FULLY_CONNECTED version 12")
    assert "Name it among --engines" in note
    found = converted(tmp_path, images, quantize="dynamic", engines=["litert", "tflite-runtime"], force=True)
    assert all("FULLY_CONNECTED" not in note for note in found.notes)


def failing(status: str, told: str, engine: str = "litert-python") -> Any:
    real = trial.run

    def ran(*given: Any) -> Any:
        original, trials = real(*given)
        return original, [
            one._replace(status=status, told=told) if one.engine == engine else one for one in trials
        ]

    return ran


def test_an_engine_that_was_asked_for_has_to_run_it(
    tmp_path: Path, images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trial, "run", failing("crashed", "it ends the process, by signal 11"))
    found = converted(tmp_path, images, engines=[])
    assert "litert-python cannot run it: it ends the process, by signal 11." in found.notes
    with pytest.raises(ConversionError, match="litert-python cannot run it"):
        converted(tmp_path, images, engines=["litert", "litert-python"], force=True)


def test_an_engine_that_is_not_here_is_checked_by_its_operators(
    tmp_path: Path, images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trial, "run", failing("not installed", "no package"))
    found = converted(tmp_path, images, engines=["litert", "litert-python"])
    assert found.notes == ("litert-python is not installed here: only its operators' versions were checked.",)


def test_an_original_that_does_not_run() -> None:
    class Broken:
        framework, labels, weight = "none", (), 0
        input = Tensor("image", (1, 2), "float32")

        def run(self, array: Any) -> Any:
            raise IndexError("no such layer")

    with pytest.raises(ConversionError, match=r"shape \(1, 2\): IndexError: no such layer"):
        run._ran(Broken(), np.zeros(1))  # type: ignore[arg-type]


def test_from_python() -> None:
    assert conversion.convert is convert
    assert conversion.Report.__name__ == "Report"
    with pytest.raises(AttributeError, match="no attribute 'gone'"):
        _ = conversion.gone


def test_steps_are_told(tmp_path: Path, images: Path) -> None:
    words: list[str] = []
    found = converted(tmp_path, images, tell=words.append)
    assert words[0].startswith("reading ")
    assert words[-1] == "12 of 12 pictures"
    assert [word for word, _ in found.steps] == [word for word in words if not word.endswith("12 pictures")]
