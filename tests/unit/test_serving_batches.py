"""Batches: side by side, in their order, and never more with the model than it takes."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from helpers.fakes import fake_engine, folder
from helpers.images import encode, gradient
from helpers.services import PREDICTION, FakeService
from mlserverless import formats
from mlserverless.deadline import Deadline
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


def test_a_batch_has_so_many_with_the_model_as_the_model_takes() -> None:
    busy, pairs = Busy(), threading.Barrier(2)

    def answer(_: Request) -> Prediction:
        with busy:
            pairs.wait(10)
        return PREDICTION

    service = FakeService(answer, concurrency=2)
    items = [(str(at), f"s3://b/{at}") for at in range(10)]
    outcomes = answer_each(items, decode, service.in_batch(), Deadline(20))
    assert all(outcome.result == PREDICTION for outcome in outcomes)
    assert busy.most == 2


def test_a_batch_of_real_images_is_downloaded_side_by_side_and_fills_no_queue(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a queue of none, where each of its members would be overload to the next."""
    fake_engine(monkeypatch)
    data, busy, opened, open_image = encode(gradient(8, 8)), Busy(), Busy(), formats.open_image
    together = threading.Barrier(8)

    def download(*_: Any) -> bytes:
        with busy:
            together.wait(10)
        return data

    def opening(*given: Any, **more: Any) -> Any:
        with opened:
            time.sleep(0.005)
            return open_image(*given, **more)

    monkeypatch.setattr("mlserverless.predictor.download", download)
    monkeypatch.setattr(formats, "open_image", opening)
    service = Service(lambda: Predictor(folder(tmp_path / "mine"), concurrency=1, queue=0))
    service.predictor.load()
    items = [(str(at), f"s3://b/{at}") for at in range(8)]
    outcomes = answer_each(items, decode, service.in_batch(), Deadline(20))
    assert [outcome.result for outcome in outcomes if not isinstance(outcome.result, Prediction)] == []
    assert (busy.most, opened.most) == (8, 1)


def test_two_batches_do_not_share_their_turns() -> None:
    """Or one caller's would wait for another's; whose turn it is with the model, the pool says."""
    both = threading.Barrier(2)

    def answer(_: Request) -> Prediction:
        both.wait(10)
        return PREDICTION

    service = FakeService(answer, concurrency=1)
    answers = [service.in_batch() for _ in range(2)]
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda answer: answer(Request(url="s3://b/1"), Deadline(20)), answers))
    assert found == [PREDICTION] * 2
