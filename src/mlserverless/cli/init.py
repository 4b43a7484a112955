"""``mlserverless init``: a project that can be deployed."""

import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mlserverless.bundle.scaffold import Occupied, scaffold
from mlserverless.bundle.targets import PROVIDERS
from mlserverless.cli import UNUSABLE, WRONG, completing
from mlserverless.cli.answers import JSON, show, stop
from mlserverless.cli.command import Choice, command
from mlserverless.cli.progress import console, say
from mlserverless.errors import ModelUnavailable

if TYPE_CHECKING:
    from rich.tree import Tree


@command(
    examples=(
        ("For Lambda, with a model file of yours", "mlserverless init flowers --cloud aws --model flowers.tflite"),
        ("For every cloud, in this folder", "mlserverless init"),
        ("For two of them, listed for a program", "mlserverless init flowers --cloud aws --cloud gcp --json"),
    ),
    answer={
        "folder, clouds": "where, and for which",
        "files": "what was written, below the folder",
        "notes": "what is left to fill in",
        "next": "the commands to go on with",
    },
    exits={1: "", 2: "a file is there already, or cannot be written", 3: "the model cannot be used"},
    pages=("docs/how-to/deploy-to-aws.md", "docs/reference/model-folder.md"),
)
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path), default=".")
@click.option(
    "--cloud",
    "clouds",
    type=Choice(PROVIDERS),
    multiple=True,
    help="Once for each; without it, all of them.",
)
@click.option(
    "--model",
    default="efficientnet-lite0",
    show_default=True,
    shell_complete=completing.models,
    help="A model folder, a model file or a bundled model's name.",
)
@click.option("--force", is_flag=True, help="Write over the files that are there already.")
@JSON
def init(folder: Path, clouds: tuple[str, ...], model: str, force: bool, as_json: bool) -> None:
    """Write a project into FOLDER: model, settings, the clouds' deploy folders, a CI workflow.

    Where one of its files is there already, nothing is written.
    """
    chosen = tuple(dict.fromkeys(clouds)) or PROVIDERS
    try:
        project = scaffold(folder, chosen, model, force=force)
    except Occupied as error:
        say(f"Nothing was written, for these files are in {folder} already (--force replaces them):", "red")
        for path in error.paths:
            say(f"  {path}")
        raise SystemExit(WRONG) from error
    except ModelUnavailable as error:
        raise stop(error, UNUSABLE, "init") from error
    except OSError as error:
        say(f"The project cannot be written: {error.filename or folder}: {error.strerror}.", "red")
        raise SystemExit(WRONG) from error
    if as_json:
        told = {"folder": str(folder), "clouds": list(chosen), "files": list(project.files)}
        show({**told, "notes": list(project.notes), "next": _next(folder, chosen)})
        return
    out = console(soft_wrap=True, markup=False)
    out.print(tree(str(folder), project.files))
    for note in project.notes:
        out.print(f"To do: {note}")
    out.print("\nNext:" if project.notes else "\nReady. Next:")
    for line in _next(folder, chosen):
        out.print(f"  {line}")


def tree(root: str, files: Iterable[str]) -> "Tree":
    """Return ``files``, paths with slashes, as a tree below ``root``."""
    from rich.text import Text
    from rich.tree import Tree

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
        f"mlserverless doctor {first}",
        f"mlserverless deploy {first} --dry-run",
    ]
