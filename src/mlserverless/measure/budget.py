"""A budget for the cold start: kept or not, by how much, and what to try about the largest part."""

from typing import NamedTuple

from mlserverless.measure.cold import Cold

# The stages' names are child.py's and the predictor's; a word of theirs is looked for in this order.
TRY = {
    "interpreter": "it is Python's own start with this environment's .pth files: a built package has none",
    "import": "look at the dearest imports; mlserverless build ships bytecode and leaves out what is not needed",
    "sha256": "a smaller model file is read and hashed faster: quantise it, or convert it to float16",
    "compile": "a quantised model has fewer weights to pack; more memory gives the init phase more CPU",
    "engine": "ai-edge-litert's own library is the quickest: leave MLSERVERLESS_ENGINE at auto, and convert .onnx",
    "download": "keep the images in the function's region, and smaller",
    "open": "accept only the formats that come, with MLSERVERLESS_FORMATS: each has a decoder to import",
    "prepare": "send smaller images; JPEG decodes at a fraction of its size (MLSERVERLESS_DECODE=fast)",
    "preprocess": "a model with uint8 input takes the pixels as they are",
    "invoke": "a smaller or a quantised model; more memory gives more CPU (mlserverless bench --memory-sweep)",
}
OTHERWISE = "see docs/how-to/measure-a-function.md"


class Verdict(NamedTuple):
    """Whether the median cold start ``took`` no more than the ``budget`` (milliseconds), and a ``told`` of it."""

    budget: float
    took: float
    kept: bool
    told: str


def judge(cold: Cold, budget: float) -> Verdict:
    """Return whether the cold start's median is within the ``budget``, in milliseconds."""
    took = cold.total.median
    if took <= budget:
        told = f"within the budget: {took:.0f} ms of {budget:g} ms from process start to the first answer"
        return Verdict(budget, took, True, told)
    worst = cold.largest()
    advice = next((text for word, text in TRY.items() if word in worst.name), OTHERWISE)
    told = (
        f"over the budget: {took:.0f} ms from process start to the first answer, {took - budget:.0f} ms more than "
        f"{budget:g} ms. The largest part is {worst.name!r} with {worst.ms.median:.0f} ms: {advice}."
    )
    return Verdict(budget, took, False, told)
