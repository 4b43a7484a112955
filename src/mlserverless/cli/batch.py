"""``mlserverless batch``: many images into one result file, whatever happens in between."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import click

from mlserverless.batch import results
from mlserverless.batch.engine import Engine, Stopped
from mlserverless.batch.local import DOWNLOADS
from mlserverless.batch.run import Summary, run
from mlserverless.batch.sources import SourceUnreadable, find
from mlserverless.batch.work import Refused, Work
from mlserverless.cli import FAILED, UNUSABLE, WRONG, completing, fan_out
from mlserverless.cli.answers import JSON, show, stop
from mlserverless.cli.chosen import MODEL, writable
from mlserverless.cli.command import Choice, command
from mlserverless.cli.progress import QUIET
from mlserverless.cli.tallied import progress
from mlserverless.config import Settings
from mlserverless.errors import MlserverlessError
from mlserverless.options import read_options

SETTINGS = ("model", "engine", "allow_private_addresses")
OPTIONS = ("top_k", "score_threshold", "labels_allow", "labels_deny")
SIGNALLED = 128  # and the signal's number: as shells have it


class Interrupted(BaseException):
    """A signal asked for the end; no ``except Exception`` on the way takes it for an image's problem."""


@command(
    examples=(
        ("A list of URLs, one a line", "mlserverless batch urls.txt --out results.jsonl"),
        ("A table's column, into a table", "mlserverless batch items.csv --column photo --out results.parquet"),
        ("A folder, the best class of each", "mlserverless batch photos/ --top-k 1 --out results.csv"),
        ("A bucket, for a program", "mlserverless batch s3://images/2026 --out results.jsonl --quiet --json"),
        (
            "By a function that you deployed",
            "mlserverless batch urls.txt --out results.jsonl --endpoint https://…",
        ),
    ),
    groups={
        "What is read and written": ("out", "kind", "column", "files", "restart"),
        "The model": ("model", "engine"),
        "What is answered": ("top_k", "score_threshold", "labels_allow", "labels_deny"),
        "How it is done": ("workers", "downloads", "retries", "allow_private_addresses"),
        **fan_out.GROUPS,
    },
    answer={
        "out": "the result file",
        "rows, classified": "how many images there are, and how many of them have an answer",
        "problems": "how many have which problem, by its code",
        "kept": "rows that an earlier run had made",
        "seconds, rate": "what this run took, and its images a second",
    },
    exits={
        0: "all were classified",
        1: "at least one was not; its row says why",
        2: "the command, a setting or the source is wrong, or the result file is another run's",
        3: "the model cannot be used here, or workers keep dying",
        130: "stopped by Ctrl-C (143: by SIGTERM); the same command goes on",
    },
    pages=("docs/how-to/classify-a-list.md", "docs/how-to/batch-on-functions.md", "docs/reference/settings.md"),
)
@click.argument("source", metavar="SOURCE", shell_complete=completing.files)
@click.option(
    "--out",
    "-o",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    callback=writable,
    help="The result file: .jsonl, .csv or .parquet.",
)
@click.option("--format", "kind", type=Choice(["jsonl", "csv", "parquet"]), help="[default: as --out is named]")
@click.option("--column", help="The column of a .csv or .parquet SOURCE [default: url].")
@click.option("--files", is_flag=True, help="SOURCE lists files of this machine instead of URLs.")
@click.option("--restart", is_flag=True, help="Begin anew, whatever is there already.")
@MODEL
@fan_out.ENGINE
@click.option("--top-k", type=int, help="How many classes to answer.")
@click.option("--score-threshold", type=float, help="Leave out classes below this score.")
@click.option("--label", "labels_allow", multiple=True, help="Answer only this label; may be repeated.")
@click.option("--not-label", "labels_deny", multiple=True, help="Never answer this label; may be repeated.")
@click.option("--workers", type=click.IntRange(1, 256), help="Processes on this machine [default: one a core].")
@click.option("--downloads", type=click.IntRange(1, 64), help=f"A worker's, at a time [default: {DOWNLOADS}].")
@click.option(
    "--retries", type=click.IntRange(0, 20), default=3, show_default=True, help="More tries of what may pass."
)
@click.option("--allow-private-addresses", is_flag=True, default=None, help="Fetch from private networks, too.")
@fan_out.options
@JSON
@QUIET
def batch(
    source: str,
    out: Path,
    kind: str | None,
    column: str | None,
    files: bool,
    restart: bool,
    quiet: bool,
    as_json: bool,
    **given: Any,
) -> None:
    """Classify all that SOURCE lists into one result file, and go on where an earlier run of it stopped.

    SOURCE is a text file of URLs (one a line), a .csv or .parquet file with a column of them, a folder of images,
    s3://…, gs://… or az://…, or - for standard input. Each image is one row, in order, also where it cannot be
    classified.
    """
    work = Work(out)
    try:
        settings = {name: given[name] for name in SETTINGS if given[name] not in (None, fan_out.LITHOPS)}
        found = find(source, column, Settings.load(**settings).formats, files=files)
        kind = kind or results.kind_of(out)
        results.ready(kind)
        engine = _engine(settings, given)
        total = found.total()
    except (MlserverlessError, SourceUnreadable) as error:
        raise stop(error, WRONG, getattr(error, "code", "batch")) from error
    try:
        with _signals(), progress(total, quiet=quiet) as tell:
            summary = run(found, engine, work, kind, restart=restart, tell=tell)
    except Stopped as error:
        raise stop(error, WRONG if error.code == "misconfigured" else UNUSABLE) from error
    except (Refused, SourceUnreadable, MlserverlessError, OSError) as error:
        raise stop(error, WRONG, getattr(error, "code", "batch")) from error
    except Interrupted as error:
        click.echo(f"batch: stopped; {work.tally.rows:,} rows are kept, and the same command goes on.", err=True)
        raise SystemExit(SIGNALLED + error.args[0]) from None
    finally:
        engine.close()
    if as_json:
        show({"out": str(out), **summary.to_dict()})
    elif not quiet:
        click.echo(_told(summary, out), err=True)
    if summary.problems:
        raise SystemExit(FAILED)


def _engine(settings: dict[str, Any], given: dict[str, Any]) -> Engine:
    options = {name: given[name] for name in OPTIONS if given[name] not in (None, ())}
    read_options(options)
    return fan_out.engine(settings, options, given)


@contextmanager
def _signals() -> Iterator[None]:
    def interrupt(number: int, _: FrameType | None) -> None:
        for each in before:
            signal.signal(each, signal.SIG_IGN)  # the end is on its way
        raise Interrupted(number)

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _told(summary: Summary, out: Path) -> str:
    problems = (
        ", ".join(f"{number:,} {code}" for code, number in sorted(summary.problems.items())) or "no problems"
    )
    if summary.done_already:
        return f"{out} is done already: {summary.rows:,} rows, {problems}. Begin anew with --restart."
    return f"{out}: {summary.rows:,} rows, {problems}, {summary.rate:,} a second."
