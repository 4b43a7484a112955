"""What cannot end in time is not begun."""

import pytest

from mlserverless.deadline import Deadline
from mlserverless.errors import DeadlineExceeded
from mlserverless.pace import PIXELS, Pace


def test_nothing_is_known_at_first() -> None:
    pace = Pace()
    assert pace.needed(50_000_000, Deadline(10)) == 0
    assert pace.check(50_000_000, Deadline(10)) == 0
    with pytest.raises(DeadlineExceeded, match="over before the model ran"):
        pace.check(1, Deadline(0))


def test_larger_images_need_longer_and_small_ones_do_not_need_less() -> None:
    pace = Pace()
    pace.learn(2 * PIXELS, prepare=0.2, run=0.5)
    whole = Deadline(100)
    assert pace.needed(4 * PIXELS, whole) == pytest.approx(0.9)
    assert pace.needed(PIXELS, whole) == pace.needed(0, whole) == pytest.approx(0.6)
    pace = Pace()
    pace.learn(100, prepare=0.01, run=0.0)  # nearly all of it is what any image costs
    assert pace.needed(PIXELS, whole) == pytest.approx(0.01)


def test_slowest_counts_and_fades() -> None:
    pace, whole = Pace(), Deadline(100)
    for run in (0.1, 1.0, 0.1):
        pace.learn(PIXELS, 0.0, run)
    assert pace.needed(0, whole) == pytest.approx(0.9)
    for _ in range(60):
        pace.learn(PIXELS, 0.0, 0.1)
    assert pace.needed(0, whole) == pytest.approx(0.1)


def test_too_little_time_is_told() -> None:
    pace = Pace()
    pace.learn(PIXELS, prepare=1.0, run=1.0)
    now = [0.0]
    deadline = Deadline(5, clock=lambda: now[0])
    assert pace.check(PIXELS, deadline) == pytest.approx(2.0)
    now[0] = 3.5
    with pytest.raises(DeadlineExceeded) as caught:
        pace.check(PIXELS, deadline)
    assert str(caught.value) == (
        "Of the 5 s granted to this request 1.5 s are left, and an image of this size takes about 2 s."
    )


def test_one_slow_request_does_not_refuse_all_others() -> None:
    pace = Pace()
    pace.learn(PIXELS, prepare=0.0, run=1000.0)
    assert pace.check(PIXELS, Deadline(5)) == pytest.approx(2.5)
    assert pace.needed(PIXELS, Deadline(5)) == pytest.approx(2.5)
