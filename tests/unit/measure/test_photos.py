"""The images that are asked for."""

from pathlib import Path

import pytest
from PIL import Image

from mlserverless.measure import photos


def test_the_callers_images_are_taken_as_they_are(tmp_path: Path) -> None:
    assert photos.chosen([Path("a.jpg")], tmp_path) == [Path("a.jpg")]
    assert list(tmp_path.iterdir()) == []


def test_by_default_there_is_a_photo_and_one_as_large_as_a_phones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(photos, "LARGE", 40_000)
    assert [path.name for path in photos.chosen([], tmp_path)] == ["rocket.jpg", "0.04-megapixels.jpg"]
    monkeypatch.setattr(photos, "PHOTO", tmp_path / "none.jpg")
    monkeypatch.setattr(photos, "SMALL", 30_000)
    assert [path.name for path in photos.chosen([], tmp_path)] == ["0.03-megapixels.jpg", "0.04-megapixels.jpg"]


@pytest.mark.parametrize("motif", [photos.MOTIF, Path("none.png")], ids=["checkout", "wheel"])
def test_a_made_picture_has_the_pixels_and_the_grain_of_a_photo(
    tmp_path: Path, motif: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(photos, "MOTIF", motif)
    path = photos.made(200_000, tmp_path)
    with Image.open(path) as image:
        assert image.width * image.height == pytest.approx(200_000, rel=0.01)
        assert image.width / image.height == pytest.approx(4 / 3, rel=0.01)
        assert (image.format, image.mode) == ("JPEG", "RGB")
    bits = 8 * path.stat().st_size / 200_000
    assert 1 < bits < 5
