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
from mlserverless.cli.answers import JSON, aside, show, stop
from mlserverless.cli.checked import examine
from mlserverless.cli.chosen import ARCH, CLOUD, MODELS, PYTHON, settings_models
from mlserverless.cli.command import command
from mlserverless.cli.progress import QUIET, say, steps
from mlserverless.errors import ConfigError, MlserverlessError

if TYPE_CHECKING:
    from mlserverless.bundle.package import Package
    from mlserverless.bundle.targets import Target

NOTHING = "Nothing was uploaded"


@command(
    examples=(
        ("What would be run", "mlserverless deploy aws --name flowers --region eu-central-1 --dry-run"),
        ("Into a resource group of Azure's", "mlserverless deploy azure --name flowers --resource-group mine"),
        (
            "What was built before, with a template's parameter",
            "mlserverless deploy aws --built --parameter MemorySize=1024",
        ),
    ),
    groups={
        "Where to": ("name", "region", "resource_group", "project", "template", "parameters"),
        "What": ("models", "python", "arch", "built"),
    },
    answer={
        "cloud, name": "where to, and as what",
        "dry_run": "whether nothing was run",
        "commands": "each: does, and command, as a shell takes it",
        "missing": "why the provider's tool cannot be used here, or null",
    },
    exits={
        0: "it is deployed, or was only to be shown",
        1: "a check is red, or a provider's command failed",
        3: "the provider's tool is missing, or the package cannot be built",
    },
    pages=(
        "docs/how-to/deploy-to-aws.md",
        "docs/how-to/deploy-to-azure.md",
        "docs/how-to/deploy-to-google-cloud.md",
    ),
)
@CLOUD
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
@click.option("--built", is_flag=True, help="Deploy what stands in build/CLOUD, without building it again.")
@JSON
@QUIET
def deploy(
    cloud: str,
    dry_run: bool,
    name: str | None,
    models: tuple[str, ...],
    python: str,
    arch: str,
    built: bool,
    as_json: bool,
    quiet: bool,
    **given: Any,
) -> None:
    """Deploy to a cloud with the provider's own tool, once the package is built and would be taken.

    Each command is shown as it is run, so that it can be copied. What fails stops the rest.
    """
    from mlserverless.bundle.resolve import BuildError

    folder = Path("build", cloud)
    options = Options(default_name(Path()) if name is None else name, **given)
    try:
        target = targets.target(cloud, python, arch)
        # Planned first, so that a wrong option is told before a build that takes a minute.
        planned = _planned(target, folder, options, models, built)
        if dry_run:
            if as_json:
                show(_document(cloud, options.name, planned, _missing(cloud)))
            else:
                _show_all(cloud, planned)
            return
        tool(cloud)
        package = _built(folder) if built else _build(target, folder, models, quiet)
        planned = commands(package.target, folder, options, model_name("", package))
        with aside(as_json):
            run(planned, _tell if as_json else _show)
    except CommandFailed as error:
        for left in error.left:
            say(f"not run: {left}")
        raise stop(error, FAILED, "deploy") from error
    except (ValueError, ConfigError) as error:
        raise stop(error, WRONG, "deploy") from error
    except (ToolMissing, BuildError, MlserverlessError, OSError) as error:
        raise stop(error, UNUSABLE, "deploy") from error
    if as_json:
        show(_document(cloud, options.name, planned, None) | {"dry_run": False})
    else:
        click.echo(f"\n{options.name} is deployed.")


def _document(cloud: str, name: str, planned: list[Command], missing: str | None) -> dict[str, Any]:
    """Return what --json prints of a dry run."""
    told = [{"does": one.does, "command": str(one)} for one in planned]
    return {"cloud": cloud, "name": name, "dry_run": True, "commands": told, "missing": missing}


def _missing(cloud: str) -> str | None:
    """Return why the provider's tool cannot be used here; None where it can."""
    try:
        tool(cloud)
    except ToolMissing as error:
        return str(error)
    return None


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


def _show_all(cloud: str, planned: list[Command]) -> None:
    for one in planned:
        _show(one)
    click.echo("\nNothing was run. Without --dry-run the package is checked and built first.")
    if missing := _missing(cloud):
        click.echo(missing)


def _build(target: "Target", folder: Path, models: tuple[str, ...], quiet: bool) -> "Package":
    from mlserverless.bundle.build import STEPS, build

    chosen = models or settings_models()
    examine(target, chosen, None, NOTHING)
    with steps(quiet=quiet, lines=True) as tell:
        tell("", STEPS)
        package = build(target, model=chosen[0], models=chosen[1:], out=folder, project=Path(), tell=tell)
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


def _show(one: Command) -> None:
    click.echo(f"\n# {one.does}\n{one}")
    sys.stdout.flush()  # before the command's own output


def _tell(one: Command) -> None:
    say(f"\n# {one.does}\n{one}")
