"""The golden pictures: (name, bytes, the right pixels, background, tolerance)."""

import struct
from collections.abc import Callable
from io import BytesIO
from typing import Any
from zlib import compress

from PIL import Image

from security.mutants import chunk, part, segment

R, G, B, W, K = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0)
Given = tuple[Any, ...]

# What stands where in the file; the upright picture is R G / B W. Exif 2.32, 4.6.4, tag 274, says where in the
# picture the file's first row and first column are.
STORED = {
    1: ([R, G], [B, W]),  # the top, the left side
    2: ([G, R], [W, B]),  # the top, the right side
    3: ([W, B], [G, R]),  # the bottom, the right side
    4: ([B, W], [R, G]),  # the bottom, the left side
    5: ([R, B], [G, W]),  # the left side, the top
    6: ([G, W], [R, B]),  # the right side, the top
    7: ([W, G], [B, R]),  # the right side, the bottom
    8: ([B, R], [W, G]),  # the left side, the bottom
}
UPRIGHT = [[R, G], [B, W]]


def encode(image: Image.Image, kind: str, **options: Any) -> bytes:
    """Return ``image`` encoded by Pillow."""
    image.save(out := BytesIO(), kind, **options)
    return out.getvalue()


def picture(rows: Any, times: int = 1) -> Image.Image:
    """Return an RGB image of ``rows``, each pixel a square of ``times``."""
    flat = [pixel for row in rows for _ in range(times) for pixel in row for _ in range(times)]
    size = len(rows[0]) * times, len(rows) * times
    return Image.frombytes("RGB", size, b"".join(map(bytes, flat)))


def grown(rows: Any, times: int) -> list[list[tuple[int, int, int]]]:
    """Return the pixels of :func:`picture`."""
    return [[pixel for pixel in row for _ in range(times)] for row in rows for _ in range(times)]


def png(width: int, depth: int, colour: int, *lines: bytes, more: bytes = b"") -> bytes:
    """Return a PNG made by hand of ``lines``, without filters (PNG specification, 11.2.2 and 9.2)."""
    header = struct.pack(">IIBBBBB", width, len(lines), depth, colour, 0, 0, 0)
    pixels = chunk(b"IDAT", compress(b"".join(b"\0" + line for line in lines)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + more + pixels + chunk(b"IEND", b"")


def wide(*values: int) -> bytes:
    """Return ``values`` in 16 bits each."""
    return struct.pack(f">{len(values)}H", *values)


def grey(*values: int) -> list[list[tuple[int, int, int]]]:
    """Return one row of greys."""
    return [[(value, value, value) for value in values]]


def orientations() -> list[Given]:
    """Eight each in JPEG, PNG and WebP, in both byte orders; squares of 16 in JPEG, whose blocks are 8 × 8."""
    cases: list[Given] = []
    for value, rows in STORED.items():
        little = b"II*\0\x08\0\0\0\x01\0" + struct.pack("<HHIHH", 0x0112, 3, 1, value, 0) + bytes(4)
        big = b"MM\0*\0\0\0\x08\0\x01" + struct.pack(">HHIHH", 0x0112, 3, 1, value, 0) + bytes(4)
        jpeg = encode(picture(rows, 16), "JPEG", quality=100, subsampling=0)
        plain = encode(picture(rows), "PNG")
        webp = encode(picture(rows), "WEBP", lossless=True)
        canvas = part(b"VP8X", b"\x08\0\0\0\1\0\0\1\0\0") + webp[12:]
        for order, block in (("II", little), ("MM", big)):
            exif = segment(0xE1, b"Exif\0\0" + block)
            body = b"WEBP" + canvas + part(b"EXIF", block)
            named = f"orientation {value}, {order}"
            cases += [
                (f"JPEG, {named}", jpeg[:2] + exif + jpeg[2:], grown(UPRIGHT, 16), "white", 4),
                (f"PNG, {named}", plain[:33] + chunk(b"eXIf", block) + plain[33:], UPRIGHT),
                (f"WebP, {named}", b"RIFF" + struct.pack("<I", len(body)) + body, UPRIGHT),
            ]
    return cases


def inks() -> list[Given]:
    """CMYK: cyan takes away red, and so on; black takes away all. Adobe's files hold what is left, not the ink.

    No standard says what a file without Adobe's marker holds; browsers take it as Adobe's, and so do we.
    """
    none, cyan, magenta, yellow, black = (
        (0, 0, 0, 0),
        (255, 0, 0, 0),
        (0, 255, 0, 0),
        (0, 0, 255, 0),
        (0, 0, 0, 255),
    )
    stripes = [none, cyan, magenta, yellow, black]
    wanted = [[W, (0, 255, 255), (255, 0, 255), (255, 255, 0), K]]
    image = Image.frombytes("CMYK", (80, 16), b"".join(bytes(ink) * 16 for ink in stripes) * 16)
    adobe = encode(image, "JPEG", quality=100, subsampling=0)  # Pillow writes Adobe's marker and inverts
    at = adobe.index(b"\xff\xee")
    assert adobe[at + 4 : at + 9] == b"Adobe"
    assert adobe[at + 15] == 0  # no transform: the four components are the inks, inverted
    plain = adobe[:at] + adobe[at + 16 :]
    return [
        ("CMYK, Adobe", adobe, grown(wanted, 16), "white", 4),
        ("CMYK, without Adobe's marker", plain, grown(wanted, 16), "white", 4),
        ("CMYK, TIFF", encode(image, "TIFF"), grown(wanted, 16)),
    ]


def sixteen() -> list[Given]:
    """16 bits a channel: round(value / 257) of 0 … 65535; RGB, as it is stored, by its upper byte."""
    line = wide(0, 4096, 32_768, 61_440, 65_535)
    key = chunk(b"tRNS", wide(4096))
    tiff = encode(Image.frombytes("I;16", (5, 1), struct.pack("<5H", 0, 4096, 32_768, 61_440, 65_535)), "TIFF")
    colours = wide(0, 32_896, 65_535, 257, 514, 771)
    return [
        ("PNG, 16-bit grey", png(5, 16, 0, line), grey(0, 16, 128, 239, 255)),
        ("TIFF, 16-bit grey", tiff, grey(0, 16, 128, 239, 255)),
        ("PNG, 16-bit grey, transparent value", png(5, 16, 0, line, more=key), grey(0, 255, 128, 239, 255)),
        ("PNG, 16-bit RGB", png(2, 16, 2, colours), [[(0, 128, 255), (1, 2, 3)]]),
        ("PNG, 16-bit RGBA", png(2, 16, 6, wide(65_535, 0, 0, 65_535, 0, 0, 0, 0)), [[R, W]]),
        ("PNG, 16-bit grey + alpha", png(2, 16, 4, wide(25_700, 65_535, 25_700, 0)), grey(100, 255)),
    ]


def transparency() -> list[Given]:
    """On white, black and a colour, and dropped; half of alpha 51 is a fifth: 255 · 0.2 + under · 0.8."""
    line = bytes((*R, 255, *R, 51, *G, 0))
    table = chunk(b"PLTE", bytes((*R, *G, *B))) + chunk(b"tRNS", bytes([255, 51, 0]))
    indices = bytes([0, 1, 2])
    both = bytes([200, 255, 200, 51, 200, 0])
    cases: list[Given] = []
    for ground, under in (("white", W), ("black", K), ("#0a141e", (10, 20, 30))):
        red, green, light = (tuple(round(c * 0.2 + u * 0.8) for c, u in zip(colour, under, strict=True))
                             for colour in (R, G, (200, 200, 200)))  # fmt: skip
        cases += [
            (f"RGBA on {ground}", png(3, 8, 6, line), [[R, red, under]], ground, 1),
            (f"palette + tRNS on {ground}", png(3, 8, 3, indices, more=table), [[R, green, under]], ground, 1),
            (f"grey + alpha on {ground}", png(3, 8, 4, both), [[(200, 200, 200), light, under]], ground, 1),
        ]
    key = chunk(b"tRNS", wide(16))
    colour = chunk(b"tRNS", wide(1, 2, 3))
    pixels = bytes([1, 2, 3, 3, 2, 1])
    return [
        *cases,
        ("RGBA, dropped", png(3, 8, 6, line), [[R, R, G]], "drop"),
        ("palette + tRNS, dropped", png(3, 8, 3, indices, more=table), [[R, G, B]], "drop"),
        ("grey + alpha, dropped", png(3, 8, 4, both), grey(200, 200, 200), "drop"),
        ("palette", png(3, 8, 3, indices, more=chunk(b"PLTE", bytes((*R, *G, *B)))), [[R, G, B]]),
        ("grey + tRNS", png(2, 8, 0, bytes([16, 17]), more=key), grey(255, 17)),
        ("grey + tRNS, dropped", png(2, 8, 0, bytes([16, 17]), more=key), grey(16, 17), "drop"),
        ("RGB + tRNS", png(2, 8, 2, pixels, more=colour), [[W, (3, 2, 1)]]),
        ("RGB + tRNS, dropped", png(2, 8, 2, pixels, more=colour), [[(1, 2, 3), (3, 2, 1)]], "drop"),
        ("WebP with alpha", encode(Image.frombytes("RGBA", (3, 1), line), "WEBP", lossless=True, exact=True),
         [[R, (255, 204, 204), W]], "white", 1),
    ]  # fmt: skip


def few_bits() -> list[Given]:
    """1, 2 and 4 bits: the largest value is white, the rest in equal steps (PNG specification, 13.12)."""
    four = chunk(b"PLTE", bytes((*R, *G, *B, *W)))
    return [
        ("PNG, 1-bit", png(8, 1, 0, b"\xa5"), grey(255, 0, 255, 0, 0, 255, 0, 255)),
        ("PNG, 2-bit grey", png(4, 2, 0, b"\x1b"), grey(0, 85, 170, 255)),
        ("PNG, 4-bit grey", png(4, 4, 0, b"\x01\x8f"), grey(0, 17, 136, 255)),
        ("PNG, 1-bit palette", png(8, 1, 3, b"\xa5", more=four), [[G, R, G, R, R, G, R, G]]),
        ("PNG, 2-bit palette", png(4, 2, 3, b"\x1b", more=four), [[R, G, B, W]]),
        ("PNG, 4-bit palette", png(4, 4, 3, b"\x01\x23", more=four), [[R, G, B, W]]),
        ("PNG, 1-bit, transparent black", png(8, 1, 0, b"\xa5", more=chunk(b"tRNS", wide(0))), [[W] * 8]),
        (
            "TIFF, 1-bit",
            encode(Image.frombytes("1", (8, 1), b"\xa5"), "TIFF"),
            grey(255, 0, 255, 0, 0, 255, 0, 255),
        ),
        ("BMP, 1-bit", encode(Image.frombytes("1", (8, 1), b"\xa5"), "BMP"), grey(255, 0, 255, 0, 0, 255, 0, 255)),
    ]


def formats() -> list[Given]:
    """The same picture in each format; of a moving picture, the first frame."""
    image, rest = picture(UPRIGHT), {"save_all": True, "append_images": [picture([[K, K], [K, K]])]}
    large, right = picture(UPRIGHT, 16), grown(UPRIGHT, 16)
    return [
        ("PNG", encode(image, "PNG"), UPRIGHT),
        ("APNG", encode(image, "PNG", **rest), UPRIGHT),
        ("WebP, lossless", encode(image, "WEBP", lossless=True), UPRIGHT),
        ("WebP, animated", encode(image, "WEBP", lossless=True, **rest), UPRIGHT),
        ("GIF", encode(image, "GIF"), UPRIGHT),
        ("GIF, animated", encode(image, "GIF", **rest), UPRIGHT),
        ("TIFF", encode(image, "TIFF"), UPRIGHT),
        ("TIFF, two pages", encode(image, "TIFF", **rest), UPRIGHT),
        ("TIFF, LZW", encode(image, "TIFF", compression="tiff_lzw"), UPRIGHT),
        ("BMP", encode(image, "BMP"), UPRIGHT),
        ("JPEG", encode(large, "JPEG", quality=100, subsampling=0), right, "white", 4),
        ("JPEG, progressive", encode(large, "JPEG", quality=100, subsampling=0, progressive=True),
         right, "white", 4),
        ("JPEG, grey", encode(Image.new("L", (16, 16), 90), "JPEG"), grown(grey(90), 16), "white", 1),
        ("WebP, lossy", encode(Image.new("RGB", (16, 16), R), "WEBP", quality=100), grown([[R]], 16), "white", 6),
        ("AVIF", encode(large, "AVIF", quality=100, subsampling="4:4:4"), right, "white", 4),
        ("AVIF, animated", encode(large, "AVIF", quality=100, subsampling="4:4:4", **{
            **rest, "append_images": [Image.new("RGB", (32, 32))]}), right, "white", 4),
    ]  # fmt: skip


MAKERS: tuple[Callable[[], list[Given]], ...] = (orientations, inks, sixteen, transparency, few_bits, formats)
