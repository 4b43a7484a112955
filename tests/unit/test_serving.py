"""The seam: every item gets an outcome, every outcome is recorded, and nothing that failed is acknowledged."""

import json
import logging
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from helpers.services import PREDICTION, WIRE, FakePredictor, FakeService
from mlserverless import errors
from mlserverless.deadline import Deadline
from mlserverless.errors import ConfigError, InvalidRequest, ModelUnavailable, SourceNotFound
from mlserverless.predictor import Predictor
from mlserverless.serving import Redeliver, Service, acknowledge, answer_each, new_id, problem, serve
from mlserverless.types import Outcome, Prediction, Problem, Request


class Words:
    """A trigger whose event is a list of texts: each is a URL, and ``bad`` none."""

    def split(self, event: list[str]) -> Sequence[str]:
        return event

    def decode(self, item: str) -> Request:
        if item == "bad":
            raise InvalidRequest("bad is no URL.")
        return Request(f"id of {item}", url=item)

    def reply(self, outcomes: Sequence[Outcome]) -> Any:
        acknowledge(outcomes)
        return [outcome.to_dict() for outcome in outcomes]


def fails(request: Request) -> Any:
    """Answer every URL but those that ask for an error."""
    if request.url == "s3://b/gone":
        return SourceNotFound("There is no object.")
    return ZeroDivisionError("secret detail") if request.url == "s3://b/crash" else PREDICTION


def test_every_item_is_answered_and_recorded() -> None:
    service = FakeService()
    assert serve(Words(), ["s3://b/1", "s3://b/2"], service, Deadline(7)) == [WIRE, WIRE]
    assert [request.url for request in service.requests] == ["s3://b/1", "s3://b/2"]
    assert [json.loads(line)["request_id"] for line in service.lines] == ["id of s3://b/1", "id of s3://b/2"]
    assert all(6 < left <= 7 for left in service.fake.left), "one deadline for the whole event"


def test_an_event_without_items_is_acknowledged_without_a_predictor() -> None:
    def never() -> Predictor:
        raise AssertionError("asked for")

    assert serve(Words(), [], Service(never), Deadline()) == []


def test_what_fails_does_not_take_its_neighbours_with_it() -> None:
    service = FakeService(fails)
    with pytest.raises(Redeliver):
        serve(Words(), ["s3://b/1", "bad", "s3://b/gone", "s3://b/crash", "s3://b/2"], service, Deadline())
    kept = [json.loads(line) for line in service.lines]
    codes = [line["problem"]["code"] if "problem" in line else "ok" for line in kept]
    assert codes == ["ok", "invalid-request", "source-not-found", "internal", "ok"]


def test_the_reply_is_made_after_all_is_recorded() -> None:
    """Or an event could be acknowledged whose results are lost."""

    class Checking(Words):
        def reply(self, outcomes: Sequence[Outcome]) -> Any:
            return len(service.lines)

    service = FakeService(fails)
    assert serve(Checking(), ["s3://b/1", "bad"], service, Deadline()) == 2


def test_an_event_is_not_acknowledged_when_its_outcome_cannot_be_recorded() -> None:
    def full(_: str) -> None:
        raise OSError("no space")

    service = FakeService()
    service.sink._write = full
    with pytest.raises(OSError, match="no space"):
        serve(Words(), ["s3://b/1"], service, Deadline())


def test_an_item_has_its_own_id_or_the_one_it_was_named() -> None:
    def decode(item: str) -> Request:
        if item == "bad":
            raise InvalidRequest("bad")
        return Request(item, url="s3://b/1")

    def predict(request: Request, _: Deadline) -> Prediction:
        seen.append(request.id)
        return PREDICTION

    seen: list[str] = []
    outcomes = answer_each([("a", "own"), ("b", ""), ("c", "bad")], decode, predict, Deadline())
    assert [outcome.request_id for outcome in outcomes] == ["own", "b", "c"]
    assert seen == ["own", "b"]
    assert [outcome.item for outcome in outcomes] == ["own", "", "bad"]


@pytest.mark.parametrize("error", [SourceNotFound("gone"), errors.Overloaded("busy")])
def test_any_failed_item_hands_the_event_back(error: errors.MlserverlessError) -> None:
    good = Outcome("a", "1", "s3://b/a", PREDICTION)
    bad = Outcome("b", "2", "s3://b/b", problem(error, "2"))
    nameless = Outcome("c", "3", "", problem(InvalidRequest("no URL"), "3"))
    with pytest.raises(Redeliver) as raised:
        acknowledge([good, bad, nameless])
    assert str(raised.value) == (
        f"2 of 3 items failed: s3://b/b: {error.code}: {error}; an item: invalid-request: no URL"
    )


def test_an_event_whose_items_all_passed_is_acknowledged() -> None:
    acknowledge([])
    acknowledge([Outcome("a", "1", "s3://b/a", PREDICTION)])


def test_wrong_settings_are_told_for_every_item_and_tried_again() -> None:
    """Nothing is remembered of a failure, so that a settings file that is mended is seen."""
    tried: list[int] = []

    def make() -> Predictor:
        tried.append(1)
        return Predictor(top_k="many")

    service = Service(make)
    outcomes = answer_each([("1", "s3://b/1"), ("2", "s3://b/2")], Words().decode, service.predict, Deadline())
    for outcome in outcomes:
        assert isinstance(outcome.result, Problem)
        assert (outcome.result.code, outcome.result.status) == ("misconfigured", 500)
        assert "top_k is 'many', which is not accepted: give a whole number from 1" in outcome.result.detail
    assert len(tried) == 2
    with pytest.raises(ConfigError):
        _ = service.predictor


def test_32_threads_get_one_predictor() -> None:
    made: list[Any] = []
    barrier = threading.Barrier(32, timeout=20)

    def make() -> Any:
        time.sleep(0.02)  # long enough for all the others to come
        made.append(FakePredictor())
        return made[-1]

    service = Service(make)

    def ask(_: int) -> Any:
        barrier.wait()
        return service.predictor

    with ThreadPoolExecutor(32) as pool:
        got = list(pool.map(ask, range(32)))
    assert len(made) == 1
    assert all(predictor is made[0] for predictor in got)


@pytest.mark.parametrize(("level", "number"), [("debug", logging.DEBUG), ("error", logging.ERROR)])
def test_the_log_has_the_level_that_is_set(level: str, number: int) -> None:
    log = logging.getLogger("mlserverless")
    before = log.level
    try:
        assert FakeService(log_level=level).predictor.settings.log_level == level
        assert log.level == number
    finally:
        log.setLevel(before)


def test_a_warm_up_that_fails_is_logged_and_not_raised(caplog: pytest.LogCaptureFixture) -> None:
    """A crash at import would be a restart loop; the requests tell it."""
    Service(lambda: Predictor("no-such-model")).warm_up()
    assert "warm-up failed: There is no model 'no-such-model'" in caplog.text


def test_a_warm_up_loads_the_model_before_the_first_request() -> None:
    class Warm(FakePredictor):
        warmed = 0

        def warm_up(self) -> None:
            self.warmed += 1

    predictor: Any = Warm()
    Service(lambda: predictor).warm_up()
    assert predictor.warmed == 1


def test_a_fault_of_ours_in_the_warm_up_is_not_hidden() -> None:
    def broken() -> Predictor:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        Service(broken).warm_up()


def test_a_model_that_cannot_be_used_is_a_problem_each_time() -> None:
    service = FakeService(ModelUnavailable("No engine can run the model."))
    for _ in range(2):
        (outcome,) = answer_each([("i", "s3://b/1")], Words().decode, service.predict, Deadline())
        assert isinstance(outcome.result, Problem)
        assert outcome.result.code == "model-unavailable"


def test_ids_are_new_each_time() -> None:
    made = {new_id() for _ in range(1000)}
    assert len(made) == 1000
    assert all(len(name) == 32 and set(name) <= set("0123456789abcdef") for name in made)


def test_settings_bound_the_queue_and_the_time() -> None:
    service = FakeService(queue=3, timeout=7)
    service.predict(Request(image=b"x"), Deadline())
    assert service.fake.queue == 3
    assert 6 < service.fake.left[0] <= 7
