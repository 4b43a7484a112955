"""``mlserverless inspect``: what a model file holds, which engines run it, and a model.toml to begin with."""

import json
from contextlib import nullcontext

import click

from mlserverless.cli import FAILED, width
from mlserverless.errors import ModelUnavailable


@click.command(epilog="Example: mlserverless inspect mine.tflite --toml > models/mine/model.toml")
@click.argument("model")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@click.option("--toml", "as_toml", is_flag=True, help="Print only the suggested model.toml.")
@click.option("--no-try", "untried", is_flag=True, help="Only read the file: no engine loads it.")
def inspect(model: str, as_json: bool, as_toml: bool, untried: bool) -> None:
    """Tell what MODEL holds: a folder, a .tflite or .onnx file, or a bundled name.

    Each engine that is installed is given the model in a process of its own, and runs it once on zeros. Exit code:
    0 the model was read, 1 it cannot be, 2 the command is wrong.
    """
    from rich.console import Console
    from rich.text import Text

    from mlserverless.inspection import document, report, suggest, table

    if as_json and as_toml:
        raise click.UsageError("Only one of --json and --toml can be printed.")
    errors = Console(stderr=True)
    waiting = errors.status("the engines try it") if errors.is_terminal and not untried else nullcontext()
    try:
        with waiting:
            found = report.inspect(model, () if untried or as_toml else None)
    except ModelUnavailable as error:
        click.echo(f"inspect: {error}", err=True)
        raise SystemExit(FAILED) from error
    if as_json:
        click.echo(json.dumps(document.to_dict(found), indent=2, ensure_ascii=False))
    elif as_toml:
        click.echo(suggest.model_toml(found), nl=False)
    else:
        console = Console(width=width(), highlight=False, soft_wrap=True, markup=False, emoji=False)
        console.print(table.render(found))
        console.print(Text.assemble(("\na model.toml to begin with", "bold"), " (--toml prints it alone)\n"))
        console.print(suggest.model_toml(found), end="")
