"""Bodies: JSON, JSON with binary behind it, one tensor alone; what is refused before it is parsed."""

import json
from pathlib import Path
from typing import Any

import pytest

from helpers.fakes import fake_engine
from helpers.tensors import PIXELS, model, request
from mlserverless.errors import ImageTooLarge, InvalidRequest, MlserverlessError, UnsupportedMediaType
from mlserverless.web.http import HttpRequest
from mlserverless.web.inference import reading
from mlserverless.web.inference.asking import Asked, Output
from mlserverless.web.inference.served import Served

JSON = json.dumps(request()).encode()
LENGTH = reading.HEADER


@pytest.fixture
def found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Served:
    fake_engine(monkeypatch)
    return model(tmp_path)


def read(found: Served, body: bytes, max_bytes: int = 100_000, **headers: str) -> Asked:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return reading.read(HttpRequest("POST", "/", "", given, body), found, max_bytes)


def refused(found: Served, kind: type[MlserverlessError], body: bytes, **more: Any) -> str:
    with pytest.raises(kind) as caught:
        read(found, body, **more)
    assert type(caught.value) is kind
    return str(caught.value)


@pytest.mark.parametrize(
    "kind", ["", "application/json; charset=utf-8", "Application/Octet-Stream", "application/x+json", "text/plain"]
)
def test_what_clients_say_that_json_is_is_taken(kind: str, found: Served) -> None:
    assert read(found, JSON, content_type=kind).items == [bytes(PIXELS)]


@pytest.mark.parametrize("kind", ["image/jpeg", "multipart/form-data; boundary=x", "application/xml"])
def test_another_type_is_refused_and_told_where_images_go(kind: str, found: Served) -> None:
    assert "Images go to /predict" in refused(found, UnsupportedMediaType, JSON, content_type=kind)


def test_a_compressed_body_is_refused(found: Served) -> None:
    assert read(found, JSON, content_encoding="identity").items
    assert "'gzip' is not accepted" in refused(found, UnsupportedMediaType, JSON, content_encoding="gzip")


def test_a_body_has_at_most_the_bytes_that_the_setting_says(found: Served) -> None:
    assert read(found, JSON, len(JSON)).items
    told = refused(found, ImageTooLarge, JSON, max_bytes=len(JSON) - 1)
    assert f"{len(JSON) - 1:,} bytes that the setting max_bytes accepts" in told


def test_without_a_body_it_is_told_what_is_taken(found: Served) -> None:
    assert refused(found, InvalidRequest, b"").startswith("The request has no body; fake takes the input 'image'")
    assert refused(found, InvalidRequest, b"", inference_header_content_length="0").startswith(
        "The request has no"
    )


def test_binary_stands_behind_the_json(found: Served) -> None:
    value = request(..., in_parameters={"binary_data_size": 12})
    head = json.dumps(value).encode()
    asked = read(found, head + bytes(PIXELS), inference_header_content_length=str(len(head)))
    assert asked.items == [bytes(PIXELS)]


@pytest.mark.parametrize("length", ["x", "-1", "1.5", "", "٣", "9" * 30, str(len(JSON) + 1)])
def test_a_length_that_cannot_be_is_told(length: str, found: Served) -> None:
    told = refused(found, InvalidRequest, JSON, inference_header_content_length=length)
    assert told.startswith("Inference-Header-Content-Length is ")
    assert f"the body, which has {len(JSON)} bytes" in told


def test_a_length_within_the_json_leaves_none(found: Served) -> None:
    assert "not valid JSON" in refused(found, InvalidRequest, JSON, inference_header_content_length="9")


def test_a_length_of_0_says_that_the_body_is_one_input(found: Served) -> None:
    """Triton's raw binary request, of which every output is told in binary."""
    asked = read(found, bytes(PIXELS), inference_header_content_length="0")
    assert asked == Asked(None, [bytes(PIXELS)], (Output(0, "scores", binary=True),))
    told = refused(found, InvalidRequest, bytes(11), inference_header_content_length="0")
    assert told.endswith("the body is the input of one run, 12 bytes; this one has 11.")


@pytest.mark.parametrize(
    "body", [b"{", b"\xff", b"[" * 900, b'{"a": 1}}', b"nul", b'{"id": 1' + b"0" * 5000 + b"}", b'"\xed\xa0\x80"']
)
def test_what_is_no_json_is_told(body: bytes, found: Served) -> None:
    assert refused(found, InvalidRequest, body).startswith("The body")


@pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity"])
def test_what_is_no_number_in_json_is_left_to_binary(word: str, found: Served) -> None:
    body = JSON.replace(b"[0, ", f"[{word}, ".encode())
    assert refused(found, InvalidRequest, body).startswith(f"{word} is not JSON: send a tensor that has it in bin")


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"[" + b"0," * 1193 + b"0]", "1,193 elements"),
        (b"[" + b"[]," * 1112 + b"0]", "1,113 lists"),
        (b"[" + b"{}" * 1001 + b"]", "1,001 objects"),
    ],
)
def test_what_would_become_large_is_refused_before_it_is_parsed(
    body: bytes, told: str, found: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 16 inputs of 12 elements in 7 lists each, and a thousand commas, brackets and braces around them."""
    monkeypatch.setattr(reading.json, "loads", lambda *_, **__: pytest.fail("parsed"))
    assert refused(found, InvalidRequest, body).startswith(f"The JSON has {told} or so, too many; fake takes")


def test_the_most_that_fits_is_parsed(found: Served) -> None:
    nested = [[[[0] * 3] * 2] * 2] * 16
    assert len(read(found, json.dumps(request(nested, [16, 2, 2, 3])).encode()).items) == 16
