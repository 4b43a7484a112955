"""``mlserverless init``: a project that can be deployed."""

import shlex
from collections.abc import Iterable
from pathlib import Path

import click
from rich.console import Console
from rich.text import Text
from rich.tree import Tree

from mlserverless.bundle.scaffold import Occupied, scaffold
from mlserverless.bundle.targets import PROVIDERS
from mlserverless.cli import UNUSABLE, WRONG
from mlserverless.errors import ModelUnavailable


@click.command(epilog="Example: mlserverless init flowers --cloud aws --model flowers.tflite")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path), default=".")
@click.option(
    "--cloud",
    "clouds",
    type=click.Choice(PROVIDERS),
    multiple=True,
    help="Once for each; without it, all of them.",
)
@click.option(
    "--model",
    default="efficientnet-lite0",
    show_default=True,
    help="A model folder, a model file or a bundled model's name.",
)
@click.option("--force", is_flag=True, help="Write over the files that are there already.")
def init(folder: Path, clouds: tuple[str, ...], model: str, force: bool) -> None:
    """Write a project into FOLDER: model, settings, the clouds' deploy folders, a CI workflow.

    Where one of its files is there already, nothing is written.
    """
    chosen = tuple(dict.fromkeys(clouds)) or PROVIDERS
    try:
        project = scaffold(folder, chosen, model, force=force)
    except Occupied as error:
        click.echo(
            f"Nothing was written, for these files are in {folder} already (--force replaces them):", err=True
        )
        for path in error.paths:
            click.echo(f"  {path}", err=True)
        raise SystemExit(WRONG) from error
    except ModelUnavailable as error:
        click.echo(str(error), err=True)
        raise SystemExit(UNUSABLE) from error
    except OSError as error:
        click.echo(f"The project cannot be written: {error.filename or folder}: {error.strerror}.", err=True)
        raise SystemExit(WRONG) from error
    console = Console(highlight=False, soft_wrap=True)
    console.print(tree(str(folder), project.files))
    for note in project.notes:
        console.print(Text(f"To do: {note}"))
    console.print(Text("\nNext:" if project.notes else "\nReady. Next:"))
    for command in _next(folder, chosen):
        console.print(Text(f"  {command}"))


def tree(root: str, files: Iterable[str]) -> Tree:
    """Return ``files``, paths with slashes, as a tree below ``root``."""
    drawn = Tree(Text(root))
    branches: dict[str, Tree] = {"": drawn}
    for file in files:
        parts = file.split("/")
        for depth in range(1, len(parts) + 1):
            name = "/".join(parts[:depth])
            if name not in branches:
                shown = parts[depth - 1] + ("/" if depth < len(parts) else "")
                branches[name] = branches["/".join(parts[: depth - 1])].add(Text(shown))
    return drawn


def _next(folder: Path, clouds: tuple[str, ...]) -> list[str]:
    enter = [] if folder == Path() else [f"cd {shlex.quote(str(folder))}"]
    first = clouds[0]
    return [
        *enter,
        "mlserverless predict photo.jpg",
        f"mlserverless doctor --target {first}",
        f"mlserverless deploy {first} --dry-run",
    ]
