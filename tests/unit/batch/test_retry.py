"""When what may pass is tried again."""

import pytest

from mlserverless.batch.retry import ASKED_MOST_S, Retry, retry_after

PASSING = {"code": "source-error", "retryable": True}


@pytest.mark.parametrize(("attempts", "seconds"), [(1, 1.0), (2, 2.0), (3, 4.0), (4, 8.0), (5, 10.0), (500, 10.0)])
def test_pauses_double_up_to_the_longest(attempts: int, seconds: float) -> None:
    retry = Retry(1000, first_s=1.0, most_s=10.0)
    assert retry.pause(PASSING, attempts, chance=lambda: 1.0) == seconds
    assert retry.pause(PASSING, attempts, chance=lambda: 0.0) == seconds / 2


def test_pauses_differ_by_chance() -> None:
    assert len({Retry().pause(PASSING, 1) for _ in range(20)}) > 10


def test_what_will_not_pass_and_the_last_try_are_not_tried_again() -> None:
    retry = Retry(2)
    assert [retry.pause(PASSING, attempts) is None for attempts in (1, 2, 3)] == [False, False, True]
    assert retry.pause({"retryable": False}, 1) is None
    assert retry.pause({}, 1) is None
    assert Retry(0).pause(PASSING, 1) is None


def test_what_the_other_side_asks_for_is_kept_to_within_reason() -> None:
    retry = Retry(3, first_s=1.0, most_s=10.0)
    assert retry.pause(PASSING, 1, 7.0) == 7.0
    assert retry.pause(PASSING, 3, 0.0, chance=lambda: 1.0) == 4.0
    assert retry.pause(PASSING, 1, 1e9) == ASKED_MOST_S


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("5", 5.0),
        (" 0 ", 0.0),
        ("9" * 50, 999_999_999.0),
        ("Thu, 01 Jan 1970 00:01:40 GMT", 40.0),
        ("Thu, 01 Jan 1970 00:00:10 GMT", 0.0),
        ("", None),
        (None, None),
        ("-1", None),
        ("١", None),
        ("soon", None),
        ("Thu, 99 Jan 1970 00:00:10 GMT", None),
        ("x" * 100_000, None),
    ],
)
def test_retry_after_is_read_in_both_forms(header: str | None, seconds: float | None) -> None:
    assert retry_after(header, now=lambda: 60.0) == seconds
