"""``mlserverless certify``: what a notebook computed against what is served, stage by stage."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mlserverless.cli import FAILED, UNUSABLE, WRONG, width
from mlserverless.errors import ConfigError, ImageError, InvalidRequest, MlserverlessError, ModelUnavailable

if TYPE_CHECKING:
    from mlserverless.certification.certify import Report

STYLES = {"equal": "green", "agrees": "green", "diverges": "red", "absent": "dim"}
MARKS = {"equal": "=", "agrees": "≈", "diverges": "✗", "absent": "·"}


def _tolerances(_: click.Context, __: click.Parameter, given: tuple[str, ...]) -> dict[str, float]:
    from mlserverless.certification.certify import TOLERANCES

    found = {}
    for one in given:
        name, _equals, text = one.partition("=")
        try:
            value = float(text)
        except ValueError:
            value = -1.0
        if name not in TOLERANCES or not 0 <= value < float("inf"):
            raise click.BadParameter(
                f"{one!r} is not STAGE=NUMBER; stages are {', '.join(TOLERANCES)}, numbers are from 0 on."
            )
        found[name] = value
    return found


@click.command(epilog="Example: mlserverless certify models/mine --reference notebook.npz")
@click.argument("model", metavar="MODEL")
@click.option(
    "--reference",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="What the notebook saved: an .npz file, see docs/how-to/certify-a-model.md.",
)
@click.option("--engine", help="auto, litert, litert-python, tflite-runtime, tensorflow or onnxruntime.")
@click.option(
    "--tolerance",
    "tolerances",
    multiple=True,
    callback=_tolerances,
    metavar="STAGE=NUMBER",
    help="How far a stage may differ, as decode=4 or top1=0.95; may be repeated.",
)
@click.option("--dry-run", is_flag=True, help="Compare, and leave model.toml as it is.")
@click.option("--json", "as_json", is_flag=True, help="Print all of it as JSON.")
def certify(
    model: str,
    reference: Path,
    engine: str | None,
    tolerances: dict[str, float],
    dry_run: bool,
    as_json: bool,
) -> None:
    """Compare MODEL with what a notebook computed, and write the certificate into its model.toml.

    Names the first step that diverges, by how much, the mistake that explains it and the line that mends it. Exit
    code: 0 certified, 1 it diverges, 2 the reference or an option cannot be read, 3 the model cannot be used.
    """
    from rich.console import Console

    from mlserverless.certification import writing
    from mlserverless.certification.certify import certify as compare
    from mlserverless.certification.reference import read_reference

    errors = Console(stderr=True)
    settings = {"engine": engine} if engine else {}
    try:
        with errors.status("reading") as status:
            found = compare(model, read_reference(reference), tolerances, tell=status.update, **settings)
    except (InvalidRequest, ImageError, ConfigError) as error:
        raise _stop(error, WRONG) from error
    except ModelUnavailable as error:
        raise _stop(error, UNUSABLE) from error
    written = None
    if found.certified and found.folder is not None and not dry_run:
        written = found.folder / "model.toml"
        try:
            writing.write(written, found.certificate)
        except ModelUnavailable as error:
            raise _stop(error, UNUSABLE) from error
    if as_json:
        told = found.to_dict() | {"written": str(written) if written else None}
        click.echo(json.dumps(told, ensure_ascii=False, indent=2))
    else:
        _show(found, written, dry_run)
    if not found.certified:
        raise SystemExit(FAILED)


def _stop(error: MlserverlessError, code: int) -> SystemExit:
    click.echo(f"{error.code}: {error}", err=True)
    return SystemExit(code)


def _show(found: "Report", written: Path | None, dry_run: bool) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(width=width(), highlight=False)
    table = Table("stage", "", "largest", "mean", "beyond", "worst image", "tolerance", box=None, pad_edge=False)
    table.title_justify = "left"
    table.title = Text(f"{found.model} on {found.engine}, {found.reference.count} images", "table.title")
    for stage in found.stages:
        style, gap = STYLES[stage.verdict], stage.difference
        cells: list[Any] = [stage.name, Text(f"{MARKS[stage.verdict]} {stage.verdict}", style=style)]
        if stage.verdict == "absent" or not stage.unit:
            cells += [Text(stage.note, style="dim")]
        else:
            cells += [f"{gap.largest:.3g}", f"{gap.mean:.3g}", f"{gap.share:.1%}", str(gap.worst)]
            cells += [f"{stage.tolerance:.3g} {stage.unit.rstrip('s') if stage.tolerance == 1 else stage.unit}"]
        table.add_row(*cells)
        if stage.note and stage.unit:
            table.add_row("", Text(stage.note, style="dim"))
    console.print(table)
    for number, finding in enumerate(found.findings):
        head = "The first step that diverges" if number == 0 else "Then"
        told = finding.told[:1].upper() + finding.told[1:] + ("" if finding.told.endswith("?") else ".")
        console.print(Text(f"\n{head}: {finding.step}. {told}", style="bold"))
        if finding.mend:
            proof = ", with which it fits" if finding.proven else ""
            console.print(Text(f"  mend it in the {_where(finding.where)}{proof}:"))
            for line in finding.mend.splitlines():
                console.print(Text(f"    {line}", style="cyan"))
    if found.certified:
        console.print(Text("\nCertified: what is served is what the notebook has.", style="bold green"))
        place = f"Written: [certificate] in {written}."
        if written is None:
            place = "Not written (--dry-run)." if dry_run else "Not written: that takes a model folder."
        console.print(Text(place))


def _where(where: str) -> str:
    return {"labels": "label file", "setting": "function's settings", "command": "command line"}.get(where, where)
