"""Models of other kinds: ONNX, detectors, raw outputs, one score, shapes that can be read in two ways."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from helpers import classifiers, detector, images, onnxmodel
from helpers.certified import KINDS, NOTEBOOKS, PICTURES, certified
from helpers.classifiers import Kind
from helpers.notebook import Kernel, Notebook, reference
from mlserverless.certification import save_reference, weights
from mlserverless.certification.certify import Report, certify
from mlserverless.certification.reference import read_reference
from mlserverless.errors import InvalidRequest


def compared(folder: Path, saved: dict[str, Any], keys: tuple[str, ...], **tolerances: float) -> Report:
    save_reference(folder / "n.npz", images=saved["images"], **{key: saved[key] for key in keys})
    return certify(str(folder), read_reference(folder / "n.npz"), tolerances)


def fed(notebook: Notebook) -> dict[str, Any]:
    """Return what a notebook saves of the way to the model."""
    resized = [notebook.resized(notebook.decode(data)) for data in PICTURES]
    return {"images": PICTURES, "resized": resized, "input": np.stack([notebook.tensor(one) for one in resized])}


def test_an_onnx_model_is_certified_with_its_own_engine(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    (tmp_path / "model.onnx").write_bytes(onnxmodel.classifier((1, 3, 32, 32)))
    (tmp_path / "model.toml").write_text('file = "model.onnx"\n[input]\nrange = "imagenet"\n')
    saved = fed(Notebook((32, 32), "imagenet", layout="nchw"))
    logits = saved["input"].mean((2, 3)) @ onnxmodel.weights()
    powers = np.exp(logits - logits.max(1, keepdims=True))
    saved["scores"] = powers / powers.sum(1, keepdims=True)
    report = compared(tmp_path, saved, ("resized", "input", "scores"))
    assert (report.certified, report.engine) == (True, "onnxruntime")
    assert not weights.rounded((tmp_path / "model.onnx").read_bytes())
    saved["input"] = saved["input"][:, ::-1]
    wrong = compared(tmp_path, saved, ("input",))
    assert [finding.mend for finding in wrong.findings] == ['channels = "bgr"']


def test_the_way_to_a_detector_is_certified_and_its_outputs_are_not(tmp_path: Path) -> None:
    (tmp_path / "model.tflite").write_bytes(detector.model())
    pin = hashlib.sha256(detector.model()).hexdigest()  # the engine trusts a custom operator's options
    (tmp_path / "model.toml").write_text(
        f'sha256 = "{pin}"\ntask = "detect"\n[input]\nrange = "unit"\nlayout = "nhwc"\n'
    )
    saved = fed(Notebook((4, 4), "unit"))
    report = compared(tmp_path, saved, ("input",))
    assert report.certified
    assert [stage.name for stage in report.stages] == ["decode", "resize", "input"]
    saved["output"] = np.zeros((3, 4))
    with pytest.raises(InvalidRequest, match="has several outputs: of such a model the input is certified"):
        compared(tmp_path, saved, ("input", "output"))


def test_a_raw_output_is_compared_without_labels(tmp_path: Path) -> None:
    report = certified(tmp_path, "float", toml={"output": {"activation": "none"}})
    where = tmp_path / "model" / "model.toml"
    where.write_text('task = "raw"\n' + where.read_text().replace('labels = "labels.txt"', ""))
    report = certify(str(tmp_path / "model"), read_reference(tmp_path / "notebook.npz"), {})
    assert report.certified
    assert [stage.name for stage in report.stages] == ["decode", "resize", "input", "output", "scores"]


ONE = Kind("one", classes=1, input={"range": "unit"}, output={"activation": "sigmoid"}, labels=("dog",))


@pytest.mark.parametrize(("activation", "step"), [("sigmoid", ""), ("none", "activation")])
def test_a_single_score_is_compared_by_its_value(tmp_path: Path, activation: str, step: str) -> None:
    folder = classifiers.write(ONE, tmp_path / "one", output={"activation": activation})
    notebook = Notebook((32, 32), "unit", activation="sigmoid")
    saved = reference(notebook, Kernel(classifiers.model(ONE)), PICTURES)
    report = compared(folder, saved, ("input", "output", "scores"))
    assert (report.step, report.certified) == (step, not step)
    assert report.stages[-1].unit == "score"


SQUARE = Kind("square", size=(3, 9), input={"range": "unit", "layout": "nhwc"}, output={"activation": "softmax"})


def test_a_shape_that_is_read_in_another_way_is_found(tmp_path: Path) -> None:
    folder = classifiers.write(SQUARE, tmp_path / "square", input={"layout": "nchw"})  # (1, 3, 9, 3)
    saved = fed(Notebook((3, 9), "unit"))
    report = compared(folder, saved, ("input",))
    assert [(one.step, one.cause, one.mend) for one in report.findings] == [
        ("layout", "layout", 'layout = "nhwc"')
    ]


FLAT = Kind("flat", layout="flat", size=(20, 30), input={"range": "unit", "size": [20, 30]}, output={})


def test_a_flat_input_of_swapped_sides_or_planes_is_found(tmp_path: Path) -> None:
    folder = classifiers.write(FLAT, tmp_path / "flat", input={"size": [30, 20]})
    report = compared(folder, fed(Notebook((20, 30), "unit", layout="flat")), ("input",))
    assert [(one.step, one.mend) for one in report.findings] == [("layout", "size = [20, 30]")]
    folder = classifiers.write(FLAT, tmp_path / "flat")
    planes = fed(Notebook((20, 30), "unit", layout="nchw"))
    planes["input"] = planes["input"].reshape(3, -1)
    report = compared(folder, planes, ("input",))
    assert [(one.step, one.cause) for one in report.findings] == [("layout", "reshaped")]


def test_weights_of_fewer_bits_are_told(tmp_path: Path) -> None:
    assert not weights.rounded(classifiers.model(KINDS["float"]))
    assert weights.rounded(classifiers.model(KINDS["float"]._replace(weights="float16")))
    assert not weights.rounded(b"\xff\xff\xff\x7fTFL3 and no more")


def test_calibrated_scores_are_what_is_served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mlserverless.certification.served import Served
    from mlserverless.metadata import calibration
    from mlserverless.predictor import Predictor

    predictor = Predictor(str(classifiers.write(KINDS["soft"], tmp_path / "soft")))
    loaded = predictor.load()
    curved = loaded._replace(model=loaded.model._replace(curves=object()))  # type: ignore[arg-type]
    monkeypatch.setattr(calibration, "apply", lambda values, _: [value / 2 for value in values])
    served = Served(curved, predictor.settings)
    assert served.activated(np.array([0.5, 0.25]), "").tolist() == [0.25, 0.125]
    assert served.activated(np.array([0.5, 0.25]), "none").tolist() == [0.5, 0.25]


def test_two_decoders_are_told_apart_from_a_mistake_without_decoded_pixels(tmp_path: Path) -> None:
    random = np.random.default_rng(4)

    def edit(saved: dict[str, Any]) -> None:
        noise = random.integers(-2, 3, saved["input"].shape)
        saved["input"] = np.clip(saved["input"] + noise / 255, 0, 1).astype(np.float32)

    jpegs = [PICTURES[0], PICTURES[2]]
    report = certified(tmp_path, "soft", ("input",), edit=edit, pictures=jpegs)
    (finding,) = report.findings
    assert (finding.step, finding.cause, finding.where) == ("decode", "decoder", "command")
    name, _, value = finding.mend.removeprefix("--tolerance ").partition("=")
    assert certified(
        tmp_path,
        "soft",
        ("input",),
        edit=edit,
        pictures=[PICTURES[0], PICTURES[2]],
        tolerances={name: 1.1 * float(value)},
    ).certified


def test_noise_in_a_png_is_no_decoders(tmp_path: Path) -> None:
    def edit(saved: dict[str, Any]) -> None:
        noise = np.random.default_rng(4).integers(-2, 3, saved["input"].shape)
        saved["input"] = np.clip(saved["input"] + noise / 255, 0, 1).astype(np.float32)

    report = certified(tmp_path, "soft", ("input",), edit=edit, pictures=[PICTURES[1]])
    assert [(one.step, one.cause) for one in report.findings] == [("range", "unknown")]


def test_grey_decoded_pixels_are_compared(tmp_path: Path) -> None:
    grey = [images.encode(images.gradient(40, 30).convert("L"))]

    def edit(saved: dict[str, Any]) -> None:
        saved["decoded"] = [pixels[..., 0] for pixels in saved["decoded"]]

    assert NOTEBOOKS["grey"].order == "gray"
    assert certified(tmp_path, "grey", ("decoded", "resized", "input"), pictures=grey, edit=edit).certified
