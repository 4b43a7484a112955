"""``mlserverless convert``: from a trained model to a model folder, and how the two compare."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from mlserverless.cli import FAILED, UNUSABLE, WRONG, completing
from mlserverless.cli.answers import JSON, show, stop
from mlserverless.cli.command import Choice, command
from mlserverless.cli.deprecated import warn
from mlserverless.cli.progress import PART, QUIET, Tell, console, say, steps
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


@command(
    examples=(
        (
            "A Keras model, with whole numbers of 8 bits",
            "mlserverless convert flowers.keras --out models/flowers --quantize int8 --calibrate photos/",
        ),
        (
            "A PyTorch model in Python code, prepared as torchvision does",
            "mlserverless convert train:model --out models/mine --preset torchvision/resnet18",
        ),
        (
            "An .onnx file as it is, with its labels",
            "mlserverless convert mine.onnx --out models/mine --to onnx --labels labels.txt",
        ),
    ),
    groups={
        "What is made": ("out", "to", "quantize", "calibrate", "name", "labels", "force"),
        "How images are prepared": (*INPUT[:-1], "scale"),
        "What the source does not tell": ("activation", "input_shape", "signature"),
        "What is compared": ("images", "engines"),
    },
    answer={
        "source, framework": "what was converted",
        "out, file, sha256, quantize": "what was made",
        "original_bytes, converted_bytes, original_milliseconds": "before and after",
        "pictures, calibrated": "how many were compared and calibrated with",
        "engines": "each: whether it runs it, milliseconds, how many best classes are the same, differences",
        "steps": "what took how many seconds",
        "notes": "what to know",
    },
    exits={0: "it was converted", 1: "it cannot be", 3: "a package that it takes is missing"},
    pages=("docs/how-to/convert-a-model.md", "docs/reference/presets.md"),
)
@click.argument("source", shell_complete=completing.files)
@click.argument("former", metavar="", required=False, type=click.Path(path_type=Path))
@click.option(
    "--out", "-o", type=click.Path(path_type=Path), metavar="FOLDER", help="The model folder. [required]"
)
@click.option(
    "--quantize",
    type=Choice(["none", "float16", "dynamic", "int8"]),
    default="none",
    show_default=True,
    help="Fewer bits: weights of 16, weights of 8, or everything of 8.",
)
@click.option("--calibrate", type=FOLDER, help="int8: a folder with pictures like those to come, a hundred or so.")
@click.option("--to", type=Choice(["tflite", "onnx"]), help="[default: tflite; scikit-learn: onnx]")
@click.option("--labels", type=click.Path(path_type=Path), help="A file with one label a line.")
@click.option("--name", default="", help="What the model is called [default: the folder's name].")
@click.option("--preset", help="How its images are prepared, by the model's name: keras/resnet50.")
@click.option(
    "--range", "scale", callback=_range, metavar="RANGE", help="raw, unit, signed, imagenet, caffe or MEAN/STD."
)
@click.option("--size", callback=_numbers, metavar="H,W", help="Where the model leaves height and width open.")
@click.option("--channels", type=Choice(CHANNELS), help="In which order the model takes colours.")
@click.option("--layout", type=Choice(LAYOUTS), help="In which order the tensor's dimensions are.")
@click.option("--resize", type=Choice(RESIZE), metavar="FILTER", help=f"One of {', '.join(RESIZE)}.")
@click.option("--resizer", type=Choice(RESIZERS), help="Whose arithmetic resizes.")
@click.option("--antialias/--no-antialias", default=None, help="Whether the filter widens where it shrinks.")
@click.option("--fit", type=Choice(FIT), help="What becomes of another shape.")
@click.option("--crop", type=float, help="The share of the middle that is kept.")
@click.option("--side", type=int, help="Or: the shorter side is resized to this before.")
@click.option("--activation", type=Choice(ACTIVATIONS), help="[default: by the last operator]")
@click.option("--input-shape", callback=_numbers, metavar="1,H,W,C", help="Where the source does not tell it.")
@click.option("--signature", default="", help="Which one of a SavedModel.")
@click.option("--images", type=FOLDER, help="Pictures to compare with [default: bundled ones].")
@click.option("--engines", callback=_names, help="Engines that have to run it, with commas [default: those here].")
@click.option("--force", is_flag=True, help="Write over the model in the folder.")
@JSON
@QUIET
def convert(source: str, former: Path | None, out: Path | None, as_json: bool, quiet: bool, **given: Any) -> None:
    """Convert SOURCE and write the model folder that --out names, ready to be built.

    SOURCE is a .keras or .h5 file, a SavedModel folder, an .onnx, .tflite or .pt2 file, or module:name of a model
    in Python, whose code is run.
    """
    from mlserverless.conversion import convert as make
    from mlserverless.conversion import report
    from mlserverless.conversion.problem import ConversionError, Missing, Misused

    folder = _folder(out, former)
    given["range"] = given.pop("scale")
    section = {key: given.pop(key) for key in INPUT}
    given["to"] = given["to"] or ""
    given["activation"] = given["activation"] or ""
    given["input_shape"] = given["input_shape"] or ()
    section = {key: value for key, value in section.items() if value is not None}
    try:
        with _progress(quiet) as tell:
            found = make(source, folder, input=section, tell=tell, **given)
    except ConversionError as error:
        code = WRONG if isinstance(error, Misused) else UNUSABLE if isinstance(error, Missing) else FAILED
        raise stop(error, code, "convert") from error
    if as_json:
        show(report.to_dict(found))
    else:
        console(soft_wrap=True).print(report.render(found), markup=False)
    for note in () if quiet else found.notes:
        say(f"note: {note}", "yellow")


def _folder(out: Path | None, former: Path | None) -> Path:
    """Return the folder to write: what --out names, or, as it once was, the word after SOURCE."""
    if former is not None and out is None:
        warn("convert", "the folder after SOURCE", "--out FOLDER", "0.3")
        return former
    if former is not None or out is None:
        raise click.UsageError("The model folder to write is given once, as --out FOLDER.")
    return out


@contextmanager
def _progress(quiet: bool) -> Iterator[Tell]:
    """Show the steps on a stream of its own: the converters' chatter on the usual ones is caught meanwhile."""
    with (
        os.fdopen(os.dup(sys.stderr.fileno()), "w") as stream,
        steps(quiet=quiet, lines=True, file=stream) as tell,
    ):

        def told(word: str, total: int | None = None) -> None:
            part = " of " in word and word.endswith("pictures")  # how far a step is
            tell(f"{PART} {word}" if part else word, total)

        yield told
