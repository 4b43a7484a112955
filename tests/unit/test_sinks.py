"""What a function writes of each outcome: one line that a log can be searched by, without secrets."""

import json

import pytest

from helpers.services import PREDICTION, WIRE
from mlserverless.deadline import Deadline
from mlserverless.errors import MlserverlessError, SourceTimeout
from mlserverless.serving import answer_each, problem
from mlserverless.sinks import LogSink, record
from mlserverless.types import Outcome, Prediction, Request

PRESIGNED = "https://user:pw@b.s3.amazonaws.com/cat.jpg?X-Amz-Credential=AKIA&X-Amz-Signature=0123#frag"


def test_a_prediction_is_one_line_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    LogSink().put(Outcome(None, "id-1", "s3://b/é.jpg", PREDICTION))
    out = capsys.readouterr().out
    assert out.endswith("}\n")
    assert out.count("\n") == 1
    assert json.loads(out) == {"source": "s3://b/é.jpg", "request_id": "id-1", "prediction": WIRE}
    assert "é" in out, "readable as it is"


def test_a_problem_is_recorded_as_the_caller_is_told_it() -> None:
    lines: list[str] = []
    told = problem(SourceTimeout("It took\ntoo long."), "id-2")
    LogSink(lines.append).put(Outcome(None, "id-2", "s3://b/1", told))
    (line,) = lines
    assert "\n" not in line
    kept = json.loads(line)
    assert list(kept) == ["source", "request_id", "problem"]
    assert kept["problem"] == told.to_dict("id-2")
    assert kept["problem"]["retryable"] is True


def test_timings_are_not_recorded_so_that_equal_outcomes_are_equal_lines() -> None:
    first = record(Outcome(None, "i", "s", PREDICTION))
    assert first == record(Outcome(None, "i", "s", PREDICTION._replace(timings=(("invoke", 9.0),))))


@pytest.mark.parametrize("error", [None, SourceTimeout("It took too long.")])
def test_a_presigned_url_is_recorded_without_its_signature(error: MlserverlessError | None) -> None:
    """It is a password for as long as it lasts."""

    def predict(request: Request, deadline: Deadline) -> Prediction:
        assert request.url == PRESIGNED, "the stages see all of it"
        if error:
            raise error
        return PREDICTION

    lines: list[str] = []
    (outcome,) = answer_each([("i", PRESIGNED)], lambda url: Request(url=url), predict, Deadline())
    LogSink(lines.append).put(outcome)
    assert json.loads(lines[0])["source"] == "https://b.s3.amazonaws.com/cat.jpg"
    for secret in ("X-Amz", "AKIA", "0123#", "pw", "frag"):
        assert secret not in lines[0]


def test_image_bytes_have_no_source_and_are_not_recorded() -> None:
    lines: list[str] = []
    (outcome,) = answer_each(
        [("i", b"pixels")], lambda data: Request(image=data), lambda *_: PREDICTION, Deadline()
    )
    LogSink(lines.append).put(outcome)
    assert json.loads(lines[0])["source"] == ""
    assert "pixels" not in lines[0]


def test_half_a_surrogate_pair_is_written_as_an_escape() -> None:
    """UTF-8 has no form for it, so that printing it would fail the whole event."""
    lines: list[str] = []
    LogSink(lines.append).put(Outcome(None, "i", "s3://b/\ud800.jpg", PREDICTION))
    assert lines[0].encode()
    assert json.loads(lines[0])["source"] == "s3://b/\ud800.jpg"
