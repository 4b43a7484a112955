"""The time budget, on a clock that the test turns."""

import math

import pytest

from mlserverless.deadline import Deadline, cloud_run, granted
from mlserverless.errors import DeadlineExceeded


class Clock:
    """Seconds as the test sets them."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_what_is_left_runs_down_and_stops_at_zero(clock: Clock) -> None:
    deadline = Deadline(3.0, clock=clock)
    seen = []
    for seconds in (0, 1, 1.5, 0.5, 100):
        clock.now += seconds
        seen.append(deadline.remaining())
    assert seen == [3.0, 2.0, 0.5, 0.0, 0.0]


def test_without_seconds_it_never_passes(clock: Clock) -> None:
    deadline = Deadline(clock=clock)
    clock.now += 1e9
    assert deadline.remaining() == math.inf
    deadline.check("anything")


@pytest.mark.parametrize(("granted", "own", "nearer"), [(5.0, 2.0, 2.0), (2.0, 5.0, 2.0), (None, 7.0, 7.0)])
def test_within_is_the_nearer_of_the_two(clock: Clock, granted: float | None, own: float, nearer: float) -> None:
    assert Deadline(granted, clock=clock).within(own).remaining() == nearer


def test_within_counts_what_is_already_spent(clock: Clock) -> None:
    deadline = Deadline(5.0, clock=clock)
    clock.now += 4
    stage = deadline.within(3.0)
    assert stage.remaining() == 1.0
    clock.now += 1
    assert stage.remaining() == deadline.remaining() == 0.0


def test_within_a_passed_deadline_nothing_is_left(clock: Clock) -> None:
    deadline = Deadline(1.0, clock=clock)
    clock.now += 2
    assert deadline.within(10).remaining() == 0.0


def test_check_names_the_budget_and_the_stage(clock: Clock) -> None:
    deadline = Deadline(2.5, clock=clock)
    deadline.check("the model ran")
    clock.now += 2.5
    with pytest.raises(DeadlineExceeded) as caught:
        deadline.check("the model ran")
    assert str(caught.value) == "The 2.5 s granted to this request were over before the model ran."
    assert caught.value.retryable


@pytest.mark.parametrize("seconds", [0, -1])
def test_no_time_is_no_time(clock: Clock, seconds: float) -> None:
    with pytest.raises(DeadlineExceeded, match="before the download"):
        Deadline(seconds, clock=clock).check("the download")


def test_default_clock_runs() -> None:
    assert 0 < Deadline(60).remaining() <= 60


def test_what_the_platform_grants_is_used_but_for_a_margin() -> None:
    assert 59.0 < granted(60).remaining() <= 59.5
    assert granted(0.2).remaining() == 0.0
    assert granted(math.inf).remaining() == math.inf


@pytest.mark.parametrize(
    ("said", "low", "high"),
    [("60", 59.0, 59.5), ("0", 0.0, 0.0), ("", math.inf, math.inf), ("²", math.inf, math.inf)],
)
def test_cloud_run_says_its_timeout(said: str, low: float, high: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLOUD_RUN_TIMEOUT_SECONDS", said)
    assert low <= cloud_run().remaining() <= high


def test_without_cloud_run_there_is_no_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CLOUD_RUN_TIMEOUT_SECONDS", raising=False)
    assert cloud_run().remaining() == math.inf
