"""``mlserverless build``: a package that fits, proven before it is uploaded."""

import json
from pathlib import Path
from typing import Any

import click

from mlserverless.bundle import targets
from mlserverless.cli import UNUSABLE, WRONG
from mlserverless.cli.answers import JSON, show, stop
from mlserverless.cli.checked import examine
from mlserverless.cli.chosen import ARCH, CLOUD, MODELS, PYTHON, settings_models
from mlserverless.cli.command import command
from mlserverless.cli.progress import QUIET, console, say, steps
from mlserverless.cli.suggest import meant
from mlserverless.errors import MlserverlessError
from mlserverless.formats import PLUGINS


def _formats(context: click.Context, option: click.Parameter, text: str | None) -> tuple[str, ...]:
    given = tuple(part.strip().lower() for part in (text or ",".join(PLUGINS)).split(","))
    if unknown := [name for name in given if name not in PLUGINS]:
        told = f"{unknown[0]!r} is not one of {', '.join(PLUGINS)}.{meant(unknown[0], PLUGINS)}"
        raise click.BadParameter(told, context, option)
    return given


@command(
    examples=(
        ("A zip for Lambda on ARM", "mlserverless build aws --model models/mine --arch arm64"),
        ("Smaller: JPEG alone, from https alone", "mlserverless build azure --formats jpeg --no-stores"),
        ("A container image's context", "mlserverless build container --out build/image"),
    ),
    groups={
        "What is packed": ("models", "python", "arch", "formats", "stores"),
        "How": ("out", "image", "layer", "slim", "strip", "check"),
    },
    answer={
        "target, mlserverless, root": "what for, by which version, the package's folder",
        "unpacked, zipped, peak_megabytes": "bytes; the memory that an answer takes",
        "models, proof": "what is in it, and how it was shown to answer right",
        "archives, files": "each archive's sha256 and bytes; one sha256 of all that was written",
        "packages, contents": "versions; the bytes of each part",
        "dropped_bytes, dropped": "what was left out, by the rule that says why",
    },
    exits={0: "the package is built and proven", 1: "a check says that it should not be deployed"},
    pages=("docs/reference/packages.md", "docs/how-to/images.md"),
)
@CLOUD
@MODELS
@PYTHON
@ARCH
@click.option(
    "--out",
    "-o",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="FOLDER",
    help="Where it is written [default: build/CLOUD].",
)
@click.option("--image", is_flag=True, help="aws, azure: a container image's context instead of a zip.")
@click.option("--layer", is_flag=True, help="aws: others' packages in a layer of their own.")
@click.option("--formats", callback=_formats, help="Image formats that it opens, with commas [default: all].")
@click.option("--stores/--no-stores", default=True, show_default=True, help="Reads s3://, gs:// and az:// URLs.")
@click.option("--slim/--no-slim", default=True, show_default=True, help="Leave out what predictions do without.")
@click.option("--strip", is_flag=True, help="Without the libraries' symbol tables (takes binutils).")
@click.option("--check/--no-check", default=True, show_default=True, help="Run the doctor's checks around it.")
@JSON
@QUIET
def build(
    cloud: str,
    python: str,
    arch: str,
    models: tuple[str, ...],
    out: Path | None,
    check: bool,
    as_json: bool,
    quiet: bool,
    **given: Any,
) -> None:
    """Build the smallest package that answers right, for one cloud.

    The target's own wheels are resolved, whatever machine this is; golden predictions tell what can be left out
    and show that it is not missed; the archive is the same bytes each time. build.json has all of it.
    """
    from mlserverless.bundle.build import MADE, STEPS
    from mlserverless.bundle.build import build as make
    from mlserverless.bundle.report import render
    from mlserverless.bundle.resolve import BuildError

    folder = out or Path("build", cloud)
    try:
        target, chosen = targets.target(cloud, python, arch), models or settings_models()
    except (ValueError, MlserverlessError) as error:
        raise stop(error, WRONG, "build") from error
    if check:
        examine(target, chosen, None, "Nothing was built")
    try:
        with steps(quiet=quiet, lines=True) as bar:
            bar("", STEPS)

            def tell(word: str) -> None:
                if not word.startswith("put back"):
                    bar(word)
                elif not quiet:
                    say(word)

            package = make(
                target, model=chosen[0], models=chosen[1:], out=folder, project=Path(), tell=tell, **given
            )
    except (BuildError, MlserverlessError, OSError) as error:
        raise stop(error, UNUSABLE, "build") from error
    if as_json:
        show(json.loads((folder / MADE).read_text(encoding="utf-8")))
    else:
        console(width=None, highlight=True).print(render(package))
    if check:
        examine(target, chosen, package, f"Do not deploy {folder}")
