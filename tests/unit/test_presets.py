"""Presets: what they fill, what wins over them, and a table of the documentation that says the same."""

from pathlib import Path
from typing import Any

import pytest

from helpers.goldens import told
from mlserverless import presets
from mlserverless.errors import ModelUnavailable
from mlserverless.model_toml import Input, read_input

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "presets.md"
HEADING = "## Presets\n"


def read(**given: Any) -> Input:
    return read_input(given, "model.tflite")


def test_a_preset_fills_what_is_not_said() -> None:
    assert read(preset="torchvision/resnet50-v2") == Input(
        preset="torchvision/resnet50-v2",
        size=(224, 224),
        channels="rgb",
        resize="bilinear",
        fit="crop",
        side=232,
        range="imagenet",
        usual=True,
    )


def test_keras_models_of_caffe_take_bgr() -> None:
    found = read(preset="keras/ResNet50")
    assert (found.size, found.channels, found.resize, found.range) == ((224, 224), "bgr", "nearest", "caffe")


def test_keys_beside_a_preset_win() -> None:
    found = read(preset="keras/xception", size=[150, 200], resize="bilinear", range="unit")
    assert (found.size, found.resize, found.range) == ((150, 200), "bilinear", "unit")


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ({"fit": "stretch"}, {"fit": "stretch", "side": 0}),
        ({"fit": "pad"}, {"fit": "pad", "side": 0}),
        ({"fit": "crop", "crop": 0.875}, {"fit": "crop", "crop": 0.875, "side": 0}),
        ({"side": 300, "fit": "crop"}, {"fit": "crop", "side": 300}),
    ],
)
def test_a_fit_is_taken_whole(given: dict[str, Any], taken: dict[str, Any]) -> None:
    found = read(preset="torchvision/resnet50", **given)._asdict()
    assert {key: found[key] for key in taken} == taken


def test_a_side_alone_replaces_the_presets() -> None:
    assert read(preset="torchvision/resnet50", side=240).side == 240


def test_a_range_beside_a_preset_is_in_the_usual_order() -> None:
    assert read(preset="keras/resnet50", range="unit").channels == ""


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("keras/resnet-50", "close are keras/resnet50"),
        ("torchvision/resnet50_v2", "close are torchvision/resnet50-v2"),
        ("resnet50", "close are "),
        ("timm", "they begin with keras/, torchvision/ or mediapipe/"),
    ],
)
def test_an_unknown_preset_names_close_ones(name: str, said: str) -> None:
    with pytest.raises(ModelUnavailable) as caught:
        read(preset=name)
    assert f"model.tflite: input.preset is {name!r}, which is not known; {said}" in str(caught.value)
    assert f"See {presets.DOCS}." in str(caught.value)


@pytest.mark.parametrize("name", presets.every())
def test_every_preset_is_one_that_can_be_read(name: str) -> None:
    assert read(preset=name).preset == name


def test_every_model_of_the_libraries_has_one() -> None:
    named = {name for name in presets.every() if not name.startswith("mediapipe/")}
    assert named == set(told()["presets"])


def table() -> str:
    """Return the table of the documentation."""
    rows: dict[tuple[str, ...], list[str]] = {}
    for name, keys in presets.every().items():
        size = f"{keys['size'][0]}" if "size" in keys else "the model's"
        how = f"{keys['resizer']} {keys['resize']}"
        fit = f"side {keys['side']}, crop" if "side" in keys else keys["fit"]
        scale = f"{keys['range']}, {keys['channels']}" if "range" in keys else "its metadata's"
        rows.setdefault((name.partition("/")[0], size, how, fit, scale), []).append(f"`{name}`")
    lines = ["| preset | size | resized | fit | range, channels |", "|---|---|---|---|---|"]
    for (_, *cells), names in rows.items():
        lines.append(f"| {' '.join(names)} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def test_the_documentation_has_every_preset() -> None:
    assert PAGE.read_text(encoding="utf-8").partition(HEADING)[2].strip() == table().strip()
