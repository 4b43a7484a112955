"""``mlserverless inspect``: what a model file holds, which engines run it, and a model.toml to begin with."""

import click

from mlserverless.cli import FAILED, completing
from mlserverless.cli.answers import JSON, show, stop
from mlserverless.cli.command import command
from mlserverless.cli.progress import QUIET, console, steps
from mlserverless.errors import ModelUnavailable


@command(
    examples=(
        ("What a file holds, and what runs it", "mlserverless inspect mine.tflite"),
        ("A model.toml to begin with", "mlserverless inspect mine.tflite --toml > models/mine/model.toml"),
        ("Without loading it, for a program", "mlserverless inspect mine.onnx --no-try --json"),
    ),
    answer={
        "file, format, size, sha256": "which file; bytes",
        "description": "what it says of itself",
        "task": "classify, detect or raw; null where it cannot be told",
        "inputs, outputs, signatures": "name, shape (null: open), dtype, scales, zero_points, layout",
        "metadata, labels": "what came with it, and where from",
        "operators, parameters, memory, multiply_adds": "what it is made of, and takes",
        "engines": "each: whether it runs the model, and why not",
        "unpinned, notes": "what to know before it is served",
        "model_toml": "what --toml prints",
    },
    exits={0: "the model was read", 1: "it cannot be read", 3: ""},
    pages=("docs/how-to/inspect-a-model.md", "docs/reference/model-folder.md"),
)
@click.argument("model", shell_complete=completing.models)
@JSON
@click.option("--toml", "as_toml", is_flag=True, help="Print only the suggested model.toml.")
@click.option("--no-try", "untried", is_flag=True, help="Only read the file: no engine loads it.")
@QUIET
def inspect(model: str, as_json: bool, as_toml: bool, untried: bool, quiet: bool) -> None:
    """Tell what MODEL holds: a folder, a .tflite or .onnx file, or a bundled name.

    Each engine that is installed is given the model in a process of its own, and runs it once on zeros.
    """
    from rich.text import Text

    from mlserverless.inspection import document, report, suggest, table

    if as_json and as_toml:
        raise click.UsageError("Only one of --json and --toml can be printed.")
    try:
        with steps(quiet=quiet) as tell:
            tell("reading it" if untried or as_toml else "the engines try it")
            found = report.inspect(model, () if untried or as_toml else None)
    except ModelUnavailable as error:
        raise stop(error, FAILED, "inspect") from error
    if as_json:
        show(document.to_dict(found))
    elif as_toml:
        click.echo(suggest.model_toml(found), nl=False)
    else:
        out = console(soft_wrap=True, markup=False, emoji=False)
        out.print(table.render(found))
        out.print(Text.assemble(("\na model.toml to begin with", "bold"), " (--toml prints it alone)\n"))
        out.print(suggest.model_toml(found), end="")
