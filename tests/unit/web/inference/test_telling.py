"""Responses: in JSON, in binary, as classes."""

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from helpers.fakes import SCORES, fake_engine
from helpers.tensors import PIXELS, error, infer, request, service
from helpers.web import headers
from mlserverless.engines import Tensor
from mlserverless.tasks import raw
from mlserverless.web.http import HttpResponse

FLOATS = Tensor("logits", (1, 2), "float32")
LOGITS = np.array([0.1, -2.5], np.float32)
TWO = request(PIXELS * 2, [2, 2, 2, 3])
BINARY = {"parameters": {"binary_data_output": True}}


def split(response: HttpResponse) -> tuple[Any, bytes]:
    """Return the JSON of a binary response, and what is behind it."""
    assert response.status == 200, response.body
    found = headers(response)
    assert found["Content-Type"] == "application/octet-stream"
    length = int(found["Inference-Header-Content-Length"])
    return json.loads(response.body[:length]), response.body[length:]


def outputs(response: HttpResponse) -> Any:
    assert response.status == 200, response.body
    assert "Inference-Header-Content-Length" not in headers(response)
    return json.loads(response.body)["outputs"]


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine with an output of bytes and one of floats."""
    fake_engine(monkeypatch, [b"\x40\x80\x20", LOGITS.tobytes()], outputs=(SCORES, FLOATS))


def test_json_has_the_elements_flat(two: None, tmp_path: Path) -> None:
    assert outputs(infer(service(tmp_path, 'task = "raw"'), TWO)) == [
        {"name": "scores", "datatype": "UINT8", "shape": [2, 3], "data": [64, 128, 32] * 2},
        {"name": "logits", "datatype": "FP32", "shape": [2, 2], "data": [0.100000001, -2.5] * 2},
    ]


def test_binary_has_the_outputs_bytes_behind_the_json_in_its_order(two: None, tmp_path: Path) -> None:
    told, behind = split(infer(service(tmp_path, 'task = "raw"'), TWO | BINARY | {"id": "é"}))
    assert list(told) == ["model_name", "model_version", "id", "outputs"]
    assert told["id"] == "é"
    assert told["outputs"] == [
        {"name": "scores", "datatype": "UINT8", "shape": [2, 3], "parameters": {"binary_data_size": 6}},
        {"name": "logits", "datatype": "FP32", "shape": [2, 2], "parameters": {"binary_data_size": 16}},
    ]
    assert behind == b"\x40\x80\x20" * 2 + LOGITS.tobytes() * 2


def test_each_output_is_told_its_own_way(two: None, tmp_path: Path) -> None:
    asked = [{"name": "logits", "parameters": {"binary_data": True}}, {"name": "scores"}]
    told, behind = split(infer(service(tmp_path, 'task = "raw"'), request(outputs=asked)))
    assert [output["name"] for output in told["outputs"]] == ["logits", "scores"]
    assert told["outputs"][1]["data"] == [64, 128, 32]
    assert behind == LOGITS.tobytes()


def test_classes_are_the_highest_first_with_their_labels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_engine(monkeypatch)
    found = service(tmp_path)
    asked = [{"name": "scores", "parameters": {"classification": 2}}]
    assert outputs(infer(found, TWO | {"outputs": asked})) == [
        {"name": "scores", "datatype": "BYTES", "shape": [2, 2], "data": ["128:1:dog", "64:0:cat"] * 2}
    ]
    asked[0]["parameters"] = {"classification": 9, "binary_data": True}
    told, behind = split(infer(found, request(outputs=asked)))
    assert told["outputs"][0]["shape"] == [1, 3], "as many as there are"
    words = [b"128:1:dog", b"64:0:cat", b"32:2:owl"]
    assert behind == b"".join(struct.pack("<I", len(word)) + word for word in words)
    assert told["outputs"][0]["parameters"] == {"binary_data_size": len(behind)}


def test_a_class_without_a_label_has_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With an offset the first class is a background; an output that is not the scores has no labels."""
    answer = [b"\x40\x80\x20\x10", b"\1\2"]
    fake_engine(monkeypatch, answer, outputs=(Tensor("s", (1, 4), "uint8"), Tensor("t", (1, 2), "uint8")))
    toml = 'labels = "labels.txt"\n[output]\nscores = "s"\noffset = 1'
    asked = [{"name": name, "parameters": {"classification": 4}} for name in "st"]
    first, second = outputs(infer(service(tmp_path, toml), request(outputs=asked)))
    assert first["data"] == ["128:1:cat", "64:0", "32:2:dog", "16:3:owl"]
    assert second["data"] == ["2:1", "1:0"]


def test_classes_of_a_model_that_takes_one_at_a_time_are_a_list(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_engine(monkeypatch, b"\1\2\3", outputs=(Tensor("scores", (3,), "uint8"),))
    asked = [{"name": "scores", "parameters": {"classification": 1}}]
    (told,) = outputs(infer(service(tmp_path), request(outputs=asked)))
    assert (told["shape"], told["data"]) == ([1], ["3:2:owl"])


def test_an_output_without_elements_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_engine(monkeypatch, b"", outputs=(Tensor("rows", (0, 6), "float32"),))
    found = service(tmp_path, 'task = "raw"')
    for asked in ({}, {"outputs": [{"name": "rows", "parameters": {"classification": 1}}]}):
        (told,) = outputs(infer(found, request() | asked))
        assert told["data"] == []


def test_what_json_cannot_say_is_sent_in_binary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = np.array([np.nan, np.inf], np.float32).tobytes()
    fake_engine(monkeypatch, data, outputs=(FLOATS,))
    found = service(tmp_path, 'task = "raw"')
    response = infer(found, request())
    assert response.status == 400
    assert "NaN or an infinity in the output 'logits'" in error(response)
    assert split(infer(found, request() | BINARY))[1] == data


def test_json_that_is_too_long_is_refused(two: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mlserverless.web.inference.telling.MAX_BYTES", 200)
    response = infer(service(tmp_path, 'task = "raw"'), TWO)
    assert response.status == 400
    assert "at most 200 are sent" in error(response)
    assert raw.MAX_BYTES == 6_000_000
