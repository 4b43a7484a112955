"""``mlserverless predict``: a table on a terminal, JSON lines when piped."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from mlserverless.cli import FAILED, UNUSABLE, WRONG, completing
from mlserverless.cli.answers import stop
from mlserverless.cli.chosen import ENGINE, MODEL
from mlserverless.cli.command import command
from mlserverless.cli.progress import QUIET, console, steps
from mlserverless.errors import ConfigError, InvalidRequest, MlserverlessError, ModelUnavailable
from mlserverless.options import read_options
from mlserverless.predictor import Predictor
from mlserverless.serving import problem
from mlserverless.types import Prediction, Problem

BAR = 24  # letters of the longest bar
FIRST = 4  # elements of a tensor that are shown

Result = tuple[str, Prediction | Problem]


@command(
    examples=(
        (
            "A file and a URL, three classes each",
            "mlserverless predict photo.jpg https://example.com/cat.jpg --top-k 3",
        ),
        ("With a model of yours, from standard input", "mlserverless predict - --model models/mine < photo.jpg"),
        ("For a program: one JSON object a line", "mlserverless predict photo.jpg --json"),
    ),
    groups={
        "The model": ("model", "engine"),
        "What is answered": ("top_k", "score_threshold", "labels_allow", "labels_deny"),
    },
    answer={
        "source": "one object a line, for each image in turn: what was classified, as it was given",
        "…": "what POST /predict answers: model, sha256, predictions, detections or outputs, timings",
        "problem": "or instead: code, detail, retryable",
    },
    exits={0: "all were classified", 1: "at least one was not"},
    pages=("docs/reference/settings.md", "docs/reference/http.md"),
)
@click.argument("sources", nargs=-1, required=True, metavar="URL|FILE|-…", shell_complete=completing.files)
@MODEL
@ENGINE
@click.option("--top-k", type=int, help="How many classes to answer.")
@click.option("--score-threshold", type=float, help="Leave out classes below this score.")
@click.option("--label", "labels_allow", multiple=True, help="Answer only this label; may be repeated.")
@click.option("--not-label", "labels_deny", multiple=True, help="Never answer this label; may be repeated.")
@click.option("--allow-private-addresses", is_flag=True, default=None, help="Fetch from private networks, too.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON lines, also on a terminal.")
@QUIET
def predict(sources: tuple[str, ...], as_json: bool, quiet: bool, **given: Any) -> None:
    """Classify each URL or FILE.

    Prints a table on a terminal and one JSON object a line elsewhere.
    """
    settings = {name: given.pop(name) for name in ("model", "engine", "allow_private_addresses")}
    try:
        read_options(given)
        predictor = Predictor(**{name: value for name, value in settings.items() if value is not None})
        with steps(quiet=quiet) as tell:
            tell("loading the model")
            predictor.load()
    except (ConfigError, InvalidRequest) as error:
        raise stop(error, WRONG) from error
    except ModelUnavailable as error:
        raise stop(error, UNUSABLE) from error
    results = _results(predictor, sources, given)
    if as_json or not sys.stdout.isatty():
        failed = _print_json(results)
    else:
        failed = _print_table(results, len(sources), quiet)
    if failed:
        raise SystemExit(FAILED)


def _results(predictor: Predictor, sources: tuple[str, ...], options: dict[str, Any]) -> Iterator[Result]:
    for source in sources:
        where: str | bytes | Path = source if "://" in source or source.startswith("data:") else Path(source)
        if source == "-":
            where = sys.stdin.buffer.read(predictor.settings.max_bytes + 1)
        try:
            yield source, predictor.predict(where, **options)
        except MlserverlessError as error:
            yield source, problem(error, "")


def _print_json(results: Iterator[Result]) -> int:
    failed = 0
    for source, result in results:
        line: dict[str, Any] = {"source": source}
        if isinstance(result, Problem):
            failed += 1
            line["problem"] = {"code": result.code, "detail": result.detail, "retryable": result.retryable}
        else:
            line.update(result.to_dict())
        click.echo(json.dumps(line, ensure_ascii=False))
    return failed


def _rows(result: Prediction) -> Iterator[tuple[str, str, str]]:
    """Return a line each: a class and a bar, an object and where it is, a tensor, its type and first values."""
    for label, _, score in result.predictions:
        yield label, f"{score:.3f}", "█" * round(BAR * min(max(score, 0.0), 1.0))
    for label, _, score, box in result.detections:
        across, down = (
            f"{100 * a:.0f}–{100 * b:.0f} %" for a, b in ((box.left, box.right), (box.top, box.bottom))
        )
        yield label, f"{score:.3f}", f"{across} across, {down} down"
    for output in result.outputs:
        values = (f"{value:.6g}" if isinstance(value, float) else str(value) for value in output.data[:FIRST])
        more = f", … {len(output.data):,} in all" if len(output.data) > FIRST else ""
        yield output.name, f"{output.datatype} {'×'.join(map(str, output.shape))}", ", ".join(values) + more


def _print_table(results: Iterator[Result], total: int, quiet: bool = False) -> int:
    from rich.table import Table
    from rich.text import Text

    failed = 0
    table = Table("image", "label", "score", "", box=None, pad_edge=False, header_style="bold")
    with steps(quiet=quiet or total < 3) as tell:
        tell("", total)
        for source, result in results:
            tell("classifying")
            name = Text(source.rpartition("/")[2] or source, overflow="ellipsis", no_wrap=True)
            if isinstance(result, Problem):
                failed += 1
                table.add_row(name, Text(result.code, style="red"), "", Text(result.detail))
                continue
            rows = list(_rows(result))
            for index, (label, score, more) in enumerate(rows):
                table.add_row(name if index == 0 else "", Text(label), score, Text(more, style="cyan"))
            if not rows:
                what = "object" if result.task == "detect" else "class"
                table.add_row(name, Text(f"no {what} at or above the threshold", style="dim"), "", "")
    console(highlight=True).print(table, markup=False)
    return failed
