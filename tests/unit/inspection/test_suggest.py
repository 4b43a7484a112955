"""The suggested model.toml: what it says, and that it can be loaded as it is."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from helpers import modelfile, specimens
from helpers.graphs import Graph, T, build, multiply
from helpers.modelfolder import folder
from mlserverless import model, toml
from mlserverless.config import Settings
from mlserverless.inspection import kind, report, suggest
from mlserverless.loading import load

MODELS = Path(__file__).parents[3] / "models"
MADE = {
    "classifier": specimens.classifier(),
    "classifier of bytes": specimens.classifier("uint8"),
    "logits": specimens.logits(),
    "one score": specimens.logits(1),
    "open": specimens.open_size(),
    "planes": specimens.planes(),
    "two inputs": specimens.two_inputs(),
    "convolutions": specimens.convolutions(),
    "halves": specimens.halves(),
    "detector": specimens.detector(),
    "detector without names": specimens.detector(("", "b", "c", "d")),
    "custom": specimens.custom("FlexErf"),
    "version 12": specimens.dense_of_version(12),
}


def suggested(place: Path, data: bytes, name: str = "a.tflite") -> str:
    """Return what is suggested for a model, which is left in ``place`` with it."""
    (place / name).write_bytes(data)
    text = suggest.model_toml(report.inspect(str(place / name), ()))
    (place / "model.toml").write_text(text, encoding="utf-8")
    return text


@pytest.mark.parametrize("name", MADE)
def test_it_can_be_loaded_as_it_is(name: str, tmp_path: Path) -> None:
    text = suggested(tmp_path, MADE[name])
    found = model.load(str(tmp_path))
    assert found.pinned
    assert found.task == toml.loads(text)["task"]


@pytest.mark.parametrize("name", ["dogs-vs-cats", "efficientnet-lite0"])
def test_bundled_model_is_the_same_with_what_is_suggested(name: str, tmp_path: Path) -> None:
    place = tmp_path / name
    shutil.copytree(MODELS / name, place)
    before = model.load(str(place))
    text = suggest.model_toml(report.inspect(str(place), ()))
    (place / "model.toml").write_text(text, encoding="utf-8")
    after = model.load(str(place))
    asked = {"channels": "rgb", "layout": "nhwc"}
    assert after.input == before.input._replace(**asked)
    assert (after.name, after.sha256, after.labels, after.output) == (
        before.name,
        before.sha256,
        before.labels,
        before.output,
    )


@pytest.mark.parametrize("name", ["classifier", "classifier of bytes", "logits", "one score"])
def test_classifier_is_served_with_it(name: str, tmp_path: Path) -> None:
    suggested(tmp_path, MADE[name])
    assert load(Settings(model=str(tmp_path))).engine == "litert"


@pytest.mark.parametrize("name", ["dogs-vs-cats", "efficientnet-lite0"])
def test_bundled_file_alone_is_served_with_it(name: str, tmp_path: Path) -> None:
    suggested(tmp_path, (MODELS / name / "model.tflite").read_bytes())
    assert load(Settings(model=str(tmp_path))).engine == "litert"


def test_what_a_person_must_decide_is_marked(tmp_path: Path) -> None:
    lines = suggested(tmp_path, MADE["logits"]).splitlines()
    asked = {line.partition(" ")[0] for line in lines if "DECIDE" in line and line[0] != "#"}
    assert asked == {"task", "channels", "layout", "resize", "fit", "range", "activation"}
    assert '# labels = "labels.txt"  # DECIDE: a file with one label a line, in the order of the output' in lines


def said(text: str, section: str) -> dict[str, object]:
    return toml.loads(text).get(section, {})


@pytest.mark.parametrize(
    ("name", "activation", "why"),
    [
        ("classifier", "none", "the model ends in a softmax"),
        ("logits", "softmax", "DECIDE: it ends in FULLY_CONNECTED"),
        ("one score", "sigmoid", "DECIDE: it ends in FULLY_CONNECTED"),
    ],
)
def test_activation_is_what_the_last_operator_leaves_to_do(
    name: str, activation: str, why: str, tmp_path: Path
) -> None:
    text = suggested(tmp_path, MADE[name])
    assert said(text, "output") == {"activation": activation}
    assert why in text


def test_range_of_a_quantised_input_is_raw_and_of_floats_is_to_be_decided(tmp_path: Path) -> None:
    assert said(suggested(tmp_path, MADE["classifier of bytes"]), "input")["range"] == "raw"
    text = suggested(tmp_path, MADE["classifier"])
    assert said(text, "input")["range"] == "unit"
    assert "DECIDE: how the training scaled pixels; or raw, signed, imagenet, caffe" in text


def test_range_of_metadata_is_taken(tmp_path: Path) -> None:
    from mlserverless.metadata.write import write

    data = write(
        MADE["classifier"], name="mine", mean=(123.68, 116.779, 103.939), std=(58.395,), labels=("a", "b", "c")
    )
    text = suggested(tmp_path, data)
    assert "# labels: 3, packed into the model's file" in text
    found = model.load(str(tmp_path))
    assert found.labels == ("a", "b", "c")
    assert found.input.range == (
        (123.68000030517578, 116.77899932861328, 103.93900299072266),
        (58.39500045776367,),
    )
    assert load(Settings(model=str(tmp_path))).engine == "litert"


def test_size_that_is_left_open_is_asked_for(tmp_path: Path) -> None:
    text = suggested(tmp_path, MADE["open"])
    assert said(text, "input")["size"] == [224, 224]
    assert "the model leaves them open" in text


def test_picture_of_any_size_is_no_list_of_scores(tmp_path: Path) -> None:
    assert toml.loads(suggested(tmp_path, MADE["open"]))["task"] == "raw"
    assert load(Settings(model=str(tmp_path))).task == "raw"


def test_planes_and_signatures_are_told(tmp_path: Path) -> None:
    text = suggested(tmp_path, MADE["planes"])
    assert said(text, "input")["layout"] == "nchw"
    assert toml.loads(text)["signature"] == "serve"
    assert 'DECIDE: or "embed"' in text


def test_detector_is_told_by_its_last_operator(tmp_path: Path) -> None:
    text = suggested(tmp_path, MADE["detector"])
    assert toml.loads(text)["task"] == "detect"
    assert said(text, "output") == {"boxes": "boxes", "classes": "classes", "scores": "scores", "count": "count"}
    assert said(suggested(tmp_path, MADE["detector without names"]), "output") == {}


def test_background_before_the_labels_is_an_offset(tmp_path: Path) -> None:
    where = folder(tmp_path / "mine", 'labels = "labels.txt"\n', MADE["logits"])  # three values, two labels
    text = suggest.model_toml(report.inspect(where, ()))
    assert said(text, "output")["offset"] == 1
    assert "3 values, 2 labels: the first is the background" in text


def test_what_a_model_toml_says_already_is_kept(tmp_path: Path) -> None:
    given = (
        'name = "ours"\nlabels = "labels.txt"\n[input]\npreset = "keras/resnet50"\n'
        '[output]\nactivation = "sigmoid"\noffset = 1\n'
    )
    text = suggest.model_toml(report.inspect(folder(tmp_path / "mine", given, MADE["logits"]), ()))
    assert toml.loads(text)["name"] == "ours"
    assert said(text, "input")["preset"] == "keras/resnet50"
    assert "range" not in said(text, "input")
    assert said(text, "output") == {"activation": "sigmoid", "offset": 1}


def test_model_that_takes_no_image_is_told_so(tmp_path: Path) -> None:
    text = suggested(tmp_path, MADE["two inputs"])
    assert "does not take one image" in text
    assert "input" not in toml.loads(text)


def flat(*shape: int) -> bytes:
    """Return a classifier of numbers in a row."""
    tensors = [T("image", shape), T("w", (3, shape[-1]), "float32", np.ones((3, shape[-1]))), T("scores", (1, 3))]
    return build(Graph(tensors, [specimens.dense("image", "w", "scores")], ["image"], ["scores"]))


FLAT = 'labels = "labels.txt"\n[input]\nsize = [4, 16]\nchannels = "gray"\nrange = { mean = 0.0, std = 15.9375 }\n'


def test_flat_model_that_its_model_toml_serves_keeps_what_it_says(tmp_path: Path) -> None:
    where = folder(tmp_path / "mine", FLAT, flat(1, 64), b"cat\ndog\nowl\n")
    before = load(Settings(model=where)).target
    text = suggest.model_toml(report.inspect(where, ()))
    assert "cannot be served" not in text
    assert said(text, "input")["size"] == [4, 16]
    (tmp_path / "mine/model.toml").write_text(text)
    assert load(Settings(model=where)).target == before


@pytest.mark.parametrize(("count", "size", "channels"), [(64, [8, 8], "gray"), (192, [8, 8], "rgb")])
def test_numbers_in_a_row_may_be_a_square_image(
    count: int, size: list[int], channels: str, tmp_path: Path
) -> None:
    text = suggested(tmp_path, flat(1, count))
    assert f"# It takes {count} numbers in a row. Where they are no image's pixels" in text
    assert (said(text, "input")["size"], said(text, "input")["channels"]) == (size, channels)
    assert "DECIDE: height, width" in text
    assert load(Settings(model=str(tmp_path))).target.layout == "flat"


def test_numbers_in_a_row_that_are_no_square_are_told(tmp_path: Path) -> None:
    text = suggested(tmp_path, flat(1, 30))
    assert "input" not in toml.loads(text)
    assert "# This model takes 30 numbers in a row, and nothing says what image they are" in text


@pytest.mark.parametrize(
    ("shape", "sides", "asked"),
    [((5, 6, 3), (5, 6), False), ((1, 5, 6), (5, 6), False), ((4, 6, 3), (4, 6), True), ((5, 6), (5, 6), False)],
)
def test_image_without_a_batch_or_channels_is_one_too(
    shape: tuple[int, ...], sides: tuple[int, int], asked: bool, tmp_path: Path
) -> None:
    tensors = [T("image", shape), T("two", (), "float32", 2.0), T("out", shape)]
    text = suggested(tmp_path, build(Graph(tensors, [multiply("image", "two", "out")], ["image"], ["out"])))
    assert "cannot be served" not in text
    assert ('DECIDE: or "nchw"' in text) is asked
    assert load(Settings(model=str(tmp_path))).target[:2] == sides


@pytest.mark.parametrize("name", ['a "quoted" name', "back\\slash", "tab\there", "del\x7f", "ünï"])
def test_any_name_of_a_file_is_written_so_that_it_is_read_again(name: str, tmp_path: Path) -> None:
    text = suggested(tmp_path, MADE["logits"], f"{name}.tflite")
    assert toml.loads(text)["name"] == name
    assert model.load(str(tmp_path)).name == name


def test_file_without_operators_is_not_guessed_at(tmp_path: Path) -> None:
    from mlserverless.errors import ModelUnavailable

    (tmp_path / "a.tflite").write_bytes(modelfile.model())
    with pytest.raises(ModelUnavailable, match="no graph"):
        report.inspect(str(tmp_path / "a.tflite"), ())


@pytest.mark.parametrize(
    ("shape", "dtype", "placed"),
    [
        ((1, 224, 224, 3), "float32", "nhwc"),
        ((-1, -1, -1, 4), "uint8", "nhwc"),
        ((1, 1, 28, 28), "float32", "nchw"),
        ((1, 3, 224, 3), "float32", "nhwc"),
        ((2, 224, 224, 3), "float32", ""),
        ((1, 224, 224, 3), "int32", ""),
        ((1, 224, 224, 5), "float32", ""),
        ((1, 784), "float32", ""),
    ],
)
def test_layout_is_told_by_the_shape(shape: tuple[int, ...], dtype: str, placed: str) -> None:
    assert kind.layout(report.Tensor("", shape, dtype)) == placed


@pytest.mark.parametrize(
    ("shape", "either"),
    [
        ((-1, 3, 224, 3), True),
        ((3, 224, 3), True),
        ((1, 3, 224, 224), False),
        ((1, 224, 224, 3), False),
        ((-1, 224, 224), False),
    ],
)
def test_a_shape_that_can_be_read_in_two_ways_is_told(shape: tuple[int, ...], either: bool) -> None:
    assert (len(kind.readings(report.Tensor("", shape, "float32"))) > 1) is either
