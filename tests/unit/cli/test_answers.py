"""How every command answers a program: the keys are those that its help tells, and nothing else is printed."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from helpers import typed
from mlserverless.cli.answers import aside, stop
from mlserverless.cli.command import Command
from mlserverless.errors import ConfigError

PHOTO = str(Path(__file__).parents[3] / "examples/photos/coffee.png")


def run(*words: str, folder: Path, code: int = 0) -> Any:
    done = subprocess.run(
        [sys.executable, "-m", "mlserverless", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout)


def keys(name: str) -> list[str]:
    command = typed.commands()[name]
    assert isinstance(command, Command)
    return [key.strip() for names in command.answer for key in names.split(",")]


@pytest.mark.parametrize(
    "words",
    [
        ("inspect", "dogs-vs-cats", "--no-try", "--json"),
        ("init", "flowers", "--cloud", "aws", "--model", "dogs-vs-cats", "--json"),
        ("deploy", "aws", "--dry-run", "--name", "flowers", "--json"),
    ],
    ids=lambda words: words[0],
)
def test_the_keys_are_those_that_the_help_tells(words: tuple[str, ...], tmp_path: Path) -> None:
    assert list(run(*words, folder=tmp_path)) == keys(words[0])


def test_bench_answers_with_the_keys_of_its_help(tmp_path: Path) -> None:
    words = ("bench", "dogs-vs-cats", "--cold", "--runs", "1", "--image", PHOTO, "--json")
    assert list(run(*words, folder=tmp_path)) == keys("bench")


def test_predict_answers_in_lines(tmp_path: Path) -> None:
    answer = run("predict", PHOTO, "--json", folder=tmp_path)
    assert next(iter(answer)) == "source"
    assert "problem" in run("predict", "gone.png", "--json", folder=tmp_path, code=1)


def test_init_tells_what_it_wrote(tmp_path: Path) -> None:
    told = run("init", "my flowers", "--cloud", "aws", "--model", "dogs-vs-cats", "--json", folder=tmp_path)
    assert (told["folder"], told["clouds"]) == ("my flowers", ["aws"])
    assert "aws/app.py" in told["files"]
    for file in told["files"]:
        assert (tmp_path / "my flowers" / file).is_file()
    assert told["next"][0] == "cd 'my flowers'"


def test_a_dry_run_tells_the_commands(tmp_path: Path) -> None:
    told = run("deploy", "aws", "--dry-run", "--name", "flowers", "--json", folder=tmp_path)
    assert (told["cloud"], told["name"], told["dry_run"]) == ("aws", "flowers", True)
    assert told["commands"][0]["command"].startswith("sam deploy")
    assert all(one["does"] for one in told["commands"])


def test_serve_tells_where_it_answers_in_one_line(tmp_path: Path) -> None:
    words = ["serve", "--on", "wsgi", "--port", "0", "--model", "dogs-vs-cats", "--json"]
    process = subprocess.Popen(
        [sys.executable, "-m", "mlserverless", *words], cwd=tmp_path, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        assert list(told) == keys("serve")
        assert told["pid"] == process.pid
        assert told["url"].startswith("http://127.0.0.1:")
        process.terminate()
        assert process.wait(30) == 0
        assert process.stdout.read() == ""
    finally:
        process.kill()
        process.communicate()


def test_an_error_is_told_with_its_code_what_was_meant_and_notes(capsys: pytest.CaptureFixture[str]) -> None:
    error = ConfigError("top_kk is not a setting. Settings are: model, top_k. See x.")
    error.add_note("And a note.")
    assert stop(error, 2).code == 2
    assert capsys.readouterr().err == (
        "misconfigured: top_kk is not a setting. Settings are: model, top_k. See x. Did you mean 'top_k'?\n"
        "And a note.\n"
    )
    assert stop(ValueError("plain"), 3).code == 3
    assert capsys.readouterr().err == "plain\n"


@pytest.mark.parametrize("wanted", [True, False])
def test_what_other_programs_print_goes_aside(wanted: bool, capfd: pytest.CaptureFixture[str]) -> None:
    with aside(wanted):
        subprocess.run([sys.executable, "-c", "print('theirs')"], check=True, timeout=30)
    os.write(1, b"ours\n")
    told = capfd.readouterr()
    assert told.out == ("ours\n" if wanted else "theirs\nours\n")
    assert told.err == ("theirs\n" if wanted else "")
