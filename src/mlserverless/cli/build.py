"""``mlserverless build``: a package that fits, proven before it is uploaded."""

import json
from pathlib import Path
from typing import Any

import click

from mlserverless.bundle import targets
from mlserverless.cli import UNUSABLE, WRONG
from mlserverless.cli.checked import examine
from mlserverless.cli.chosen import ARCH, MODELS, PYTHON, settings_models
from mlserverless.errors import MlserverlessError
from mlserverless.formats import PLUGINS


def _formats(context: click.Context, option: click.Parameter, text: str | None) -> tuple[str, ...]:
    given = tuple(part.strip().lower() for part in (text or ",".join(PLUGINS)).split(","))
    if unknown := [name for name in given if name not in PLUGINS]:
        raise click.BadParameter(f"{unknown[0]!r} is not one of {', '.join(PLUGINS)}.", context, option)
    return given


@click.command(epilog="Example: mlserverless build aws --model models/mine --arch arm64")
@click.argument("provider", type=click.Choice(targets.PROVIDERS))
@MODELS
@PYTHON
@ARCH
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="[default: build/PROVIDER]")
@click.option("--image", is_flag=True, help="aws, azure: a container image's context instead of a zip.")
@click.option("--layer", is_flag=True, help="aws: others' packages in a layer of their own.")
@click.option("--formats", callback=_formats, help="Image formats that it opens, with commas [default: all].")
@click.option("--stores/--no-stores", default=True, show_default=True, help="Reads s3://, gs:// and az:// URLs.")
@click.option("--slim/--no-slim", default=True, show_default=True, help="Leave out what predictions do without.")
@click.option("--strip", is_flag=True, help="Without the libraries' symbol tables (takes binutils).")
@click.option("--check/--no-check", default=True, show_default=True, help="Run the doctor's checks around it.")
@click.option("--json", "as_json", is_flag=True, help="Print build.json instead of tables.")
def build(
    provider: str,
    python: str,
    arch: str,
    models: tuple[str, ...],
    out: Path | None,
    check: bool,
    as_json: bool,
    **given: Any,
) -> None:
    """Build the smallest package that answers right, for one cloud.

    The target's own wheels are resolved, whatever machine this is; golden predictions tell what can be left out
    and show that it is not missed; the archive is the same bytes each time. build.json has all of it.
    """
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TimeElapsedColumn

    from mlserverless.bundle.build import MADE, STEPS
    from mlserverless.bundle.build import build as make
    from mlserverless.bundle.report import render
    from mlserverless.bundle.resolve import BuildError

    console, errors, folder = Console(), Console(stderr=True), out or Path("build", provider)
    try:
        target, chosen = targets.target(provider, python, arch), models or settings_models()
    except (ValueError, MlserverlessError) as error:
        raise SystemExit(_failed(errors, error, WRONG)) from error
    if check:
        examine(target, chosen, None, "Nothing was built")
    with Progress(SpinnerColumn(), *Progress.get_default_columns(), TimeElapsedColumn(), console=errors) as bar:
        task = bar.add_task("", total=STEPS)

        def tell(word: str) -> None:
            if word.startswith("put back"):
                errors.print(word)
            else:
                bar.update(task, description=word, advance=1)

        try:
            package = make(
                target, model=chosen[0], models=chosen[1:], out=folder, project=Path(), tell=tell, **given
            )
        except (BuildError, MlserverlessError, OSError) as error:
            raise SystemExit(_failed(errors, error, UNUSABLE)) from error
    if as_json:
        click.echo(json.dumps(json.loads((folder / MADE).read_text(encoding="utf-8"))))
    else:
        console.print(render(package))
    if check:
        examine(target, chosen, package, f"Do not deploy {folder}")


def _failed(errors: Any, error: Exception, code: int) -> int:
    errors.print(f"build: {error}", style="red", highlight=False, markup=False)
    return code
