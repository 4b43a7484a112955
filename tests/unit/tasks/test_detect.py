"""Detections: which output is which, and objects with labels in shares of the source image."""

from hashlib import sha256
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from helpers import detector
from helpers.fakes import fake_engine, folder
from helpers.images import encode
from mlserverless.engines import Tensor, select
from mlserverless.errors import InvalidRequest, ModelUnavailable
from mlserverless.predictor import Predictor
from mlserverless.types import Box, Detection

ENGINES = ("litert", "litert-python", "tflite-runtime")
TOML = 'labels = "labels.txt"\n[input]\nrange = "unit"\nlayout = "nhwc"\n'
IMAGE = Tensor("image", (1, 2, 2, 3), "uint8")
ROLES = {
    "boxes": Tensor("a", (1, 3, 4), "float32"),
    "classes": Tensor("b", (1, 3), "float32"),
    "scores": Tensor("c", (1, 3), "float32"),
    "count": Tensor("d", (1,), "float32"),
}
VALUES: dict[str, Any] = {"boxes": detector.BOXES, "classes": [1, 0, 2], "scores": [0.5, 0.75, 0.25], "count": [3]}


def colour(red: int, green: int, blue: int, size: tuple[int, int] = (8, 8), **more: Any) -> bytes:
    return encode(Image.new("RGB", size, (red, green, blue)), **more)


def write(path: Path, data: bytes, toml: str = TOML, labels: str = "cat\ndog\nowl\n") -> Path:
    """Write a model folder whose file is pinned, as one with a custom operator has to be."""
    folder(path, f'sha256 = "{sha256(data).hexdigest()}"\n{toml}', labels)
    (path / "model.tflite").write_bytes(data)
    return path


def fake(monkeypatch: pytest.MonkeyPatch, order: Any = tuple(ROLES), image: Tensor = IMAGE, **values: Any) -> Any:
    """Put an engine in place that answers the values above, or these, in ``order``."""
    data = {role: np.array(values.get(role, VALUES[role]), np.float32).tobytes() for role in ROLES}
    outputs = tuple(ROLES[role] for role in order)
    return fake_engine(monkeypatch, [data[role] for role in order], (image,), outputs)


def said(**names: str) -> str:
    return 'labels = "labels.txt"\n[output]\n' + "".join(f'{key} = "{name}"\n' for key, name in names.items())


NAMED = said(classes="b", scores="c")


def fails(path: Path, **settings: Any) -> str:
    with pytest.raises(ModelUnavailable) as caught:
        Predictor(path, **settings).load()
    return str(caught.value)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("order", list(permutations(detector.OP_ORDER)), ids=" ".join)
def test_operator_tells_which_is_which_in_any_order(tmp_path: Path, engine: str, order: tuple[str, ...]) -> None:
    """Its outputs have a fixed order, whatever the exporter calls them and where the model has them."""
    try:
        select(engine)
    except ModelUnavailable as error:
        pytest.skip(str(error))
    ready = Predictor(write(tmp_path / "mine", detector.model(order)), engine=engine)
    loaded = ready.load()
    assert loaded.task == "detect"
    assert [order[place] for place in loaded.places] == list(detector.OP_ORDER)
    found = ready.predict(colour(128, 255, 51))
    assert [(one.label, one.index) for one in found.detections] == [("dog", 1), ("cat", 0), ("owl", 2)]
    assert [one.score for one in found.detections] == pytest.approx([1.0, 128 / 255, 0.2], abs=1e-6)
    boxes = [list(one.box) for one in found.detections]
    assert boxes == [pytest.approx(detector.BOXES[i], abs=1e-6) for i in (1, 0, 2)]
    assert found.predictions == found.outputs == ()


def test_custom_operator_asks_for_a_pin(tmp_path: Path) -> None:
    folder(tmp_path / "mine", TOML)
    (tmp_path / "mine" / "model.tflite").write_bytes(detector.model())
    said = fails(tmp_path / "mine")
    assert "has the custom operator 'TFLite_Detection_PostProcess', whose options no engine verifies" in said
    assert "pin its sha256 in model.toml" in said


def test_the_wire_form_is_these_bytes(tmp_path: Path) -> None:
    ready = Predictor(write(tmp_path / "mine", detector.model()), top_k=1)
    told = ready.predict(colour(128, 255, 51)).to_dict()
    assert list(told) == ["model", "sha256", "detections"]
    box = {"top": 0.4, "left": 0.2, "bottom": 0.6, "right": 0.6}
    assert told["detections"] == [{"label": "dog", "index": 1, "score": 1.0, "box": box}]
    assert list(told["detections"][0]["box"]) == ["top", "left", "bottom", "right"]


@pytest.mark.parametrize(
    "names",
    [
        ("detection_boxes", "detection_classes", "detection_scores"),
        ("location", "category", "score"),
        ("a", "b", "probabilities"),
        ("a", "labels", "c"),
    ],
)
def test_names_tell_where_the_operator_is_not_seen(tmp_path: Path, names: tuple[str, str, str]) -> None:
    data = detector.model(("scores", "boxes", "count", "classes"), names, "n", hidden=True)
    assert Predictor(write(tmp_path / "mine", data)).load().places == (1, 3, 0, 2)


def test_the_signatures_names_tell_as_well(tmp_path: Path) -> None:
    aliases = {"boxes": "one", "classes": "two_class", "scores": "three_score", "count": "four"}
    data = detector.model(("scores", "boxes", "count", "classes"), "abc", "n", aliases, hidden=True)
    assert Predictor(write(tmp_path / "mine", data)).load().places == (1, 3, 0, 2)


def test_model_toml_tells_where_nothing_else_does_by_either_name(tmp_path: Path) -> None:
    aliases = {"boxes": "one", "classes": "two", "scores": "three", "count": "four"}
    data = detector.model(("scores", "boxes", "count", "classes"), "abc", "n", aliases, hidden=True)
    said_nothing = fails(write(tmp_path / "mine", data))
    assert (
        "nothing tells which of the outputs 'c' ('three'), 'b' ('two') holds classes and which scores"
        in said_nothing
    )
    assert 'classes = "…" and scores = "…" in [output]' in said_nothing
    for line in ('scores = "c"', 'scores = "three"', 'classes = "b"', 'classes = "two"'):
        mine = write(tmp_path / "mine", data, f"{TOML}[output]\n{line}\n")
        assert Predictor(mine).load().places == (1, 3, 0, 2), line


@pytest.mark.parametrize(
    "order", [("boxes", "classes", "scores", "count"), ("scores", "boxes", "count", "classes")]
)
def test_values_tell_in_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, order: tuple[str, ...]) -> None:
    """Classes are whole numbers, and scores mostly are not."""
    engine = fake(monkeypatch, order)
    loaded = Predictor(folder(tmp_path / "mine")).load()
    assert [order[place] for place in loaded.places] == list(ROLES)
    assert engine.made[0].given == [bytes(12)]


def test_only_what_is_meant_tells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake(monkeypatch, classes=[1, 0.5, 0.5], scores=[0.25, 1, 1], count=[1])
    assert Predictor(folder(tmp_path / "mine")).load().places == (0, 1, 2, 3)


@pytest.mark.parametrize(
    "values", [{"scores": [1, 0, 1]}, {"classes": [0.5, 1, 2]}, {"scores": [0, 0, 0], "count": [0]}]
)
def test_values_that_do_not_tell_are_an_error_that_names_the_keys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, values: dict[str, Any]
) -> None:
    fake(monkeypatch, **values)
    assert 'say classes = "…" and scores = "…"' in fails(folder(tmp_path / "mine"))


def found(
    path: Path, toml: str = NAMED, labels: str = "cat\ndog\nowl\n", **settings: Any
) -> tuple[Detection, ...]:
    ready = Predictor(folder(path / "mine", toml, labels), **settings)
    ready.load()
    return ready.predict(colour(1, 2, 3)).detections


def test_best_come_first_and_options_narrow_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake(monkeypatch)
    ready = Predictor(folder(tmp_path / "mine", NAMED))
    image = colour(1, 2, 3)

    def labels(**options: Any) -> list[str]:
        return [one.label for one in ready.predict(image, **options).detections]

    assert labels() == ["cat", "dog", "owl"]
    assert labels(top_k=2) == ["cat", "dog"]
    assert labels(score_threshold=0.5) == ["cat", "dog"]
    assert labels(labels_allow="owl") == ["owl"]
    assert labels(labels_deny="cat", top_k=1) == ["dog"]
    assert labels(score_threshold=0.9) == []
    with pytest.raises(InvalidRequest, match="labels_allow names 'cow', which is not a label"):
        labels(labels_allow="cow")


def test_settings_and_model_toml_have_a_threshold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake(monkeypatch)
    assert len(found(tmp_path, score_threshold=0.4)) == 2
    assert len(found(tmp_path, NAMED + "score_threshold = 0.6\n")) == 1
    assert len(found(tmp_path, NAMED + "score_threshold = 0.6\n", score_threshold=0.4)) == 2
    assert len(found(tmp_path, NAMED + "score_threshold = 0.6\n", score_threshold=0)) == 3
    assert [one.label for one in found(tmp_path, labels_deny="dog")] == ["cat", "owl"]


def test_objects_beyond_the_default_of_top_k_are_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    many = [
        ROLES[role]._replace(shape=shape)
        for role, shape in zip(ROLES, ((1, 9, 4), (1, 9), (1, 9), (1,)), strict=True)
    ]
    data = [np.full(shape, value, np.float32) for shape, value in (((9, 4), 0), ((9,), 1), ((9,), 0.5), ((1,), 9))]
    data[0][:, 2:] = 1
    fake_engine(monkeypatch, [one.tobytes() for one in data], (IMAGE,), tuple(many))
    assert len(found(tmp_path)) == 5
    assert len(found(tmp_path, top_k=1000)) == 9


def test_equal_scores_stay_in_the_models_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake(monkeypatch, scores=[0.5, 0.75, 0.5])
    assert [one.label for one in found(tmp_path)] == ["cat", "dog", "owl"]


def test_only_so_many_are_meant_as_the_count_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake(monkeypatch, count=[1])
    assert [one.label for one in found(tmp_path)] == ["dog"]
    fake(monkeypatch, count=[99])
    assert len(found(tmp_path)) == 3
    fake(monkeypatch, count=[-1])
    assert found(tmp_path) == ()


def test_what_is_left_beyond_the_count_is_not_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nan = float("nan")
    boxes = [detector.BOXES[0], [nan] * 4, [1e30] * 4]
    fake(monkeypatch, boxes=boxes, classes=[1, nan, 99], scores=[0.5, nan, 1e30], count=[1])
    assert [one.label for one in found(tmp_path)] == ["dog"]
    # Of which is which, too.
    ready = Predictor(folder(tmp_path / "mine", 'labels = "labels.txt"', "cat\ndog\nowl\n"))
    assert ready.load().places == (0, 1, 2, 3)


def test_without_a_count_all_are_meant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake(monkeypatch, ("scores", "boxes", "classes"))
    assert len(found(tmp_path, said(boxes="a", classes="b", scores="c"))) == 3


@pytest.mark.parametrize(
    ("labels", "offset", "told"),
    [
        ("cat\ndog\nowl\n", 0, ["cat", "dog", "owl"]),
        ("???\ncat\ndog\nowl\n", -1, ["cat", "dog", "owl"]),
        ("dog\nowl\n", 1, ["dog", "owl"]),  # class 0 is a background
    ],
)
def test_labels_may_begin_at_another_class(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, labels: str, offset: int, told: list[str]
) -> None:
    fake(monkeypatch)
    assert [one.label for one in found(tmp_path, f"{NAMED}offset = {offset}\n", labels)] == told


def test_class_beyond_the_labels_is_told_where_it_would_be_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake(monkeypatch)
    assert len(found(tmp_path, labels="cat\ndog\n", score_threshold=0.5)) == 2
    with pytest.raises(
        ModelUnavailable, match=r"mine found the class 2, and its 2 labels end before it \(offset is 0"
    ):
        found(tmp_path, labels="cat\ndog\n")


def test_without_labels_the_classes_numbers_are_the_labels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake(monkeypatch)
    bare = NAMED.replace('labels = "labels.txt"\n', "")
    assert [one.label for one in found(tmp_path, bare)] == ["0", "1", "2"]
    assert [one.label for one in found(tmp_path, bare, labels_deny="0,77")] == ["1", "2"]
    assert "name the label 'cow'" in fails(folder(tmp_path / "mine", bare), labels_deny="cow")
    with pytest.raises(InvalidRequest, match="names 'cow', which is not a label"):
        Predictor(folder(tmp_path / "mine", bare)).predict(colour(1, 2, 3), labels_allow="cow")


@pytest.mark.parametrize("toml", ["", "offset = -1\n"])
def test_a_class_below_0_is_no_object(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, toml: str) -> None:
    """And takes no place in top_k, whatever stands before the labels."""
    fake(monkeypatch, classes=[0, -1, -7])
    assert [one.index for one in found(tmp_path, NAMED + toml, "cat\ndog\nowl\n", top_k=1)] == [0]
    bare = NAMED.replace('labels = "labels.txt"\n', "")
    assert [one.label for one in found(tmp_path, bare)] == ["0"]


@pytest.mark.parametrize("kind", [1_000_001, 3e38])
@pytest.mark.parametrize("toml", [NAMED, NAMED.replace('labels = "labels.txt"\n', "")])
def test_a_class_that_cannot_be_one_is_told_with_its_output(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: float, toml: str
) -> None:
    fake(monkeypatch, classes=[0, kind, 1])
    with pytest.raises(
        ModelUnavailable, match=r"mine answered the class [\d,]+ in the output 'b'; a class is at most 1,000,000"
    ):
        found(tmp_path, toml)


def test_an_offset_without_labels_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake(monkeypatch)
    bare = NAMED.replace('labels = "labels.txt"\n', "")
    said = fails(folder(tmp_path / "mine", bare + "offset = 1\n"))
    assert "mine: offset in [output] is 1, but it has no labels" in said


def test_scores_may_be_logits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake(monkeypatch, scores=[0.0, 2.0, -2.0])
    assert [round(one.score, 4) for one in found(tmp_path, NAMED + 'activation = "sigmoid"\n')] == [
        0.8808,
        0.5,
        0.1192,
    ]
    toml = NAMED + 'activation = "softmax"\n'
    assert "activation in [output] is softmax" in fails(folder(tmp_path / "mine", toml))


@pytest.mark.parametrize("role", list(ROLES))
def test_nan_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, role: str) -> None:
    values = np.array(VALUES[role], np.float32)
    values.flat[0] = np.nan
    fake(monkeypatch, **{role: values})
    told = f"The model answered NaN in the output '{ROLES[role].name}': its weights"
    with pytest.raises(ModelUnavailable, match=told):
        found(tmp_path)


def test_boxes_in_pixels_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake(monkeypatch, boxes=[[0, 0, 320, 320]] * 3)
    with pytest.raises(ModelUnavailable, match=r"which is in pixels; read are boxes in 0…1 of the input"):
        found(tmp_path)


def test_boxes_are_cut_off_at_the_edge_and_left_out_where_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake(monkeypatch, boxes=[[-0.25, 0.5, 0.5, 1.25], [1.1, 0, 1.2, 1], [0.5, 0.5, 0.5, 0.75]])
    (only,) = found(tmp_path)
    assert only == Detection("dog", 1, 0.5, Box(0.0, 0.5, 0.5, 1.0))


@pytest.mark.parametrize(
    ("size", "input_toml", "box"),
    [
        ((40, 20), "", (0.0, 0.5, 0.5, 1.0)),  # stretched: all of it is seen
        ((40, 20), 'fit = "crop"\n', (0.0, 0.5, 0.5, 0.75)),  # the middle 20 × 20 is seen
        ((20, 40), 'fit = "crop"\n', (0.25, 0.5, 0.5, 1.0)),
        ((40, 20), 'fit = "crop"\ncrop = 0.5\n', (0.25, 0.5, 0.5, 0.625)),
        ((40, 20), 'fit = "pad"\n', (0.0, 0.5, 0.5, 1.0)),  # bars above and below: the upper right is half bar
        ((20, 40), 'fit = "pad"\n', (0.0, 0.5, 0.5, 1.0)),
    ],
)
@pytest.mark.parametrize("decode", ["fast", "exact"])
@pytest.mark.parametrize("orientation", [1, 6])
def test_boxes_are_in_the_upright_source_whatever_was_cut_or_added(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    size: tuple[int, int],
    input_toml: str,
    box: tuple[float, ...],
    decode: str,
    orientation: int,
) -> None:
    """The model sees its upper right quarter. In a picture with bars, half of that is bar, and cut off."""
    fake(monkeypatch, image=IMAGE._replace(shape=(1, 8, 8, 3)), boxes=[[0, 0.5, 0.5, 1]] * 3)
    mine = folder(tmp_path / "mine", NAMED + "[input]\n" + input_toml)
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = size if orientation == 1 else size[::-1]
    picture = encode(Image.new("RGB", stored), "JPEG", exif=exif.tobytes())
    answer = Predictor(mine, decode=decode).predict(picture, top_k=1)
    assert list(answer.detections[0].box) == pytest.approx(box, abs=1e-9)


@pytest.mark.parametrize(
    ("order", "toml", "said_then"),
    [
        (
            ("boxes", "classes", "scores"),
            'task = "detect"\n',
            "a detection's usual four are boxes (1, N, 4), classes",
        ),
        (
            ("boxes", "classes", "scores"),
            said(boxes="a"),
            "Say which they are in [output]: boxes, classes, scores",
        ),
        (
            tuple(ROLES),
            said(boxes="b", classes="a", scores="c"),
            "they go together as (1, N, 4), (1, N) and (1, N)",
        ),
        (tuple(ROLES), said(boxes="x"), "boxes in [output] is 'x', and no output has that name"),
        (tuple(ROLES), said(scores="c") + 'activation = "softmax"', "activation in [output] is softmax"),
    ],
)
def test_outputs_that_do_not_fit_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, order: tuple[str, ...], toml: str, said_then: str
) -> None:
    fake(monkeypatch, order)
    assert said_then in fails(folder(tmp_path / "mine", toml))


def test_outputs_of_a_dtype_that_is_not_read_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ROLES, "classes", ROLES["classes"]._replace(dtype="bool"))
    fake(monkeypatch)
    assert "output is bool" in fails(folder(tmp_path / "mine", NAMED))


def test_a_file_that_is_no_flatbuffer_inside_tells_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake(monkeypatch)
    mine = folder(tmp_path / "mine", 'metadata = "ignore"\nlabels = "labels.txt"')
    broken = b"\xff\xff\0\0TFL3" + bytes(100)
    (mine / "model.tflite").write_bytes(broken)
    monkeypatch.setattr("mlserverless.verify.check", lambda _: None)
    assert Predictor(mine).load().places == (0, 1, 2, 3), "by the values"


def test_timings_are_those_of_every_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake(monkeypatch)
    ready = Predictor(folder(tmp_path / "mine", NAMED))
    names = [name for name, _ in ready.predict(colour(1, 2, 3)).timings]
    assert names == ["open", "load", "wait", "prepare", "preprocess", "invoke"]
