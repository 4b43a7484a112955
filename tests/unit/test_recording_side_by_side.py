"""The items of an event: side by side or in turn, each recorded as soon as it is answered."""

import threading
from math import inf
from typing import Any

import pytest

from helpers.services import PREDICTION, FakeService
from helpers.sinks import MemorySink
from helpers.words import Words
from mlserverless.deadline import Deadline
from mlserverless.errors import SourceNotFound
from mlserverless.predictor import Predictor
from mlserverless.recording import serve
from mlserverless.serving import Redeliver, Service
from mlserverless.types import Request


def test_in_turn_each_result_is_recorded_before_the_next_item_is_begun() -> None:
    """A model that crashes the process over the second must not lose the first."""

    def crash(request: Request) -> Any:
        assert len(sink.records) == len(service.requests) - 1
        return PREDICTION

    service = FakeService(crash, sink := MemorySink())
    items = [f"s3://b/{at}" for at in range(20)]
    assert len(serve(Words(), items, service, Deadline(), in_turn=True)) == 20
    assert [request.url for request in service.requests] == items


def test_in_turn_what_stood_before_the_end_of_the_process_is_recorded() -> None:
    class Killed(BaseException):
        pass

    def answer(request: Request) -> Any:
        if request.url == "s3://b/3":
            raise Killed
        return PREDICTION

    service = FakeService(answer, sink := MemorySink())
    with pytest.raises(Killed):
        serve(Words(), [f"s3://b/{at}" for at in range(1, 6)], service, Deadline(), in_turn=True)
    assert [record["source"] for record in sink.records.values()] == ["s3://b/1", "s3://b/2"]


def test_an_item_that_takes_its_time_does_not_hold_back_its_neighbours_record() -> None:
    written = threading.Event()

    class Telling(MemorySink):
        def put(self, key: str, record: dict[str, Any], deadline: Deadline) -> None:
            super().put(key, record, deadline)
            if record["source"] == "s3://b/2":
                written.set()

    def answer(request: Request) -> Any:
        if request.url == "s3://b/1":
            assert written.wait(10), "the second is not recorded before the first is answered"
        return PREDICTION._replace(model=request.url or "")

    service = FakeService(answer, sink := Telling())
    told = serve(Words(), ["s3://b/1", "s3://b/2"], service, Deadline())
    assert [result["model"] for result in told] == ["s3://b/1", "s3://b/2"], "in the items' order"
    assert [record["source"] for record in sink.records.values()] == ["s3://b/2", "s3://b/1"]


def test_what_failed_is_told_in_the_items_order() -> None:
    last = threading.Event()

    def answer(request: Request) -> Any:
        if request.url == "s3://b/3":
            last.set()
            return PREDICTION
        last.wait(10)
        return SourceNotFound("gone")

    with pytest.raises(Redeliver, match=r"^2 of 3 items failed: s3://b/1: source-not-found: gone; s3://b/2: "):
        serve(Words(), ["s3://b/1", "s3://b/2", "s3://b/3"], FakeService(answer), Deadline())


@pytest.mark.parametrize(("items", "in_turn", "queue"), [(2, False, inf), (2, True, 5), (1, False, 5)])
def test_members_of_an_event_wait_for_each_other_whatever_the_queue(
    items: int, in_turn: bool, queue: float
) -> None:
    service = FakeService(PREDICTION, MemorySink(), queue=5)
    serve(Words(), [f"s3://b/{at}" for at in range(items)], service, Deadline(), in_turn=in_turn)
    assert service.fake.queue == queue


def test_wrong_settings_hand_every_item_back() -> None:
    with pytest.raises(
        Redeliver, match=r"^3 of 3 items failed: s3://b/1: misconfigured: top_k is 'many'.*s3://b/3"
    ):
        serve(Words(), ["s3://b/1", "s3://b/2", "s3://b/3"], Service(lambda: Predictor(top_k="many")), Deadline())


def test_the_end_of_the_process_ends_the_event() -> None:
    class Killed(BaseException):
        pass

    def answer(request: Request) -> Any:
        if request.url == "s3://b/2":
            raise Killed
        return PREDICTION

    service = FakeService(answer, MemorySink())
    with pytest.raises(Killed):
        serve(Words(), ["s3://b/1", "s3://b/2", "s3://b/3"], service, Deadline())
