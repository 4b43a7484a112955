"""``mlserverless predict``: a table on a terminal, JSON lines when piped."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from mlserverless.cli import FAILED, UNUSABLE, WRONG
from mlserverless.errors import ConfigError, InvalidRequest, MlserverlessError, ModelUnavailable
from mlserverless.options import read_options
from mlserverless.predictor import Predictor
from mlserverless.serving import problem
from mlserverless.types import Prediction, Problem

BAR = 24  # letters of the longest bar
FIRST = 4  # elements of a tensor that are shown

Result = tuple[str, Prediction | Problem]


@click.command(epilog="Example: mlserverless predict photo.jpg https://example.com/cat.jpg --top-k 3")
@click.argument("sources", nargs=-1, required=True, metavar="URL|FILE|-…")
@click.option("--model", help="A model folder, a model file or a bundled model's name.")
@click.option("--engine", help="auto, litert, litert-python, tflite-runtime, tensorflow or onnxruntime.")
@click.option("--top-k", type=int, help="How many classes to answer.")
@click.option("--score-threshold", type=float, help="Leave out classes below this score.")
@click.option("--label", "labels_allow", multiple=True, help="Answer only this label; may be repeated.")
@click.option("--not-label", "labels_deny", multiple=True, help="Never answer this label; may be repeated.")
@click.option("--allow-private-addresses", is_flag=True, default=None, help="Fetch from private networks, too.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON lines, also on a terminal.")
def predict(sources: tuple[str, ...], as_json: bool, **given: Any) -> None:
    """Classify each URL or FILE.

    Prints a table on a terminal and one JSON object a line elsewhere. Exit code: 0 all were classified, 1 at
    least one was not, 2 the command or a setting is wrong, 3 the model cannot be used.
    """
    settings = {name: given.pop(name) for name in ("model", "engine", "allow_private_addresses")}
    try:
        read_options(given)
        predictor = Predictor(**{name: value for name, value in settings.items() if value is not None})
        predictor.load()
    except (ConfigError, InvalidRequest) as error:
        raise _stop(error, WRONG) from error
    except ModelUnavailable as error:
        raise _stop(error, UNUSABLE) from error
    results = _results(predictor, sources, given)
    failed = _print_json(results) if as_json or not sys.stdout.isatty() else _print_table(results, len(sources))
    if failed:
        raise SystemExit(FAILED)


def _stop(error: MlserverlessError, code: int) -> SystemExit:
    click.echo(f"{error.code}: {error}", err=True)
    return SystemExit(code)


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


def _print_table(results: Iterator[Result], total: int) -> int:
    from rich.console import Console
    from rich.progress import track
    from rich.table import Table
    from rich.text import Text

    console, failed = Console(), 0
    table = Table("image", "label", "score", "", box=None, pad_edge=False, header_style="bold")
    told = Console(stderr=True)
    for source, result in track(results, "classifying", total, console=told, transient=True, disable=total < 3):
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
    console.print(table, markup=False)
    return failed
