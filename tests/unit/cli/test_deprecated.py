"""Former names: they work, say so once, and say what to write instead."""

from pathlib import Path

import pytest

from helpers import typed
from mlserverless.cli.command import Command
from mlserverless.cli.deprecated import PAGE, Renamed, modern

RENAMED = (Renamed("--provider", "--on", "--on", "0.3"), Renamed("--url", "", "the URL alone", "0.3"))


@pytest.mark.parametrize(
    ("given", "made"),
    [
        (["--provider", "aws"], ["--on", "aws"]),
        (["--provider=aws", "x"], ["--on=aws", "x"]),
        (["--url", "http://x"], ["http://x"]),
        (["--url=http://x=y"], ["http://x=y"]),
        (["--providers", "aws"], ["--providers", "aws"]),
        (["--", "--provider"], ["--", "--provider"]),
    ],
)
def test_todays_words_take_the_former_ones_place(given: list[str], made: list[str]) -> None:
    assert modern("bench", given, RENAMED) == made


def test_each_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    modern("bench", ["--provider", "aws", "--provider", "gcp"], RENAMED)
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err == f"bench: --provider is deprecated, and goes in 0.3: write --on. See {PAGE}.\n"


def test_todays_words_are_told_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert modern("bench", ["--on", "aws"], RENAMED) == ["--on", "aws"]
    assert capsys.readouterr().err == ""


def test_the_policy_lists_what_is_deprecated_now() -> None:
    text = (Path(__file__).parents[3] / PAGE).read_text(encoding="utf-8")
    rows = [line for line in text.partition("### Deprecated now")[2].splitlines() if line.startswith("| 0.")]
    known = [
        (name, one.old, one.gone)
        for name, found in typed.commands().items()
        if isinstance(found, Command)
        for one in found.renamed
    ]
    assert known
    for name, old, gone in known:
        assert any(f"`{name} {old}" in row and row.endswith(f"| {gone} |") for row in rows), (name, old)
    assert len(rows) == len(known) + 2, "and bench's --json FILE, and convert's folder"
