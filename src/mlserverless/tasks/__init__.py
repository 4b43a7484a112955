"""What a model is asked for, and which of its outputs answer it: ``classify``, ``detect`` or ``raw``.

model.toml says it, or the outputs do: one of scores, or the four of a detection. The other two tasks have
modules of their own, which only a model of that task imports.
"""

from collections.abc import Callable, Sequence
from math import prod
from typing import TYPE_CHECKING

from mlserverless import postprocess
from mlserverless.engines import Tensor
from mlserverless.errors import ModelUnavailable
from mlserverless.model_values import DOCS
from mlserverless.named_tuple import NamedTuple

if TYPE_CHECKING:
    from mlserverless.model import Model

Run = Callable[[], list[bytes]]


class Task(NamedTuple):
    """``name``: classify, detect or raw. ``places`` are its outputs' places in the model's order.

    For classify that of the scores; for detect those of boxes, classes, scores and, where there is one, the count;
    for raw all of them.
    """

    name: str
    places: tuple[int, ...]


def choose(model: "Model", outputs: Sequence[Tensor], run: Run) -> Task:
    """Return the task of ``model`` and its ``outputs``; ``run`` gives theirs of one run, should nothing else tell.

    Raises ModelUnavailable where the outputs do not fit the task, or tell of none.
    """
    said = model.output
    name = model.task
    if not name and (said.boxes or said.classes or said.count or four(outputs)):
        name = "detect"
    if not name and (said.scores or (len(outputs) == 1 and scores_shaped(outputs[0]))):
        name = "classify"
    if name == "detect":
        from mlserverless.tasks import roles

        return Task(name, roles.places(model, outputs, run))
    if name == "classify":
        return Task(name, (_scores(model, outputs),))
    if name == "raw":
        from mlserverless.tasks import raw

        raw.check(model, outputs)
        return Task(name, tuple(range(len(outputs))))
    raise ModelUnavailable(
        f"{model.name} answers {shapes(outputs)}: neither one output of scores, (1, classes), nor the four of a "
        f"detection. {_ways_out(outputs)}"
    )


def four(outputs: Sequence[Tensor]) -> bool:
    """Return whether ``outputs`` look like a detection's usual four: (1, N, 4), twice (1, N), and one number."""
    shapes = [tensor.shape for tensor in outputs]
    boxes = [shape for shape in shapes if len(shape) == 3 and shape[0] == 1 and shape[2] == 4]
    if len(shapes) != 4 or len(boxes) != 1:
        return False
    return shapes.count(boxes[0][:2]) == 2 and sum(shape in ((), (1,)) for shape in shapes) == 1


def scores_shaped(tensor: Tensor) -> bool:
    """Return whether ``tensor`` is one score a class: (1, classes), or with more dimensions of 1."""
    return bool(tensor.shape) and min(tensor.shape) > 0 and sum(size > 1 for size in tensor.shape) <= 1


def named(name: str, key: str, model: "Model", outputs: Sequence[Tensor]) -> int:
    """Return the place of the output called ``name``, by the model or its signature; ``key`` is what says it.

    Raises ModelUnavailable where none or more than one is called so.
    """
    found = [place for place, tensor in enumerate(outputs) if name in (tensor.name, tensor.alias)]
    if len(found) != 1:
        many = "several outputs have" if found else "no output has"
        raise ModelUnavailable(
            f"{model.name}: {key} in [output] is {name!r}, and {many} that name; there are "
            f"{names(outputs)}. See {DOCS}."
        )
    return found[0]


def names(outputs: Sequence[Tensor]) -> str:
    """Return the names of ``outputs``, the signature's beside the model's own, for a message."""
    told = (f"{tensor.name!r} ({tensor.alias!r})" if tensor.alias else repr(tensor.name) for tensor in outputs)
    return ", ".join(told) or "none"


def shapes(outputs: Sequence[Tensor]) -> str:
    """Return the shapes of ``outputs`` for a message."""
    return ", ".join(str(tensor.shape) for tensor in outputs) or "nothing"


def classes(tensor: Tensor) -> int:
    """Return how many classes the scores ``tensor`` has."""
    return prod(tensor.shape)


def _scores(model: "Model", outputs: Sequence[Tensor]) -> int:
    if model.output.scores:
        place = named(model.output.scores, "scores", model, outputs)
        if not scores_shaped(outputs[place]):
            raise ModelUnavailable(
                f"{model.name}: the output {model.output.scores!r} has the shape {outputs[place].shape}; scores "
                f"have (1, classes). See {DOCS}."
            )
    else:
        fit = [place for place, tensor in enumerate(outputs) if scores_shaped(tensor)]
        if len(fit) != 1:
            raise ModelUnavailable(
                f"{model.name} answers {shapes(outputs)}; a classifier answers one output of scores, (1, "
                f"classes). {_ways_out(outputs)}"
            )
        place = fit[0]
    postprocess.check(outputs[place])
    _check_labels(model, classes(outputs[place]))
    return place


def check_offset(model: "Model") -> None:
    """Raise ModelUnavailable where model.toml says which class the first label is of, and there are no labels."""
    if (offset := model.output.offset) and not model.labels:
        raise ModelUnavailable(f"{model.name}: offset in [output] is {offset}, but it has no labels. See {DOCS}.")


def _check_labels(model: "Model", count: int) -> None:
    check_offset(model)
    offset, labels = model.output.offset, len(model.labels)
    if not labels or labels + offset == count:
        return
    told = f"{model.name} has {labels:,} labels, but its output has {count:,} classes"
    if offset:
        told += f", which do not fit with offset = {offset} in [output]"
    elif labels + 1 == count:
        told += (
            ". If the first class is a background that has no label, say offset = 1 in [output]; if a label is "
            "missing, add its line to the label file"
        )
    elif labels - 1 == count:
        told += (
            ". If the first label is of a background that the output does not have, say offset = -1 in [output]; "
            "if another one is too many, remove its line from the label file"
        )
    raise ModelUnavailable(f"{told}. See {DOCS}." if offset or abs(labels - count) == 1 else f"{told}.")


def _ways_out(outputs: Sequence[Tensor]) -> str:
    return (
        'Say which output has the scores in [output] of its model.toml, scores = "…" (there are '
        f'{names(outputs)}), or task = "raw" for the tensors as they are. See {DOCS}.'
    )
