"""The records that pass between stages and adapters, and their wire forms."""

import json
import mmap
from typing import Any

import pytest

from mlserverless.errors import SourceError
from mlserverless.types import (
    Box,
    Detection,
    Options,
    Outcome,
    Prediction,
    Problem,
    RawTensor,
    Request,
    Score,
    is_tflite,
    told,
)

SCORES = (Score("espresso", 967, 0.94921875), Score("cup", 968, 1 / 3))
PREDICTION = Prediction("lite0", "ab12", SCORES, (("invoke", 12.5),))
PROBLEM = Problem(404, "source-not-found", "There is no image", "h.example answered 404.", False)


@pytest.mark.parametrize(
    ("record", "field"),
    [
        (Options(), "top_k"),
        (Request("1"), "url"),
        (SCORES[0], "score"),
        (PREDICTION, "model"),
        (PROBLEM, "status"),
        (Outcome(None, "1", "s", PROBLEM), "result"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_records_are_frozen(record: Any, field: str) -> None:
    with pytest.raises(AttributeError):
        setattr(record, field, 1)


def test_request_by_default_has_no_options_no_url_no_image_and_no_version() -> None:
    assert Request("7") == ("7", None, None, (None, None, None, None, None), "", "", "")


def test_outcome_by_default_is_of_an_empty_request() -> None:
    assert Outcome("item", "1", "s", PROBLEM).request == Request()


def test_prediction_on_the_wire_is_these_bytes() -> None:
    assert json.dumps(PREDICTION.to_dict()) == (
        '{"model": "lite0", "sha256": "ab12", "predictions": ['
        '{"label": "espresso", "index": 967, "score": 0.949219}, '
        '{"label": "cup", "index": 968, "score": 0.333333}]}'
    )


@pytest.mark.parametrize(
    ("score", "text"),
    [
        (1.0, "1.0"),
        (0.0, "0.0"),
        (0.123456789, "0.123457"),
        (1234567.0, "1234570.0"),
        (-2.0000004, "-2.0"),
        (1e-12, "1e-12"),
        (0.0000123456789, "1.23457e-05"),
    ],
)
def test_scores_have_six_significant_digits(score: float, text: str) -> None:
    wire = Prediction("m", "", (Score("a", 0, score),)).to_dict()
    assert json.dumps(wire["predictions"][0]["score"]) == text


def test_detections_on_the_wire_are_these_bytes() -> None:
    found = Detection("cat", 2, 1 / 3, Box(0.0, 1 / 8, 2 / 3, 1.0))
    told = Prediction("ssd", "ab12", (), task="detect", detections=(found,))
    assert json.dumps(told.to_dict()) == (
        '{"model": "ssd", "sha256": "ab12", "detections": [{"label": "cat", "index": 2, "score": 0.333333, '
        '"box": {"top": 0.0, "left": 0.125, "bottom": 0.666667, "right": 1.0}}]}'
    )
    assert told._replace(detections=()).told() == {"detections": []}


def test_raw_tensors_on_the_wire_are_these_bytes() -> None:
    outputs = RawTensor("mask", (1, 2), "INT64", (3, -1)), RawTensor("is", (1,), "BOOL", (True,))
    assert json.dumps(Prediction("seg", "ab12", (), task="raw", outputs=outputs).to_dict()) == (
        '{"model": "seg", "sha256": "ab12", "outputs": [{"name": "mask", "shape": [1, 2], "datatype": "INT64", '
        '"data": [3, -1]}, {"name": "is", "shape": [1], "datatype": "BOOL", "data": [true]}]}'
    )


def test_timings_never_reach_the_wire() -> None:
    assert PREDICTION.to_dict() == PREDICTION._replace(timings=()).to_dict()


def test_problem_on_the_wire_follows_rfc_9457() -> None:
    assert json.dumps(PROBLEM.to_dict("req-1")) == (
        '{"type": "urn:mlserverless:problem:source-not-found", "title": "There is no image", "status": 404, '
        '"detail": "h.example answered 404.", "instance": "req-1", "code": "source-not-found", "retryable": false}'
    )


def test_an_error_is_told_as_the_problem_that_it_is() -> None:
    error = SourceError("This function may not read s3://a/b.", retryable=False, deployment=True)
    expected = Problem(502, "source-error", "The image could not be fetched", str(error), False, (), True)
    assert told(error) == expected


def test_problem_headers_stay_off_the_wire() -> None:
    assert "headers" not in PROBLEM._replace(headers=(("Retry-After", "1"),)).to_dict("1")


def test_outcome_is_its_prediction() -> None:
    assert Outcome("item", "req-2", "s", PREDICTION).to_dict() == PREDICTION.to_dict()


def test_outcome_is_its_problem_under_its_own_request_id() -> None:
    assert Outcome("item", "req-2", "s", PROBLEM).to_dict()["instance"] == "req-2"


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"\x20\0\0\0TFL3", True),
        (b"\x20\0\0\0TFL2....", False),
        (b"TFL3", False),
        (b"\x08\x07TFL3", False),
        (b"", False),
    ],
)
def test_a_tflite_file_is_told_by_its_identifier(data: bytes, found: bool) -> None:
    assert is_tflite(data) is found


def test_a_mapped_file_is_told_as_well() -> None:
    with mmap.mmap(-1, 16) as mapped:
        assert not is_tflite(mapped)
        mapped[4:8] = b"TFL3"
        assert is_tflite(mapped)
