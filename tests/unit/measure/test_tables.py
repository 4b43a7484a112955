"""What is shown on a terminal."""

import pytest
from rich.console import Console

from helpers import measured
from mlserverless.measure import tables
from mlserverless.measure.report import Report


def shown(report: Report, width: int = 100) -> str:
    console = Console(width=width, force_terminal=False)
    with console.capture() as captured:
        console.print(tables.render(report))
    return captured.get()


def test_all_of_it_is_there() -> None:
    text = shown(measured.report())
    for told in (
        "cats & dogs through Predictor; Linux x86_64, 2 cores, Python 3.13.1",
        "The machine was busy",
        "Cold start, 3 fresh processes, rocket.jpg",
        "to the first answer",
        "What it is made of, one thing after another",
        "doing things at once instead of in sequence saves 11 ms; CPU 96 ms",
        "PIL.Image",
        'Warm, 3 requests, a "photo" & more.jpg (0.1 MB)',
        "answers a second, first image: 100 with 1 thread, 190 with 2 threads",
        "does not fit",
        "advised",
        "not worth it",
        "Prices: https://aws.amazon.com/lambda/pricing/, us-east-1, x86,",
        "The cheapest size whose warm median is at most 20 ms",
    ):
        assert told in text, told


def test_it_fits_into_80_columns() -> None:
    report = measured.report()._replace(sweep=None)
    text = shown(report, 80)
    assert "…" not in text
    assert all(len(line) <= 80 for line in text.splitlines())


def test_only_what_was_measured_is_shown() -> None:
    report = measured.report()._replace(cold=None, warm=None, sweep=None)
    assert shown(report._replace(machine=report.machine._replace(load=0.0))).splitlines() == [
        "cats & dogs through Predictor; Linux x86_64, 2 cores, Python 3.13.1"
    ]


@pytest.mark.parametrize(
    ("begin", "share", "drawn"),
    [
        (0, 1, "█" * 18),
        (0.5, 0.5, " " * 9 + "█" * 9),
        (0.5, 0, " " * 9 + "▏"),
        (1, 0, " " * 17 + "▏"),
        (0, 1 / 36, "▌"),
        (0, 2, "█" * 36),
    ],
)
def test_a_bar_stands_where_it_begins_and_can_always_be_seen(begin: float, share: float, drawn: str) -> None:
    assert tables.bar(begin, share) == drawn


def test_milliseconds_have_the_digits_that_tell_something() -> None:
    assert [tables.milliseconds(ms) for ms in (0.01, 0.06, 9.96, 99.4, 100, 1234.5)] == [
        *("0", "0.1", "10.0", "99.4", "100", "1,234")
    ]
