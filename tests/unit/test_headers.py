"""What is read of a file before Pillow sees it: its size, and the parts that make the picture."""

import struct
import zlib

import pytest
from PIL import Image

from helpers.images import encode, gradient, pixels
from mlserverless import headers
from mlserverless.errors import ImageTooLarge, UndecodableImage
from mlserverless.prepare import prepare_image

PICTURE = gradient(37, 21)


def chunk(kind: bytes, data: bytes = b"") -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def with_chunks(png: bytes, *chunks: bytes) -> bytes:
    """Return ``png`` with ``chunks`` after its header."""
    return png[:33] + b"".join(chunks) + png[33:]


def test_png_without_more_is_left_as_it_is() -> None:
    plain = encode(PICTURE)
    assert headers.png(plain) == plain


def test_png_keeps_what_makes_the_picture_only() -> None:
    plain = encode(PICTURE)
    text, profile = chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(1000))), chunk(b"iCCP", b"x\0\0y")
    assert headers.png(with_chunks(plain, text, profile, text)) == plain
    exif = chunk(b"eXIf", b"MM\0*")
    assert headers.png(with_chunks(plain, exif)).count(b"eXIf") == 1
    assert headers.png(with_chunks(plain, exif, exif)).count(b"eXIf") == 1


@pytest.mark.parametrize("kind", [b"pHYs", b"tIME", b"gAMA", b"cHRM", b"sRGB"])
def test_png_of_which_nothing_needs_to_be_left_out_is_not_copied(kind: bytes) -> None:
    """A copy of a large one would take longer than the chunk is worth."""
    lengths = {b"pHYs": 9, b"tIME": 7, b"gAMA": 4, b"cHRM": 32, b"sRGB": 1}
    plain = encode(PICTURE)
    given = with_chunks(plain, chunk(kind, bytes(lengths[kind])))
    assert headers.png(plain) is plain
    assert headers.png(given) is given
    assert pixels(prepare_image(given, PICTURE.size)) == pixels(PICTURE)


@pytest.mark.parametrize(
    "broken",
    [
        chunk(b"gAMA", b"ab"),
        chunk(b"pHYs"),
        chunk(b"sRGB"),
        chunk(b"cHRM", b"a"),
        chunk(b"pHYs", bytes(9))[:-4] + b"bad!",
        chunk(b"pHYs", bytes(65)),
        chunk(b"tIME", bytes(1_000_000)),
    ],
    ids=lambda data: str(data[4:12]),
)
def test_png_with_a_broken_harmless_chunk_is_still_read(broken: bytes) -> None:
    given = with_chunks(encode(PICTURE), broken)
    assert pixels(prepare_image(given, PICTURE.size)) == pixels(PICTURE)


@pytest.mark.parametrize(("kind", "length"), [(b"pHYs", 9), (b"tIME", 7), (b"gAMA", 4)])
def test_png_with_a_harmless_chunk_among_the_pixels_is_rebuilt(kind: bytes, length: int) -> None:
    """The pixels end there for Pillow, which finds the file truncated; browsers leave the chunk out."""
    large = gradient(40, 30)
    plain = encode(large)
    at = plain.index(b"IDAT") - 4
    size = int.from_bytes(plain[at : at + 4])
    data, rest = plain[at + 8 : at + 8 + size], plain[at + 12 + size :]
    halves = chunk(b"IDAT", data[: size // 2]), chunk(b"IDAT", data[size // 2 :])
    given = plain[:at] + halves[0] + chunk(kind, bytes(length)) + halves[1] + rest
    assert headers.png(given) == plain[:at] + b"".join(halves) + rest
    assert pixels(prepare_image(given, large.size)) == pixels(large)


@pytest.mark.parametrize("kind", [b"zTXt", b"iCCP", b"tEXt", b"acTL", b"xxXx", b"eXIf"])
def test_png_of_which_something_is_left_out_is_another(kind: bytes) -> None:
    given = with_chunks(encode(PICTURE), chunk(kind, b"ab"))
    assert headers.png(given) != given or kind == b"eXIf"
    assert isinstance(headers.png(given), bytes)


@pytest.mark.parametrize("kind", [b"PLTE", b"tRNS"])
def test_png_keeps_no_table_that_comes_after_the_pixels(kind: bytes) -> None:
    plain = encode(PICTURE)
    end = plain.rindex(b"IEND") - 4
    assert headers.png(plain[:end] + chunk(kind, bytes(6)) + plain[end:]) == plain


def test_png_of_too_many_chunks_is_too_large() -> None:
    many = [chunk(b"tEXt", b"a\0b")] * headers.MAX_PARTS
    with pytest.raises(ImageTooLarge, match=r"^The image has more than 20,000 chunks\.$"):
        headers.png(with_chunks(encode(PICTURE), *many))


def test_png_that_breaks_off_is_for_the_decoder_to_tell() -> None:
    plain = encode(PICTURE)
    assert headers.png(plain[:-20]).startswith(plain[:33])


@pytest.mark.parametrize(("options", "scans"), [({}, 1), ({"progressive": True}, 10)])
def test_jpeg_keeps_its_tables_and_first_exif_block(options: dict[str, bool], scans: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    plain = encode(PICTURE, "JPEG", exif=exif, comment=b"hello", **options)
    kept, block, found = headers.jpeg(plain)
    assert block.startswith(b"Exif\0\0")
    assert b"hello" not in kept
    assert b"Exif" not in kept
    assert found == scans
    assert kept.startswith(b"\xff\xd8\xff\xe0")
    assert plain.endswith(kept[-100:])


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"quality": 95}, {"optimize": True}])
def test_jpeg_of_which_nothing_is_left_out_is_not_copied(options: dict[str, bool]) -> None:
    plain = encode(PICTURE, "JPEG", **options)
    kept, block, _ = headers.jpeg(plain)
    assert kept is plain
    assert block == b""


@pytest.mark.parametrize("more", [b"\xff\xfe\x00\x04hi", b"\xff\xed\x00\x02", b"\xff", b"\0\0"])
def test_jpeg_of_which_something_is_left_out_is_the_rest(more: bytes) -> None:
    """Between two segments: a comment, a profile, a fill byte, junk."""
    plain = encode(PICTURE, "JPEG")
    kept, _, scans = headers.jpeg(plain[:20] + more + plain[20:])
    assert (kept, scans) == (plain, 1)
    assert isinstance(kept, bytes)


@pytest.mark.parametrize("data", [b"\xff\xd8\xff", b"\xff\xd8\xff\xd9", b"\xff\xd8\xff\xe0\x00\x01"])
def test_jpeg_without_pixels_is_undecodable(data: bytes) -> None:
    with pytest.raises(UndecodableImage, match=r"no pixels follow its header\.$"):
        headers.jpeg(data)


def test_jpeg_of_too_many_scans_is_too_large() -> None:
    plain = encode(PICTURE, "JPEG", progressive=True)
    scan = plain.rindex(b"\xff\xda")
    again = plain[scan:-2]
    with pytest.raises(ImageTooLarge, match=r"^The image has more than 50 scans\.$"):
        headers.jpeg(plain[:-2] + again * 60 + plain[-2:])


@pytest.mark.parametrize("options", [{}, {"lossless": True}, {"exif": b"Exif\0\0MM\0*"}])
def test_size_of_every_kind_of_webp(options: dict[str, object]) -> None:
    assert headers.webp_size(encode(PICTURE, "WEBP", **options)) == (37, 21)


@pytest.mark.parametrize("big", [False, True])
def test_size_of_a_tiff(big: bool) -> None:
    order = ">" if big else "<"
    entries = struct.pack(order + "HHIHH", 256, 3, 1, 37, 0) + struct.pack(order + "HHII", 257, 4, 1, 70_000)
    start = b"MM\0*" if big else b"II*\0"
    assert headers.tiff_size(start + struct.pack(order + "IH", 8, 2) + entries) == (37, 70_000)
    assert headers.tiff_size(encode(PICTURE, "TIFF")) == (37, 21)


@pytest.mark.parametrize(
    ("count", "values", "said"), [(1001, 1, "directory has 1,001 entries"), (1, 100_001, "100,001 values")]
)
def test_tiff_of_too_many_parts_is_too_large(count: int, values: int, said: str) -> None:
    entry = struct.pack("<HHII", 273, 4, values, 0)
    with pytest.raises(ImageTooLarge, match=said):
        headers.tiff_size(b"II*\0" + struct.pack("<IH", 8, count) + entry * count)
