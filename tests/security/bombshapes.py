"""The bombs: (name, what they must come to, bytes). The first word of a name is the format."""

import struct
from collections.abc import Iterator
from io import BytesIO
from typing import Any
from zlib import compress

from PIL import Image

from security.mutants import chunk, part, segment

LARGE, BROKEN, FINE = "image-too-large", "undecodable-image", "decoded"
Bomb = tuple[str, str, bytes]


def bombs() -> Iterator[Bomb]:
    """Yield every bomb, made now."""
    yield from jpegs()
    yield from pngs()
    yield from webps()
    yield from others()
    yield from tiffs()


def encode(image: Image.Image, kind: str, **options: Any) -> bytes:
    """Return ``image`` encoded by Pillow."""
    image.save(out := BytesIO(), kind, **options)
    return out.getvalue()


def small(kind: str, mode: str = "RGB", **options: Any) -> bytes:
    """Return a harmless image of 16 × 16 pixels."""
    return encode(Image.new(mode, (16, 16)), kind, **options)


def put(data: bytes, at: int, value: bytes) -> bytes:
    """Return ``data`` with ``value`` written over what stands at ``at``."""
    assert 0 <= at <= len(data) - len(value)
    return data[:at] + value + data[at + len(value) :]


def jpeg(width: int, height: int, **options: Any) -> bytes:
    """Return a JPEG that announces a size it does not fill."""
    data = small("JPEG", **options)
    frame = data.index(b"\xff\xc2" if options.get("progressive") else b"\xff\xc0")
    return put(data, frame + 5, struct.pack(">HH", height, width))


def entries(number: int, kind: int, count: int) -> bytes:
    """Return a TIFF directory whose ``number`` entries all point to the same ``count`` values."""
    listed = (struct.pack("<HHII", tag, kind, count, 8) for tag in range(1, number + 1))
    return b"II*\0\x08\0\0\0" + struct.pack("<H", number) + b"".join(listed) + bytes(4)


def exif(block: bytes) -> bytes:
    """Return ``block`` as the Exif segments of a JPEG."""
    parts = (block[at : at + 65_000] for at in range(0, len(block), 65_000))
    return b"".join(segment(0xE1, b"Exif\0\0" + part) for part in parts)


def jpegs() -> Iterator[Bomb]:
    """Sizes, scans, metadata."""
    data = small("JPEG")
    yield "jpeg, baseline, 20000 × 20000", LARGE, jpeg(20_000, 20_000)
    yield "jpeg, progressive, just over half the limit", LARGE, jpeg(5000, 5001, progressive=True)
    first = data.index(b"\xff\xda")
    one = put(data[: first + 10] + data[first + 14 :], first + 2, b"\0\x08\1")  # of three components
    frame = one.index(b"\xff\xc0")
    yield "jpeg, baseline in several scans, 50 MP", LARGE, put(one, frame + 5, struct.pack(">HH", 7071, 7071))
    yield (
        "jpeg, CMYK, 50 MP",
        LARGE,
        put(cmyk := small("JPEG", "CMYK"), cmyk.index(b"\xff\xc0") + 5, b"\x1b\x9f" * 2),
    )
    large = encode(Image.new("L", (4900, 4900)), "JPEG", progressive=True)
    last, end = large.rindex(b"\xff\xda"), len(large) - 2
    yield "jpeg, progressive, 24 MP, 2,000 scans", LARGE, large[:end] + large[last:end] * 2000 + large[end:]
    yield "jpeg, an endless header", BROKEN, data[:2] + segment(0xFE, b"") * 2_000_000 + data[2:]
    yield "jpeg, 9 MB of fill bytes", BROKEN, data[:2] + b"\xff" * 9_000_000
    yield "jpeg, 65,000 wrong Exif entries", FINE, data[:2] + exif(entries(65_000, 3, 4_000_000)) + data[2:]
    yield (
        "jpeg, Exif entries of 9 MB",
        FINE,
        data[:2] + exif(entries(2, 3, 4_400_000) + bytes(8_900_000)) + data[2:],
    )
    yield (
        "jpeg, colour profiles of 255 segments, none complete",
        FINE,
        (data[:2] + segment(0xE2, b"ICC_PROFILE\0\2\xff" + bytes(60_000)) * 150 + data[2:]),
    )


def png(
    width: int, height: int, *, depth: int = 8, colour: int = 2, interlace: int = 0, more: bytes = b""
) -> bytes:
    """Return a PNG that announces a size it does not fill."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace)
    pixels = chunk(b"IDAT", compress(bytes(1000)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + more + pixels + chunk(b"IEND", b"")


def pngs() -> Iterator[Bomb]:
    """Sizes, animation, and what is inflated beside the picture."""
    data, million = small("PNG"), compress(bytes(1 << 20), 9)
    yield "png, 20000 × 10000", LARGE, png(20_000, 10_000)
    yield "png, interlaced, 20000 × 20000", LARGE, png(20_000, 20_000, interlace=1)
    yield "png, with alpha, 7000 × 7000", LARGE, png(7000, 7000, colour=6)
    yield "png, 16 bits with alpha, 7000 × 7000", LARGE, png(7000, 7000, depth=16, colour=6)
    yield "png, 1 bit, 2³¹ − 1 × 2³¹ − 1", LARGE, png(2**31 - 1, 2**31 - 1, depth=1, colour=0)
    yield "png, 1 × 50,000,001", LARGE, png(1, 50_000_001)
    yield "png, 50,000,001 × 1", LARGE, png(50_000_001, 1)
    yield "png, 1 × 50,000,000", LARGE, png(1, 50_000_000)
    frames = struct.pack(">IIIIIHHBB", 0, 20_000, 20_000, 0, 0, 1, 1, 0, 0)
    animated = chunk(b"acTL", struct.pack(">II", 2**31 - 1, 0)) + chunk(b"fcTL", frames)
    yield "png, animated, 20000 × 20000", LARGE, png(20_000, 20_000, more=animated)
    yield "png, animated, 2³¹ − 1 frames", FINE, data[:33] + animated[:20] + data[33:]
    gigabyte = compress(bytes(1 << 27), 9)
    yield "png, zTXt of 128 MB", FINE, data[:33] + chunk(b"zTXt", b"k\0\0" + gigabyte) + data[33:]
    yield "png, iCCP of 128 MB", FINE, data[:33] + chunk(b"iCCP", b"k\0\0" + gigabyte) + data[33:]
    yield "png, 5,000 iCCP of 1 MB", FINE, data[:33] + chunk(b"iCCP", b"k\0\0" + million) * 5000 + data[33:]
    yield (
        "png, 60 zTXt of 1 MB after the pixels",
        FINE,
        (data[:-12] + b"".join(chunk(b"zTXt", b"%d\0\0" % key + million) for key in range(60)) + data[-12:]),
    )
    yield "png, IDAT of 128 MB for 256 pixels", FINE, data[:33] + chunk(b"IDAT", gigabyte) + chunk(b"IEND", b"")
    yield "png, 800,000 chunks", LARGE, data[:33] + chunk(b"abCd", b"") * 800_000 + data[33:]
    yield "png, 800,000 empty IDAT", LARGE, data[:33] + chunk(b"IDAT", b"") * 800_000 + data[33:]


def canvas(width: int, height: int, flags: int, *parts: bytes) -> bytes:
    """Return a WebP of a canvas and ``parts``."""
    sides = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    body = b"WEBP" + part(b"VP8X", bytes([flags, 0, 0, 0]) + sides) + b"".join(parts)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def webps() -> Iterator[Bomb]:
    """Both codecs, and the canvas of an animation."""
    lossy, lossless = small("WEBP"), small("WEBP", lossless=True)
    yield "webp, lossy, 16383 × 16383", LARGE, put(lossy, lossy.index(b"\x9d\x01\x2a") + 3, b"\xff\x3f" * 2)
    sides = 16_383 | 16_383 << 14
    yield (
        "webp, lossless, 16384 × 16384",
        LARGE,
        put(lossless, lossless.index(b"VP8L") + 9, struct.pack("<I", sides)),
    )
    yield (
        "webp, lossy, 3600 × 3500",
        LARGE,
        put(lossy, lossy.index(b"\x9d\x01\x2a") + 3, struct.pack("<HH", 3600, 3500)),
    )
    frame = bytes(6) + (15).to_bytes(3, "little") * 2 + bytes(4) + lossless[12:]
    still = [part(b"ANIM", bytes(6)), part(b"ANMF", frame)]
    yield "webp, animated, 2²⁴ × 2²⁴", LARGE, canvas(1 << 24, 1 << 24, 2, *still)
    yield "webp, animated, 4000 × 4000", LARGE, canvas(4000, 4000, 2, *still)
    yield "webp, animated, 50,000 frames", FINE, canvas(16, 16, 2, still[0], still[1] * 50_000)
    yield (
        "webp, Exif of 9 MB",
        FINE,
        canvas(16, 16, 8, lossy[12:], part(b"EXIF", entries(3, 3, 4_400_000) + bytes(9_000_000))),
    )


def others() -> Iterator[Bomb]:
    """GIF, BMP, AVIF."""
    gif, bmp, avif = small("GIF", "L"), small("BMP"), small("AVIF")
    yield "gif, a screen of 65535 × 65535", LARGE, put(gif, 6, b"\xff" * 4)
    place = gif.index(b"\x2c\0\0\0\0\x10\0\x10\0")
    yield "gif, a frame of 65535 × 65535", BROKEN, put(gif, place + 5, b"\xff" * 4)
    comment = b"\x21\xfe" + b"\xff" + b"x" * 255
    yield (
        "gif, a comment of 9 MB",
        FINE,
        gif[:place] + b"\x21\xfe" + (b"\xff" + b"x" * 255) * 35_000 + b"\0" + gif[place:],
    )
    yield "gif, 35,000 comments", FINE, gif[:place] + (comment + b"\0") * 35_000 + gif[place:]
    yield "bmp, 20000 × 20000", LARGE, put(bmp, 18, struct.pack("<ii", 20_000, 20_000))
    yield "bmp, from the top, 2³¹ − 1 × 2³¹ − 1", LARGE, put(bmp, 18, struct.pack("<ii", 2**31 - 1, -(2**31) + 1))
    yield (
        "bmp, run lengths, 65536 × 65536",
        LARGE,
        put(put(small("BMP", "L"), 18, struct.pack("<ii", 65_536, 65_536)), 30, struct.pack("<I", 1)),
    )
    sides = avif.index(b"ispe") + 8
    yield "avif, a header of 10000 × 10000", LARGE, put(avif, sides, struct.pack(">II", 10_000, 10_000))
    yield (
        "avif, 100 MP that are there",
        LARGE,
        encode(Image.new("L", (10_000, 10_000)), "AVIF", speed=10, quality=1, autotiling=True),
    )


def tiff(width: int, height: int, *, strips: int = 1, rows: int = 0, more: int = 0) -> bytes:
    """Return a grey TIFF of ``strips`` strips (all the same bytes) and ``more`` entries that mean nothing."""
    body = bytes(8) + bytes(1000)
    offsets, body = len(body), body + struct.pack("<I", 8) * strips
    counts, body = len(body), body + struct.pack("<I", 100) * strips
    tags = [(256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1)]
    tags += [(273, 4, strips, offsets if strips > 1 else 8), (277, 3, 1, 1), (278, 4, 1, rows or height)]
    tags += [(279, 4, strips, counts if strips > 1 else 100)]
    tags += [(tag, 4, 100, 8) for tag in range(1000, 1000 + more)]
    listed = struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", *tag) for tag in tags) + bytes(4)
    return put(body, 0, b"II*\0" + struct.pack("<I", len(body))) + listed


def tiffs() -> Iterator[Bomb]:
    """Sizes, strips, tags."""
    yield "tiff, 20000 × 20000", LARGE, tiff(20_000, 20_000)
    yield "tiff, 2³² − 1 × 2³² − 1", LARGE, tiff(2**32 - 1, 2**32 - 1)
    yield "tiff, 1,000,000 strips", LARGE, tiff(1, 1_000_000, strips=1_000_000, rows=1)
    yield "tiff, 16 × 16 in 1,000,000 strips", LARGE, tiff(16, 16, strips=1_000_000, rows=1)
    yield "tiff, 60,000 tags", LARGE, tiff(16, 16, more=60_000)
