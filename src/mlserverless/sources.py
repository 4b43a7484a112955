"""What Predictor.predict takes: a URL, encoded bytes, a file, a Pillow image, an array of pixels."""

import os
from typing import TYPE_CHECKING, Any

from mlserverless.errors import InvalidRequest, SourceNotFound

if TYPE_CHECKING:
    from PIL.Image import Image

MAX_TOLD = 30  # characters of a text that is no URL: a longer one may be a token


def read(source: Any, max_bytes: int) -> "str | bytes | Image":
    """Return ``source`` as a URL, as encoded bytes or as a decoded Pillow image.

    Of a file one byte more than ``max_bytes`` is read, by which it is told that it is too long. Raises
    InvalidRequest for what is no source, SourceNotFound for a file that cannot be read, and an ImageError for an
    image that cannot be decoded.
    """
    if isinstance(source, str):
        return _url(source)
    if isinstance(source, os.PathLike):
        return _file(source, max_bytes)
    if isinstance(source, bytes | bytearray | memoryview):
        return bytes(source)
    from mlserverless.formats import guarded

    with guarded():
        image = _image(source)
        image.load()  # whole, so that the caller's own image is not decoded at a fraction of its size
    return image


def _url(text: str) -> str:
    if ":" not in text:
        words = text.partition("?")[0].partition("#")[0].split()
        shown = repr(words[0]) if words and len(words[0]) <= MAX_TOLD else "The text"
        raise InvalidRequest(f"{shown} is not a URL; a file is given as a pathlib.Path.")
    return text


def _file(path: os.PathLike[str], max_bytes: int) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(max_bytes + 1)
    except OSError as error:
        raise SourceNotFound(f"The file {os.fspath(path)} cannot be read: {error.strerror}.") from error


def _image(source: Any) -> "Image":
    from PIL import Image

    if isinstance(source, Image.Image):
        return source
    try:
        return Image.fromarray(source)
    except (AttributeError, TypeError, ValueError) as error:
        raise InvalidRequest(
            f"{type(source).__name__} is not a source; sources are a URL (str), encoded bytes, a Path, a Pillow "
            f"image or an array of uint8 pixels, (height, width, 3) as RGB ({error})."
        ) from error
