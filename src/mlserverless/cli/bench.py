"""``mlserverless bench``: cold start and warm requests stage by stage, a budget for CI, the size to choose."""

import json
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from mlserverless.cli import FAILED, UNUSABLE, WRONG
from mlserverless.errors import ConfigError
from mlserverless.measure.spread import parse_duration


def _duration(context: click.Context, option: click.Parameter, text: str | None) -> float | None:
    """Return the milliseconds that ``text`` says."""
    try:
        return None if text is None else parse_duration(text)
    except ValueError as error:
        raise click.BadParameter(str(error), context, option) from error


def _out(context: click.Context, option: click.Parameter, path: Path | None) -> Path | None:
    """Return ``path`` where it can be written: to be found now, not when all was measured."""
    if path and not path.parent.is_dir():
        raise click.BadParameter(f"there is no folder {str(path.parent)!r}.", context, option)
    return path


FILE = click.Path(exists=True, dir_okay=False, readable=True, path_type=Path)
OUT = click.Path(dir_okay=False, writable=True, allow_dash=True, path_type=Path)


@click.command(epilog="Example: mlserverless bench models/mine --cold --budget 400ms --html bench.html")
@click.argument("model", required=False)
@click.option("--cold", is_flag=True, help="Fresh processes, from their start to the first answer.")
@click.option("--warm", is_flag=True, help="One process, request by request, and with more threads.")
@click.option(
    "--memory-sweep", "sweep", is_flag=True, help="Both, as functions of several sizes (Linux, as root)."
)
@click.option("--provider", type=click.Choice(["aws", "azure", "gcp"]), help="Through this adapter; its sizes.")
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
@click.option("--json", "as_json", type=OUT, callback=_out, help="Write the figures as JSON; - prints them.")
@click.option("--html", type=OUT, callback=_out, help="Write one self-contained page with plots.")
def bench(model: str | None, html: Path | None, as_json: Path | None, **given: Any) -> None:
    """Measure MODEL here: a folder, a model file or a bundled name; by default the settings' own.

    Without --cold, --warm and --memory-sweep: cold and warm. Images come over http from this machine. Exit code:
    0 all was measured, 1 over the budget, 2 the command or a setting is wrong, 3 the model cannot be used, or the
    sweep not be made.
    """
    from rich.console import Console

    from mlserverless.measure import page, report, run, tables

    if given["target"] and not given["sweep"]:
        raise click.UsageError("--target-latency chooses among the sizes of --memory-sweep: give that, too.")
    if Path("-") == as_json == html:
        raise click.UsageError("Only one of --json and --html can be printed: give the other a file.")
    if given["budget"] and (given["warm"] or given["sweep"]):
        given["cold"] = True
    errors = Console(stderr=True)
    try:
        with tempfile.TemporaryDirectory(prefix="mlserverless-bench-") as folder, _progress(errors) as tell:
            found = run.measure(run.Wanted(model or "", **given), Path(folder), tell)
    except (ConfigError, run.PricesError) as error:
        raise SystemExit(_failed(errors, error, WRONG)) from error
    except run.Unavailable as error:
        raise SystemExit(_failed(errors, error, UNUSABLE)) from error
    except run.Refused as error:
        if error.problem == "import" and given["provider"]:
            error.add_note(f'Its packages: pip install "mlserverless[{given["provider"]}]"')
        code = {"misconfigured": WRONG, "model-unavailable": UNUSABLE, "import": UNUSABLE}.get(
            error.problem, FAILED
        )
        raise SystemExit(_failed(errors, error, code)) from error
    except run.Died as error:
        raise SystemExit(_failed(errors, error, UNUSABLE)) from error
    if as_json:
        _write(as_json, json.dumps(report.to_dict(found), ensure_ascii=False, indent=2) + "\n")
    if html:
        _write(html, page.render(found))
    if Path("-") not in (as_json, html):
        Console().print(tables.render(found))
    if found.verdict:
        kept = found.verdict.kept
        _say(errors, found.verdict.told, "green" if kept else "red")
        if not kept:
            raise SystemExit(FAILED)


@contextmanager
def _progress(console: Any) -> Iterator[Any]:
    """Show a bar on a terminal; lend what is called with the number of steps, then with a word for each."""
    from rich.progress import Progress, SpinnerColumn, TimeElapsedColumn

    columns = SpinnerColumn(), *Progress.get_default_columns(), TimeElapsedColumn()
    shown = console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=not shown) as bar:
        task = bar.add_task("", total=None)

        def tell(word: str, total: int | None = None) -> None:
            if total is not None:
                bar.update(task, total=total)
            else:
                bar.update(task, description=word, advance=1)

        yield tell


def _write(path: Path, text: str) -> None:
    if str(path) == "-":
        sys.stdout.write(text)
    else:
        path.write_text(text, encoding="utf-8")


def _failed(errors: Any, error: Exception, code: int) -> int:
    told = f"{error.problem}: {error}" if hasattr(error, "problem") else f"bench: {error}"
    told = "\n".join([told, *getattr(error, "__notes__", ())])
    _say(errors, told, "red")
    return code


def _say(console: Any, told: str, style: str) -> None:
    console.print(told, style=style, highlight=False, markup=False, soft_wrap=True)
