"""Completion: click's protocol, and real shells where they are."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import click
import pytest
from click.shell_completion import CompletionItem

from helpers.shells import in_bash, script
from mlserverless import cli
from mlserverless.cli import completing
from mlserverless.cli.completion import SHELLS

BIN = Path(sys.executable).parent
BUNDLED = ["dogs-vs-cats", "efficientnet-lite0"]


def asked(*words: str) -> list[tuple[str, str]]:
    """Return what a shell is offered for the last of ``words``: kind and value each."""
    line = " ".join(["mlserverless", *words])
    environment = {
        "PATH": os.environ["PATH"],
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words)),
        cli.COMPLETE: "bash_complete",
    }
    code = "from mlserverless.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.stderr == ""
    return [(kind, value) for kind, _, value in (line.partition(",") for line in done.stdout.splitlines())]


def values(*words: str) -> list[str]:
    return [value for kind, value in asked(*words) if kind == "plain"]


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["b"], ["batch", "build", "bench"]),
        (["build", "a"], ["aws", "azure"]),
        (["build", "aws", "--arch", ""], ["x86_64", "arm64"]),
        (["build", "aws", "--qu"], ["--quiet"]),
        (["build", "aws", "--model", ""], BUNDLED),
        (["predict", "--model", "eff"], ["efficientnet-lite0"]),
        (["inspect", "d"], ["dogs-vs-cats"]),
        (["init", "--cloud", "g"], ["gcp"]),
        (["serve", "--on", "a"], ["aws", "azure"]),
        (["doctor", "az"], ["azure"]),
        (["doctor", "gcp:python3.13"], ["gcp:python3.13", "gcp:python3.13:x86_64", "gcp:python3.13:arm64"]),
        (["completion", ""], list(SHELLS)),
        (["help", "co"], ["convert", "conform", "completion"]),
    ],
    ids=lambda value: " ".join(value),
)
def test_what_is_offered(words: list[str], offered: list[str]) -> None:
    found = values(*words)
    assert [value for value in found if value in offered or words[0] != "serve"] == offered


@pytest.mark.parametrize(
    "words", [["predict", "pho"], ["inspect", "pho"], ["convert", ""], ["predict", "--model", "x"]]
)
def test_files_are_left_to_the_shell(words: list[str]) -> None:
    assert "file" in {kind for kind, _ in asked(*words)}


@pytest.mark.parametrize("shell", SHELLS)
def test_each_shell_gets_its_script(shell: str) -> None:
    text = script(shell)
    assert f"{cli.COMPLETE}={shell}_complete" in text
    if path := shutil.which(shell):
        subprocess.run([path, "-n"], input=text, text=True, check=True, timeout=30)  # its syntax is right


def test_a_shell_that_there_is_not() -> None:
    done = subprocess.run(
        [BIN / "mlserverless", "completion", "bsh"], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 2
    assert "Did you mean 'bash' or 'zsh'?" in done.stderr


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("mlserverless dep", ["deploy"]),
        ("mlserverless build aws --model dogs", ["dogs-vs-cats"]),
        ("mlserverless serve --on gc", ["gcp"]),
    ],
)
def test_bash_completes(line: str, offered: list[str]) -> None:
    assert in_bash(line) == offered


def offered(found: Iterable[CompletionItem | str]) -> list[tuple[str, str]]:
    return [("plain", one) if isinstance(one, str) else (one.type, one.value) for one in found]


@pytest.mark.parametrize(
    ("complete", "incomplete", "wanted"),
    [
        (completing.models, "d", [("file", "d"), ("plain", "dogs-vs-cats")]),
        (completing.models, "./", [("file", "./")]),
        (completing.files, "pho", [("file", "pho")]),
        (completing.commands, "conv", [("plain", "convert")]),
        (completing.clouds, "w", [("plain", "wsgi")]),
        (completing.targets, "c", [("plain", "container")]),
        (completing.targets, "gcp:python3.14:a", [("plain", "gcp:python3.14:arm64")]),
    ],
)
def test_what_each_kind_of_word_is_offered(
    complete: Callable[..., Iterable[CompletionItem | str]], incomplete: str, wanted: list[tuple[str, str]]
) -> None:
    command = click.Command("x", params=[click.Argument(["word"])])
    with click.Context(command) as context:
        assert offered(complete(context, command.params[0], incomplete)) == wanted
