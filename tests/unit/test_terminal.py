"""The recorded session in the README: readable, self-contained, and still what the command line prints."""

import re
import runpy
from pathlib import Path

import pytest

from helpers import session

ROOT = Path(__file__).parents[2]
PICTURE = ROOT / "docs/pictures/terminal.svg"
SCRIPT = runpy.run_path(str(ROOT / "docs/pictures/terminal.py"))


@pytest.fixture(scope="module")
def svg() -> str:
    return PICTURE.read_text(encoding="utf-8")


def test_it_is_small_and_asks_nothing_of_others(svg: str) -> None:
    assert len(svg.encode()) <= 60_000
    assert "@font-face" not in svg
    assert "url(" not in re.sub(r"url\(#", "", svg)
    addresses = set(re.findall(r"https?://[\w.]+", svg))
    assert addresses <= {"http://www.w3.org", "http://127.0.0.1"}


def test_it_is_readable(svg: str) -> None:
    lines = SCRIPT["lines"](svg)
    assert len(lines) <= 35
    assert max(map(len, lines)) <= 100
    for command in SCRIPT["COMMANDS"]:
        assert f"$ {' '.join(command.splitlines()[0].split())}" in lines
    assert any("espresso" in line for line in lines)
    assert any("zipped" in line for line in lines)
    for private in (str(Path.home()), "/tmp/", str(ROOT)):
        assert private not in svg


def test_its_lines_are_printed_today() -> None:
    """After a wanted change: python docs/pictures/terminal.py"""
    assert session.differences() == []


def test_another_line_is_noticed(svg: str) -> None:
    told = [("mlserverless predict coffee.png", "coffee.png  espresso  0.5\n")]
    drawn = SCRIPT["lines"](SCRIPT["draw"](told))
    assert drawn == ["$ mlserverless predict coffee.png", "coffee.png espresso 0.5"]
    assert drawn[1] not in SCRIPT["lines"](svg)
