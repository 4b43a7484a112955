"""The largest pictures that are allowed under the default limits, of each kind that decodes in its own way."""

import struct
from collections.abc import Iterator
from io import BytesIO
from typing import Any
from zlib import compressobj

from PIL import Image

from security.mutants import chunk

FULL, HALF, QUARTER = (7071, 7071), (5000, 5000), (3535, 3535)
TURNED = Image.Exif()
TURNED[0x0112] = 6


def encode(mode: str, size: tuple[int, int], kind: str, **options: Any) -> bytes:
    """Return a picture of one colour, encoded by Pillow."""
    Image.new(mode, size).save(out := BytesIO(), kind, **options)
    return out.getvalue()


def png(size: tuple[int, int], *, depth: int, colour: int, interlace: int = 0, more: bytes = b"") -> bytes:
    """Return a black PNG of a kind that Pillow does not write."""
    samples = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    packer, row = compressobj(1), bytes(1 + size[0] * samples * depth // 8)
    rows = size[1] + size[1] // 8 if interlace else size[1]  # seven passes have more rows, thus more filter bytes
    pixels = b"".join(packer.compress(row) for _ in range(rows)) + packer.flush()
    header = struct.pack(">IIBBBBB", *size, depth, colour, 0, 0, interlace)
    chunks = chunk(b"IHDR", header) + more + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def largest() -> Iterator[tuple[str, bytes]]:
    """Yield them, each with its name."""
    palette = chunk(b"PLTE", bytes(6)) + chunk(b"tRNS", b"\x80\0")
    yield "largest PNG, RGB", png(FULL, depth=8, colour=2)
    yield "largest PNG, RGB, interlaced", png(FULL, depth=8, colour=2, interlace=1)
    yield "largest PNG, RGB, turned", encode("RGB", FULL, "PNG", compress_level=1, exif=TURNED)
    yield "largest PNG, RGB, transparent colour", png(HALF, depth=8, colour=2, more=chunk(b"tRNS", bytes(6)))
    yield "largest PNG, RGBA", png(HALF, depth=8, colour=6)
    yield "largest PNG, RGBA, turned", encode("RGBA", HALF, "PNG", compress_level=1, exif=TURNED)
    yield "largest PNG, grey + alpha", png(HALF, depth=8, colour=4)
    yield "largest PNG, palette + tRNS", png(FULL, depth=8, colour=3, more=palette)
    yield "largest PNG, 16-bit grey", png(FULL, depth=16, colour=0)
    yield "largest PNG, 16-bit RGB", png(FULL, depth=16, colour=2)
    yield "largest PNG, 16-bit RGBA", png(HALF, depth=16, colour=6)
    yield "largest PNG, tall", png((762, 65_535), depth=8, colour=2)
    yield "largest JPEG", encode("RGB", FULL, "JPEG", exif=TURNED)
    yield "largest JPEG, a strip, turned", encode("RGB", (65_500, 763), "JPEG", exif=TURNED)
    yield "largest JPEG, CMYK, a strip", encode("CMYK", (65_500, 381), "JPEG")
    yield "largest JPEG, progressive", encode("RGB", HALF, "JPEG", progressive=True, subsampling=0)
    yield (
        "largest JPEG, progressive, a strip",
        encode("RGB", (65_500, 381), "JPEG", progressive=True, subsampling=0),
    )
    yield "largest JPEG, progressive CMYK", encode("CMYK", (65_500, 190), "JPEG", progressive=True, subsampling=0)
    for lossless in (False, True):
        for mode in ("RGB", "RGBA"):
            name = f"largest WebP, {mode}, {'lossless' if lossless else 'lossy'}"
            yield name, encode(mode, QUARTER, "WEBP", lossless=lossless, method=0)
