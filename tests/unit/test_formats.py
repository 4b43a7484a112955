"""Opening: formats by their bytes, limits from the header; decoding: every failure one of our errors."""

import struct
import time
from io import BytesIO
from pathlib import Path
from typing import Any
from zlib import compress, crc32

import pytest
from PIL import Image

from helpers.images import encode, gradient, pixels, png_header, rows
from mlserverless.errors import ImageTooLarge, InvalidRequest, UndecodableImage, UnsupportedMediaType
from mlserverless.formats import EXAMPLES, PLUGINS, grey, guarded, open_image, prepare, sniff
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
    [
        ("JPEG", {}, 1200),
        ("JPEG", {"progressive": True}, 600),
        ("WEBP", {}, 300),
        ("AVIF", {}, 300),
        ("PNG", {}, 1200),
        ("PNG", {"transparency": (1, 2, 3)}, 600),
        ("TIFF", {}, 600),
        ("GIF", {}, 1200),
        ("BMP", {}, 1200),
    ],
)
def test_formats_that_decode_into_more_memory_get_a_part_of_the_pixels(
    kind: str, options: dict[str, Any], limit: int
) -> None:
    data = encode(PICTURE, kind, **options)  # 40 × 30 = 1,200 pixels
    most = 1200 * 1200 // limit
    assert open_image(data, formats=EVERY, max_pixels=most).size == (40, 30)
    with pytest.raises(ImageTooLarge, match=r"40 × 30 pixels; at most 1,199 are"):
        open_image(data, formats=EVERY, max_pixels=most - 1)


@pytest.mark.parametrize(
    ("mode", "kind", "options", "share"),
    [
        ("1", "PNG", {}, 1),
        ("L", "PNG", {"transparency": 3}, 1),
        ("P", "PNG", {"transparency": b"\0\x80"}, 1),
        ("I;16", "PNG", {}, 1),
        ("I;16", "PNG", {"transparency": 3}, 2),
        ("LA", "PNG", {}, 2),
        ("RGBA", "PNG", {}, 2),
        ("CMYK", "JPEG", {}, 2),
        ("CMYK", "JPEG", {"progressive": True}, 4),
    ],
)
def test_modes_that_become_rgb_beside_four_bytes_get_half(
    mode: str, kind: str, options: dict[str, Any], share: int
) -> None:
    data = encode(Image.new(mode, (40, 30)), kind, **options)
    assert open_image(data, max_pixels=1200 * share).size == (40, 30)
    with pytest.raises(ImageTooLarge, match="at most 1,199 are"):
        open_image(data, max_pixels=1200 * share - 1)


@pytest.mark.parametrize("size", [(1, 65_536), (65_536, 1)])
def test_strip_longer_than_any_picture_is_refused(size: tuple[int, int]) -> None:
    with pytest.raises(ImageTooLarge, match="at most 65,535 a side are accepted"):
        open_image(png_header(*size))
    assert max(open_image(png_header(*(side - 1 or 1 for side in size))).size) == 65_535


@pytest.mark.parametrize("lossless", [False, True])
@pytest.mark.parametrize("icc", [b"", b"profile"])  # with it, the canvas stands in VP8X
def test_webp_that_is_too_large_is_refused_before_the_plugin_sees_it(
    lossless: bool, icc: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = encode(gradient(41, 30), "WEBP", lossless=lossless, icc_profile=icc)
    assert open_image(data).size == (41, 30)
    monkeypatch.setattr("PIL.WebPImagePlugin.WebPImageFile.__init__", None)
    with pytest.raises(ImageTooLarge, match="41 × 30 pixels; at most 1,229"):
        open_image(data, max_pixels=41 * 30 * 4 - 1)


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", crc32(kind + data))


@pytest.mark.parametrize("kind", [b"zTXt", b"iCCP", b"iTXt", b"tEXt", b"acTL", b"prVt"])
@pytest.mark.parametrize("place", [33, -12], ids=["before the pixels", "after them"])
def test_chunks_beside_the_picture_are_not_read(kind: bytes, place: int) -> None:
    data, many = encode(PICTURE), chunk(kind, b"k\0\0" + compress(bytes(1 << 20))) * 100
    image = open_image(data[:place] + many + data[place:])
    assert pixels(prepare_image(image, (40, 30))) == pixels(PICTURE)
    assert image.info == {}


def test_transparent_colour_after_the_pixels_is_none() -> None:
    data = encode(PICTURE)
    image = open_image(data[:-12] + chunk(b"tRNS", bytes(6)) + data[-12:], max_pixels=1200)
    assert pixels(prepare_image(image, (40, 30), background="white")) == pixels(PICTURE)


def test_more_chunks_than_any_picture_has_are_refused() -> None:
    data = encode(PICTURE)
    assert open_image(data[:33] + chunk(b"prVt", b"") * 19_000 + data[33:]).size == (40, 30)
    with pytest.raises(ImageTooLarge, match="more than 20,000 chunks"):
        open_image(data[:33] + chunk(b"prVt", b"") * 20_000 + data[33:])


def tiff(order: str, *tags: tuple[int, int, int, int]) -> bytes:
    mark = {"<": b"II*\0", ">": b"MM\0*"}[order]
    listed = b"".join(
        struct.pack(f"{order}HHI", *tag[:3]) + struct.pack(f"{order}{'H2x' if tag[1] == 3 else 'I'}", tag[3])
        for tag in tags
    )
    return mark + struct.pack(f"{order}IH", 8, len(tags)) + listed + bytes(4)


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("kind", [3, 4], ids=["short", "long"])
def test_tiff_that_is_too_large_is_refused_before_the_plugin_sees_it(
    order: str, kind: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("PIL.TiffImagePlugin.TiffImageFile.__init__", None)
    with pytest.raises(ImageTooLarge, match="41 × 30 pixels; at most 1,229 are"):
        open_image(
            tiff(order, (256, kind, 1, 41), (257, kind, 1, 30)), formats=("tiff",), max_pixels=41 * 30 * 2 - 1
        )


def test_tiff_of_more_entries_or_values_than_any_picture_has_is_refused() -> None:
    sides = (256, 3, 1, 4), (257, 3, 1, 4)
    with pytest.raises(ImageTooLarge, match=r"directory has 1,002 entries; at most 1,000 are accepted\.$"):
        open_image(tiff("<", *sides, *[(tag, 3, 1, 0) for tag in range(1000, 2000)]), formats=("tiff",))
    with pytest.raises(ImageTooLarge, match=r"tag 273 has 100,001 values; at most 100,000 are accepted\.$"):
        open_image(tiff(">", *sides, (273, 4, 100_001, 8)), formats=("tiff",))
    with pytest.raises(UndecodableImage):  # a profile may be long; this one is not there
        open_image(tiff("<", *sides, (34_675, 7, 100_001, 8)), formats=("tiff",))


def test_junk_in_a_jpeg_is_skipped_as_far_as_there_is_little() -> None:
    data = encode(PICTURE, "JPEG")
    assert open_image(data[:2] + b"\xff" * 60_000 + data[2:]).size == (40, 30)
    with pytest.raises(UndecodableImage, match="no pixels follow"):
        open_image(data[:2] + b"\xff" * 66_000 + data[2:])


def segment(marker: int, data: bytes) -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">H", len(data) + 2) + data


def test_segments_beside_the_picture_are_not_read() -> None:
    data = encode(PICTURE, "JPEG")
    wrong = b"II*\0\x08\0\0\0\x02\0" + b"\x28\x01\x03\0\xff\xff\xff\xff\0\0\0\0" * 2  # Pillow warns of each
    more = segment(0xE1, b"Exif\0\0" + wrong) * 2 + segment(0xE2, b"MPF\0") + segment(0xFE, b"x")
    image = open_image(data[:2] + more + b"\0junk\xff\xff\xff\xd0\xff\x01" + data[2:])
    assert image.info["exif"] == b"Exif\0\0" + wrong
    assert "comment" not in image.info
    assert pixels(prepare_image(image, (40, 30))) == pixels(prepare_image(data, (40, 30)))


@pytest.mark.parametrize("end", [b"", b"\xff" * 100_000, b"\xff\xdb\0\1", b"\xff\xdb\xff\xff1", b"\xff\xdb\0"])
def test_jpeg_without_pixels_is_undecodable(end: bytes) -> None:
    start = time.perf_counter()
    with pytest.raises(UndecodableImage, match="truncated or corrupt: no pixels follow its header"):
        open_image(b"\xff\xd8" + segment(0xFE, b"x") + end)
    assert time.perf_counter() - start < 1


def test_jpeg_of_more_segments_than_any_picture_has_is_undecodable() -> None:
    with pytest.raises(UndecodableImage, match="no pixels follow"):
        open_image(b"\xff\xd8" + segment(0xFE, b"") * 20_000 + encode(PICTURE, "JPEG")[2:])


def test_baseline_jpeg_in_several_scans_gets_half_the_pixels() -> None:
    data = encode(PICTURE, "JPEG")
    at = data.index(b"\xff\xda\0\x0c\3")
    several = data[:at] + b"\xff\xda\0\x08\1" + data[at + 5 : at + 7] + b"\0\x3f\0" + data[at + 14 :]
    assert open_image(data, max_pixels=1200).size == (40, 30)
    with pytest.raises(ImageTooLarge, match="at most 600 are"):
        open_image(several, max_pixels=1200)


def test_jpeg_of_many_scans_is_refused() -> None:
    data = encode(PICTURE, "JPEG", progressive=True)
    last, end = data.rindex(b"\xff\xda"), len(data) - 2
    scans = data.count(b"\xff\xda")
    one = segment(0xFE, b"\xff\xd9") + data[last:end]  # the end within a comment is not the end

    def with_scans(number: int) -> bytes:
        return data[:end] + one * (number - scans) + data[end:] + one * 60  # what follows the end does not count

    assert open_image(with_scans(49)).size == (40, 30)
    with pytest.raises(ImageTooLarge, match="more than 50 scans"):
        open_image(with_scans(51))
    with pytest.raises(ImageTooLarge, match="more than 50 scans"):
        open_image(data[:end] + segment(0xFE, b"") * 20_000)
    assert open_image(data[:end] + b"\xff\x01\xff\xd8").size == (40, 30)


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
        ({"resize": "cubic"}, "resize is 'cubic'; accepted are nearest, lanczos, bilinear, bicubic, box, hamming"),
        ({"fit": "cover"}, "fit is 'cover'; accepted are stretch, crop, cut, pad, centre"),
        ({"decode": "slow"}, "decode is 'slow'; accepted are fast, whole, exact"),
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


def test_each_format_is_made_ready_and_those_accepted_by_default_have_an_example() -> None:
    assert tuple(EXAMPLES) == ("jpeg", "png", "webp")
    for example, kind in zip(prepare(EVERY), EXAMPLES, strict=True):
        image = prepare_image(open_image(example, formats=(kind,)), (4, 4))
        assert all(120 < value < 135 for value in image.tobytes())


def test_a_format_that_pillow_lacks_does_not_stop_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PLUGINS, "webp", ("NoSuchPlugin", "WEBP"))
    assert [sniff(example) for example in prepare(("webp", "png"))] == ["png"]


def test_grey_is_what_a_model_can_be_run_on_where_no_format_has_an_example() -> None:
    assert prepare(("gif", "bmp")) == []
    assert set(prepare_image(grey(), (4, 4)).tobytes()) == {127}
