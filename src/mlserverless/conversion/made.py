"""What the converted file itself says: its input, how its scores are to be read, which operators it has."""

from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple

from mlserverless import engines as known
from mlserverless.conversion import onnx_quantise
from mlserverless.conversion.frameworks import Asked
from mlserverless.conversion.frameworks.onnx import OnnxModel
from mlserverless.conversion.problem import Misused
from mlserverless.engines import Tensor
from mlserverless.errors import ModelUnavailable
from mlserverless.inspection import graph, kind
from mlserverless.inspection.ops import Use
from mlserverless.model_toml import LAYOUTS, Input
from mlserverless.target import Target, target

SCORED = ("SOFTMAX", "LOGISTIC", "Softmax", "Sigmoid")  # operators behind which values are scores


class Made(NamedTuple):
    """What it says: ``input``; ``end``, the operator that makes its first output; ``uses``, its operators.

    ``classes`` is how many values that output has, 0 where these are no scores.
    """

    input: Tensor
    end: str
    classes: int
    uses: tuple[Use, ...] = ()


def look(data: bytes, form: str, size: tuple[int, ...]) -> Made:
    """Return what the converted file ``data`` says. ``size``: its (height, width) where it leaves them open."""
    if form == "onnx":
        model = OnnxModel(data, Asked(size=size), "the converted model")
        shape = model.output_shape
        return Made(model.input, onnx_quantise.ends(data), _classes(shape))
    whole = graph.read(data)
    first = whole.subgraphs[0]
    one = first.tensors[first.inputs[0]]
    scale = one.scales[0] if len(one.scales) == 1 else 0.0
    shape = known.closed(one.shape, known.Wanted(size=size))
    tensor = Tensor(one.name, shape, one.dtype, scale, one.zero_points[0] if scale else 0)
    counted = Counter(
        (step.name, step.version, step.custom) for each in whole.subgraphs for step in each.operators
    )
    uses = tuple(Use(name, version, count, custom) for (name, version, custom), count in counted.items())
    return Made(tensor, kind.end(whole), _classes(first.tensors[first.outputs[0]].shape), uses)


def _classes(shape: tuple[int, ...]) -> int:
    return shape[-1] if shape and shape[-1] > 0 and set(shape[:-1]) <= {1, -1} else 0


def fitted(given: Mapping[str, Any], wanted: Input, tensor: Tensor) -> tuple[dict[str, Any], Target]:
    """Return the section [input] of a model whose input is ``tensor``, and what an image becomes for it.

    A converter may move the channels to the end, so that the layout is looked for anew. Raises Misused where no
    layout fits.
    """
    told = ""
    for layout in ("", *LAYOUTS):
        try:
            found = target(wanted._replace(layout=layout), tensor)
        except ModelUnavailable as error:
            told = told or str(error)
            continue
        kept = {key: value for key, value in given.items() if key != "layout"}
        return kept | ({"layout": layout} if layout else {}), found
    raise Misused(told)


def activation(made: Made, said: str, by_framework: bool) -> tuple[str, str]:
    """Return what is to be done to the scores, and a note where it had to be guessed.

    ``said``: the option, "" for none; ``by_framework``: the framework gives probabilities.
    """
    if said:
        return said, ""
    if by_framework or made.end in SCORED or not made.classes:
        return "none", ""
    guessed = "sigmoid" if made.classes == 1 else "softmax"
    return guessed, (
        f"The model ends in {made.end or 'what is not known'}, so its values are taken for logits: activation = "
        f'"{guessed}". Where they are scores already, say --activation none.'
    )
