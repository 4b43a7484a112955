"""What is recorded of an outcome, and the key that says what was asked."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.services import PREDICTION, WIRE
from mlserverless.errors import SourceNotFound
from mlserverless.serving import problem
from mlserverless.sinks.records import ModelId, key, key_of, record
from mlserverless.types import Box, Detection, Options, Outcome, Prediction, RawTensor, Request

MODEL = ModelId("mine", "ab" * 32)
ASKED = Request("r-1", url="https://h.example/a?sig=1", version="v1", options=Options(top_k=3))
KEYS = ["key", "time", "source", "version", "request_id", "model", "sha256", "options"]


def at(*moment: Any) -> Any:
    return lambda: datetime(*moment)


def test_a_prediction_is_recorded_whole() -> None:
    outcome = Outcome(None, "r-1", "https://h.example/a", PREDICTION, ASKED)
    told = record(outcome, MODEL, "k", at(2026, 11, 25, 2, 3, 4, 5678, UTC))
    assert list(told) == [*KEYS, "predictions"]
    assert told == {
        "key": "k",
        "time": "2026-11-25T02:03:04.005Z",
        "source": "https://h.example/a",
        "version": "v1",
        "request_id": "r-1",
        "model": WIRE["model"],
        "sha256": WIRE["sha256"],
        "options": {"top_k": 3},
        "predictions": WIRE["predictions"],
    }


@pytest.mark.parametrize(
    ("prediction", "name"),
    [
        (
            Prediction("m", "0", (), task="detect", detections=(Detection("a", 0, 0.5, Box(0, 0, 1, 1)),)),
            "detections",
        ),
        (Prediction("m", "0", (), task="raw", outputs=(RawTensor("x", (1,), "INT8", (1,)),)), "outputs"),
    ],
)
def test_detections_and_raw_tensors_are_recorded_under_their_own_names(prediction: Prediction, name: str) -> None:
    told = record(Outcome(None, "r-1", "https://h.example/a", prediction, ASKED), MODEL, "k")
    assert list(told) == [*KEYS, name]
    assert told[name] == prediction.to_dict()[name]


def test_a_problem_is_recorded_as_the_caller_is_told_it_with_the_model_that_was_asked() -> None:
    told = problem(SourceNotFound("There is no object."), "r-1")
    kept = record(Outcome(None, "r-1", "s3://b/1", told, ASKED), MODEL, "k")
    assert list(kept) == [*KEYS, "problem"]
    assert kept["problem"] == told.to_dict("r-1")
    assert (kept["model"], kept["sha256"]) == MODEL


def test_the_model_of_a_prediction_is_the_one_that_made_it() -> None:
    """Another may have been loaded since."""
    kept = record(Outcome(None, "r-1", "s3://b/1", PREDICTION, ASKED), MODEL, "k")
    assert (kept["model"], kept["sha256"]) == (PREDICTION.model, PREDICTION.sha256)


def test_timings_are_not_recorded_so_that_equal_outcomes_are_equal() -> None:
    now = at(2026, 1, 1, 0, 0, 0, 0, UTC)
    first, second = (
        record(Outcome(None, "i", "s", PREDICTION._replace(timings=timings)), MODEL, "k", now)
        for timings in ((), (("invoke", 9.0),))
    )
    assert first == second


def test_the_time_is_now_in_utc() -> None:
    told = record(Outcome(None, "i", "s", PREDICTION), MODEL, "k")["time"]
    assert told.endswith("Z")
    assert abs(datetime.fromisoformat(told) - datetime.now(UTC)) < timedelta(minutes=1)


def test_the_time_of_another_zone_keeps_its_offset() -> None:
    zone = timezone(timedelta(hours=2))
    told = record(Outcome(None, "i", "s", PREDICTION), MODEL, "k", at(2026, 1, 1, 1, 0, 0, 0, zone))["time"]
    assert told == "2026-01-01T01:00:00.000+02:00"


def test_what_the_request_leaves_to_the_settings_is_no_option_of_the_record() -> None:
    chosen = Options(score_threshold=0.0, labels_deny=("cat",), labels_allow=())
    kept = record(Outcome(None, "i", "s", PREDICTION, Request(options=chosen)), MODEL, "k")
    assert kept["options"] == {"score_threshold": 0.0, "labels_allow": (), "labels_deny": ("cat",)}
    assert record(Outcome(None, "i", "s", PREDICTION), MODEL, "k")["options"] == {}


def test_a_redelivery_has_the_same_key() -> None:
    assert key_of(ASKED, MODEL) == key_of(ASKED._replace(id="another"), MODEL)
    first, second = (Outcome(item, name, "s", PREDICTION, ASKED) for item, name in ((1, "r-1"), (2, "r-2")))
    assert key(first, MODEL) == key(second, MODEL) == key_of(ASKED, MODEL)


def test_a_key_is_a_sha_256_and_does_not_change_with_releases() -> None:
    """It is what a later release finds the results by."""
    assert key_of(ASKED, MODEL) == "ff151ec9a2c337b54f7f636d1fe8679a53afa450ca57883cfab355df212f8591"


@pytest.mark.parametrize(
    ("request_", "model"),
    [
        (ASKED._replace(version="v2"), MODEL),
        (ASKED._replace(url="https://h.example/a?sig=2"), MODEL),
        (ASKED._replace(url="https://h.example/b?sig=1"), MODEL),
        (ASKED._replace(options=Options(top_k=4)), MODEL),
        (ASKED._replace(options=Options()), MODEL),
        (ASKED._replace(options=Options(top_k=3, labels_deny=("cat",))), MODEL),
        (ASKED, MODEL._replace(sha256="cd" * 32)),
    ],
)
def test_what_was_asked_otherwise_has_another_key(request_: Request, model: ModelId) -> None:
    assert key_of(request_, model) != key_of(ASKED, MODEL)


def test_a_models_name_is_not_in_the_key() -> None:
    """The same file under another name gives the same answers."""
    assert key_of(ASKED, MODEL._replace(name="renamed")) == key_of(ASKED, MODEL)


def test_what_names_no_source_is_told_apart_by_its_id() -> None:
    told = problem(SourceNotFound("x"), "r")
    first, second = (Outcome(None, name, "", told, Request(name)) for name in ("r-1", "r-2"))
    assert key(first, MODEL) == key(first, MODEL) != key(second, MODEL)


def test_a_version_alone_is_enough_for_a_key() -> None:
    """Image bytes that a trigger brought along have one, where they have no URL."""
    asked = Request("r", image=b"x", version="v1")
    told = [Outcome(None, name, "", PREDICTION, asked) for name in ("r-1", "r-2")]
    assert len({key(outcome, MODEL) for outcome in told}) == 1


@given(st.tuples(st.text(), st.text()), st.tuples(st.text(), st.text()))
def test_keys_are_equal_only_where_url_and_version_are(one: tuple[str, str], other: tuple[str, str]) -> None:
    """No joining of two parts reads as the joining of two others, half a surrogate pair or not."""
    keys = [key_of(Request(url=url, version=version), MODEL) for url, version in (one, other)]
    assert (keys[0] == keys[1]) is (one == other)
