"""Which of a detector's outputs holds its boxes, which its classes, scores and count.

The four are those of TensorFlow Lite's ``TFLite_Detection_PostProcess``. Their order is not the same in every
export, and two of them have the same shape.
"""

import struct
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mlserverless import postprocess
from mlserverless.engines import Tensor
from mlserverless.errors import ModelUnavailable
from mlserverless.model_values import DOCS
from mlserverless.tasks import Run, check_offset, classes, four, named, names, shapes
from mlserverless.tasks.detect import counted, first
from mlserverless.types import is_tflite

if TYPE_CHECKING:
    from mlserverless.model import Model

ROLES = ("boxes", "classes", "scores", "count")
POSTPROCESS = "TFLite_Detection_PostProcess"  # whose outputs are boxes, classes, scores and count, in this order
CLASS_WORDS, SCORE_WORDS = ("class", "categor", "label"), ("score", "prob", "conf")


def places(model: "Model", outputs: Sequence[Tensor], run: Run) -> tuple[int, ...]:
    """Return the places among ``outputs`` of boxes, classes, scores and, where there is one, the count.

    What model.toml does not name is told by shape; the two that have the same, by the operator that makes them, by
    names, or by what they hold after ``run``. Raises ModelUnavailable where nothing tells them apart.
    """
    said = model.output
    if said.activation == "softmax":
        raise ModelUnavailable(
            f"{model.name}: activation in [output] is softmax; of a detection's scores none and sigmoid are "
            f"applied. See {DOCS}."
        )
    check_offset(model)
    found = {key: named(name, key, model, outputs) for key in ROLES if (name := getattr(said, key))}
    if not {*ROLES[:3]} <= set(found):
        found |= _told(model, outputs, run, found)
    boxes, kinds, scores = found["boxes"], found["classes"], found["scores"]
    for place in found.values():
        postprocess.check(outputs[place])
    most = classes(outputs[scores])
    if classes(outputs[boxes]) != 4 * most or classes(outputs[kinds]) != most:
        raise ModelUnavailable(
            f"{model.name}: boxes, classes and scores have the shapes "
            f"{shapes([outputs[i] for i in found.values()])}; they go together as (1, N, 4), (1, N) and (1, N). "
            f"See {DOCS}."
        )
    return tuple(found[key] for key in ROLES if key in found)


def _told(model: "Model", outputs: Sequence[Tensor], run: Run, said: dict[str, int]) -> dict[str, int]:
    if not four(outputs):
        raise ModelUnavailable(
            f"{model.name} answers {shapes(outputs)}; a detection's usual four are boxes (1, N, 4), classes and "
            "scores (1, N), and their count (1,). Say which they are in [output]: boxes, classes, scores and, "
            f"where there is one, count (there are {names(outputs)}). See {DOCS}."
        )
    boxes = next(i for i, tensor in enumerate(outputs) if len(tensor.shape) == 3)
    count = next(i for i, tensor in enumerate(outputs) if tensor.shape in ((), (1,)))
    pair = [i for i in range(4) if i not in (boxes, count)]
    found, other = {"boxes": boxes, "count": count}, dict(zip(pair, reversed(pair), strict=True))
    taken = [i for i in pair if i in said.values()]
    if len(taken) == 2:
        return found | said
    if taken:
        key = "classes" if said.get("scores") == taken[0] else "scores"
        return found | {key: other[taken[0]]} | said
    kinds = _by_operator(model, outputs, pair)  # by its place, which may be 0
    if kinds is None:
        kinds = _by_name(model, outputs, pair)
    if kinds is None:
        kinds = _by_value(outputs, pair, count, run())
    if kinds is None:
        raise ModelUnavailable(
            f"{model.name}: nothing tells which of the outputs {names([outputs[i] for i in pair])} holds classes "
            f'and which scores: say classes = "…" and scores = "…" in [output] of its model.toml. See {DOCS}.'
        )
    return found | {"classes": kinds, "scores": other[kinds]} | said


def _by_name(model: "Model", outputs: Sequence[Tensor], pair: list[int]) -> int | None:
    described = model.metadata.outputs if len(model.metadata.outputs) == len(outputs) else ()

    def has(place: int, words: Sequence[str]) -> bool:
        tensor = outputs[place]
        told = f"{tensor.name} {tensor.alias} {described[place].name if described else ''}".lower()
        return any(word in told for word in words)

    kinds = [i for i in pair if has(i, CLASS_WORDS) and not has(i, SCORE_WORDS)]
    scores = [i for i in pair if has(i, SCORE_WORDS) and not has(i, CLASS_WORDS)]
    if len(kinds) == 1 or len(scores) == 1:
        return kinds[0] if len(kinds) == 1 else pair[1 - pair.index(scores[0])]
    return None


def _by_operator(model: "Model", outputs: Sequence[Tensor], pair: list[int]) -> int | None:
    """Return which of ``pair`` is the second output of the operator that makes detections, as the file says."""
    from mlserverless.metadata import slots
    from mlserverless.metadata.flatbuffer import Table

    if not is_tflite(model.data):
        return None
    try:
        root = Table.root(model.data)
        codes = [code.text(slots.CUSTOM_CODE) == POSTPROCESS for code in root.tables(slots.OPERATOR_CODES)]
        for graph in root.tables(slots.SUBGRAPHS):
            for operator in graph.tables(slots.OPERATORS):
                made = operator.whole_numbers(slots.OUTPUTS)
                if codes[operator.number(slots.OPCODE_INDEX, "<I")] and len(made) > 2:
                    tensors = graph.tables(slots.TENSORS)
                    told = [tensors[made[i]].text(slots.TENSOR_NAME) for i in (1, 2)]
                    found = [outputs[i].name for i in pair]
                    if told[0] != told[1] and sorted(told) == sorted(found):
                        return pair[found.index(told[0])]
    except (struct.error, IndexError, ValueError):
        return None
    return None


def _by_value(outputs: Sequence[Tensor], pair: list[int], count: int, ran: list[bytes]) -> int | None:
    meant = counted(outputs[count], ran[count])
    whole = []
    for place in pair:
        values = postprocess.real(first(outputs[place], ran[place], meant), outputs[place])
        whole.append(all(value.is_integer() for value in values))
    return pair[whole.index(True)] if whole[0] != whole[1] else None
