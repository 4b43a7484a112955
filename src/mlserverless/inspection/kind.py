"""What a model looks like to one who wants to serve it: whether it takes an image, and what its outputs may be."""

from mlserverless.engines import CHANNELS
from mlserverless.inspection.graph import OPEN, Graph, Tensor
from mlserverless.inspection.report import Report

FLOATS = ("float32", "float16")
IMAGES = (*FLOATS, "uint8", "int8")
# What may stand between the operator that ends a model and its output.
PASSING = ("QUANTIZE", "DEQUANTIZE", "RESHAPE", "SQUEEZE", "CAST")
DETECTION = "TFLite_Detection_PostProcess"


def layout(tensor: Tensor) -> str:
    """Return "nhwc" or "nchw" where ``tensor`` has the shape of an image, "" where it has not."""
    shape = tensor.shape
    if len(shape) != 4 or tensor.dtype not in IMAGES or shape[0] not in (1, OPEN):
        return ""
    if shape[3] in CHANNELS:
        return "nhwc"
    return "nchw" if shape[1] in CHANNELS else ""


def is_image_model(report: Report) -> bool:
    """Return whether its one input has the shape and the dtype of an image."""
    return len(report.inputs) == 1 and bool(layout(report.inputs[0].tensor))


def task(report: Report) -> str:
    """Return what the outputs look like: classify, detect or raw."""
    if report.graph and len(report.outputs) == 4 and _detection(report.graph):
        return "detect"
    if len(report.outputs) == 1:
        shape, scored = report.outputs[0].tensor.shape, report.outputs[0].tensor.dtype in IMAGES
        before = shape[:-1]
        # A batch may be left open. Where height and width are, it is a picture, whatever its channels.
        if scored and shape and shape[-1] >= 1 and not set(before[:1]) - {1, OPEN} and not set(before[1:]) - {1}:
            return "classify"
    return "raw"


def end(graph: Graph) -> str:
    """Return the operator that makes the first output, but for those that only pass it on."""
    first = graph.subgraphs[0]
    made = {i: operator for operator in first.operators for i in operator.outputs}
    i, seen = first.outputs[0], set[int]()
    while i in made and i not in seen:
        seen.add(i)
        if made[i].name not in PASSING or not made[i].inputs:
            return made[i].name
        i = made[i].inputs[0]
    return ""


def _detection(graph: Graph) -> bool:
    first = graph.subgraphs[0]
    return any(step.name == DETECTION and step.outputs == first.outputs for step in first.operators)
