"""``mlserverless deploy``: check, build, check, and the provider's own commands, shown and run."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mlserverless.bundle import targets
from mlserverless.bundle.commands import Command, Options, commands
from mlserverless.bundle.deployment import (
    CommandFailed,
    ToolMissing,
    check_archives,
    default_name,
    model_name,
    run,
    tool,
)
from mlserverless.cli import FAILED, UNUSABLE, WRONG
from mlserverless.cli.checked import examine
from mlserverless.cli.chosen import ARCH, MODELS, PYTHON, settings_models
from mlserverless.errors import ConfigError, MlserverlessError

if TYPE_CHECKING:
    from mlserverless.bundle.package import Package
    from mlserverless.bundle.targets import Target

NOTHING = "Nothing was uploaded"


@click.command(epilog="Example: mlserverless deploy aws --name flowers --region eu-central-1 --dry-run")
@click.argument("provider", type=click.Choice(targets.PROVIDERS))
@click.option("--dry-run", is_flag=True, help="Show the commands; check, build and run nothing.")
@click.option("--name", help="Of the stack, app, function or image [default: the folder's].")
@click.option("--region", default="", help="Where it runs [default: as the provider's tool is set up].")
@click.option("--resource-group", default="", help="azure: where all that is made goes.")
@click.option("--project", default="", help="gcp: the project [default: as gcloud is set up].")
@click.option("--template", default="", help="aws: s3.yaml, sqs.yaml; azure: main.json; gcp: another flags file.")
@click.option(
    "--parameter", "parameters", multiple=True, metavar="NAME=VALUE", help="aws, azure: of the template."
)
@MODELS
@PYTHON
@ARCH
@click.option("--built", is_flag=True, help="Deploy what stands in build/PROVIDER, without building it again.")
def deploy(
    provider: str,
    dry_run: bool,
    name: str | None,
    models: tuple[str, ...],
    python: str,
    arch: str,
    built: bool,
    **given: Any,
) -> None:
    """Deploy to a cloud with the provider's own tool, once the package is built and would be taken.

    Each command is shown as it is run, so that it can be copied. What fails stops the rest.
    """
    from mlserverless.bundle.resolve import BuildError

    folder = Path("build", provider)
    options = Options(default_name(Path()) if name is None else name, **given)
    try:
        target = targets.target(provider, python, arch)
        # Planned first, so that a wrong option is told before a build that takes a minute.
        planned = _planned(target, folder, options, models, built)
        if dry_run:
            _show_all(provider, planned)
            return
        tool(provider)
        package = _built(folder) if built else _build(target, folder, models)
        run(commands(package.target, folder, options, model_name("", package)), _show)
    except CommandFailed as error:
        for command in error.left:
            click.echo(f"not run: {command}", err=True)
        raise SystemExit(_failed(error, FAILED)) from error
    except (ValueError, ConfigError) as error:
        raise SystemExit(_failed(error, WRONG)) from error
    except (ToolMissing, BuildError, MlserverlessError, OSError) as error:
        raise SystemExit(_failed(error, UNUSABLE)) from error
    click.echo(f"\n{options.name} is deployed.")


def _planned(
    target: "Target", folder: Path, options: Options, models: tuple[str, ...], built: bool
) -> list[Command]:
    """Return the commands, with the first model's name as the package has it, or as a build would have it."""
    from mlserverless.bundle.build import deploy_folder
    from mlserverless.bundle.package import read

    if built:
        package = read(folder)
        return commands(package.target, folder, options, model_name("", package))
    name = model_name((models or settings_models())[0])
    return commands(target, folder, options, name, deploy_folder(target, Path()))


def _show_all(provider: str, planned: list[Command]) -> None:
    for command in planned:
        _show(command)
    click.echo("\nNothing was run. Without --dry-run the package is checked and built first.")
    try:
        tool(provider)
    except ToolMissing as error:
        click.echo(str(error))


def _build(target: "Target", folder: Path, models: tuple[str, ...]) -> "Package":
    from mlserverless.bundle.build import build

    chosen = models or settings_models()
    examine(target, chosen, None, NOTHING)
    package = build(
        target,
        model=chosen[0],
        models=chosen[1:],
        out=folder,
        project=Path(),
        tell=lambda word: click.echo(f"build: {word}", err=True),
    )
    examine(target, chosen, package, NOTHING)
    return package


def _built(folder: Path) -> "Package":
    """Return the package that stands in ``folder``, once it has been checked again."""
    from mlserverless.bundle.package import read

    package = read(folder)
    check_archives(folder)
    if package.archive is None and package.target.provider in ("aws", "azure"):
        raise ValueError(
            f"{folder} holds an image's context, which is not what is uploaded: see docs/how-to/images.md."
        )
    examine(package.target, (str(package.model), *package.others), package, NOTHING)
    return package


def _show(command: Command) -> None:
    click.echo(f"\n# {command.does}\n{command}")
    sys.stdout.flush()  # before the command's own output


def _failed(error: Exception, code: int) -> int:
    click.echo(f"deploy: {error}", err=True)
    return code
