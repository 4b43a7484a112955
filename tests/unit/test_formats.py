"""Opening: formats by their bytes, limits from the header; decoding: every failure one of our errors."""

import struct
import time
from io import BytesIO
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest
from PIL import Image

from helpers.images import encode, gradient, pixels, png_header, rows
from mlserverless.errors import ImageTooLarge, InvalidRequest, UndecodableImage, UnsupportedMediaType
from mlserverless.formats import PLUGINS, guarded, open_image, sniff
from mlserverless.prepare import prepare_image

EVERY = tuple(PLUGINS)
KINDS = {"jpeg": "JPEG", "png": "PNG", "webp": "WEBP", "gif": "GIF", "bmp": "BMP", "tiff": "TIFF", "avif": "AVIF"}
PICTURE = gradient(40, 30)


@pytest.mark.parametrize("kind", EVERY)
def test_format_is_told_from_the_bytes_and_opened(kind: str) -> None:
    data = encode(PICTURE, KINDS[kind])
    assert sniff(data) == kind
    image = open_image(data, formats=EVERY)
    assert (image.format, image.size) == (KINDS[kind], (40, 30))


@pytest.mark.parametrize("head", [b"MM\0*", b"GIF87a", b"\0\0\0\x20ftypavis"])
def test_other_beginnings_of_known_formats(head: bytes) -> None:
    assert sniff(head + b"....") in ("tiff", "gif", "avif")


@pytest.mark.parametrize(
    "data", [b"", b"\xff\xd8", b"\x89PNG", b"RIFF....WAVE", b"<svg/>", b"%PDF-1.7", b"....ftypmp42"]
)
def test_other_bytes_are_no_format(data: bytes) -> None:
    assert sniff(data) == ""


@pytest.mark.parametrize("kind", ["gif", "bmp", "tiff", "avif"])
def test_format_that_is_not_accepted_is_named_with_those_that_are(kind: str) -> None:
    with pytest.raises(UnsupportedMediaType) as caught:
        open_image(encode(PICTURE, KINDS[kind]))
    assert str(caught.value) == f"The image is of the format {kind}; accepted are jpeg, png, webp."


@pytest.mark.parametrize("data", [b"hello, I am a text file\n", b"\0" * 100, b"<!doctype html><html>"])
def test_bytes_of_no_format_are_unsupported(data: bytes) -> None:
    with pytest.raises(UnsupportedMediaType, match="not an image of a known format; accepted are jpeg, png, webp"):
        open_image(data)


def test_empty_image_says_that_it_is_empty() -> None:
    with pytest.raises(UndecodableImage, match="The image is empty: it has 0 bytes"):
        open_image(b"")


@pytest.mark.parametrize("kind", EVERY)
def test_format_that_breaks_off_after_its_beginning_is_undecodable(kind: str) -> None:
    with pytest.raises(UndecodableImage, match=r"^The image is truncated or corrupt: .+\.$"):
        prepare_image(open_image(encode(PICTURE, KINDS[kind])[:16], formats=EVERY), (4, 4))


@pytest.mark.parametrize("kind", ["jpeg", "png", "webp"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_image_truncated_in_its_pixels_is_undecodable(kind: str, share: float) -> None:
    data = encode(gradient(200, 200), KINDS[kind])
    with pytest.raises(UndecodableImage, match="truncated or corrupt"):
        prepare_image(data[: int(len(data) * share)], (8, 8))


@pytest.mark.parametrize("decode", ["fast", "exact"])
def test_truncated_photo_is_undecodable(photos: Path, decode: str) -> None:
    data = (photos / "china.jpg").read_bytes()
    image = open_image(data[: len(data) // 2])
    with pytest.raises(UndecodableImage, match="truncated"):
        prepare_image(image, (224, 224), resize="bilinear", decode=decode)


def test_size_is_refused_from_the_header_before_anything_is_decoded() -> None:
    start = time.perf_counter()
    with pytest.raises(ImageTooLarge) as caught:
        open_image(png_header(20_000, 10_000))
    assert str(caught.value) == "The image has 20000 × 10000 pixels; at most 50,000,000 are accepted."
    assert time.perf_counter() - start < 1


def test_exactly_the_limit_is_accepted() -> None:
    assert open_image(png_header(1000, 500), max_pixels=500_000).size == (1000, 500)
    with pytest.raises(ImageTooLarge, match="at most 499,999 are accepted"):
        open_image(png_header(1000, 500), max_pixels=499_999)


@pytest.mark.parametrize(
    ("kind", "options", "limit"),
    [("JPEG", {}, 1200), ("JPEG", {"progressive": True}, 600), ("WEBP", {}, 600), ("PNG", {}, 1200)],
)
def test_formats_that_decode_into_twice_the_memory_get_half_the_pixels(
    kind: str, options: dict[str, Any], limit: int
) -> None:
    data = encode(PICTURE, kind, **options)  # 40 × 30 = 1,200 pixels
    assert open_image(data, max_pixels=1200 * 1200 // limit).size == (40, 30)
    with pytest.raises(ImageTooLarge, match=r"40 × 30 pixels"):
        open_image(data, max_pixels=1200 * 1200 // limit - 1)


def test_announced_size_that_the_pixels_do_not_fill_is_undecodable() -> None:
    with pytest.raises(UndecodableImage, match="truncated"):
        prepare_image(png_header(300, 300), (8, 8))


def test_png_with_a_broken_checksum_is_undecodable() -> None:
    data = bytearray(encode(gradient(64, 64)))
    data[29] ^= 1  # within IHDR's CRC
    assert struct.unpack(">I", data[29:33])[0] != crc32(data[12:29])
    with pytest.raises(UndecodableImage, match="truncated or corrupt"):
        prepare_image(bytes(data), (8, 8))


FOREIGN = [
    OSError("broken data stream"),
    SyntaxError("not a PNG file"),
    ValueError("bad value"),
    RuntimeError("decoder"),
    NotImplementedError("unknown compression"),
    struct.error("unpack requires 4 bytes"),
    IndexError("index out of range"),
    KeyError(3),
    TypeError("t"),
    EOFError(),
    OverflowError("o"),
    ZeroDivisionError("z"),
    Image.DecompressionBombError("too many"),
    Image.DecompressionBombWarning("many"),
]


@pytest.mark.parametrize("error", FOREIGN, ids=lambda error: type(error).__name__)
def test_whatever_pillow_raises_is_undecodable_with_its_reason(error: Exception) -> None:
    with pytest.raises(UndecodableImage) as caught, guarded():
        raise error
    assert str(caught.value) == f"The image is truncated or corrupt: {str(error) or type(error).__name__}."
    assert caught.value.__cause__ is error


def test_lack_of_memory_is_too_large() -> None:
    with pytest.raises(ImageTooLarge, match="does not fit into the function's memory"), guarded():
        raise MemoryError


def test_our_own_errors_pass() -> None:
    with pytest.raises(InvalidRequest, match=r"^x$"), guarded():
        raise InvalidRequest("x")


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit])
def test_what_stops_the_process_passes(stop: type[BaseException]) -> None:
    with pytest.raises(stop), guarded():
        raise stop


def test_bit_flips_end_in_an_image_or_in_our_errors() -> None:
    for kind in ("JPEG", "PNG", "WEBP"):
        data = encode(gradient(48, 48), kind)
        for place in range(0, len(data), max(1, len(data) // 150)):
            flipped = bytearray(data)
            flipped[place] ^= 0x55
            try:
                image = prepare_image(bytes(flipped), (8, 8), background="white")
            except (UndecodableImage, UnsupportedMediaType, ImageTooLarge):
                continue
            assert (image.mode, image.size) == ("RGB", (8, 8))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"resize": "cubic"}, "resize is 'cubic'; accepted are nearest, lanczos, bilinear, bicubic, box"),
        ({"fit": "cover"}, "fit is 'cover'; accepted are stretch, crop, pad"),
        ({"decode": "slow"}, "decode is 'slow'; accepted are fast, exact"),
        ({"background": "red"}, "background is 'red'; accepted are white, black, drop and #rrggbb"),
    ],
)
def test_wrong_argument_is_the_callers_mistake_and_not_the_images(wrong: dict[str, str], said: str) -> None:
    with pytest.raises(ValueError, match=f"^{said}$"):
        prepare_image(PICTURE, (4, 4), **wrong)  # type: ignore[arg-type]


def test_pillow_images_are_taken_and_left_alone() -> None:
    image = Image.open(BytesIO(encode(PICTURE)))
    assert pixels(prepare_image(image, (40, 30))) == pixels(PICTURE)
    assert image.size == (40, 30)
    assert rows([(1, 2, 3)]).size == (1, 1)
