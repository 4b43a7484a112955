"""What is taken for a URL, for encoded bytes, for an image; and what is none of them."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mlserverless import sources
from mlserverless.errors import ImageError, InvalidRequest, SourceNotFound


@pytest.mark.parametrize("url", ["https://example.com/a.jpg", "s3://b/k", "data:,", "a:b"])
def test_a_text_with_a_scheme_is_a_url(url: str) -> None:
    assert sources.read(url, 10) == url


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("cat.jpg", "'cat.jpg' is not a URL; a file is given as a pathlib.Path."),
        ("cat.jpg?sig=secret", "'cat.jpg' is not a URL"),
        ("x" * 31, "The text is not a URL"),
        ("", "The text is not a URL"),
    ],
)
def test_another_text_is_refused_and_no_token_told(text: str, told: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        sources.read(text, 10)
    assert str(caught.value).startswith(told)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("given", [b"abc", bytearray(b"abc"), memoryview(b"abc")])
def test_bytes_of_any_kind_are_bytes(given: Any) -> None:
    found = sources.read(given, 1)
    assert (type(found), found) == (bytes, b"abc")


def test_of_a_file_one_byte_more_is_read_than_is_accepted(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"0123456789")
    assert sources.read(tmp_path / "a.png", 4) == b"01234"
    assert sources.read(tmp_path / "a.png", 100) == b"0123456789"


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceNotFound, match=rf"The file {tmp_path}/no\.png cannot be read: No such file"):
        sources.read(tmp_path / "no.png", 4)


def test_an_array_becomes_an_image() -> None:
    found = sources.read(np.arange(6, dtype=np.uint8).reshape(1, 2, 3), 10)
    assert isinstance(found, Image.Image)
    assert (found.mode, found.size, found.getpixel((1, 0))) == ("RGB", (2, 1), (3, 4, 5))


def test_an_image_is_decoded_whole(tmp_path: Path) -> None:
    data = io.BytesIO()
    Image.new("RGB", (64, 64), "red").save(data, "JPEG")
    image = Image.open(data)
    assert sources.read(image, 10) is image
    data.close()  # of which nothing is wanted any more
    assert image.getpixel((63, 63)) == (254, 0, 0)


def test_an_image_that_cannot_be_decoded_is_an_error_of_the_image() -> None:
    data = io.BytesIO()
    Image.effect_noise((64, 64), 90).save(data, "PNG")
    image = Image.open(io.BytesIO(data.getvalue()[:200]))
    with pytest.raises(ImageError):
        sources.read(image, 10)


@pytest.mark.parametrize("given", [None, 3, [1, 2], object()])
def test_what_is_no_source_is_named_with_what_is(given: object) -> None:
    with pytest.raises(InvalidRequest, match=rf"^{type(given).__name__} is not a source; sources are a URL"):
        sources.read(given, 10)
