"""Bytes -> an opened image: the format told, the size refused, Pillow's errors mapped.

The format is told from the bytes, never from a name or a Content-Type; the size is refused from the header,
before anything is decoded; what a file holds beside its picture (texts, profiles, thumbnails) is left out before
Pillow sees it, for a small file can hold a lot of it; whatever Pillow raises is mapped at one boundary,
:func:`guarded`. Pillow's plugins are imported one at a time: ``Image.open`` would import five on the first call.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from io import BytesIO
from typing import TYPE_CHECKING

from mlserverless import headers
from mlserverless.errors import (
    ConfigError,
    ImageTooLarge,
    MlserverlessError,
    UndecodableImage,
    UnsupportedMediaType,
)

if TYPE_CHECKING:
    from PIL.Image import Image

PLUGINS = {
    "jpeg": ("JpegImagePlugin", "JPEG"),
    "png": ("PngImagePlugin", "PNG"),
    "webp": ("WebPImagePlugin", "WEBP"),
    "gif": ("GifImagePlugin", "GIF"),
    "bmp": ("BmpImagePlugin", "BMP"),
    "tiff": ("TiffImagePlugin", "TIFF"),
    "avif": ("AvifImagePlugin", "AVIF"),
}
DEFAULT_FORMATS = ("jpeg", "png", "webp")
# A grey image of 8 × 8 pixels in each of the formats that are accepted unless told otherwise.
EXAMPLES = {
    "jpeg": (
        b"/9j/2wBDABALDA4MChAODQ4SERATGCgaGBYWGDEjJR0oOjM9PDkzODdASFxOQERXRTc4UG1RV19iZ2hnPk1xeXBkeFxlZ2P/2wBDARES"
        b"EhgVGC8aGi9jQjhCY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2P/wAARCAAIAAgDASIAAhEB"
        b"AxEB/8QAFQABAQAAAAAAAAAAAAAAAAAAAAH/xAAUEAEAAAAAAAAAAAAAAAAAAAAA/8QAFAEBAAAAAAAAAAAAAAAAAAAAAP/EABQRAQAA"
        b"AAAAAAAAAAAAAAAAAAD/2gAMAwEAAhEDEQA/AIAD/9k="
    ),
    "png": (
        b"iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAIAAABLbSncAAAAFUlEQVR42mOsr69nwAaYGHCAwSkBAC3FAY1cxr/UAAAAAElFTkSuQmCC"
    ),
    "webp": b"UklGRiQAAABXRUJQVlA4IBgAAABQAQCdASoIAAgAAsBMJaQABHQAAPx8AAA=",
}
MAX_SIDE = 65_535  # JPEG's own; resizing takes memory for each row, so a strip of many rows is no picture


def sniff(data: bytes) -> str:
    """Return the image format that ``data`` begins like, a key of ``PLUGINS``, or ""."""
    if data[:3] == b"\xff\xd8\xff":
        return "jpeg"
    if data[:8] == b"\x89PNG\r\n\x1a\n":
        return "png"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    if data[:6] in (b"GIF87a", b"GIF89a"):
        return "gif"
    if data[:4] in (b"II*\0", b"MM\0*"):
        return "tiff"
    if data[4:12] in (b"ftypavif", b"ftypavis"):
        return "avif"
    return "bmp" if data[:2] == b"BM" else ""


@contextmanager
def guarded() -> Iterator[None]:
    """Map whatever Pillow raises inside to UndecodableImage, and lack of memory to ImageTooLarge."""
    try:
        yield
    except MlserverlessError:
        raise
    except MemoryError as error:
        raise ImageTooLarge("The image does not fit into the function's memory when decoded.") from error
    except Exception as error:  # plugins raise OSError, SyntaxError, ValueError, struct.error, and more
        reason = f"{error}".rstrip(".") or type(error).__name__
        raise UndecodableImage(f"The image is truncated or corrupt: {reason}.") from error


def open_image(
    data: bytes, *, formats: tuple[str, ...] = DEFAULT_FORMATS, max_pixels: int = 50_000_000
) -> "Image":
    """Return ``data`` opened as an image whose pixels are not decoded yet.

    What takes twice the memory gets half of ``max_pixels``: progressive JPEG and JPEG in several scans, CMYK,
    transparency other than a palette's, TIFF. WebP and AVIF get a quarter.
    Raises UnsupportedMediaType, ImageTooLarge or UndecodableImage.
    """
    if not data:
        raise UndecodableImage("The image is empty: it has 0 bytes.")
    kind, accepted = sniff(data), ", ".join(formats)
    if kind not in formats:
        found = f"The image is of the format {kind}" if kind else "The bytes are not an image of a known format"
        raise UnsupportedMediaType(f"{found}; accepted are {accepted}.")
    with guarded():
        exif, scans = b"", 1
        if kind == "jpeg":
            data, exif, scans = headers.jpeg(data)
        elif kind == "png":
            data = headers.png(data)
        elif kind == "webp":
            _check(headers.webp_size(data), max_pixels // 4)
        elif kind == "tiff":
            _check(headers.tiff_size(data), max_pixels // 2)
        name = PLUGINS[kind][1]
        _import(kind)
        from PIL import Image

        image: Image.Image = Image.OPEN[name][0](BytesIO(data), "")
        if exif:
            image.info["exif"] = exif
        _check(image.size, max_pixels // _share(kind, image, scans))
    return image


def _import(kind: str) -> None:
    try:
        import_module(f"PIL.{PLUGINS[kind][0]}")
    except ImportError as error:
        raise ConfigError(
            f"The setting formats has {kind}, which this package was built without: build it with --formats, or "
            f"take {kind} out of the setting ({error})."
        ) from error


def grey() -> "Image":
    """Return a grey image of no format, to run a model on before there is another."""
    from PIL import Image

    return Image.new("L", (8, 8), 127)


def prepare(formats: tuple[str, ...]) -> list[bytes]:
    """Import what opens ``formats`` now, instead of with the first image; return examples of them.

    A format that this Pillow was built without is left to the first request to tell.
    """
    from binascii import a2b_base64

    examples = []
    for kind in formats:
        with suppress(ImportError):
            import_module(f"PIL.{PLUGINS[kind][0]}")
            examples += [a2b_base64(EXAMPLES[kind])] if kind in EXAMPLES else []
    return examples


def _check(size: tuple[int, int], limit: int) -> None:
    width, height = size
    if width * height > limit:
        raise ImageTooLarge(f"The image has {width} × {height} pixels; at most {limit:,} are accepted.")
    if max(size) > MAX_SIDE:
        raise ImageTooLarge(f"The image has {width} × {height} pixels; at most {MAX_SIDE:,} a side are accepted.")


def _share(kind: str, image: "Image", scans: int) -> int:
    # By what the pixels are divided, that the peak stays at 5 bytes for each of ``max_pixels``. Those of a palette
    # take 1 byte and 4 when they become RGB; RGB takes 4 and stays.
    if kind in ("webp", "avif"):  # 16 bytes: the decoder has two canvases and a copy of one; 4 more with alpha
        return 4
    share = 2 if kind == "tiff" or scans > 1 else 1  # a whole strip or all coefficients beside the pixels
    wide = image.mode not in ("1", "L", "P", "I;16", "RGB")  # 4 bytes each, and 4 more when they become RGB
    keyed = "transparency" in image.info and image.mode in ("I;16", "RGB")
    return share * 2 if kind != "tiff" and (wide or keyed) else share
