"""Batches: side by side, in their order, and never more with the model than it takes."""

import math
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from helpers.fakes import fake_engine, folder
from helpers.images import encode, gradient
from helpers.pools import Held, until
from helpers.services import PREDICTION, FakeService
from mlserverless import prepare
from mlserverless.deadline import Deadline
from mlserverless.errors import Overloaded
from mlserverless.overlap import MOST
from mlserverless.predictor import Predictor
from mlserverless.serving import Service, answer_each
from mlserverless.types import Prediction, Request


def decode(item: str) -> Request:
    """Every text is a URL."""
    return Request(f"id of {item}", url=item)


class Busy:
    """Counts how many are inside at a time; ``most`` is the highest count."""

    def __init__(self) -> None:
        self._lock, self.now, self.most = threading.Lock(), 0, 0

    def __enter__(self) -> None:
        with self._lock:
            self.now += 1
            self.most = max(self.most, self.now)

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self.now -= 1


def test_outcomes_are_in_the_items_order_whoever_ends_first() -> None:
    last = threading.Event()

    def predict(request: Request, _: Deadline) -> Prediction:
        if request.url == "s3://b/3":
            last.set()
        assert last.wait(10), "they are not side by side"
        return PREDICTION._replace(model=request.url or "")

    items = [(str(at), f"s3://b/{at}") for at in range(4)]
    outcomes = answer_each(iter(items), decode, predict, Deadline())
    assert [outcome.request_id for outcome in outcomes] == [f"id of {url}" for _, url in items]
    assert [outcome.result.model for outcome in outcomes if isinstance(outcome.result, Prediction)] == [
        url for _, url in items
    ]


def test_one_item_is_answered_where_it_came() -> None:
    threads: list[int] = []

    def predict(*_: Any) -> Prediction:
        threads.append(threading.get_ident())
        return PREDICTION

    answer_each([("1", "s3://b/1")], decode, predict, Deadline())
    assert threads == [threading.get_ident()]
    assert answer_each([], decode, predict, Deadline()) == []


def test_no_more_than_so_many_of_a_batch_hold_an_image_at_a_time() -> None:
    busy, full = Busy(), threading.Barrier(MOST)

    def predict(*_: Any) -> Prediction:
        with busy:
            full.wait(10)
        return PREDICTION

    items = [(str(at), f"s3://b/{at}") for at in range(2 * MOST)]
    assert len(answer_each(items, decode, predict, Deadline())) == 2 * MOST
    assert busy.most == MOST


def test_a_batch_of_real_images_is_downloaded_side_by_side_and_fills_no_queue(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a queue of none, where each of its members would be overload to the next."""
    fake_engine(monkeypatch)
    data, busy, decoded, whole = encode(gradient(8, 8)), Busy(), Busy(), prepare.prepare_input
    together = threading.Barrier(8)

    def download(*_: Any) -> bytes:
        with busy:
            together.wait(10)
        return data

    def preparing(*given: Any, **more: Any) -> Any:
        with decoded:
            time.sleep(0.005)
            return whole(*given, **more)

    monkeypatch.setattr("mlserverless.predictor.download", download)
    monkeypatch.setattr(prepare, "prepare_input", preparing)
    service = Service(lambda: Predictor(folder(tmp_path / "mine"), concurrency=1, queue=0))
    service.predictor.load()
    items = [(str(at), f"s3://b/{at}") for at in range(8)]
    outcomes = answer_each(items, decode, service.predict_member, Deadline(20))
    assert [outcome.result for outcome in outcomes if not isinstance(outcome.result, Prediction)] == []
    assert (busy.most, decoded.most) == (8, 1)


@pytest.mark.parametrize("queue", [0, 1])
def test_a_batch_and_a_single_request_do_not_refuse_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, queue: int
) -> None:
    """A whole batch waits for the one interpreter: as many single requests wait as without it."""
    fake_engine(monkeypatch)
    service = Service(lambda: Predictor(folder(tmp_path / "mine"), concurrency=2, queue=queue))
    pool, data, outcomes = service.predictor.load().pool, encode(gradient(8, 8)), list[Any]()
    items = [(str(at), data) for at in range(16)]

    def batch() -> None:
        decode = lambda item: Request(image=item)  # noqa: E731
        outcomes.extend(answer_each(items, decode, service.predict_member, Deadline(20)))

    def single() -> None:
        outcomes.append(service.predict(Request(image=data), Deadline(20)))

    with Held(pool), Held(pool):
        threads = [threading.Thread(target=batch)]
        threads[0].start()
        until(lambda: len(pool._jobs) == 16)
        if queue:
            threads.append(threading.Thread(target=single))
            threads[1].start()
            until(lambda: len(pool._jobs) == 17)
        with pytest.raises(Overloaded, match=f"All 2 interpreters are busy and {queue} requests wait already"):
            service.predict(Request(image=data), Deadline(20))
    for thread in threads:
        thread.join(20)
    found = [outcome if isinstance(outcome, Prediction) else outcome.result for outcome in outcomes]
    assert [one for one in found if not isinstance(one, Prediction)] == []
    assert len(found) == 16 + queue


@pytest.mark.parametrize("queue", [0, 1, 1000])
def test_a_members_time_is_the_settings_and_its_queue_has_no_end(queue: int) -> None:
    service = FakeService(queue=queue, timeout=3)
    assert service.predict_member(Request(url="s3://b/1"), Deadline()) == PREDICTION
    assert service.fake.queue == math.inf
    assert 2.5 < service.fake.left[0] <= 3
    assert service.predict(Request(url="s3://b/1"), Deadline()) == PREDICTION
    assert service.fake.queue == queue
