"""The help of every command: laid out alike, with examples that parse, and JSON where there is an answer."""

import re
import runpy
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from helpers import typed
from mlserverless import cli
from mlserverless.cli.command import Choice, Command, command

COMMANDS = typed.commands()
WITHOUT_JSON = {"completion": "a shell's script", "help": "a text for people"}
each = pytest.mark.parametrize("name", COMMANDS)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli.group(click), list(arguments), prog_name="mlserverless")


@each
def test_every_example_parses_and_there_are_two(name: str) -> None:
    lines = typed.examples(COMMANDS[name])
    assert len(lines) >= 2
    for line in lines:
        first, *words = typed.arguments(line)
        assert first == name
        typed.parse(COMMANDS[name], words).close()


@each
def test_every_option_is_explained_and_in_the_help_once(name: str) -> None:
    shown = run(name, "--help").output
    for param in COMMANDS[name].params:
        if isinstance(param, click.Option):
            assert param.help, param.name
            assert max(param.opts, key=len) in shown


@each
def test_groups_name_parameters_that_there_are(name: str) -> None:
    found = COMMANDS[name]
    assert isinstance(found, Command)
    options = {param.name for param in found.params}
    grouped = [option for group in found.groups.values() for option in group]
    assert set(grouped) <= options
    assert len(grouped) == len(set(grouped))


@each
def test_every_command_answers_in_json_and_says_how(name: str) -> None:
    found = COMMANDS[name]
    assert isinstance(found, Command)
    has = any("--json" in param.opts for param in found.params)
    assert has == (name not in WITHOUT_JSON)
    assert bool(found.answer) == has


@each
def test_help_has_its_parts_in_order(name: str) -> None:
    shown = run(name, "--help").output
    heads = re.findall(r"^(\w[^\n]*):(?: mlserverless.*)?$", shown, re.M)
    assert heads[0] == "Usage"
    assert heads[-3:][-1] in ("Exit codes", "Read on")
    assert "Examples" in heads
    assert re.search(r"^  0 +\w", shown, re.M)
    assert max(map(len, shown.splitlines())) <= 115


@each
def test_help_command_is_command_help(name: str) -> None:
    assert run("help", name).output == run(name, "--help").output


def test_help_alone_is_the_whole_help() -> None:
    assert run("help").output == run("--help").output


@pytest.mark.parametrize("words", [["help", "biuld"], ["biuld"]])
def test_a_commands_slip_is_told_with_what_was_meant(words: list[str]) -> None:
    done = run(*words)
    assert done.exit_code == 2
    assert "No such command 'biuld'. Did you mean 'build'?" in done.output


def test_an_options_slip_is_told_with_what_was_meant() -> None:
    done = run("build", "aws", "--modle", "x")
    assert done.exit_code == 2
    assert "--model" in done.output.rpartition("--modle")[2]


def test_a_choices_slip_is_told_with_what_was_meant() -> None:
    @command(name="paint")
    @click.argument("colour", type=Choice(["red", "green"]))
    def paint(colour: str) -> None:
        click.echo(colour)

    assert CliRunner().invoke(paint, ["red"]).output == "red\n"
    wrong = CliRunner().invoke(paint, ["gren"]).output
    assert "'gren' is not one of 'red', 'green'. Did you mean 'green'?" in wrong
    assert "Did you mean" not in CliRunner().invoke(paint, ["blue"]).output


def test_a_command_without_groups_has_options() -> None:
    shown = run("init", "--help").output
    assert "\nOptions:\n" in shown
    assert "Other options" not in shown


def test_an_example_that_does_not_parse_is_found() -> None:
    with pytest.raises(click.UsageError):
        typed.parse(COMMANDS["build"], ["aws", "--no-such-option"])
    assert typed.arguments('eval "$(mlserverless completion bash)"') == ["completion", "bash"]
    assert typed.arguments("mlserverless inspect a.tflite > b.toml") == ["inspect", "a.tflite"]


def test_the_reference_is_what_the_code_says() -> None:
    """After a wanted change: python tools/cli_reference.py"""
    root = Path(__file__).parents[3]
    written = (root / "docs/reference/cli.md").read_text(encoding="utf-8")
    assert written == runpy.run_path(str(root / "tools/cli_reference.py"))["page"]()
