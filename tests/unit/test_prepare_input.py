"""An opened image to a model's pixels: channels, sides, strips, and what fast decoding leaves as it is."""

from array import array
from typing import Any

import pytest
from PIL import Image

from helpers.images import encode, gradient, rows
from mlserverless import prepare
from mlserverless.errors import UndecodableImage, UnsupportedMediaType
from mlserverless.fitting import Placement
from mlserverless.formats import open_image
from mlserverless.model_toml import FIT, Input
from mlserverless.prepare import prepare_image, prepare_input
from mlserverless.target import Target

R, G, B, W, K = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0)
OPTIONS = {"background": "drop", "decode": "exact"}


def made(image: Image.Image, target: Target, wanted: Input = Input(), **options: Any) -> Any:  # noqa: B008
    return prepare_input(image, target, wanted, **OPTIONS | options).pixels


def of(width: int, height: int, channels: str = "rgb") -> Target:
    return Target(height, width, channels, "nhwc")


def exif(orientation: int) -> Image.Exif:
    found = Image.Exif()
    found[0x0112] = orientation
    return found


@pytest.mark.parametrize("fit", FIT)
def test_rgb_is_what_the_public_function_makes(fit: str) -> None:
    image = gradient(40, 30)
    wanted = prepare_image(image, (12, 9), resize="bilinear", fit=fit).tobytes()
    assert made(image, of(12, 9), Input(fit=fit)) == wanted
    assert made(image, of(12, 9, "bgr"), Input(fit=fit)) == wanted, "turned round with the tensor's bytes"


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "LA", "P", "1", "I;16", "CMYK"])
@pytest.mark.parametrize(("channels", "kept"), [("gray", "L"), ("rgb", "RGB"), ("rgba", "RGBA")])
@pytest.mark.parametrize("resizer", ["pillow", "tensorflow"])
def test_every_mode_goes_into_every_number_of_channels(mode: str, channels: str, kept: str, resizer: str) -> None:
    if mode == "I;16":
        image = Image.frombytes("I;16", (6, 4), bytes(range(48)))
        plain = Image.frombytes(
            "L",
            (6, 4),
            bytes((int.from_bytes(image.tobytes()[i : i + 2], "little") + 128) // 257 for i in range(0, 48, 2)),
        )
    else:
        image = gradient(6, 4).convert(mode)
        plain = image
    through = plain if kept == "RGBA" else plain.convert("L" if plain.mode in ("1", "L") else "RGB")
    wanted = through.convert(kept).tobytes()
    found = made(image, of(6, 4, channels), Input(resizer=resizer))
    if resizer == "tensorflow":
        found = bytes(
            int(value)
            for pixel in zip(*(array("f", plane.tobytes()) for plane in found), strict=True)
            for value in pixel
        )
    assert found == wanted


def test_grey_is_itu_r_601_before_it_is_resized() -> None:
    # 299 R + 587 G + 114 B in thousandths: 76, 150 and 29; the middle of two is then halfway
    assert list(made(rows([R, G, B]), of(3, 1, "gray"))) == [76, 150, 29]
    assert list(made(rows([R, G]), of(1, 1, "gray"), Input(resize="box"))) == [113]


def test_transparency_is_laid_on_the_background_but_where_it_is_a_channel() -> None:
    image = Image.new("RGBA", (2, 2), (10, 20, 30, 0))
    assert set(made(image, of(2, 2), background="white")) == {255}
    assert set(made(image, of(2, 2, "gray"), background="black")) == {0}
    assert made(image, of(2, 2, "rgba"), background="white") == bytes([10, 20, 30, 0]) * 4


@pytest.mark.parametrize(
    ("channels", "background", "bar"),
    [
        ("gray", "white", [255]),
        ("gray", "#ff0000", [76]),
        ("rgb", "#0a141e", [10, 20, 30]),
        ("rgba", "#0a141e", [10, 20, 30, 255]),
        ("rgba", "drop", [0, 0, 0, 0]),
        ("gray", "drop", [0]),
    ],
)
@pytest.mark.parametrize("resizer", ["pillow", "tensorflow"])
def test_bars_have_the_colour_of_the_background(
    channels: str, background: str, bar: list[int], resizer: str
) -> None:
    image = Image.new("RGB", (4, 2), (50, 50, 50))
    found = made(image, of(4, 4, channels), Input(fit="pad", resizer=resizer), background=background)
    if resizer == "tensorflow":
        found = [plane.getpixel((0, 0)) for plane in found]
    assert list(found[: len(bar)]) == bar


def test_floating_point_images_are_refused() -> None:
    for channels in ("gray", "rgb", "rgba"):
        with pytest.raises(UnsupportedMediaType, match="floating-point pixels"):
            made(Image.new("F", (4, 4)), of(2, 2, channels))


@pytest.mark.parametrize("resizer", ["pillow", "tensorflow", "torch", "torchvision", "mediapipe"])
def test_truncated_images_are_told(resizer: str) -> None:
    data = encode(gradient(300, 200), "JPEG")[:2000]
    with pytest.raises(UndecodableImage):
        made(open_image(data), of(8, 8), Input(resizer=resizer))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("resizer", ["pillow", "tensorflow", "mediapipe"])
@pytest.mark.parametrize(
    "wanted", [{}, {"fit": "crop", "side": 30}, {"fit": "cut"}, {"crop": 0.7}, {"fit": "centre"}]
)
def test_images_are_upright(orientation: int, resizer: str, wanted: dict[str, Any]) -> None:
    if resizer == "mediapipe" and wanted:
        return
    turn = prepare.turned(open_image(encode(gradient(9, 9), "PNG", exif=exif(orientation))))
    upright = gradient(53, 40)
    back = {None: None, 0: 0, 1: 1, 2: 4, 3: 3, 4: 2, 5: 5, 6: 6}[turn]
    stored = upright if back is None else upright.transpose(back)  # type: ignore[arg-type]
    image = open_image(encode(stored, "PNG", exif=exif(orientation)))
    given = Input(resizer=resizer, **wanted)
    assert made(image, of(24, 20), given) == made(upright, of(24, 20), given)


@pytest.mark.parametrize("decode", ["fast", "whole"])
@pytest.mark.parametrize("orientation", [1, 2, 3, 6, 8])
@pytest.mark.parametrize("wanted", [{"fit": "crop", "side": 64}, {"fit": "cut"}, {"crop": 0.8}, {"fit": "centre"}])
def test_what_is_decoded_fast_is_of_the_same_part(decode: str, orientation: int, wanted: dict[str, Any]) -> None:
    """Boxes in whole pixels are not in the very middle: from a turned image another would be cut."""
    smooth = Image.linear_gradient("L").resize((801, 603), Image.Resampling.BICUBIC)
    image = Image.merge("RGB", [smooth, smooth.transpose(Image.Transpose.ROTATE_180), smooth])
    data = encode(image, "JPEG", quality=95, subsampling=0, exif=exif(orientation))
    given = Input(**wanted)
    exact = made(open_image(data), of(56, 40), given)
    found = made(open_image(data), of(56, 40), given, decode=decode)
    assert max(abs(a - b) for a, b in zip(exact, found, strict=True)) <= 2
    if wanted["fit" if "fit" in wanted else "crop"] == "centre":
        assert exact == found


@pytest.mark.parametrize("resizer", ["tensorflow", "torch", "torchvision", "mediapipe"])
def test_other_resizers_have_the_whole_image_decoded(resizer: str) -> None:
    data = encode(gradient(800, 600), "JPEG")
    fast, exact = (
        prepare_input(
            open_image(data), of(40, 30), Input(resizer=resizer), background="drop", decode=decode
        ).pixels
        for decode in ("fast", "exact")
    )
    assert fast == exact


@pytest.mark.parametrize("size", [(9, 400), (400, 9)])
def test_a_strip_is_resized_only_where_it_is_seen(size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    image = gradient(*size)
    whole = made(image, of(20, 20), Input(fit="crop", side=20))
    monkeypatch.setattr("mlserverless.prepare.BETWEEN", 100)
    part = made(image, of(20, 20), Input(fit="crop", side=20))
    assert max(abs(a - b) for a, b in zip(whole, part, strict=True)) <= 1


def test_a_side_larger_than_a_strip_can_be_is_no_matter() -> None:
    image = Image.new("RGB", (1, 40_000), (9, 9, 9))  # torchvision would make it 256 × 10 million
    assert set(made(image, of(224, 224), Input(fit="crop", side=256))) == {9}


def test_centre_is_not_resized() -> None:
    image = rows([R, G, B, W], [K, W, R, G])
    assert made(image, of(2, 4), Input(fit="centre")) == bytes([0] * 6 + [*G, *B] + [*W, *R] + [0] * 6)


def test_placement_is_of_the_upright_image() -> None:
    image = open_image(encode(gradient(40, 20), "PNG", exif=exif(6)))  # upright: 20 × 40
    found = prepare_input(image, of(10, 10), Input(fit="crop"), **OPTIONS)
    assert found.placement == Placement(0.0, 0.25, 1.0, 0.5)
