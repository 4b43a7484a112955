"""Progress and colours: on terminals, as the environment asks, and nothing in pipes but what took long."""

import io
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from helpers import terminal
from mlserverless.cli import progress
from mlserverless.cli.progress import PART, steps

PHOTO = Path(__file__).parents[3] / "examples/photos/coffee.png"
CODE = """
import time
from mlserverless.cli.progress import steps
with steps(lines=True) as tell:
    tell("", 2)
    tell("short")
    tell("long")
    tell("… 1 of 2 pictures")
    time.sleep(1.3)
    tell("last")
"""
PREDICT = [sys.executable, "-m", "mlserverless", "predict", str(PHOTO), "no-such.png"]


def environment(**more: str) -> dict[str, str]:
    left_out = ("NO_COLOR", "FORCE_COLOR", "TERM", "COLUMNS")
    return {name: value for name, value in os.environ.items() if name not in left_out} | {"TERM": "xterm"} | more


def test_a_terminal_shows_a_spinner_the_words_and_what_took_long() -> None:
    code, text = terminal.shown([sys.executable, "-c", CODE], environment=environment())
    assert code == 0
    assert "━" in text
    assert "long … 1 of 2 pictures" in text
    assert "1.3 s  long" in text
    assert "s  short" not in text
    assert text.rstrip().endswith(("\x1b[?25h", "\x1b[2K")), "the cursor is back, and the bar is gone"


@pytest.mark.parametrize("term", ["dumb", "xterm"])
def test_a_pipe_and_a_dumb_terminal_show_the_line_alone(term: str) -> None:
    if term == "dumb":
        _, text = terminal.shown([sys.executable, "-c", CODE], environment=environment(TERM="dumb"))
    else:
        command = [sys.executable, "-c", CODE]
        done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=True, timeout=60)
        text = done.stderr
    assert [line.split() for line in text.splitlines()] == [["1.3", "s", "long"]]


def test_quietly_nothing_is_shown() -> None:
    stream = io.StringIO()
    with steps(quiet=True, lines=True, file=stream) as tell:
        tell("a word", 3)
    assert stream.getvalue() == ""


def test_a_step_that_goes_on_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "LONG_S", 0.0)
    stream = io.StringIO()
    with steps(lines=True, file=stream) as tell:
        for word in ("cold starts", "cold starts", f"{PART} 1 of 2", "imports"):
            tell(word)
    assert [line.partition(" s  ")[2] for line in stream.getvalue().splitlines()] == ["cold starts", "imports"]


def test_an_error_in_a_step_passes() -> None:
    def fail() -> None:
        with steps(lines=True, file=io.StringIO()) as tell:
            tell("a word")
            raise ValueError("inside")

    with pytest.raises(ValueError, match="inside"):
        fail()


def test_the_table_is_coloured_on_a_terminal() -> None:
    code, text = terminal.shown(PREDICT, environment=environment(), streams="out")
    assert code == 1
    assert "\x1b[36m" in text, "cyan bars"
    assert "espresso" in text


@pytest.mark.parametrize("variables", [{"NO_COLOR": "1"}, {"TERM": "dumb"}], ids=str)
def test_it_is_not_where_that_is_not_wanted(variables: dict[str, str]) -> None:
    _, text = terminal.shown(PREDICT, environment=environment(**variables), streams="out")
    assert "espresso" in text
    assert "\x1b[36m" not in text
    assert "\x1b[31m" not in text


@pytest.mark.parametrize(("force", "coloured"), [("", False), ("1", True)])
def test_a_pipe_has_colours_where_they_are_asked_for(force: str, coloured: bool) -> None:
    command = [sys.executable, "-m", "mlserverless", "inspect", "no-such-model"]
    asked = environment(**({"FORCE_COLOR": force} if force else {}))
    done = subprocess.run(command, env=asked, capture_output=True, text=True, check=False, timeout=60)
    assert (terminal.COLOURS in done.stderr) == coloured
    assert "There is no model 'no-such-model'" in done.stderr


def test_columns_are_the_terminals() -> None:
    _, text = terminal.shown(PREDICT, environment=environment(NO_COLOR="1"), streams="out", columns=60)
    assert max(len(re.sub(r"\x1b\[[\d;]*m", "", line)) for line in text.splitlines()) <= 60
