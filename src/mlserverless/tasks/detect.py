"""Detection: a model's boxes, classes, scores and count -> objects with labels, in shares of the source image.

Boxes are (1, N, 4), each [top, left, bottom, right] in 0…1 of the model's input, classes and scores (1, N), and
the count (1,), of the first how many are meant. Which output is which is for :mod:`mlserverless.tasks.roles`.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mlserverless import postprocess
from mlserverless.engines import WIDTHS, Tensor
from mlserverless.errors import ModelUnavailable
from mlserverless.model_toml import MAX_OFFSET
from mlserverless.model_values import DOCS
from mlserverless.postprocess import Choice
from mlserverless.tasks import classes
from mlserverless.types import Box, Detection

if TYPE_CHECKING:
    from mlserverless.fitting import Placement
    from mlserverless.model import Model

MAX_CLASS = MAX_OFFSET
FARTHEST = 10.0  # a side that is farther away than this many images is in pixels

Ran = Sequence[tuple[Tensor, bytes]]


class Numbers:
    """The labels of a model that has none: every whole number."""

    def __contains__(self, label: object) -> bool:
        return isinstance(label, str) and label.isdecimal()


def answer(
    model: "Model", ran: Ran, places: tuple[int, ...], choice: Choice, placement: "Placement"
) -> tuple[Detection, ...]:
    """Return the objects that ``choice`` asks for, best first: of equal scores the model's order.

    ``ran`` are the outputs after a run, ``placement`` which part of the upright source the model saw. Boxes are
    cut off at the image's edge. One that is all outside is left out, and so is a class below 0. Raises
    ModelUnavailable for values that cannot be.
    """
    boxed, classed, scored, *count = (ran[place] for place in places)
    meant = min([classes(scored[0]), *(counted(*one) for one in count)])
    boxes = postprocess.real(first(*boxed, 4 * meant), boxed[0])
    kinds = postprocess.real(first(*classed, meant), classed[0])
    scores = postprocess.scores(first(*scored, meant), scored[0], model.output.activation)
    allow, deny = frozenset(choice.allow), frozenset(choice.deny)
    found: list[Detection] = []
    for at in sorted(range(meant), key=lambda i: -scores[i]):
        if scores[at] < choice.threshold or len(found) == choice.top_k:
            break
        index = _class(model, kinds[at], classed[0])
        label = _label(model, index)
        if label is None or label in deny or (allow and label not in allow):
            continue
        box = _placed(model, boxes[4 * at : 4 * at + 4], placement)
        if box.top < box.bottom and box.left < box.right:
            found.append(Detection(label, index, scores[at], box))
    return tuple(found)


def counted(tensor: Tensor, data: bytes) -> int:
    """Return how many objects the count ``tensor`` says that there are, 0 or more."""
    return max(0, round(postprocess.real(data, tensor)[0]))


def first(tensor: Tensor, data: bytes, count: int) -> bytes:
    """Return the first ``count`` elements of ``tensor``.

    Beyond the count ``TFLite_Detection_PostProcess`` leaves what stood there before: objects of another image, or
    what the memory held, NaN among it.
    """
    return data[: count * WIDTHS[tensor.dtype]]


def _class(model: "Model", value: float, tensor: Tensor) -> int:
    if abs(value) > MAX_CLASS:
        raise ModelUnavailable(
            f"{model.name} answered the class {value:,.0f} in the output {tensor.name!r}; a class is at most "
            f"{MAX_CLASS:,}: the output holds something else, or the model's weights are wrong. See {DOCS}."
        )
    return round(value)


def _label(model: "Model", index: int) -> str | None:
    if index < 0:  # no object, as some models fill the places that they do not need
        return None
    if not model.labels:
        return str(index)
    line = index - model.output.offset
    if line < 0:  # a background, as a classifier has it
        return None
    if line >= len(model.labels):
        raise ModelUnavailable(
            f"{model.name} found the class {index:,}, and its {len(model.labels):,} labels end before it (offset "
            f"is {model.output.offset} in [output]): its labels are another model's, or begin at another class. "
            f"See {DOCS}."
        )
    return model.labels[line]


def _placed(model: "Model", box: list[float], placement: "Placement") -> Box:
    if max(map(abs, box)) > FARTHEST:
        raise ModelUnavailable(
            f"{model.name} answered the box {box}, which is in pixels; read are boxes in 0…1 of the input. Serve "
            f'it with task = "raw". See {DOCS}.'
        )
    top, bottom = (placement.top + value * placement.height for value in box[::2])
    left, right = (placement.left + value * placement.width for value in box[1::2])
    return Box(*(min(max(value, 0.0), 1.0) for value in (top, left, bottom, right)))
