"""Events: every outcome is recorded before its item is acknowledged, and what is not is handed back."""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from helpers.services import PREDICTION, WIRE, FakeService
from helpers.sinks import MemorySink
from helpers.words import Words
from mlserverless import errors
from mlserverless.deadline import Deadline
from mlserverless.errors import InvalidRequest, SourceNotFound
from mlserverless.predictor import Predictor
from mlserverless.recording import hand_back, lasting, serve
from mlserverless.serving import Redeliver, Service, problem
from mlserverless.types import Outcome, Request


def fails(request: Request) -> Any:
    """Answer every URL but those that ask for an error."""
    if request.url == "s3://b/gone":
        return SourceNotFound("There is no object.")
    return ZeroDivisionError("secret detail") if request.url == "s3://b/crash" else PREDICTION


def test_every_item_is_answered_and_recorded() -> None:
    service = FakeService()
    assert serve(Words(), ["s3://b/1", "s3://b/2"], service, Deadline(7)) == [WIRE, WIRE]
    assert sorted(request.url or "" for request in service.requests) == ["s3://b/1", "s3://b/2"]
    told = sorted(json.loads(line)["request_id"] for line in service.lines)
    assert told == ["id of s3://b/1", "id of s3://b/2"]
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
    assert sorted(codes) == ["internal", "invalid-request", "ok", "ok", "source-not-found"]


def test_the_reply_is_made_after_all_is_recorded() -> None:
    """Or an event could be acknowledged whose results are lost."""

    class Checking(Words):
        def reply(self, outcomes: Sequence[Outcome], failed: Sequence[Outcome]) -> Any:
            return len(service.lines)

    service = FakeService(fails)
    assert serve(Checking(), ["s3://b/1", "bad"], service, Deadline()) == 2


def test_an_event_is_not_acknowledged_when_its_outcome_cannot_be_recorded() -> None:
    def full(_: str) -> None:
        raise OSError("no space")

    service = FakeService()
    service.sink._write = full
    with pytest.raises(Redeliver, match=r"1 of 1 items failed: s3://b/1: internal: Something failed inside"):
        serve(Words(), ["s3://b/1"], service, Deadline())


@pytest.mark.parametrize("error", [SourceNotFound("gone"), errors.Overloaded("busy")])
def test_what_failed_hands_the_event_back(error: errors.MlserverlessError) -> None:
    good = Outcome("a", "1", "s3://b/a", PREDICTION)
    bad = Outcome("b", "2", "s3://b/b", problem(error, "2"))
    nameless = Outcome("c", "3", "", problem(InvalidRequest("no URL"), "3"))
    with pytest.raises(Redeliver) as raised:
        hand_back([good, bad, nameless], [bad, nameless])
    assert str(raised.value) == (
        f"2 of 3 items failed: s3://b/b: {error.code}: {error}; an item: invalid-request: no URL"
    )


def test_an_event_whose_items_all_passed_is_acknowledged() -> None:
    hand_back([], [])
    hand_back([Outcome("a", "1", "s3://b/a", PREDICTION)], [])


def codes(sink: MemorySink) -> list[str]:
    return [record["problem"]["code"] if "problem" in record else "ok" for record in sink.records.values()]


def test_a_sink_that_keeps_work_ends_what_will_never_pass() -> None:
    """There a problem is as good as an answer: it is kept under the item's key, and the item is acknowledged."""
    service = FakeService(fails, sink := MemorySink())
    with pytest.raises(Redeliver, match=r"1 of 4 items failed: s3://b/crash: internal"):
        serve(Words(), ["s3://b/1", "bad", "s3://b/gone", "s3://b/crash"], service, Deadline())
    assert sorted(codes(sink)) == ["invalid-request", "ok", "source-not-found"]


def test_what_may_pass_is_not_recorded_under_its_key() -> None:
    """Where it would stand in the way of the answer; the log tells it."""
    answers: list[Any] = [errors.Overloaded("busy"), PREDICTION]
    service = FakeService(lambda _: answers.pop(0), sink := MemorySink())
    with pytest.raises(Redeliver):
        serve(Words(), ["s3://b/1"], service, Deadline())
    assert sink.records == {}
    assert json.loads(service.lines[0])["problem"]["code"] == "overloaded"
    serve(Words(), ["s3://b/1"], service, Deadline())
    assert codes(sink) == ["ok"]


@pytest.mark.parametrize("error", [errors.ConfigError("no such label"), errors.ModelUnavailable("not pinned")])
def test_a_wrong_deployment_ends_no_event(error: errors.MlserverlessError) -> None:
    """Or a slip in a setting would answer a whole queue with problems."""
    service = FakeService(error, sink := MemorySink())
    with pytest.raises(Redeliver, match=error.code):
        serve(Words(), ["s3://b/1"], service, Deadline())
    assert sink.records == {}
    assert not lasting(problem(error, "i"))


def test_a_sink_that_fails_for_one_item_does_not_take_the_others_along() -> None:

    class Full(MemorySink):
        def put(self, key: str, record: dict[str, Any], deadline: Deadline) -> None:
            if record["source"] == "s3://b/2":
                raise errors.SinkError("no space")
            super().put(key, record, deadline)

    service = FakeService(sink=(sink := Full()))
    with pytest.raises(Redeliver, match=r"1 of 3 items failed: s3://b/2: sink-error: no space"):
        serve(Words(), ["s3://b/1", "s3://b/2", "s3://b/3"], service, Deadline())
    assert sorted(record["source"] for record in sink.records.values()) == ["s3://b/1", "s3://b/3"]


def test_a_second_delivery_changes_nothing() -> None:
    service = FakeService(sink=(sink := MemorySink()))
    for _ in range(3):
        assert serve(Words(), ["s3://b/1"], service, Deadline()) == [WIRE]
    assert len(sink.records) == 1
    assert sink.offered == 3


def test_an_item_that_asks_for_nothing_is_acknowledged_without_a_record() -> None:
    service = FakeService(sink=(sink := MemorySink()))
    assert serve(Words(), ["nothing", "s3://b/1"], service, Deadline()) == [WIRE]
    assert len(sink.records) == 1


def test_results_are_not_classified() -> None:
    """A bucket that is watched and holds the results would feed itself for ever."""
    service = FakeService(sink=MemorySink(own="s3://b/results/"))
    assert serve(Words(), ["s3://b/results/0.json"], service, Deadline()) == []
    assert service.requests == []


def test_what_is_recorded_is_not_predicted_again_where_the_event_goes_on() -> None:
    service = FakeService(sink=MemorySink())
    serve(Words(), ["s3://b/1"], service, Deadline())
    serve(Words(), ["s3://b/1", "s3://b/2"], service, Deadline(), resume=True)
    assert [request.url for request in service.requests] == ["s3://b/1", "s3://b/2"], "each once"


def test_a_sink_that_cannot_be_opened_hands_everything_back() -> None:
    service = Service(lambda: FakeService(sink=None).fake)
    service.predictor.settings = service.predictor.settings._replace(sink="bigquery://nothing")
    with pytest.raises(Redeliver, match=r"misconfigured: The sink is not of the form bigquery://project"):
        serve(Words(), ["s3://b/1"], service, Deadline())


def test_wrong_settings_hand_everything_back() -> None:
    with pytest.raises(Redeliver, match="misconfigured: top_k is 'many'"):
        serve(Words(), ["s3://b/1"], Service(lambda: Predictor(top_k="many")), Deadline())


def test_the_write_gets_a_share_of_the_time() -> None:
    """A prediction that takes all of it would lose its result."""
    for seconds, left in ((10.0, 9.0), (100.0, 97.0)):
        service = FakeService(sink=MemorySink())
        serve(Words(), ["s3://b/1"], service, Deadline(seconds))
        assert left - 0.5 < service.fake.left[0] <= left


def test_an_invocations_own_sink_comes_first() -> None:
    service, sink = FakeService(), MemorySink()
    serve(Words(), ["s3://b/1"], service, Deadline(), sink=sink)
    assert (len(sink.records), service.lines) == (1, [])


def test_what_the_time_does_not_suffice_for_is_handed_back_unread() -> None:
    """What cannot be read takes time, too: its record has to be written."""
    sink = MemorySink()
    with pytest.raises(Redeliver, match=r"3 of 3 items failed: an item: deadline-exceeded"):
        serve(Words(), ["bad", "s3://b/1", "nothing"], FakeService(sink=sink), Deadline(0.0))
    assert (sink.records, sink.offered) == ({}, 0)


def test_the_platform_is_told_of_the_first_failures_only() -> None:
    failed = [Outcome(None, str(at), f"s3://b/{at}", problem(InvalidRequest("no"), str(at))) for at in range(1000)]
    with pytest.raises(Redeliver, match=r"^1000 of 1000 items failed: s3://b/0: ") as raised:
        hand_back(failed, failed)
    assert str(raised.value).count("invalid-request") == 10
