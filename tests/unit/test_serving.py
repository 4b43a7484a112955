"""The seam: every item gets an outcome, every outcome is recorded, and nothing that failed is acknowledged."""

import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from helpers.fakes import fake_engine, folder
from helpers.images import encode, gradient
from helpers.services import PREDICTION, FakePredictor, FakeService
from mlserverless import formats, stores
from mlserverless.deadline import Deadline
from mlserverless.errors import ConfigError, InvalidRequest, ModelUnavailable
from mlserverless.net import connection
from mlserverless.overlap import MOST
from mlserverless.predictor import Predictor
from mlserverless.serving import Service, answer_each, new_id
from mlserverless.types import Prediction, Problem, Request


def decode(item: str) -> Request:
    """Every text is a URL."""
    return Request(f"id of {item}", url=item)


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
    assert sorted(seen) == ["b", "own"]
    assert [outcome.item for outcome in outcomes] == ["own", "", "bad"]


def test_wrong_settings_are_told_for_every_item_and_tried_again() -> None:
    """Nothing is remembered of a failure, so that a settings file that is mended is seen."""
    tried: list[int] = []

    def make() -> Predictor:
        tried.append(1)
        return Predictor(top_k="many")

    service = Service(make)
    items = [("1", "s3://b/1"), ("2", "s3://b/2")]
    outcomes = answer_each(items, decode, service.predict, Deadline())
    assert len(tried) == 2
    outcomes += answer_each(items, decode, service.in_batch(), Deadline())
    assert [outcome.request_id for outcome in outcomes] == ["id of s3://b/1", "id of s3://b/2"] * 2
    for outcome in outcomes:
        assert isinstance(outcome.result, Problem)
        assert (outcome.result.code, outcome.result.status) == ("misconfigured", 500)
        assert "top_k is 'many', which is not accepted: give a whole number from 1" in outcome.result.detail
    assert len(tried) == 5, "and once for the batch"
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


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        ({}, ["certificates"]),
        ({"sink": "sqs://queue"}, ["certificates"]),
        ({"schedule_source": "https://h.example/list"}, ["certificates"]),
        *(({"sink": f"{kind}://b/out"}, ["certificates", "stores"]) for kind in ("s3", "gs", "az", "S3")),
        ({"schedule_source": "gs://b/list"}, ["certificates", "stores"]),
    ],
    ids=repr,
)
def test_a_warm_up_prepares_what_a_request_reaches_out_with(
    monkeypatch: pytest.MonkeyPatch, settings: dict[str, str], found: list[str]
) -> None:
    """Beside the model: the certificates are read while it is. A store's client where a setting names it."""
    prepared, warm = list[str](), threading.Event()
    monkeypatch.setattr(connection, "trust", lambda: warm.wait(10) and prepared.append("certificates"))
    monkeypatch.setattr(stores, "prepare", lambda: prepared.append("stores"))

    class Warm(FakePredictor):
        def warm_up(self) -> None:
            warm.set()

    predictor: Any = Warm(**settings)
    Service(lambda: predictor).warm_up()
    assert prepared == found


def test_what_a_warm_up_found_is_told_again_by_each_request(caplog: pytest.LogCaptureFixture) -> None:
    service = Service(lambda: Predictor("no-such-model"))
    service.warm_up()
    assert len(caplog.records) == 1
    outcomes = answer_each(
        [("1", b"x"), ("2", b"x")], lambda data: Request(image=data), service.predict, Deadline()
    )
    for outcome in outcomes:
        assert isinstance(outcome.result, Problem)
        assert outcome.result.code == "model-unavailable"
        assert "There is no model 'no-such-model'" in outcome.result.detail


def test_wrong_settings_do_not_stop_a_warm_up(caplog: pytest.LogCaptureFixture) -> None:
    Service(lambda: Predictor(top_k="many")).warm_up()
    assert "warm-up failed: top_k is 'many'" in caplog.text


def test_a_fault_of_ours_in_the_warm_up_is_not_hidden() -> None:
    def broken() -> Predictor:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        Service(broken).warm_up()


def test_a_model_that_cannot_be_used_is_a_problem_each_time() -> None:
    service = FakeService(ModelUnavailable("No engine can run the model."))
    for _ in range(2):
        (outcome,) = answer_each([("i", "s3://b/1")], decode, service.predict, Deadline())
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


# --- batches ---


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
