"""The seam: every item gets an outcome, every outcome is recorded, and nothing that failed is acknowledged."""

import logging
import ssl
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from helpers.pools import until
from helpers.services import PREDICTION, FakePredictor, FakeService
from mlserverless import stores
from mlserverless.deadline import Deadline
from mlserverless.errors import ConfigError, InvalidRequest, ModelUnavailable
from mlserverless.net import connection
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
    outcomes += answer_each(items, decode, service.predict_member, Deadline())
    assert [outcome.request_id for outcome in outcomes] == ["id of s3://b/1", "id of s3://b/2"] * 2
    for outcome in outcomes:
        assert isinstance(outcome.result, Problem)
        assert (outcome.result.code, outcome.result.status) == ("misconfigured", 500)
        assert "top_k is 'many', which is not accepted: give a whole number from 1" in outcome.result.detail
    assert len(tried) == 4
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
    Service(lambda: predictor).warm_up(wait=True)
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


@pytest.mark.parametrize("error", [ssl.SSLError("no CA file"), OSError("no such file"), ZeroDivisionError("x")])
@pytest.mark.parametrize("wait", [True, False])
def test_no_failure_of_a_warm_up_ends_the_function(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: Exception, wait: bool
) -> None:
    """Not even one of what is prepared aside: raised at import, it would be a restart loop."""

    def trust() -> None:
        raise error

    monkeypatch.setattr(connection, "trust", trust)
    service = FakeService()
    service.warm_up(wait=wait)
    assert service.fake.warmed == 1
    until(lambda: bool(caplog.records))
    assert [record.getMessage() for record in caplog.records] == [
        f"warm-up failed: {type(error).__name__}: {error}"
    ]


def test_the_first_request_need_not_wait_for_certificates(monkeypatch: pytest.MonkeyPatch) -> None:
    go_on, read = threading.Event(), threading.Event()
    monkeypatch.setattr(connection, "trust", lambda: go_on.wait(10) and read.set())
    service = FakeService()
    service.warm_up()
    assert service.fake.warmed == 1
    assert not read.is_set()
    go_on.set()
    assert read.wait(10)


def test_the_end_of_the_process_is_not_kept_from_a_warm_up() -> None:
    class Ended(FakePredictor):
        def warm_up(self) -> None:
            raise KeyboardInterrupt

    ended: Any = Ended()
    with pytest.raises(KeyboardInterrupt):
        Service(lambda: ended).warm_up()


def test_wrong_settings_do_not_stop_a_warm_up(caplog: pytest.LogCaptureFixture) -> None:
    Service(lambda: Predictor(top_k="many")).warm_up()
    assert "warm-up failed: top_k is 'many'" in caplog.text


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
