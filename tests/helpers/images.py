"""Small images, encoded."""

from io import BytesIO
from typing import Any

from PIL import Image

Pixel = tuple[int, ...]

# What each of the example photos shows, in the default model's words.
TOP = {
    "chelsea.png": "tiger cat",
    "coffee.png": "espresso",
    "china.jpg": "palace",
    "flower.jpg": "daisy",
    "rocket.jpg": "missile",
    "camera.png": "tripod",
}


def encode(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    """Return ``image`` encoded by Pillow."""
    out = BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def rows(*lines: list[Any], mode: str = "RGB") -> Image.Image:
    """Return an image of ``mode`` with these rows of pixels."""
    image = Image.new(mode, (len(lines[0]), len(lines)))
    for y, line in enumerate(lines):
        for x, pixel in enumerate(line):
            image.putpixel((x, y), pixel)
    return image


def pixels(image: Image.Image) -> list[Any]:
    """Return the pixels of an RGB image, row by row, as tuples."""
    assert image.mode == "RGB"
    data = image.tobytes()
    flat = [tuple(data[i : i + 3]) for i in range(0, len(data), 3)]
    return [flat[y * image.width : (y + 1) * image.width] for y in range(image.height)]


def gradient(width: int, height: int) -> Image.Image:
    """Return an RGB image in which no two neighbours are equal."""
    data = bytes(
        value for y in range(height) for x in range(width) for value in (x % 256, y % 256, (x * 7 + y * 3) % 256)
    )
    return Image.frombytes("RGB", (width, height), data)


def png_header(width: int, height: int) -> bytes:
    """Return a PNG that announces a size and holds no pixels of it (PNG specification, 11.2.2)."""
    from struct import pack
    from zlib import compress, crc32

    def chunk(kind: bytes, data: bytes) -> bytes:
        return pack(">I", len(data)) + kind + data + pack(">I", crc32(kind + data))

    header = pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", compress(b"")) + chunk(b"IEND", b"")
