"""The limits: each has a unit, a page and the month in which that was read; those that we measured against."""

import re
from datetime import date

import pytest

from mlserverless.bundle import limits
from mlserverless.bundle.limits import Limit
from mlserverless.bundle.targets import PROVIDERS, PYTHONS

NAMED = {name: value for name, value in vars(limits).items() if isinstance(value, Limit)}
MB = 1 << 20


@pytest.mark.parametrize("name", NAMED)
def test_each_says_where_it_is_from_and_when_that_was_read(name: str) -> None:
    limit = NAMED[name]
    assert limit.value > 0
    assert re.fullmatch(r"20\d\d-[01]\d", limit.read)
    assert re.match(r"(AWS|Amazon|Microsoft Learn|Google Cloud)\b.*, \w", limit.source), "a provider and its page"
    assert limit.cited == f"{limit.source} (read {limit.read})"


@pytest.mark.parametrize(
    ("limit", "said"),
    [
        (limits.UNPACKED, "250 MB"),
        (limits.IMAGE, "10,240 MB"),
        (limits.TIMEOUT, "900 s"),
        (limits.MEMORY_MOST, "10,240 MB"),
        (limits.SNAPSTART_MINOR, "12"),
    ],
)
def test_they_are_said_with_their_units(limit: Limit, said: str) -> None:
    assert str(limit) == said


def test_a_body_reaches_lambda_in_base64() -> None:
    assert limits.BODIES["aws"].value == 6 * MB * 3 // 4
    assert limits.BODIES["gcp"].value == 32 * MB


@pytest.mark.parametrize("provider", PROVIDERS)
def test_pythons_end_in_their_order_and_nowhere_long_after_the_python_itself(provider: str) -> None:
    ends = limits.ENDS[provider]
    assert set(ends) <= set(PYTHONS)
    dates = [ends[version].on for version in sorted(ends)]
    assert dates == sorted(dates)
    for version, end in ends.items():
        assert end.on <= limits.ENDS["container"][version].on
        assert end.gone is None or end.gone > end.on
    assert ends["3.13"].on > date(2029, 1, 1)
