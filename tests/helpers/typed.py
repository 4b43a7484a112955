"""The command line's examples: what is typed, read as the command line itself reads it, and nothing run."""

import re
import shlex
from importlib import import_module
from typing import Any

import click

from mlserverless import cli


def commands() -> dict[str, click.Command]:
    """Return every command by its name."""
    return {name: getattr(import_module(f"mlserverless.cli.{name}"), name) for name in cli.COMMANDS}


def examples(command: click.Command) -> list[str]:
    """Return what the examples of a command's help type."""
    return [typed for _, typed in getattr(command, "examples", ())]


def arguments(typed: str) -> list[str]:
    """Return the words after ``mlserverless`` in a line of the shell's, without what the shell does with them."""
    inner = re.search(r"\$\((.*?)\)", typed)  # what another command is given
    line = re.split(r"\s[|>&<]", inner[1] if inner else typed)[0]
    words = shlex.split(line)
    return words[words.index("mlserverless") + 1 :]


class Forgiving(click.Path):
    """A path that need not be there: an example's files are not."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        exists, self.exists = self.exists, False
        try:
            return super().convert(value, param, ctx)
        finally:
            self.exists = exists


def parse(command: click.Command, words: list[str]) -> click.Context:
    """Return the context in which ``command`` would run with ``words``; raise click's errors otherwise."""
    paths = [param.type for param in command.params if isinstance(param.type, click.Path)]
    try:
        for kind in paths:
            kind.__class__ = Forgiving
        return command.make_context(command.name, words)
    finally:
        for kind in paths:
            kind.__class__ = click.Path
