"""Which error is told as which problem, and what of it is told."""

import json
import logging

import pytest

from helpers.services import FakeService
from mlserverless import errors
from mlserverless.deadline import Deadline
from mlserverless.errors import InvalidRequest
from mlserverless.serving import answer_each, problem
from mlserverless.types import Prediction, Problem, Request

ALL = {
    errors.ConfigError: ("misconfigured", 500, "The function is not configured correctly", False),
    errors.InvalidRequest: ("invalid-request", 400, "The request is not valid", False),
    errors.NotFound: ("not-found", 404, "There is nothing at this path", False),
    errors.MethodNotAllowed: ("method-not-allowed", 405, "The method is not allowed at this path", False),
    errors.NotAcceptable: ("not-acceptable", 406, "The answer is of no type that is accepted", False),
    errors.SourceError: ("source-error", 502, "The image could not be fetched", True),
    errors.SourceBlocked: ("source-blocked", 403, "The image's address is not allowed", False),
    errors.SourceNotFound: ("source-not-found", 404, "There is no image at this address", False),
    errors.SourceTimeout: ("source-timeout", 504, "The image's origin took too long", True),
    errors.ImageTooLarge: ("image-too-large", 413, "The image is too large", False),
    errors.UnsupportedMediaType: ("unsupported-media-type", 415, "The format is not accepted", False),
    errors.UndecodableImage: ("undecodable-image", 422, "The image cannot be decoded", False),
    errors.ModelUnavailable: ("model-unavailable", 503, "The model cannot be used", False),
    errors.Overloaded: ("overloaded", 503, "The function is busy", True),
    errors.DeadlineExceeded: ("deadline-exceeded", 504, "The time is over", True),
    errors.SinkError: ("sink-error", 503, "The result could not be recorded", True),
    errors.InternalError: ("internal", 500, "The function failed", True),
}


def decode(url: str) -> Request:
    if url == "bad":
        raise InvalidRequest("bad is no URL.")
    return Request(url=url)


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_every_error_is_told_as_its_problem(kind: type[errors.MlserverlessError]) -> None:
    error = kind("why", ("GET",)) if kind is errors.MethodNotAllowed else kind("why")  # type: ignore[call-arg]
    code, status, title, retryable = ALL[kind]
    told = problem(error, "id-1")
    assert told[:5] == (status, code, title, "why", retryable)
    assert told.to_dict("id-1") == {
        "type": f"urn:mlserverless:problem:{code}",
        "title": title,
        "status": status,
        "detail": "why",
        "instance": "id-1",
        "code": code,
        "retryable": retryable,
    }


def test_no_error_is_missing_above() -> None:
    bases = {errors.MlserverlessError, errors.ImageError}
    kinds = {kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Exception)}
    assert kinds - bases == set(ALL)


def test_a_source_error_says_itself_whether_it_may_pass() -> None:
    assert problem(errors.SourceError("410", retryable=False), "i").retryable is False


def test_what_is_overloaded_says_when_to_come_back() -> None:
    assert problem(errors.Overloaded("busy"), "i").headers == (("Retry-After", "1"),)


def test_a_method_that_is_not_allowed_says_which_are() -> None:
    told = problem(errors.MethodNotAllowed("no", ("GET", "POST")), "i")
    assert told.headers == (("Allow", "GET, POST, HEAD, OPTIONS"),), "HEAD where GET is, OPTIONS everywhere"


@pytest.mark.parametrize(
    "error", [ZeroDivisionError("secret detail"), MemoryError("secret detail"), KeyError("secret detail")]
)
def test_an_unknown_error_is_in_the_log_and_not_in_the_answer(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    service = FakeService(error)
    (outcome,) = answer_each([("id-7", "s3://b/1")], decode, service.predict, Deadline())
    assert isinstance(outcome.result, Problem)
    assert (outcome.result.code, outcome.result.status) == ("internal", 500)
    wire = json.dumps(outcome.to_dict())
    assert "secret" not in wire
    assert type(error).__name__ not in wire
    assert outcome.to_dict()["instance"] == outcome.request_id
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert outcome.request_id in record.getMessage()
    assert f"{type(error).__name__}: " in caplog.text
    assert "secret detail" in caplog.text


def test_what_a_caller_did_wrong_is_no_error_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    answer_each([("i", "bad")], decode, FakeService().predict, Deadline())
    assert caplog.records == []


@pytest.mark.parametrize("signal", [KeyboardInterrupt, SystemExit])
def test_the_end_of_the_process_is_not_an_outcome(signal: type[BaseException]) -> None:
    def stop(request: Request, deadline: Deadline) -> Prediction:
        raise signal

    with pytest.raises(signal):
        answer_each([("i", "s3://b/1")], decode, stop, Deadline())
