"""Which task a model has: what model.toml says, or what its outputs look like; and which output has the scores."""

from pathlib import Path

import numpy as np
import pytest

from helpers.fakes import SCORES, fake_engine, folder
from helpers.images import encode, gradient
from mlserverless.engines import Tensor
from mlserverless.errors import ModelUnavailable
from mlserverless.predictor import Predictor
from mlserverless.tasks import four, scores_shaped

PNG = encode(gradient(4, 4))
FEATURES = Tensor("features", (1, 2, 2, 8), "float32")
OTHER = Tensor("embedding", (1, 5), "float32", alias="vector")
MINE = SCORES._replace(alias="probabilities")


def shaped(*shapes: tuple[int, ...]) -> list[Tensor]:
    return [Tensor(str(place), shape, "float32") for place, shape in enumerate(shapes)]


@pytest.mark.parametrize(
    ("shapes", "is_detection"),
    [
        (((1, 9, 4), (1, 9), (1, 9), (1,)), True),
        (((1, 9), (1,), (1, 9), (1, 9, 4)), True),
        (((1, 9, 4), (1, 9), (1, 9), ()), True),
        (((1, 1, 4), (1, 1), (1, 1), (1,)), True),
        (((1, 9, 4), (1, 9), (1, 9)), False),
        (((1, 9, 4), (1, 9), (1, 8), (1,)), False),
        (((1, 9, 5), (1, 9), (1, 9), (1,)), False),
        (((2, 9, 4), (2, 9), (2, 9), (2,)), False),
        (((1, 9, 4), (1, 9), (1, 9), (1,), (1,)), False),
        (((1, 9, 4), (1, 9, 4), (1, 9), (1,)), False),
        (((1, 9, 4), (1, 9), (1, 9), (1, 9)), False),
    ],
)
def test_usual_four_are_known_by_their_shapes(shapes: tuple[tuple[int, ...], ...], is_detection: bool) -> None:
    assert four(shaped(*shapes)) is is_detection


@pytest.mark.parametrize(
    ("shape", "are_scores"),
    [
        ((1, 5), True),
        ((5,), True),
        ((1, 1), True),
        ((1, 5, 1, 1), True),
        ((1, 1, 1, 5), True),
        ((2, 5), False),
        ((), False),
        ((1, 0), False),
    ],
)
def test_scores_are_known_by_their_shape(shape: tuple[int, ...], are_scores: bool) -> None:
    assert scores_shaped(shaped(shape)[0]) is are_scores


@pytest.mark.parametrize(
    "said", ['[output]\nscores = "scores"', '[output]\nscores = "probabilities"', 'task = "classify"']
)
def test_scores_of_several_outputs_are_found_by_either_name_or_as_the_only_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    fake_engine(monkeypatch, [bytes(FEATURES.bytes), b"\x40\x80\x20"], outputs=(FEATURES, MINE))
    toml = f'labels = "labels.txt"\n{said}'
    loaded = Predictor(folder(tmp_path / "mine", toml)).load()
    assert (loaded.task, loaded.places, loaded.output) == ("classify", (1,), MINE)
    found = Predictor(folder(tmp_path / "mine", toml)).predict(PNG)
    assert [(score.label, score.score) for score in found.predictions] == [
        ("dog", 0.5),
        ("cat", 0.25),
        ("owl", 0.125),
    ]


def test_names_that_model_toml_says_are_handed_to_the_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that reads only some outputs has to know which; a signature and a size are for it alone."""
    engine = fake_engine(monkeypatch, outputs=(SCORES,))
    toml = 'signature = "serve"\n[input]\nsize = [2, 2]\nlayout = "nhwc"\nchannels = "bgr"\n'
    toml += '[output]\nscores = "scores"'
    Predictor(folder(tmp_path / "mine", toml)).load()
    assert engine.wanted[0]._asdict() == {
        "signature": "serve",
        "size": (2, 2),
        "delegates": (),
        "layout": "nhwc",
        "channels": 3,
        "outputs": ("scores",),
    }


@pytest.mark.parametrize(
    ("outputs", "toml", "said"),
    [
        ((FEATURES, MINE), "", "mine answers (1, 2, 2, 8), (1, 3): neither one output of scores"),
        ((FEATURES, MINE), "", "there are 'features', 'scores' ('probabilities')"),
        (
            (OTHER, MINE),
            'task = "classify"',
            "mine answers (1, 5), (1, 3); a classifier answers one output of scores",
        ),
        ((FEATURES,), 'task = "classify"', "mine answers (1, 2, 2, 8); a classifier answers one"),
        (
            (FEATURES, MINE),
            '[output]\nscores = "nope"',
            "scores in [output] is 'nope', and no output has that name",
        ),
        ((MINE, MINE), '[output]\nscores = "scores"', "and several outputs have that name"),
        (
            (FEATURES, MINE),
            '[output]\nscores = "features"',
            "the output 'features' has the shape (1, 2, 2, 8); scores",
        ),
    ],
)
def test_outputs_that_tell_no_scores_are_told_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, outputs: tuple[Tensor, ...], toml: str, said: str
) -> None:
    fake_engine(monkeypatch, outputs=outputs)
    with pytest.raises(ModelUnavailable) as caught:
        Predictor(folder(tmp_path / "mine", toml)).load()
    assert said in str(caught.value)
    assert str(caught.value).endswith("See docs/reference/model-folder.md.")


def test_one_output_of_scores_can_be_asked_for_raw(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_engine(monkeypatch)
    assert Predictor(folder(tmp_path / "mine", 'task = "raw"')).load().task == "raw"


@pytest.mark.parametrize("dtype", ["float16", "int16", "int32", "int64"])
@pytest.mark.parametrize("scale", [0.0, 1 / 64])
def test_scores_of_other_types_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dtype: str, scale: float
) -> None:
    data = np.array([16, 32, 8], dtype).tobytes()
    fake_engine(monkeypatch, data, outputs=(SCORES._replace(dtype=dtype, scale=scale),))
    found = Predictor(folder(tmp_path / "mine")).predict(PNG)
    assert [score.score for score in found.predictions] == [value * (scale or 1) for value in (32, 16, 8)]


def test_scores_that_change_their_number_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_engine(monkeypatch, b"\x01\x02")
    with pytest.raises(ModelUnavailable, match=r"^The model's scores have the shape"):
        Predictor(folder(tmp_path / "mine")).predict(PNG)
