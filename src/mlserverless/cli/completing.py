"""What a shell is offered for a word that is being typed: bundled models, files, clouds."""

import os

import click
from click.shell_completion import CompletionItem

from mlserverless.cli import COMMANDS


def models(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Return the bundled models that begin so; where none does, the shell completes files and folders."""
    from mlserverless.model import SHELVES

    names = sorted({name for shelf in SHELVES if os.path.isdir(shelf) for name in os.listdir(shelf)})
    found = [name for name in names if name.startswith(incomplete) and _is_model(name, SHELVES)]
    # First: bash forgets what came before it.
    return [CompletionItem(incomplete, type="file"), *(CompletionItem(name, help="bundled") for name in found)]


def _is_model(name: str, shelves: tuple[str, ...]) -> bool:
    return any(os.path.isfile(os.path.join(shelf, name, "model.toml")) for shelf in shelves)


def commands(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Return the commands that `help` explains."""
    return [CompletionItem(name, help=does) for name, does in COMMANDS.items() if name.startswith(incomplete)]


def files(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Let the shell complete files."""
    return [CompletionItem(incomplete, type="file")]


def clouds(_: click.Context, __: click.Parameter, incomplete: str) -> list[str]:
    """Return the runtimes that `serve --on` starts, those of installed packages too."""
    from mlserverless.cli.serve import CLOUDS, installed

    return [name for name in (*CLOUDS, *sorted(installed())) if name.startswith(incomplete)]


def targets(_: click.Context, __: click.Parameter, incomplete: str) -> list[str]:
    """Return the clouds, and behind a colon the Pythons and architectures, that `doctor` checks."""
    from mlserverless.bundle.targets import ARCHES, PROVIDERS, PYTHONS

    made = [*PROVIDERS]
    if ":" in incomplete:
        made = [f"{p}:python{v}" for p in PROVIDERS for v in PYTHONS]
        made += [f"{one}:{arch}" for one in made for arch in ARCHES]
    return [name for name in made if name.startswith(incomplete)]
