"""Image bytes, in every format: an image of the size asked for, or one of our errors."""

import warnings
from importlib import import_module

import atheris

from security.fuzzers.common import fuzz

with atheris.instrument_imports(include=["mlserverless", "PIL"]):
    from helpers.images import encode, gradient
    from mlserverless.errors import MlserverlessError
    from mlserverless.formats import PLUGINS, open_image
    from mlserverless.prepare import prepare_image

    for module, _ in PLUGINS.values():
        import_module(f"PIL.{module}")

warnings.simplefilter("ignore")  # Pillow warns of broken Exif, and of much else
EVERY, SIZE, MAX_PIXELS = tuple(PLUGINS), (24, 16), 1_000_000
RESIZE, FIT = ("nearest", "bilinear", "bicubic", "box"), ("stretch", "crop", "pad", "stretch")
PICTURE = gradient(9, 7)


def seeds() -> list[bytes]:
    """Return a tiny image of each format, and of the modes that take other ways through it."""
    found = [encode(PICTURE, name) for _, name in PLUGINS.values()]
    found += [encode(PICTURE.convert(mode)) for mode in ("P", "L", "1", "RGBA", "LA")]
    found.append(encode(PICTURE.convert("L").convert("I;16")))
    found += [encode(PICTURE, "TIFF", compression=how) for how in ("tiff_lzw", "tiff_deflate", "packbits", "jpeg")]
    found += [encode(PICTURE, "JPEG", progressive=True), encode(PICTURE.convert("CMYK"), "JPEG")]
    found += [encode(PICTURE, "WEBP", lossless=True), encode(PICTURE.convert("P"), "BMP")]
    found.append(encode(PICTURE, "GIF", save_all=True, append_images=[PICTURE.rotate(180)]))
    found.append(
        encode(PICTURE, "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0")
    )
    return [bytes([i % 16]) + data for i, data in enumerate(found)]


def test(data: bytes) -> None:
    """Open and prepare ``data``; its first byte picks how."""
    way = data[0] if data else 0
    try:
        image = open_image(data[1:], formats=EVERY, max_pixels=MAX_PIXELS)
        prepared = prepare_image(
            image,
            SIZE,
            resize=RESIZE[way & 3],
            fit=FIT[way >> 2 & 3],
            background="drop" if way & 16 else "white",
            decode="exact" if way & 32 else "fast",
        )
    except MlserverlessError:
        return
    assert (prepared.mode, prepared.size) == ("RGB", SIZE), prepared


if __name__ == "__main__":
    fuzz(test, seeds())
