"""``mlserverless convert``: from a trained model to a model folder, and how the two compare."""

import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from mlserverless.cli import FAILED, UNUSABLE, WRONG, width
from mlserverless.model_toml import ACTIVATIONS, CHANNELS, FIT, LAYOUTS, RESIZE, RESIZERS

FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
INPUT = ("preset", "size", "channels", "layout", "resize", "resizer", "antialias", "fit", "crop", "side", "range")


def _numbers(context: click.Context, option: click.Parameter, text: str | None) -> list[int] | None:
    """Return the whole numbers of ``text``, which has commas between them."""
    try:
        return [int(part) for part in text.split(",")] if text else None
    except ValueError as error:
        raise click.BadParameter("accepted are whole numbers with commas between.", context, option) from error


def _range(context: click.Context, option: click.Parameter, text: str | None) -> Any:
    """Return a range's name, or {mean, std} of MEAN/STD."""
    if text is None or "/" not in text:
        return text
    try:
        mean, std = ([float(x) for x in part.split(",")] for part in text.split("/"))
    except ValueError as error:
        raise click.BadParameter("accepted is MEAN/STD: 127.5/127.5, or 1,2,3/4,5,6.", context, option) from error
    return {"mean": mean if len(mean) > 1 else mean[0], "std": std if len(std) > 1 else std[0]}


def _names(context: click.Context, option: click.Parameter, text: str | None) -> tuple[str, ...]:  # noqa: ARG001
    return tuple(part.strip() for part in (text or "").split(",") if part.strip())


@click.command(epilog="Example: mlserverless convert flowers.keras models/flowers --quantize int8 --range unit")
@click.argument("source")
@click.argument("out", type=click.Path(path_type=Path))
@click.option(
    "--quantize",
    type=click.Choice(["none", "float16", "dynamic", "int8"]),
    default="none",
    show_default=True,
    help="Fewer bits: weights of 16, weights of 8, or everything of 8.",
)
@click.option("--calibrate", type=FOLDER, help="int8: a folder with pictures like those to come, a hundred or so.")
@click.option("--to", type=click.Choice(["tflite", "onnx"]), help="[default: tflite; scikit-learn: onnx]")
@click.option("--labels", type=click.Path(path_type=Path), help="A file with one label a line.")
@click.option("--name", default="", help="What the model is called [default: the folder's name].")
@click.option("--preset", help="How its images are prepared, by the model's name: keras/resnet50.")
@click.option(
    "--range", "scale", callback=_range, metavar="RANGE", help="raw, unit, signed, imagenet, caffe or MEAN/STD."
)
@click.option("--size", callback=_numbers, metavar="H,W", help="Where the model leaves height and width open.")
@click.option("--channels", type=click.Choice(CHANNELS))
@click.option("--layout", type=click.Choice(LAYOUTS))
@click.option("--resize", type=click.Choice(RESIZE))
@click.option("--resizer", type=click.Choice(RESIZERS), help="Whose arithmetic resizes.")
@click.option("--antialias/--no-antialias", default=None)
@click.option("--fit", type=click.Choice(FIT))
@click.option("--crop", type=float, help="The share of the middle that is kept.")
@click.option("--side", type=int, help="Or: the shorter side is resized to this before.")
@click.option("--activation", type=click.Choice(ACTIVATIONS), help="[default: by the last operator]")
@click.option("--input-shape", callback=_numbers, metavar="1,H,W,C", help="Where the source does not tell it.")
@click.option("--signature", default="", help="Which one of a SavedModel.")
@click.option("--images", type=FOLDER, help="Pictures to compare with [default: bundled ones].")
@click.option("--engines", callback=_names, help="Engines that have to run it, with commas [default: those here].")
@click.option("--force", is_flag=True, help="Write over the model in OUT.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON instead of a table.")
def convert(source: str, out: Path, as_json: bool, **given: Any) -> None:
    """Convert SOURCE and write the model folder OUT, ready to be built.

    SOURCE is a .keras or .h5 file, a SavedModel folder, an .onnx, .tflite or .pt2 file, or module:name of a model
    in Python, whose code is run. Exit code: 0 it was converted, 1 it cannot be, 2 the command is wrong, 3 a
    package that it takes is missing.
    """
    from rich.console import Console

    from mlserverless.conversion import convert as make
    from mlserverless.conversion import report
    from mlserverless.conversion.problem import ConversionError, Missing, Misused

    given["range"] = given.pop("scale")
    section = {key: given.pop(key) for key in INPUT}
    given["to"] = given["to"] or ""
    given["activation"] = given["activation"] or ""
    given["input_shape"] = given["input_shape"] or ()
    section = {key: value for key, value in section.items() if value is not None}
    try:
        with _progress() as tell:
            found = make(source, out, input=section, tell=tell, **given)
    except ConversionError as error:
        code = WRONG if isinstance(error, Misused) else UNUSABLE if isinstance(error, Missing) else FAILED
        click.echo("\n".join([f"convert: {error}", *getattr(error, "__notes__", ())]), err=True)
        raise SystemExit(code) from error
    if as_json:
        click.echo(json.dumps(report.to_dict(found), indent=2, ensure_ascii=False))
    else:
        Console(width=width(), highlight=False, soft_wrap=True).print(report.render(found), markup=False)
    for note in found.notes:
        click.echo(f"note: {note}", err=True)


@contextmanager
def _progress() -> Iterator[Any]:
    """Show each step with a spinner and, when it is over, its seconds; lend what is called with a step's word.

    On a stream of its own: the converters' chatter on the usual ones is caught meanwhile.
    """
    from rich.console import Console

    terminal = sys.stderr.isatty()
    with os.fdopen(os.dup(sys.stderr.fileno()), "w") as stream:
        console = Console(file=stream, force_terminal=terminal, highlight=False)
        state: dict[str, Any] = {"word": "", "begin": time.monotonic()}

        def over() -> None:
            if state["word"]:
                took = time.monotonic() - state["begin"]
                console.print(f"{took:6.1f} s  {state['word']}", markup=False)

        with console.status("") as spinner:

            def tell(word: str) -> None:
                if " of " in word and word.endswith("pictures"):  # how far a step is
                    spinner.update(f"{state['word']}: {word}")
                    return
                over()
                state.update(word=word, begin=time.monotonic())
                spinner.update(word)

            yield tell
            over()
