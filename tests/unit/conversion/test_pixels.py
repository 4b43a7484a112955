"""Pictures: which are found, which are bundled, and that they become what the served model gets."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from helpers.convertible import SIDE, pictures
from mlserverless.conversion import pixels
from mlserverless.conversion.problem import Misused
from mlserverless.engines import Tensor
from mlserverless.measure import photos
from mlserverless.model_toml import read_input

FLOATS = Tensor("image", (1, SIDE, SIDE, 3), "float32")


def test_pictures_are_found_by_what_they_are(tmp_path: Path) -> None:
    (first, *_) = pictures(tmp_path / "b", 3)
    first.rename(tmp_path / "z.of-no-known-suffix")
    (tmp_path / "notes.txt").write_text("no picture")
    assert [path.name for path in pixels.found(tmp_path)] == ["01.png", "02.png", "z.of-no-known-suffix"]


def test_of_many_some_from_everywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pictures(tmp_path, 10)
    monkeypatch.setattr(pixels, "MOST", 4)
    assert [path.name for path in pixels.found(tmp_path)] == ["00.png", "02.png", "05.png", "07.png"]


def test_without_any(tmp_path: Path) -> None:
    with pytest.raises(Misused, match="There are no pictures under"):
        pixels.found(tmp_path)
    with pytest.raises(Misused, match="There is no folder"):
        pixels.found(tmp_path / "gone")


def test_bundled_squares(tmp_path: Path) -> None:
    made = pixels.bundled(tmp_path)
    assert len(made) == 6 * len(pixels.SQUARES) == len(set(made))
    with Image.open(made[0]) as image:
        assert image.width == image.height <= pixels.SIDE


def test_a_made_picture_where_no_photos_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(photos, "SHELF", tmp_path / "none")
    monkeypatch.setattr(pixels, "MADE", 10_000)
    assert len(pixels.bundled(tmp_path)) == len(pixels.SQUARES)


def test_they_become_what_the_model_gets(tmp_path: Path) -> None:
    (path,) = pictures(tmp_path, 1)
    with Image.open(path) as image:
        values = np.asarray(image)
    (found,) = pixels.arrays([path], read_input({"range": "signed"}, "the test"), FLOATS)
    assert found.shape == FLOATS.shape
    assert np.allclose(found[0], values / 127.5 - 1, atol=1e-6)
    planar = Tensor("image", (1, 3, SIDE, SIDE), "float32")
    (turned,) = pixels.arrays([path], read_input({"range": "signed"}, "the test"), planar)
    assert np.array_equal(turned[0].transpose(1, 2, 0), found[0])


def test_a_range_is_needed(tmp_path: Path) -> None:
    with pytest.raises(Misused, match=r"which range .*--range"):
        pixels.arrays(pictures(tmp_path, 1), read_input({}, "the test"), FLOATS)


def test_a_damaged_picture(tmp_path: Path) -> None:
    (path,) = pictures(tmp_path, 1)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(Misused, match="cannot be read"):
        pixels.arrays([path], read_input({"range": "unit"}, "the test"), FLOATS)


@pytest.mark.parametrize(
    ("scale", "lowest", "highest"),
    [
        ("raw", 0.0, 255.0),
        ("unit", 0.0, 2.5),
        ("signed", -1.0, 2.5),
        (((0.0, 10.0, 20.0), (1.0,)), -20.0, 255.0),
    ],
)
def test_the_span_is_that_of_all_pixels_and_of_what_a_resizer_adds(
    scale: Any, lowest: float, highest: float
) -> None:
    samples = [np.array([0.5, 2.5], np.float32), np.array([0.25], np.float32)]
    assert pixels.span(scale, samples) == (lowest, highest)
