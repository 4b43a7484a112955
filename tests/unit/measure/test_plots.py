"""The plots: each is XML, says in words what it shows, and stands where the figures are."""

from itertools import pairwise
from xml.etree import ElementTree

import pytest

from helpers import measured
from mlserverless.measure import plots

SPACE = {"svg": "http://www.w3.org/2000/svg"}


def parts(markup: str, kind: str, cls: str = "") -> list[ElementTree.Element]:
    found = ElementTree.fromstring(markup).iterfind(f".//svg:{kind}", SPACE)
    return [one for one in found if not cls or one.get("class") == cls]


def told(markup: str) -> str:
    (desc,) = parts(markup, "desc")
    return desc.text or ""


def test_a_waterfall_begins_each_stage_where_the_last_one_ended() -> None:
    markup = plots.waterfall("w", "A title", measured.cold().stages)
    bars = [(float(bar.get("x", "")), float(bar.get("width", ""))) for bar in parts(markup, "rect", "bar")]
    assert len(bars) == 3
    for (x, width), (after, _) in pairwise(bars):
        assert x + width == pytest.approx(after, abs=0.02)
    assert "import Pillow 9.0 ms" in told(markup)
    assert "In sequence they take 73 ms." in told(markup)


def test_bars_are_as_long_as_the_medians() -> None:
    markup = plots.bars("b", "A title", measured.warm().images[0].stages)
    widths = [float(bar.get("width", "")) for bar in parts(markup, "rect", "bar")]
    assert widths[1] / widths[0] == pytest.approx(5.5 / 0.8, rel=0.01)
    assert widths[2] == 1, "still to be seen"
    assert len(parts(markup, "line", "whisker")) == 6


@pytest.mark.parametrize(("limit", "lines"), [(0.0, 0), (150.0, 1)])
def test_a_strip_has_every_run_the_median_and_the_budget(limit: float, lines: int) -> None:
    markup = plots.strip("s", "Runs", (100.0, 90.0, 120.0), limit)
    dots = parts(markup, "circle", "dot")
    assert len(dots) == 3
    (median,) = parts(markup, "line", "median")
    assert median.get("x1") == dots[0].get("cx")
    assert len(parts(markup, "line", "limit")) == lines
    assert ("The budget is 150 ms." in told(markup)) == bool(limit)
    assert markup == plots.strip("s", "Runs", (100.0, 90.0, 120.0), limit), "the same runs, the same picture"


def test_a_curve_shows_sizes_the_advised_one_and_the_target() -> None:
    sweep = measured.sweep()
    markup = plots.curve("c", sweep)
    assert len(parts(markup, "circle", "best")) == 1
    assert len(parts(markup, "circle", "bar")) == 4
    assert len(parts(markup, "line", "limit")) == 1
    assert sweep.advice in told(markup)
    places = [
        (float(t.get("x", "")), float(t.get("y", "")))
        for t in parts(markup, "text")
        if (t.text or "")[-2:] == "MB"
    ]
    assert len(places) == 5
    for i, (x, y) in enumerate(places):
        assert all(abs(x - a) >= 64 or abs(y - b) >= 14 for a, b in places[:i]), "names do not cover each other"


def test_a_curve_without_a_size_that_fits_says_so() -> None:
    sweep = measured.sweep(0.0)
    markup = plots.curve("c", sweep._replace(rows=sweep.rows[:1], best=None))
    assert parts(markup, "circle") == []
    assert "No size is large enough" in told(markup)
