"""The page: whole, self-contained, of use to who cannot see its plots."""

import re
from html.parser import HTMLParser

import pytest

from helpers import measured
from mlserverless.measure import page
from mlserverless.measure.report import Report

VOID = {"meta", "br", "link", "img", "hr"}


class Reader(HTMLParser):
    """Checks that every element is closed where it should be, and keeps what was seen."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def read(report: Report) -> tuple[str, Reader]:
    text = page.render(report)
    reader = Reader()
    reader.feed(text)
    reader.close()
    assert reader.open == []
    return text, reader


REPORT = measured.report()
REPORTS = {
    "whole": REPORT,
    "cold": REPORT._replace(warm=None, sweep=None, verdict=None),
    "warm": REPORT._replace(cold=None, sweep=None, verdict=None),
    "sweep": REPORT._replace(cold=None, warm=None, verdict=None),
    "kept": measured.report(500.0),
}


@pytest.mark.parametrize("report", REPORTS.values(), ids=REPORTS)
def test_it_is_whole_and_asks_for_nothing_from_elsewhere(report: Report) -> None:
    text, reader = read(report)
    assert text.startswith("<!doctype html>\n<html lang=")
    tags = {tag for tag, _ in reader.seen}
    assert not tags & {"script", "link", "img", "iframe", "object", "image", "use"}
    assert not [attrs for _, attrs in reader.seen if {"src", "xlink:href", "onload", "style"} & set(attrs)]
    assert "@import" not in text
    assert "url(" not in text
    outside = {attrs["href"] for tag, attrs in reader.seen if tag == "a"}
    assert outside <= {"https://aws.amazon.com/lambda/pricing/"}, "a link, which nothing is loaded from"
    assert "prefers-color-scheme: dark" in text


@pytest.mark.parametrize("report", REPORTS.values(), ids=REPORTS)
def test_every_plot_has_a_title_a_description_and_a_table(report: Report) -> None:
    _, reader = read(report)
    plots = [attrs for tag, attrs in reader.seen if tag == "svg"]
    ids = [attrs["id"] for _, attrs in reader.seen if attrs.get("id")]
    assert len(ids) == len(set(ids)) == 2 * len(plots)
    for attrs in plots:
        assert attrs["role"] == "img"
        assert set((attrs["aria-labelledby"] or "").split()) <= set(ids)
    tables = [tag for tag, _ in reader.seen if tag == "table"]
    captions = [tag for tag, _ in reader.seen if tag == "caption"]
    assert len(tables) == len(captions)
    assert plots
    assert tables


def test_names_from_outside_are_shown_not_run() -> None:
    text, reader = read(REPORT)
    assert "cats & dogs: what it takes" in reader.words
    assert "<b>" not in text
    assert 'a "photo" & more.jpg, 0.1 MB' in reader.words


def test_it_says_what_the_figures_are_and_how_they_came() -> None:
    words = " ".join(read(REPORT)[1].words)
    for told in (
        "100 ms from process start to the first answer (median); doing things at once instead of in sequence",
        "saves 11 ms.",
        "The machine was busy",
        "over the budget",
        "does not fit: the kernel ended it when 512 MB were used up",
        "Free tiers and cold starts are not counted.",
        "What is imitated.",
        "Every cold start is a process of its own",
    ):
        assert told in words, told


def test_the_advised_size_is_marked_once() -> None:
    text, _ = read(REPORT)
    assert len(re.findall('class="best">', text)) == 1
    assert "advised" in text
    assert not re.findall('class="best">', page.render(REPORT._replace(sweep=measured.sweep(1.0))))
