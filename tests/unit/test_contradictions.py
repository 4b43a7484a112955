"""What model.toml, metadata and tensors say of one model: the same in other words, or an error that names both."""

from pathlib import Path
from typing import Any

import pytest

from helpers import modelfile
from helpers.modelfolder import folder
from mlserverless import Predictor, Settings, loading
from mlserverless.contradictions import check
from mlserverless.engines import Tensor
from mlserverless.errors import ModelUnavailable
from mlserverless.metadata import archive, schema
from mlserverless.metadata.calibration import Curves
from mlserverless.metadata.flatbuffer import Table
from mlserverless.metadata.records import Metadata, TensorInfo
from mlserverless.metadata.write import write
from mlserverless.model import Model
from mlserverless.model_toml import Input

PHOTO = Path(__file__).parents[2] / "examples" / "photos" / "chelsea.png"
FLOAT = Tensor("image", (1, 8, 8, 3), "float32")
UINT8 = Tensor("image", (1, 8, 8, 3), "uint8", 1 / 128, 127)
INT8 = Tensor("image", (1, 8, 8, 3), "int8", 1 / 127.5, 0)
PLAIN = Tensor("image", (1, 8, 8, 3), "uint8")
UNIT, SIGNED = ((0.0,), (255.0,)), ((127.5,), (127.5,))
TORCH = ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))


def model(scale: Any, normalisation: Any = ((), ()), task: str = "", **more: Any) -> Model:
    image = TensorInfo("image", content="image", mean=normalisation[0], std=normalisation[1], **more)
    return Model(
        "m", "m.tflite", b"", "", task=task, input=Input(range=scale), metadata=Metadata("m", inputs=(image,))
    )


def fails(found: Model, tensor: Tensor = FLOAT, channels: str = "rgb", classes: int = 0) -> str:
    with pytest.raises(ModelUnavailable) as caught:
        check(found, tensor, channels, classes)
    assert str(caught.value).endswith("See docs/reference/metadata.md.")
    assert 'metadata = "ignore"' in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("scale", "tensor", "normalisation"),
    [
        ("unit", FLOAT, UNIT),
        ("signed", FLOAT, SIGNED),
        ("raw", FLOAT, ((0.0,), (1.0,))),
        ("imagenet", FLOAT, TORCH),
        ("imagenet", FLOAT, ((123.68, 116.28, 103.5), (58.4, 57.12, 57.38))),
        ((SIGNED[0] * 3, SIGNED[1]), FLOAT, SIGNED),
        ("raw", UINT8, ((127.0,), (128.0,))),  # (x - 127) / 128 is just what it stores as x
        ("", UINT8, ((127.0,), (128.0,))),
        ("raw", UINT8, ((127.5,), (128.0,))),  # half a step from it
        ("signed", INT8, SIGNED),
        ("raw", INT8, SIGNED),
        ("raw", PLAIN, ((0.0,), (1.0,))),
    ],
)
def test_the_same_in_other_words_is_no_contradiction(scale: Any, tensor: Tensor, normalisation: Any) -> None:
    check(model(scale, normalisation), tensor, "rgb")


@pytest.mark.parametrize(
    ("scale", "tensor", "normalisation"),
    [
        *[("unit", FLOAT, SIGNED), ("signed", FLOAT, UNIT), ("raw", FLOAT, UNIT), ("imagenet", FLOAT, UNIT)],
        *[("unit", UINT8, ((127.0,), (128.0,))), ("raw", UINT8, UNIT), ("unit", INT8, SIGNED)],
        ("imagenet", FLOAT, (TORCH[0][::-1], TORCH[1])),
        (((0.0,), (255.0,)), FLOAT, ((0.0,), (256.0,))),
    ],
)
def test_another_range_is_one(scale: Any, tensor: Tensor, normalisation: Any) -> None:
    assert "its TFLite metadata has mean" in fails(model(scale, normalisation), tensor)


def test_both_ranges_are_named() -> None:
    assert fails(model("unit", SIGNED)) == (
        "m.tflite: range in [input] of model.toml is unit, which makes 0 to 1 of the pixels 0 to 255; its TFLite "
        "metadata has mean 127.5 and std 127.5, which make -1 to 1. Remove range from model.toml, or, if the "
        'metadata is wrong, set metadata = "ignore" there. See docs/reference/metadata.md.'
    )
    said = fails(model(((0.0,), (1.0, 2.0, 3.0)), TORCH))
    assert "is { mean = 0, std = [1, 2, 3] }, which makes" in said
    assert "has mean [123.675, 116.28, 103.53] and std [58.395, 57.12, 57.375], which make" in said


@pytest.mark.parametrize(("channels", "shape"), [("gray", (1, 8, 8, 1)), ("rgba", (1, 8, 8, 4))])
def test_three_means_are_none_for_another_number_of_channels(channels: str, shape: tuple[int, ...]) -> None:
    said = fails(model("imagenet", TORCH), Tensor("image", shape, "float32"), channels)
    assert f"has 3 numbers as mean, and its input {shape[3]} channels ({channels})" in said


def test_a_mean_or_a_std_alone_says_nothing() -> None:
    check(model("unit", ((1.0,), ())), FLOAT, "rgb")
    check(model("unit", ((), (2.0,))), FLOAT, "rgb")


@pytest.mark.parametrize(
    ("channels", "color"), [("rgb", "rgb"), ("gray", "gray"), ("rgba", "rgb"), ("bgr", ""), ("gray", "")]
)
def test_channels_that_go_together(channels: str, color: str) -> None:
    check(model("raw", color_space=color), FLOAT, channels)


@pytest.mark.parametrize(
    ("channels", "color"), [("bgr", "rgb"), ("gray", "rgb"), ("rgb", "gray"), ("rgba", "gray")]
)
def test_channels_that_do_not(channels: str, color: str) -> None:
    said = fails(model("raw", color_space=color), FLOAT, channels)
    assert f"its pixels go in as {channels} (by channels or range in model.toml, or the tensor's shape)" in said
    assert f"and its TFLite metadata says {color}. Remove channels or range" in said


def test_classifier_has_no_boxes() -> None:
    outputs = (TensorInfo("location", content="bounding box"), TensorInfo("score"))
    for task in ("detect", "raw", ""):
        check(model("raw", task=task)._replace(metadata=Metadata(outputs=outputs)), FLOAT, "rgb")
    said = fails(model("raw", task="classify")._replace(metadata=Metadata(outputs=outputs)))
    assert "task in model.toml is classify, and its TFLite metadata says that an output is bounding boxes" in said


def test_calibration_has_a_line_for_each_class() -> None:
    calibrated = model("raw")._replace(curves=Curves((None,) * 3))
    check(calibrated, FLOAT, "rgb", 3)
    check(calibrated, FLOAT, "rgb", 0, "raw")
    said = fails(calibrated, classes=4)
    assert "has 4 classes, and the score calibration in its TFLite metadata 3 lines" in said


def test_detections_are_not_answered_without_the_calibration_that_is_wanted() -> None:
    with pytest.raises(ModelUnavailable, match="calibrates scores, which is done for classifiers only"):
        check(model("raw")._replace(curves=Curves((None,))), FLOAT, "rgb", 0, "detect")


def test_without_metadata_nothing_contradicts() -> None:
    check(Model("m", "m.tflite", b"", "", input=Input(range="unit")), FLOAT, "rgb", 10)


def served(tmp_path: Path, data: bytes, toml: str = "") -> Predictor:
    return Predictor(folder(tmp_path / "m", toml, data))


def dogs(models: Path) -> bytes:
    return (models / "dogs-vs-cats" / "model.tflite").read_bytes()


def test_loading_tells_the_contradiction(models: Path, tmp_path: Path) -> None:
    data = write(dogs(models), name="m", mean=[127.5], std=[127.5], labels=["dog"])
    with pytest.raises(ModelUnavailable, match=r"range in \[input\] of model\.toml is unit, which makes 0 to 1"):
        loading.load(Settings(model=folder(tmp_path / "a", '[input]\nrange = "unit"', data)))
    assert loading.load(Settings(model=folder(tmp_path / "b", '[input]\nrange = "signed"', data)))
    ignored = 'metadata = "ignore"\n[input]\nrange = "unit"'
    assert loading.load(Settings(model=folder(tmp_path / "c", ignored, data))).model.input.range == "unit"


@pytest.mark.parametrize(
    ("toml", "asked", "answered"),
    [
        ("", {}, 0),  # of a cat; what metadata recommends is more
        ("", {"score_threshold": 0.0}, 1),
        ("[output]\nscore_threshold = 0", {}, 1),
    ],
)
def test_score_threshold_of_metadata_is_the_last_to_be_asked(
    models: Path, tmp_path: Path, toml: str, asked: dict[str, float], answered: int
) -> None:
    data = write(dogs(models), name="m", mean=[0], std=[255], labels=["dog"], score_threshold=0.9)
    found = served(tmp_path, data, toml).predict(PHOTO.read_bytes(), **asked)
    assert len(found.predictions) == answered


def test_setting_goes_before_the_models_score_threshold(models: Path, tmp_path: Path) -> None:
    data = write(dogs(models), name="m", mean=[0], std=[255], labels=["dog"], score_threshold=0.9)
    where = folder(tmp_path / "m", "", data)
    found = Predictor(where, score_threshold=1e-9).predict(PHOTO.read_bytes())
    assert len(found.predictions) == 1


def test_calibration_is_applied_to_what_is_answered(models: Path, tmp_path: Path) -> None:
    files = [modelfile.file("dog.txt"), modelfile.file("curves.csv", modelfile.AXIS_CALIBRATION)]
    output = {4: [modelfile.unit(modelfile.CALIBRATION, {})], 6: files}
    described = modelfile.described([modelfile.normalised([0.0], [255.0])], [output])
    data = schema.rooted(dogs(models), Table.root(dogs(models)), described)
    data += archive.packed({"dog.txt": b"dog\n", "curves.csv": b"0.75,0,0\n"})
    found = served(tmp_path, data).predict(PHOTO.read_bytes())
    assert found.to_dict()["predictions"] == [{"label": "dog", "index": 0, "score": 0.375}]


def test_normalisation_that_no_float_holds_is_told() -> None:
    told = fails(model("unit", ((0.0,), (1e-40,))))
    assert told.startswith("m.tflite: its TFLite metadata has mean 0 and std 1e-40, which cannot be computed")
