"""``mlserverless certify``: what a notebook computed against what is served, stage by stage."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mlserverless.cli import FAILED, UNUSABLE, WRONG, completing
from mlserverless.cli.answers import JSON, show, stop
from mlserverless.cli.chosen import ENGINE
from mlserverless.cli.command import command
from mlserverless.cli.progress import QUIET, console, steps
from mlserverless.cli.suggest import meant
from mlserverless.errors import ConfigError, ImageError, InvalidRequest, ModelUnavailable

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
                + meant(name, () if name in TOLERANCES else TOLERANCES)
            )
        found[name] = value
    return found


@command(
    examples=(
        ("Against what the notebook saved", "mlserverless certify models/mine --reference notebook.npz"),
        (
            "A decoder that may differ more, nothing written",
            "mlserverless certify models/mine --reference notebook.npz --tolerance decode=4 --dry-run",
        ),
    ),
    groups={"What is compared": ("reference", "engine", "tolerances")},
    answer={
        "model, engine, reference, images": "what was compared with what",
        "certified": "whether all stages agree",
        "step": "the first that diverges, or null",
        "stages": "each: name, verdict, difference, tolerance",
        "findings": "each: step, what was told, the line that mends it and where",
        "certificate": "what was, or would be, written; null where it diverges",
        "written": "the file that it was written into, or null",
    },
    exits={0: "certified", 1: "it diverges", 2: "the reference or an option cannot be read"},
    pages=("docs/how-to/certify-a-model.md",),
)
@click.argument("model", metavar="MODEL", shell_complete=completing.models)
@click.option(
    "--reference",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="What the notebook saved: an .npz file, see docs/how-to/certify-a-model.md.",
)
@ENGINE
@click.option(
    "--tolerance",
    "tolerances",
    multiple=True,
    callback=_tolerances,
    metavar="STAGE=NUMBER",
    help="How far a stage may differ, as decode=4 or top1=0.95; may be repeated.",
)
@click.option("--dry-run", is_flag=True, help="Compare, and leave model.toml as it is.")
@JSON
@QUIET
def certify(
    model: str,
    reference: Path,
    engine: str | None,
    tolerances: dict[str, float],
    dry_run: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Compare MODEL with what a notebook computed, and write the certificate into its model.toml.

    Names the first step that diverges, by how much, the mistake that explains it and the line that mends it.
    """
    from mlserverless.certification import writing
    from mlserverless.certification.certify import certify as compare
    from mlserverless.certification.reference import read_reference

    settings = {"engine": engine} if engine else {}
    try:
        with steps(quiet=quiet) as tell:
            tell("reading")
            found = compare(model, read_reference(reference), tolerances, tell=tell, **settings)
    except (InvalidRequest, ImageError, ConfigError) as error:
        raise stop(error, WRONG) from error
    except ModelUnavailable as error:
        raise stop(error, UNUSABLE) from error
    written = None
    if found.certified and found.folder is not None and not dry_run:
        written = found.folder / "model.toml"
        try:
            writing.write(written, found.certificate)
        except ModelUnavailable as error:
            raise stop(error, UNUSABLE) from error
    if as_json:
        show(found.to_dict() | {"written": str(written) if written else None})
    else:
        _show(found, written, dry_run)
    if not found.certified:
        raise SystemExit(FAILED)


def _show(found: "Report", written: Path | None, dry_run: bool) -> None:
    from rich.table import Table
    from rich.text import Text

    out = console()
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
    out.print(table)
    for number, finding in enumerate(found.findings):
        head = "The first step that diverges" if number == 0 else "Then"
        told = finding.told[:1].upper() + finding.told[1:] + ("" if finding.told.endswith("?") else ".")
        out.print(Text(f"\n{head}: {finding.step}. {told}", style="bold"))
        if finding.mend:
            proof = ", with which it fits" if finding.proven else ""
            out.print(Text(f"  mend it in the {_where(finding.where)}{proof}:"))
            for line in finding.mend.splitlines():
                out.print(Text(f"    {line}", style="cyan"))
    if found.certified:
        out.print(Text("\nCertified: what is served is what the notebook has.", style="bold green"))
        place = f"Written: [certificate] in {written}."
        if written is None:
            place = "Not written (--dry-run)." if dry_run else "Not written: that takes a model folder."
        out.print(Text(place))


def _where(where: str) -> str:
    return {"labels": "label file", "setting": "function's settings", "command": "command line"}.get(where, where)
