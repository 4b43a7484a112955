"""Shapes that are closed, and the frameworks that are here: ONNX Runtime, scikit-learn, LiteRT."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from helpers import onnxmodel
from helpers.convertible import CLASSES, answers, network, samples
from mlserverless.conversion.frameworks import Asked, closed, open_source
from mlserverless.conversion.frameworks.onnx import _pictures
from mlserverless.conversion.problem import ConversionError, Missing, Misused
from mlserverless.conversion.source import Source, recognise


@pytest.mark.parametrize(
    ("shape", "asked", "wanted"),
    [
        ((1, 8, 6, 3), Asked(), (1, 8, 6, 3)),
        ((None, 8, 6, 3), Asked(), (1, 8, 6, 3)),
        (("batch", 64), Asked(), (1, 64)),
        ((-1, -1, -1, 3), Asked(size=(8, 6)), (1, 8, 6, 3)),
        ((None, 3, None, None), Asked(size=(8, 6)), (1, 3, 8, 6)),
        ((None, None, None, 3), Asked(shape=(1, 4, 4, 3)), (1, 4, 4, 3)),
        ((), Asked(shape=(1, 4, 4, 3)), (1, 4, 4, 3)),
    ],
)
def test_shapes(shape: Any, asked: Asked, wanted: Any) -> None:
    assert closed(shape, asked, "it") == wanted


@pytest.mark.parametrize(
    ("shape", "asked", "why"),
    [
        ((None, None, None, 3), Asked(), r"\(1, -1, -1, 3\): say --input-shape"),
        ((), Asked(), "an input without a shape"),
        ((1, 8, 8, 3), Asked(shape=(1, 4, 4, 3)), "1,4,4,3 does not fit"),
        ((1, 8, 8, 3), Asked(shape=(1, 4)), "does not fit"),
    ],
)
def test_shapes_that_stay_open(shape: Any, asked: Asked, why: str) -> None:
    with pytest.raises(Misused, match=why):
        closed(shape, asked, "it")


def written(folder: Path, name: str, data: bytes) -> Source:
    (folder / name).write_bytes(data)
    return recognise(folder / name)


def test_onnx_runs_and_closes_what_is_open(tmp_path: Path) -> None:
    data = onnxmodel.classifier(("batch", 3, 8, 6), batch="batch")
    model = open_source(written(tmp_path, "a.onnx", data), Asked())
    assert (model.input.name, model.input.shape, model.input.dtype) == ("image", (1, 3, 8, 6), "float32")
    array = np.random.default_rng(0).random((1, 3, 8, 6), np.float32)
    (scores,) = model.run(array)
    logits = array.mean((2, 3)) @ onnxmodel.weights()
    assert np.allclose(scores, np.exp(logits) / np.exp(logits).sum(), atol=1e-6)
    made = onnx.load_model_from_string(model.onnx(tmp_path)).graph
    shapes = [[side.dim_value for side in one.type.tensor_type.shape.dim] for one in (*made.input, *made.output)]
    assert shapes == [[1, 3, 8, 6], [1, 5]]


def test_onnx_without_open_dimensions_stays_as_it_is(tmp_path: Path) -> None:
    data = onnxmodel.classifier()
    assert open_source(written(tmp_path, "a.onnx", data), Asked()).onnx(tmp_path) == data


def test_onnx_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConversionError, match="ONNX Runtime cannot read"):
        open_source(written(tmp_path, "a.onnx", b"nonsense"), Asked())


def test_onnx_to_tflite_needs_its_extra(tmp_path: Path) -> None:
    model = open_source(written(tmp_path, "a.onnx", onnxmodel.classifier()), Asked())
    with pytest.raises(Missing, match=r"mlserverless\[convert-onnx\]"):
        model.tflite(tmp_path, [])


def test_keras_and_pytorch_need_theirs(tmp_path: Path) -> None:
    for name, extra in (("a.keras", "convert-keras"), ("a.pt2", "convert-torch")):
        with pytest.raises(Missing, match=extra):
            open_source(written(tmp_path, name, b""), Asked())


def test_the_pictures_that_onnx2tf_is_given() -> None:
    made = _pictures([np.linspace(-1, 3, 48, dtype=np.float32).reshape(1, 4, 4, 3)])
    assert (made.shape, made.min(), made.max()) == ((20, 128, 128, 3), 0, 1)
    assert _pictures([np.zeros((1, 2, 2, 3), np.float32)]).max() == 0


def digits() -> Any:
    from sklearn.linear_model import LogisticRegression

    random = np.random.default_rng(0)
    rows = random.random((60, 64))
    return LogisticRegression().fit(rows, np.repeat(["one", "two", "three"], 20)), rows


def test_scikit_learn_gives_probabilities_alone(tmp_path: Path) -> None:
    estimator, rows = digits()
    model = open_source(recognise(estimator), Asked())
    assert (model.input.shape, model.labels) == ((1, 64), ("one", "three", "two"))
    (tmp_path / "made.onnx").write_bytes(model.onnx(tmp_path))
    served = open_source(recognise(tmp_path / "made.onnx"), Asked())
    assert served.output_shape == (1, 3)
    for row in rows[:5]:
        array = row[None].astype(np.float32)
        assert np.allclose(served.run(array)[0], model.run(array)[0], atol=1e-5)


def test_scikit_learn_without_probabilities_or_training() -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.svm import LinearSVC

    with pytest.raises(Misused, match="gives no probabilities"):
        open_source(recognise(LinearSVC()), Asked())
    with pytest.raises(Misused, match="is not trained"):
        open_source(recognise(LogisticRegression()), Asked())


def test_scikit_learn_that_skl2onnx_does_not_know(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    estimator, _ = digits()
    monkeypatch.setattr(type(estimator), "__module__", "sklearn.of.mine")

    class Unknown(type(estimator)):  # type: ignore[misc]
        pass

    estimator.__class__ = Unknown
    with pytest.raises(ConversionError, match="skl2onnx cannot make an ONNX model"):
        open_source(Source("sklearn", "it", thing=estimator), Asked()).onnx(tmp_path)


def test_scikit_learn_to_tflite_goes_by_onnx(tmp_path: Path) -> None:
    estimator, _ = digits()
    with pytest.raises(Missing, match="convert-onnx"):
        open_source(recognise(estimator), Asked()).tflite(tmp_path, [])


def test_tflite_runs(tmp_path: Path) -> None:
    model = open_source(written(tmp_path, "a.tflite", network()), Asked())
    assert (model.input.name, model.input.shape, model.input.dtype) == ("image", (1, 16, 16, 3), "float32")
    inputs = samples(2)
    assert np.array_equal(np.stack([model.run(one)[0][0] for one in inputs]), answers(network(), inputs))
    assert model.tflite(tmp_path, []) == network()
    assert model.run(inputs[0])[0].shape == (1, CLASSES)
    with pytest.raises(Misused, match="leave --to onnx out"):
        model.onnx(tmp_path)


def test_tflite_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConversionError, match="LiteRT cannot read"):
        open_source(written(tmp_path, "a.tflite", b"0000TFL3nonsense"), Asked())
