"""What is said of a mistake, and the line that mends it."""

from math import ceil
from typing import Any

from mlserverless.certification import arrangement, difference, geometry
from mlserverless.certification.arrays import Array
from mlserverless.certification.difference import Difference
from mlserverless.certification.findings import COMMAND, MODEL_TOML, NOTEBOOK, SETTING, Finding
from mlserverless.certification.search import Explained, How
from mlserverless.model_toml import ANTIALIAS, Input
from mlserverless.target import ORDERS, Target

# Levels at most, and in the mean, that JPEG decoders are apart: they transform and upsample otherwise.
ANOTHER_DECODER = 24.0, 1.5


def hows(how: How) -> list[Finding]:
    """Return what is said of images that were decoded as ``how`` has it."""
    found = []
    if not how.exif:
        told = "the notebook does not turn images as their Exif orientation says; what is served is always upright"
        found.append(Finding("decode", "exif", told, "image = ImageOps.exif_transpose(image)", NOTEBOOK))
    if how.background:
        told = f"the notebook lays transparency on {how.background}"
        told = "the notebook ignores transparency" if how.background == "drop" else told
        found.append(Finding("decode", "alpha", told, f"MLSERVERLESS_BACKGROUND={how.background}", SETTING))
    return found


def geometries(changes: dict[str, Any], served: Input) -> list[Finding]:
    """Return what is said of images that were resized with ``changes``."""
    if not changes:
        return []
    lines = geometry.lines(changes)
    if "layout" in changes or "size" in changes:
        told = f"the notebook reads the shape of the model's input in another way: {lines}"
        return [Finding("layout", "layout", told, lines)]
    after = served._replace(**changes)
    smooth = after.antialias if "antialias" in changes else ANTIALIAS.get(after.resizer, True)
    was = ANTIALIAS.get(served.resizer, True) if served.antialias is None else served.antialias
    cause = "method" if "resize" in changes else "antialias" if smooth != was else "resizer"
    if {"fit", "crop", "side"}.intersection(changes):
        cause = "fit"
    had = ", ".join(f"{key} = {getattr(served, key)}" for key in changes)
    now = ", ".join(f"{key} = {value}" for key, value in changes.items())
    return [Finding("resize", cause, f"the notebook resizes with {now}; served is {had}", lines)]


def layouts(view: str, target: Target) -> list[Finding]:
    """Return what is said of a tensor that is arranged as ``view`` has it."""
    if view == arrangement.RESHAPED:
        told = "the notebook gives the pixels another shape (reshape) where axes have to be moved (transpose)"
        way = "x.transpose(0, 3, 1, 2)" if target.layout == "nchw" else "x.transpose(0, 2, 3, 1)"
        return [Finding("layout", "reshaped", told, f"x = {way}, not reshape", NOTEBOOK)]
    if view == arrangement.TRANSPOSED:
        told = "the notebook has height and width swapped: its pictures lie on their side, mirrored"
        return [Finding("layout", "transposed", told, "x = x.transpose(0, 2, 1, 3)", NOTEBOOK)]
    return []


def ordered(order: str) -> Finding:
    """Return what is said of channels that are fed in this ``order``."""
    told = f"the notebook feeds the channels in the order {order.upper()}; served is {order[::-1].upper()}"
    return Finding("channels", "order", told, f'channels = "{order}"')


def decoded(ours: tuple[int, ...], theirs: tuple[int, ...]) -> Finding:
    """Return what is said of decoded pixels of another shape, (height, width, channels)."""
    told = f"the notebook's decoded image is {theirs[:2]} pixels high and wide; served is {ours[:2]}"
    return Finding("decode", "size", told, "decode the image that is in the file, whole", NOTEBOOK)


def decoder(largest: float, mean: float) -> Finding:
    """Return what is said of decoded pixels that differ by so many levels of 255, at most and in the mean."""
    if largest <= ANOTHER_DECODER[0] and mean <= ANOTHER_DECODER[1]:
        told = f"the notebook has another JPEG decoder: {mean:.2f} levels apart in the mean, {largest:.3g} at most"
        return Finding("decode", "decoder", told, f"--tolerance decode={ceil(largest)}", COMMAND)
    return Finding("decode", "unknown", "no known mistake explains it: is it the same image?", "", NOTEBOOK)


def another(stage: str, gap: Difference) -> Finding:
    """Return what is said of a ``stage`` whose small difference is that of a JPEG decoder's, or of a resizer's."""
    told = f"it is {gap.mean:.2g} apart in the mean, as of two JPEG decoders or resizers; save decoded, too"
    return Finding("decode", "decoder", told, f"--tolerance {stage}={1.01 * gap.largest:.3g}", COMMAND)


def scaled() -> Finding:
    """Return what is said of resized pixels that are none any more."""
    told = "the notebook's resized holds values that are scaled already; what is compared is pixels, 0…255"
    return Finding("resize", "scaled", told, "save resized before it is divided by anything", NOTEBOOK)


def each() -> Finding:
    """Return what is said of images that are each in a range of its own."""
    told = "the notebook standardises each image by its own mean and std, which model.toml has no word for"
    return Finding("range", "per-image", told, "one mean and std for all images, in training, too", NOTEBOOK)


def size(shape: tuple[int, ...], target: Target) -> Finding:
    """Return what is said of an image of a ``shape`` that is not that of the model's input."""
    count = len(ORDERS[target.channels])
    wants = f"{target.height} × {target.width} × {count} ({target.channels})"
    told = (
        f"the notebook's is {' × '.join(map(str, shape))}; the model's file takes {wants}: is it of another model?"
    )
    return Finding(
        "resize", "size", told, f"resize to {target.height} × {target.width}, {count} channels", NOTEBOOK
    )


def unknown(step: str, nearest: Explained | None) -> Finding:
    """Return what is said in ``step`` where no guess fits."""
    told = "no known mistake explains it"
    if nearest is not None and nearest.match.rms < 255:
        told += f": the nearest guess leaves {nearest.match.rms:.1f} levels"
    return Finding(step, "unknown", told, "compare the notebook's lines with [input] one by one", NOTEBOOK)


def classes(values: Array, theirs: Array) -> Finding:
    """Return what is said of ``theirs``, a notebook's output, that has not as many classes as ``values``."""
    ours, had = values.shape[1], theirs.shape[1]
    if abs(ours - had) == 1:
        fewer = min(ours, had)
        longer, shorter = (values, theirs) if ours > had else (theirs, values)
        at_front = difference.between(list(longer[:, 1:]), list(shorter), 0).mean
        at_end = difference.between(list(longer[:, :-1]), list(shorter), 0).mean
        if at_front < at_end:
            told = f"the notebook's output has {had:,} classes, the model's {ours:,}: one more, at the front"
            return Finding("labels", "offset", told, f"offset = 1, and {fewer:,} labels", MODEL_TOML)
    told = f"the notebook's output has {had:,} values, the model's {ours:,}: is it of another model?"
    return Finding("model", "classes", told, "convert the notebook's model again", NOTEBOOK)


def other_model() -> Finding:
    """Return what is said where the model answers otherwise, and nothing known explains it."""
    told = "the model answers otherwise here than in the notebook, to the same input: it is another file, or "
    mend = "--tolerance top1=… if that is meant; else convert the model again"
    return Finding("model", "values", f"{told}was converted with a loss", mend, COMMAND)


def activation(way: str, had: str) -> Finding:
    """Return what is said of scores after the activation ``way``, where served are those after ``had``."""
    told = f"the notebook's scores are the model's output after {way}; served are those after {had}"
    if way == "none":
        told = f"the notebook's scores are the model's output as it is; served are those after {had}"
    return Finding("activation", "activation", told, f'activation = "{way}"')


def stored() -> Finding:
    """Return what is said of a quantised output's numbers that were not made real."""
    told = "the notebook takes the stored numbers of a quantised output for its scores"
    return Finding("dequantise", "stored", told, "scores = scale * (output - zero_point)", NOTEBOOK)
