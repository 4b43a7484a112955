"""Bytes -> an opened image: the format told, the size refused, Pillow's errors mapped.

The format is told from the bytes, never from a name or a Content-Type; the size is refused from the header,
before anything is decoded; whatever Pillow raises is mapped at one boundary, :func:`guarded`. Pillow's plugins are
imported one at a time: ``Image.open`` would import five of them on the first call.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from io import BytesIO
from typing import TYPE_CHECKING

from mlserverless.errors import ImageTooLarge, MlserverlessError, UndecodableImage, UnsupportedMediaType

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

    Progressive JPEG and WebP decode into twice the memory, so they get half of ``max_pixels``. Raises
    UnsupportedMediaType, ImageTooLarge or UndecodableImage.
    """
    if not data:
        raise UndecodableImage("The image is empty: it has 0 bytes.")
    kind, accepted = sniff(data), ", ".join(formats)
    if kind not in formats:
        found = f"The image is of the format {kind}" if kind else "The bytes are not an image of a known format"
        raise UnsupportedMediaType(f"{found}; accepted are {accepted}.")
    with guarded():
        module, name = PLUGINS[kind]
        import_module(f"PIL.{module}")
        from PIL import Image

        image: Image.Image = Image.OPEN[name][0](BytesIO(data), "")
        width, height = image.size
        limit = max_pixels // 2 if kind == "webp" or "progression" in image.info else max_pixels
        if width * height > limit:
            raise ImageTooLarge(f"The image has {width} × {height} pixels; at most {limit:,} are accepted.")
    return image
