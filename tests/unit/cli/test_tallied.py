"""How far a batch has come: a bar, lines, or nothing."""

import io
import sys

import pytest

from mlserverless.batch.rows import Tally
from mlserverless.cli import tallied
from mlserverless.cli.tallied import progress


class Clock:
    """A monotonic clock that goes on by what a test says."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        monkeypatch.setattr(tallied.time, "monotonic", lambda: self.now)


def tally(rows: int, problems: int = 0) -> Tally:
    made = Tally()
    for number in range(rows):
        made.add(f"u{number}", "internal" if number < problems else "")
    return made


def test_a_line_now_and_then_where_there_is_no_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = Clock(monkeypatch)
    with progress(8000, quiet=False) as tell:
        tell(tally(1000))  # an earlier run's
        clock.now += 29
        tell(tally(1500))
        assert capsys.readouterr().err == ""
        clock.now += 11
        tell(tally(2000, problems=1))
        clock.now += 1
        tell(tally(2100))
        clock.now += 39
        tell(tally(4000, problems=12))
    assert capsys.readouterr().err.splitlines() == [
        "2,000 of 8,000 (25 %), 25.0/s, 4:00 left, 1 problem",
        "4,000 of 8,000 (50 %), 30.0/s, 2:13 left, 12 problems",
    ]


def test_without_a_total_nothing_is_said_of_the_end(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = Clock(monkeypatch)
    with progress(None, quiet=False) as tell:
        tell(tally(0))
        clock.now += 30
        tell(tally(0))
        clock.now += 30
        tell(tally(300))
    assert capsys.readouterr().err.splitlines() == ["0, 0.0/s, 0 problems", "300, 10.0/s, 0 problems"]


def test_nothing_is_shown_where_that_is_wanted(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = Clock(monkeypatch)
    with progress(10, quiet=True) as tell:
        for rows in range(10):
            clock.now += 100
            tell(tally(rows))
    assert capsys.readouterr().err == ""


def test_a_bar_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    shown = Terminal()
    monkeypatch.setattr(sys, "stderr", shown)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setattr(tallied, "SHOWN_S", 0.0)
    with progress(40, quiet=False) as tell:
        for rows in range(21):
            tell(tally(rows, problems=1))
    assert "20/40" in shown.getvalue()
    assert "/s" in shown.getvalue()
    assert "1 problem" in shown.getvalue()


@pytest.mark.parametrize(("seconds", "told"), [(0.4, "0:00"), (61, "1:01"), (3600 * 27 + 62, "27:01:02")])
def test_a_duration(seconds: float, told: str) -> None:
    assert tallied._duration(seconds) == told
