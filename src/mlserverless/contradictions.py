"""Where model.toml, TFLite metadata and the tensors say different things of one model: an error that names both.

Two ranges are compared by what they make of a pixel. ``range = "unit"`` and a mean of 0 with a std of 255 are the
same, and so are raw pixels and a mean of 127 with a std of 128 where a uint8 tensor has the scale 1/128 and the
zero point 127.
"""

from typing import TYPE_CHECKING

from mlserverless import preprocess, ranges
from mlserverless.errors import ModelUnavailable
from mlserverless.metadata.read import image_input
from mlserverless.metadata.settle import DOCS, way_out

if TYPE_CHECKING:
    from mlserverless.engines import Tensor
    from mlserverless.metadata.records import TensorInfo
    from mlserverless.model import Model
    from mlserverless.model_values import Range

STEP = 0.1  # of what one step of a pixel changes: 123.68 and 123.675 are the same mean
COUNTS = {"rgb": 3, "bgr": 3, "gray": 1, "rgba": 4}
ALIKE = ("rgb", "rgba")  # metadata has no word for the second


def check(model: "Model", tensor: "Tensor", channels: str, classes: int = 0, task: str = "classify") -> None:
    """Raise ModelUnavailable where the metadata says something else than ``model`` says, or than its tensors are.

    ``tensor`` is the image input, fed in the order ``channels`` (rgb, bgr, gray, rgba); ``classes`` how many
    scores there are, 0 where that is not known; ``task`` what the model is used for.
    """
    where, told = model.path, image_input(model.metadata.inputs)
    if told and told.mean and told.std:
        _check_range(model, tensor, channels, told)
    color = told.color_space if told else ""
    if color and channels != color and not {channels, color} <= set(ALIKE):
        raise ModelUnavailable(
            f"{where}: its pixels go in as {channels} (by channels or range in model.toml, or the tensor's shape) "
            f"and its TFLite metadata says {color}. {way_out('channels or range')}"
        )
    if model.task == "classify" and any(output.content == "bounding box" for output in model.metadata.outputs):
        raise ModelUnavailable(
            f"{where}: task in model.toml is classify, and its TFLite metadata says that an output is bounding "
            f"boxes, as a detector's is. {way_out('task')}"
        )
    if model.curves:
        _check_calibration(model, classes, task)


def _check_calibration(model: "Model", classes: int, task: str) -> None:
    lines = len(model.curves.sigmoids) if model.curves else 0
    if task == "detect":
        told = "its TFLite metadata calibrates scores, which is done for classifiers only"
    elif task == "classify" and classes and lines != classes:
        told = (
            f"its output has {classes:,} classes, and the score calibration in its TFLite metadata {lines:,} lines"
        )
    else:
        return  # raw tensors are answered as they are
    way = 'To do without calibration, set metadata = "ignore" in model.toml.'
    raise ModelUnavailable(f"{model.path}: {told}. {way} See {DOCS}.")


def _check_range(model: "Model", tensor: "Tensor", channels: str, told: "TensorInfo") -> None:
    count = COUNTS[channels]
    for what, numbers in (("mean", told.mean), ("std", told.std)):
        if len(numbers) not in (1, count):
            raise ModelUnavailable(
                f"{model.path}: its TFLite metadata has {len(numbers)} numbers as {what}, and its input {count} "
                f'channels ({channels}). Set metadata = "ignore" in model.toml, and range in [input]. See {DOCS}.'
            )
    packed = (told.mean, told.std)
    for channel in range(count):
        ours = _ends(model.input.range, tensor, channel)
        try:
            theirs = _ends(packed, tensor, channel)
        except ArithmeticError as error:  # preprocess.check has computed only what is used
            raise ModelUnavailable(
                f"{model.path}: its TFLite metadata has mean {_listed(told.mean)} and std {_listed(told.std)}, "
                f'which cannot be computed with ({error}). Set metadata = "ignore" in model.toml. See {DOCS}.'
            ) from error
        most = max(tensor.scale, STEP * abs(theirs[1] - theirs[0]) / 255)
        if any(abs(one - other) > most for one, other in zip(ours, theirs, strict=True)):
            raise ModelUnavailable(
                f"{model.path}: range in [input] of model.toml is {_shown(model.input.range)}, which makes "
                f"{ours[0]:.6g} to {ours[1]:.6g} of the pixels 0 to 255; its TFLite metadata has mean "
                f"{_listed(told.mean)} and std {_listed(told.std)}, which make {theirs[0]:.6g} to "
                f"{theirs[1]:.6g}. {way_out('range')}"
            )


def _ends(scale: "Range", tensor: "Tensor", channel: int) -> list[float]:
    # Every range is a straight line, told by what it makes of 0 and 255. A quantised tensor cuts it off.
    real = [preprocess.scaled(pixel, channel, scale) for pixel in (0, 255)]
    if not tensor.scale or tensor.dtype not in ranges.QUANTISED:
        return real
    low, high, lowered = ranges.QUANTISED[tensor.dtype]
    if ranges.as_they_are(scale, tensor):
        stored = [value - lowered for value in real]
    else:
        stored = [min(max(value / tensor.scale + tensor.zero_point, low), high) for value in real]
    return [tensor.scale * (value - tensor.zero_point) for value in stored]


def _shown(scale: "Range") -> str:
    return scale if isinstance(scale, str) else f"{{ mean = {_listed(scale[0])}, std = {_listed(scale[1])} }}"


def _listed(numbers: tuple[float, ...]) -> str:
    shown = ", ".join(f"{number:g}" for number in numbers)
    return shown if len(numbers) == 1 else f"[{shown}]"
