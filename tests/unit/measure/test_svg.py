"""SVG as text."""

from xml.etree import ElementTree

import pytest

from mlserverless.measure import svg


def test_elements_escape_what_they_are_given() -> None:
    assert svg.tag("rect", x=1.0, y=2.345, class_="bar", stroke_width=0.5, note='"<&') == (
        '<rect x="1" y="2.35" class="bar" stroke-width="0.5" note="&quot;&lt;&amp;"/>'
    ).replace("2.35", f"{2.345:.2f}")
    assert svg.label(1, 2, "a < b & c") == '<text x="1" y="2">a &lt; b &amp; c</text>'
    assert svg.tag("g", svg.tag("a"), svg.tag("b")) == "<g><a/><b/></g>"


def test_a_picture_says_what_it_is() -> None:
    root = ElementTree.fromstring(svg.picture("p1", 100, 50, "Cold <start>", "It takes & takes.", svg.tag("g")))
    space = {"svg": "http://www.w3.org/2000/svg"}
    title, desc = root.find("svg:title", space), root.find("svg:desc", space)
    assert title is not None
    assert desc is not None
    assert (title.text, desc.text) == ("Cold <start>", "It takes & takes.")
    assert root.get("aria-labelledby") == f"{title.get('id')} {desc.get('id')}"
    assert (root.get("role"), root.get("viewBox")) == ("img", "0 0 100 50")


def test_alone_it_brings_its_colours_for_light_and_dark() -> None:
    markup = svg.alone(svg.picture("p", 1, 1, "t", "d"))
    root = ElementTree.fromstring(markup)
    assert root[0].tag.endswith("style")
    assert "prefers-color-scheme: dark" in (root[0].text or "")
    assert "--accent" in (root[0].text or "")


@pytest.mark.parametrize(
    ("most", "marks"),
    [
        (100, [0, 20, 40, 60, 80, 100]),
        (103, [0, 20, 40, 60, 80, 100, 120]),
        (0.9, [0, 0.2, 0.4, 0.6, 0.8, 1.0]),
        (7, [0, 2, 4, 6, 8]),
        (0, [0, 1]),
    ],
)
def test_ticks_are_round_and_reach_beyond(most: float, marks: list[float]) -> None:
    assert svg.ticks(most) == pytest.approx(marks)


def test_numbers_are_short() -> None:
    assert [svg.number(value) for value in (0, 0.25, 12.0, 999.96, 12_345.6)] == [
        "0",
        "0.25",
        "12",
        "1000",
        "12,346",
    ]
