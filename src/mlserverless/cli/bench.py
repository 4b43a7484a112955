"""``mlserverless bench``: cold start and warm requests stage by stage, a budget for CI, the size to choose."""

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import click

from mlserverless.cli import FAILED, UNUSABLE, WRONG, completing
from mlserverless.cli.answers import JSON, show, stop
from mlserverless.cli.chosen import writable
from mlserverless.cli.command import Choice, Command, command
from mlserverless.cli.deprecated import Renamed, warn
from mlserverless.cli.progress import QUIET, console, say, steps
from mlserverless.errors import ConfigError
from mlserverless.measure.spread import parse_duration


def _duration(context: click.Context, option: click.Parameter, text: str | None) -> float | None:
    """Return the milliseconds that ``text`` says."""
    try:
        return None if text is None else parse_duration(text)
    except ValueError as error:
        raise click.BadParameter(str(error), context, option) from error


FILE = click.Path(exists=True, dir_okay=False, readable=True, path_type=Path)
FILE_OUT = click.Path(dir_okay=False, writable=True, path_type=Path)
OUT = click.Path(dir_okay=False, writable=True, allow_dash=True, path_type=Path)


class Bench(Command):
    """--json took a file's name once, as --out does by now."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put --out FILE in place of --json FILE: no model's name is - or ends in .json."""
        made: list[str] = []
        for number, word in enumerate(args):
            before, (name, equals, value) = args[number - 1 : number], word.partition("=")
            if name == "--json" and (equals or _is_json(args[number + 1 : number + 2])):
                warn("bench", "--json FILE", "--out FILE, or --json alone to print it", "0.3")
                given = value if equals else args[number + 1]
                made += ["--json"] if given == "-" else ["--out", given]
            elif not (before == ["--json"] and _is_json([word])):
                made.append(word)
        return super().parse_args(ctx, made)


def _is_json(words: list[str]) -> bool:
    return any(word == "-" or word.endswith(".json") for word in words)


@command(
    kind=Bench,
    examples=(
        ("Where a cold start's time goes", "mlserverless bench --cold"),
        ("A gate for CI", "mlserverless bench models/mine --budget 400ms --out bench.json --html bench.html"),
        (
            "The cheapest size (Linux, as root)",
            "mlserverless bench --on aws --memory-sweep --target-latency 200ms",
        ),
    ),
    groups={
        "What is measured": ("cold", "warm", "sweep", "provider", "images", "runs"),
        "What it is held to": ("budget", "target", "prices"),
        "What is written": ("as_json", "out", "html"),
    },
    answer={
        "format, mlserverless, unit": "of this document, the package's version, ms",
        "model, entry, image, machine": "what was measured, through what, where",
        "cold, warm, sweep": "the figures of each, or null: median and spread, stage by stage",
        "verdict": "of --budget, or null: budget, whether it was kept, what was told",
    },
    exits={0: "all was measured", 1: "over the budget", 3: "the model cannot be used, or the sweep not be made"},
    pages=("docs/how-to/measure-a-function.md", "docs/explanation/performance.md"),
    renamed=(Renamed("--provider", "--on", "--on", "0.3"),),
)
@click.argument("model", required=False, shell_complete=completing.models)
@click.option("--cold", is_flag=True, help="Fresh processes, from their start to the first answer.")
@click.option("--warm", is_flag=True, help="One process, request by request, and with more threads.")
@click.option(
    "--memory-sweep", "sweep", is_flag=True, help="Both, as functions of several sizes (Linux, as root)."
)
@click.option(
    "--on", "provider", type=Choice(["aws", "azure", "gcp"]), help="Through this cloud's adapter; its sizes."
)
@click.option("--image", "images", multiple=True, type=FILE, help="What is classified; may be repeated.")
@click.option(
    "--runs", type=click.IntRange(1, 1000), default=15, show_default=True, help="Cold starts; warm: × 4."
)
@click.option(
    "--budget",
    metavar="TIME",
    callback=_duration,
    help="Exit with 1 where the median cold start takes longer: 400ms.",
)
@click.option(
    "--target-latency",
    "target",
    metavar="TIME",
    callback=_duration,
    help="What the advised size is to keep, warm: 200ms.",
)
@click.option("--prices", type=FILE, help="A price file of your own for --memory-sweep.")
@JSON
@click.option("--out", "-o", type=FILE_OUT, callback=writable, metavar="FILE", help="Write the figures as JSON.")
@click.option(
    "--html", type=OUT, callback=writable, metavar="FILE", help="Write one self-contained page with plots."
)
@QUIET
def bench(
    model: str | None, html: Path | None, out: Path | None, as_json: bool, quiet: bool, **given: Any
) -> None:
    """Measure MODEL here: a folder, a model file or a bundled name; by default the settings' own.

    Without --cold, --warm and --memory-sweep: cold and warm. Images come over http from this machine.
    """
    from mlserverless.measure import page, report, run, tables

    if given["target"] and not given["sweep"]:
        raise click.UsageError("--target-latency chooses among the sizes of --memory-sweep: give that, too.")
    if as_json and html == Path("-"):
        raise click.UsageError("Only one of --json and --html can be printed: give the other a file.")
    if given["budget"] and (given["warm"] or given["sweep"]):
        given["cold"] = True
    try:
        with (
            tempfile.TemporaryDirectory(prefix="mlserverless-bench-") as folder,
            steps(quiet=quiet, lines=True) as tell,
        ):
            found = run.measure(run.Wanted(model or "", **given), Path(folder), tell)
    except (ConfigError, run.PricesError) as error:
        raise stop(error, WRONG, "bench") from error
    except run.Unavailable as error:
        raise stop(error, UNUSABLE, "bench") from error
    except run.Refused as error:
        if error.problem == "import" and given["provider"]:
            error.add_note(f'Its packages: pip install "mlserverless[{given["provider"]}]"')
        code = {"misconfigured": WRONG, "model-unavailable": UNUSABLE, "import": UNUSABLE}.get(
            error.problem, FAILED
        )
        raise stop(error, code) from error
    except run.Died as error:
        raise stop(error, UNUSABLE, "bench") from error
    if out:
        out.write_text(json.dumps(report.to_dict(found), ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    if html == Path("-"):
        sys.stdout.write(page.render(found))
    elif html:
        html.write_text(page.render(found), encoding="utf-8")
    if as_json:
        show(report.to_dict(found))
    elif html != Path("-"):
        console(width=None, highlight=True).print(tables.render(found))
    if found.verdict:
        kept = found.verdict.kept
        say(found.verdict.told, "green" if kept else "red")
        if not kept:
            raise SystemExit(FAILED)
