"""``mlserverless doctor``: a checklist of what a cloud would refuse, or would run otherwise than meant."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mlserverless.bundle import targets
from mlserverless.cli import FAILED, UNUSABLE, WRONG, completing
from mlserverless.cli.answers import JSON, show, stop
from mlserverless.cli.chosen import MODELS, settings_models
from mlserverless.cli.command import command
from mlserverless.cli.deprecated import Renamed
from mlserverless.cli.progress import QUIET, console, steps
from mlserverless.cli.suggest import better, meant
from mlserverless.config import Settings
from mlserverless.errors import ConfigError

if TYPE_CHECKING:
    from rich.console import Console

    from mlserverless.bundle.package import Package
    from mlserverless.bundle.preflight import Finding
    from mlserverless.bundle.targets import Target

TOOLS = ("sam", "aws", "func", "az", "gcloud", "docker", "podman")
MARKS = {"ok": ("✓", "green"), "warn": ("!", "yellow"), "fail": ("✗", "red")}


def _targets(context: click.Context, option: click.Parameter, given: tuple[str, ...]) -> tuple["Target", ...]:
    try:
        return tuple(targets.parse(text) for text in given)
    except ValueError as error:
        names = [text.partition(":")[0] for text in given]
        near = [meant(name, targets.PROVIDERS) for name in names if name not in targets.PROVIDERS]
        raise click.BadParameter("".join([str(error), *near[:1]]), context, option) from error


@command(
    examples=(
        ("Every cloud whose folder is here, else all", "mlserverless doctor"),
        (
            "A package for Lambda on ARM, as it was built",
            "mlserverless doctor aws:python3.13:arm64 --package build/aws",
        ),
        ("Two clouds with a model of yours", "mlserverless doctor azure gcp --model models/mine"),
    ),
    answer={
        "targets": "CLOUD:pythonX.Y:ARCH -> its findings: status (ok, warn, fail), check, told, mend, source",
        "tools": "the providers' tools -> where they are, or null",
        "pythons": "the Pythons that a build runs its package with -> where they are, or null",
    },
    exits={0: "no line is red", 1: "a line is red", 3: "a package that it takes is missing"},
    pages=("docs/how-to/deploy-to-aws.md", "docs/reference/packages.md"),
    renamed=(Renamed("--target", "", "its value alone, after doctor", "0.3"),),
)
@click.argument(
    "chosen",
    nargs=-1,
    callback=_targets,
    metavar="[CLOUD[:pythonX.Y[:ARCH]]]…",
    shell_complete=completing.targets,
)
@MODELS
@click.option(
    "--package", "folder", type=click.Path(path_type=Path), help="What `mlserverless build` wrote: build/aws."
)
@JSON
@QUIET
def doctor(
    chosen: tuple["Target", ...], models: tuple[str, ...], folder: Path | None, as_json: bool, quiet: bool
) -> None:
    """Check offline whether each CLOUD will take what is to be deployed, and run it.

    Without CLOUD: those whose folder is here, else all. Under each line that is not green stands what to do.
    """
    try:
        from mlserverless.bundle import preflight
        from mlserverless.bundle.package import read
    except ImportError as error:
        click.echo(f'doctor: {error}; it takes: pip install "mlserverless[build]"', err=True)
        raise SystemExit(UNUSABLE) from error
    try:
        package = read(folder) if folder else None
        first, *others = models or _models(package)
    except (ValueError, ConfigError) as error:
        raise stop(error, WRONG, "doctor") from error
    found: list[tuple[Target, list[Finding]]] = []
    with steps(quiet=quiet) as tell:
        for target in chosen or _default(package):
            tell(f"checking {target}: the model is loaded and asked once")
            where = deploy_folder(target.provider)
            findings = preflight.examine(
                target, deploy=where, project=Path(), model=first, others=tuple(others), package=package
            )
            found.append((target, findings))
        tell("looking for tools")
        here, pythons = _tools(), _pythons([target for target, _ in found])
    every = [finding for _, findings in found for finding in findings]
    if as_json:
        told = {str(target): [finding._asdict() for finding in findings] for target, findings in found}
        show({"targets": told, "tools": here, "pythons": pythons})
    else:
        out = console(soft_wrap=True)
        for target, findings in found:
            _show(out, target, findings)
        _show_machine(out, here, pythons)
        _show_number(out, every)
    if any(finding.status == "fail" for finding in every):
        raise SystemExit(FAILED)


def deploy_folder(provider: str) -> Path:
    """Return the provider's folder of the project here, or the one that comes with this package."""
    from mlserverless.local import deploy

    return Path(provider) if Path(provider).is_dir() else deploy.folder(provider)


def _default(package: "Package | None") -> tuple["Target", ...]:
    if package is not None:
        return (package.target,)
    here = [provider for provider in targets.PROVIDERS if Path(provider).is_dir()]
    return tuple(targets.parse(provider) for provider in here or targets.PROVIDERS)


def _models(package: "Package | None") -> tuple[str, ...]:
    """Return the models in the package, or those that the settings here name, the first one first.

    Raises ConfigError for a variable that is not accepted.
    """
    if package is not None and package.model is not None:
        return str(package.model), *package.others
    try:
        return settings_models()
    except ConfigError:
        try:
            Settings.load({})
        except ConfigError:  # in the settings file: a line of the checklist tells it
            return (Settings().model,)
        raise


def _tools() -> dict[str, str | None]:
    return {name: shutil.which(name) for name in TOOLS}


def _pythons(checked: list["Target"]) -> dict[str, str | None]:
    """Return the Python of each target's version on this machine, which a build runs its package with."""
    from mlserverless.bundle.resolve import BuildError, interpreter

    found: dict[str, str | None] = {}
    for version in sorted({target.python for target in checked}):
        try:
            found[version] = interpreter(version)
        except BuildError:  # uv is not here, which would be asked last
            found[version] = None
    return found


def _show(console: "Console", target: "Target", findings: list["Finding"]) -> None:
    from rich.text import Text

    console.print(Text(f"\n{target}", "bold"))
    for finding in findings:
        mark, colour = MARKS[finding.status]
        console.print(Text.assemble((f"  {mark} ", colour), (f"{finding.check}: ", "bold"), better(finding.told)))
        if finding.mend:
            console.print(Text(f"      {finding.mend}"))
            if finding.source:
                console.print(Text(f"      by {finding.source}", "dim"))


def _show_machine(console: "Console", here: dict[str, str | None], pythons: dict[str, str | None]) -> None:
    from rich.text import Text

    console.print(Text("\nthis machine", "bold"))
    there = [name for name, path in here.items() if path]
    missing = [name for name, path in here.items() if not path]
    console.print(
        Text(f"  tools: {', '.join(there) or 'none'}" + (f"; not here: {', '.join(missing)}" if missing else ""))
    )
    for version, path in pythons.items():
        told = path or f"not here: a package for it cannot be run and slimmed (uv python install {version})"
        console.print(Text(f"  Python {version}: {told}"))


def _show_number(console: "Console", every: list["Finding"]) -> None:
    from rich.text import Text

    red = sum(finding.status == "fail" for finding in every)
    yellow = sum(finding.status == "warn" for finding in every)
    told = (
        f"\n{len(every)} checks: {red} to mend, {yellow} to look at"
        if red or yellow
        else f"\n{len(every)} checks: all good"
    )
    console.print(Text(told, "red" if red else "yellow" if yellow else "green"))
