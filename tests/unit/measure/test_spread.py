"""Many measurements as a few numbers, and durations as people write them."""

import pytest

from mlserverless.measure.spread import Stage, parse_duration, spread, stages


def test_a_spread_has_the_median_the_ends_the_mean_and_a_value_as_its_95th_percentile() -> None:
    of = spread(range(1, 101))
    assert of == (50.5, 95, 1, 100, 50.5, 100)
    assert spread([7.0]) == (7.0, 7.0, 7.0, 7.0, 7.0, 1)
    assert spread([3, 1, 2]).p95 == 3


def test_stages_keep_their_order_and_add_up_what_stands_twice() -> None:
    found = stages([[("b", 1.0), ("a", 2.0), ("b", 3.0)], [("b", 6.0), ("c", 1.0)]])
    assert found == (Stage("b", spread([4.0, 6.0])), Stage("a", spread([2.0])), Stage("c", spread([1.0])))


@pytest.mark.parametrize(
    ("text", "ms"),
    [("400ms", 400), ("0.4s", 400), ("1 s", 1000), (" 2 min ", 120_000), ("1.5MS", 1.5), ("1e3ms", None)]
    + [(text, None) for text in ("", "400", "ms", "-1s", "0ms", "nan s", "inf s", "1.2.3s", "²s", "1h", "soon")],
)
def test_a_duration_has_a_number_above_0_and_a_unit(text: str, ms: float | None) -> None:
    if ms is not None:
        assert parse_duration(text) == pytest.approx(ms)
        return
    with pytest.raises(ValueError, match="is not a duration: give a number above 0 with its unit") as caught:
        parse_duration(text)
    assert repr(text) in str(caught.value)
