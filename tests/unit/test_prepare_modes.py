"""Every kind of pixel becomes RGB as the eye would see it; every Exif orientation is undone."""

from typing import Any

import pytest
from PIL import Image

from helpers.images import Pixel, encode, gradient, pixels, rows
from mlserverless.errors import UnsupportedMediaType
from mlserverless.formats import PLUGINS, open_image
from mlserverless.prepare import prepare_image

EVERY = tuple(PLUGINS)
R, G, B, W, K = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0)
BACKGROUNDS: list[tuple[str, Pixel]] = [("white", W), ("black", K), ("#102030", (16, 32, 48))]


def prepared(data: bytes, **options: Any) -> list[Any]:
    image = open_image(data, formats=EVERY)
    return pixels(prepare_image(image, image.size, **options))


def laid(colour: Pixel, alpha: int, under: Pixel) -> list[float]:
    return [(c * alpha + u * (255 - alpha)) / 255 for c, u in zip(colour, under, strict=True)]


# What stands where after the camera was turned: Exif 2.32, 4.6.4, tag 274. The upright picture is R G / B W.
STORED = {
    1: ([R, G], [B, W]),
    2: ([G, R], [W, B]),  # mirrored left to right
    3: ([W, B], [G, R]),  # turned by 180°
    4: ([B, W], [R, G]),  # mirrored top to bottom
    5: ([R, B], [G, W]),  # rows are the upright picture's columns, from the left
    6: ([G, W], [R, B]),  # to be turned 90° clockwise to be upright
    7: ([W, G], [B, R]),
    8: ([B, R], [W, G]),  # to be turned 90° anticlockwise
}


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
def test_orientation_is_undone(orientation: int, kind: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if kind == "WEBP" else {}
    data = encode(rows(*STORED[orientation]), kind, exif=exif, **options)
    assert prepared(data) == [[R, G], [B, W]]


@pytest.mark.parametrize("orientation", STORED)
def test_orientation_of_a_jpeg_is_undone_and_the_sides_swap(orientation: int) -> None:
    upright = rows([R] * 32 + [B] * 32, *[[R] * 32 + [B] * 32] * 31)  # 64 × 32: red left, blue right
    back = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # the inverse of what undoes it
    stored = upright.transpose(Image.Transpose(back[orientation])) if orientation > 1 else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    for decode in ("exact", "fast"):
        image = open_image(encode(stored, "JPEG", quality=95, exif=exif))
        result = pixels(prepare_image(image, (4, 2), resize="box", decode=decode))
        assert [[max(range(3), key=pixel.__getitem__) for pixel in row] for row in result] == [[0, 0, 2, 2]] * 2


def test_orientation_that_stands_after_the_pixels_is_undone() -> None:
    exif = Image.Exif()
    exif[0x0112] = 3
    data = encode(rows([R, G]), exif=exif)
    start, end = data.index(b"eXIf") - 4, data.index(b"IDAT") - 4
    moved = data[:start] + data[end:-12] + data[start:end] + data[-12:]
    assert prepared(moved) == [[G, R]]


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("order", ["II", "MM"])
@pytest.mark.parametrize(("kind", "width"), [(1, 1), (3, 2), (4, 4)], ids=["byte", "short", "long"])
def test_orientation_is_read_in_every_type(orientation: int, order: str, kind: int, width: int) -> None:
    end: Any = {"II": "little", "MM": "big"}[order]

    def number(value: int, size: int) -> bytes:
        return value.to_bytes(size, end)

    def entry(tag: int, kind: int, count: int, value: bytes) -> bytes:
        return number(tag, 2) + number(kind, 2) + number(count, 4) + value.ljust(4, b"\0")

    entries = entry(0x010F, 2, 90_000_000, b"\xff" * 4), entry(0x0112, kind, 1, number(orientation, width))
    block = order.encode() + number(42, 2) + number(8, 4) + number(2, 2) + b"".join(entries)
    image = rows(*STORED[orientation])
    image.info["exif"] = b"Exif\0\0" + block
    assert pixels(prepare_image(image, (2, 2))) == [[R, G], [B, W]]


@pytest.mark.parametrize("resize", ["bilinear", "lanczos", "nearest"])
@pytest.mark.parametrize("fit", ["stretch", "crop", "pad"])
@pytest.mark.parametrize("orientation", STORED)
def test_turning_last_shows_the_same_picture(orientation: int, fit: str, resize: str) -> None:
    image = gradient(90, 60)
    exif = Image.Exif()
    exif[0x0112] = orientation
    image.info["exif"] = exif.tobytes()
    fast, exact = (
        prepare_image(image, (25, 14), resize=resize, fit=fit, crop=0.9, decode=decode)
        for decode in ("fast", "exact")
    )
    assert fast.size == exact.size == (25, 14)
    assert max(abs(a - b) for a, b in zip(fast.tobytes(), exact.tobytes(), strict=True)) <= 1


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "I;16", "1", "CMYK"])
def test_converting_in_bands_changes_nothing(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    image = gradient(7, 11)
    image = image.convert("I").convert("I;16") if mode == "I;16" else image.convert(mode)
    if "A" in mode:
        image.putalpha(gradient(7, 11).getchannel(0).point(lambda value: value * 30))
    if mode == "P":
        image.info["transparency"] = bytes(range(0, 250, 5))
    whole = prepare_image(image, (7, 11), background="#102030")
    monkeypatch.setattr("mlserverless.modes.BAND", 14)  # two rows; of eleven one is left
    assert pixels(prepare_image(image, (7, 11), background="#102030")) == pixels(whole)


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_orientation_that_does_not_exist_changes_nothing(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    assert prepared(encode(rows([R, G]), exif=exif)) == [[R, G]]


def test_broken_exif_does_not_make_the_picture_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    image = open_image(encode(rows([R, G]), exif=b"Exif\0\0II*\0\xff\xff\xff\xff"))
    assert pixels(prepare_image(image, (2, 1))) == [[R, G]]

    def broken(_: Image.Image) -> Image.Exif:
        raise SyntaxError("not a TIFF header")

    monkeypatch.setattr(Image.Image, "getexif", broken)
    image = open_image(encode(rows([R, G]), exif=Image.Exif()))
    image.info["exif"] = b"Exif\0\0nonsense"
    assert pixels(prepare_image(image, (2, 1))) == [[R, G]]


@pytest.mark.parametrize(("background", "under"), BACKGROUNDS)
def test_transparency_is_laid_on_the_background(background: str, under: Pixel) -> None:
    data = encode(rows([(*R, 255), (*G, 128), (*B, 0)], mode="RGBA"))
    (row,) = prepared(data, background=background)
    assert row[0] == R
    assert row[1] == pytest.approx(laid(G, 128, under), abs=1)
    assert row[2] == under


def test_drop_ignores_transparency_and_shows_what_it_hid() -> None:
    assert prepared(encode(rows([(*R, 255), (*G, 128), (*B, 0)], mode="RGBA")), background="drop") == [[R, G, B]]
    assert prepared(encode(rows([(*R, 0)], mode="RGBA"))) == [[R]]  # as convert("RGB") does, the default


@pytest.mark.parametrize(("background", "under"), BACKGROUNDS)
def test_grey_with_alpha(background: str, under: Pixel) -> None:
    (row,) = prepared(encode(rows([(200, 255), (200, 0)], mode="LA")), background=background)
    assert row == [(200, 200, 200), under]


def palette(transparency: bytes | int | None) -> bytes:
    image = rows([0, 1], mode="P")
    image.putpalette([*R, *G])
    return encode(image, **({} if transparency is None else {"transparency": transparency}))


@pytest.mark.parametrize("transparency", [None, 0, b"\x00\x80"], ids=["none", "index", "table"])
def test_palette_without_its_transparency(transparency: bytes | int | None) -> None:
    assert prepared(palette(transparency), background="drop") == [[R, G]]


def test_palette_with_transparency() -> None:
    assert prepared(palette(None), background="white") == [[R, G]]
    assert prepared(palette(0), background="white") == [[W, G]]
    (row,) = prepared(palette(b"\x00\x80"), background="white")
    assert row[0] == W
    assert row[1] == pytest.approx(laid(G, 128, W), abs=1)


def test_gif_with_transparency() -> None:
    image = rows([0, 1], mode="P")
    image.putpalette([*R, *G])
    assert prepared(encode(image, "GIF", transparency=0), background="white") == [[W, G]]


@pytest.mark.parametrize(
    ("mode", "values", "key", "seen", "hidden"),
    [
        ("L", [16, 32], 16, [W, (32, 32, 32)], [(16, 16, 16), (32, 32, 32)]),
        ("RGB", [(1, 2, 3), (9, 9, 9)], (1, 2, 3), [W, (9, 9, 9)], [(1, 2, 3), (9, 9, 9)]),
        ("1", [255, 0], 255, [W, K], [W, K]),
        ("I;16", [4096, 4097], 4096, [W, (16, 16, 16)], [(16, 16, 16)] * 2),
        ("I;16", [65535, 65534], 65534, [W, W], [W, W]),
    ],
)
def test_one_transparent_colour(mode: str, values: list[Any], key: Any, seen: Any, hidden: Any) -> None:
    data = encode(rows(values, mode=mode), transparency=key)
    assert prepared(data, background="white") == [seen]
    assert prepared(data, background="drop") == [hidden]


def test_sixteen_bit_transparent_value_matches_exactly_from_both_sides() -> None:
    data = encode(rows([4095, 4096, 4097, 65535, 0], mode="I;16"), transparency=4096)
    grey = (16, 16, 16)
    assert prepared(data, background="#010203") == [[grey, (1, 2, 3), grey, W, K]]


def test_one_bit() -> None:
    assert prepared(encode(rows([0, 255, 0], mode="1"))) == [[K, W, K]]


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bit_grey_is_scaled_not_clipped(kind: str) -> None:
    values = [0, 128, 129, 257, 4096, 32768, 61440, 65535]
    wanted = [round(value / 257) for value in values]  # no halves among them
    assert prepared(encode(rows(values, mode="I;16"), kind)) == [[(grey, grey, grey) for grey in wanted]]


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_cmyk(kind: str) -> None:
    colours = [[(0, 255, 255, 0)] * 8 + [(0, 0, 0, 255)] * 8] * 8  # red ink, black ink
    data = encode(rows(*colours, mode="CMYK"), kind)
    row = prepared(data)[4]
    assert row[2] == pytest.approx(R, abs=4)
    assert row[13] == pytest.approx(K, abs=4)


def test_grey_jpeg() -> None:
    row = prepared(encode(rows(*[[90] * 8] * 8, mode="L"), "JPEG"))[0]
    assert row[0] == pytest.approx((90, 90, 90), abs=1)


def test_floating_point_pixels_are_refused() -> None:
    data = encode(rows([0.5, 1.0], mode="F"), "TIFF")
    with pytest.raises(UnsupportedMediaType, match="floating-point pixels; accepted are 8 and 16 bits a channel"):
        prepared(data)


def test_only_the_first_frame_counts() -> None:
    data = encode(rows([R]), "GIF", save_all=True, append_images=[rows([B])])
    assert prepared(data) == [[R]]
