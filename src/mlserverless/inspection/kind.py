"""What a model looks like to one who wants to serve it: whether it takes an image, and what its outputs may be."""

from contextlib import suppress
from math import isqrt

from mlserverless import engines, model_toml
from mlserverless.errors import ModelUnavailable
from mlserverless.inspection.graph import OPEN, Graph, Tensor
from mlserverless.inspection.report import Report
from mlserverless.ranges import FORMATS
from mlserverless.target import ORDERS, USUAL, Target, layouts, target
from mlserverless.tasks.roles import POSTPROCESS

FLOATS = ("float32", "float16")
IMAGES = (*FLOATS, "uint8", "int8")
# What may stand between the operator that ends a model and its output.
PASSING = ("QUANTIZE", "DEQUANTIZE", "RESHAPE", "SQUEEZE", "CAST")
LEAST_SIDE = 8  # pixels, of a square that numbers in a row are guessed to be


def readings(tensor: Tensor) -> dict[str, tuple[int, int, int]]:
    """Return how ``tensor`` can be read as one image, its batch left open or 1: see :func:`target.layouts`."""
    shape = tensor.shape
    return layouts((1, *shape[1:]) if len(shape) == 4 and shape[0] == OPEN else shape)


def layout(tensor: Tensor) -> str:
    """Return "nhwc" or "nchw" where ``tensor`` has the shape of an image, "" where it has not."""
    likely = len(tensor.shape) == 4 and tensor.dtype in IMAGES
    return next(iter(readings(tensor)), "") if likely else ""


def is_image_model(report: Report) -> bool:
    """Return whether its one input has the shape and the dtype of an image."""
    return len(report.inputs) == 1 and bool(layout(report.inputs[0].tensor))


def image(report: Report) -> Target | None:
    """Return what an image has to become for its one input, as it is served; None where none can be fed.

    Height and width are -1 where the file leaves them open and no size is given.
    """
    if len(report.inputs) != 1 or report.inputs[0].tensor.dtype not in FORMATS:
        return None
    tensor = report.inputs[0].tensor
    wanted = model_toml.read_input(report.table.get("input", {}), report.path)
    channels = len(ORDERS[wanted.channels]) if wanted.channels else 0
    asked = engines.Wanted(size=wanted.size, layout=wanted.layout, channels=channels)
    either = [wanted._replace(layout="nhwc")] if not wanted.layout and len(tensor.shape) > 2 else []
    for one in (wanted, *either):  # what can be read in two ways has its channels last more often than not
        with suppress(ModelUnavailable):
            return target(one, engines.Tensor(tensor.name, engines.closed(tensor.shape, asked), tensor.dtype))
    if not (placed := layout(tensor)):
        return None
    height, width, count = readings(tensor)[placed]
    return Target(height, width, USUAL[count], placed)


def row(report: Report) -> int:
    """Return how many numbers in a row its one input takes, 0 where it takes something else."""
    if len(report.inputs) != 1 or report.inputs[0].tensor.dtype not in IMAGES:
        return 0
    shape = report.inputs[0].tensor.shape
    inner = shape[1:] if shape[:1] in ((1,), (OPEN,)) else shape
    return inner[0] if len(inner) == 1 and inner[0] > 1 else 0


def square(numbers: int) -> Target | None:
    """Return the square image that so many ``numbers`` in a row may be the pixels of; None where they are none."""
    for count, channels in USUAL.items():
        side = isqrt(numbers // count)
        if side >= LEAST_SIDE and side * side * count == numbers:
            return Target(side, side, channels, "flat")
    return None


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
    return any(step.name == POSTPROCESS and step.outputs == first.outputs for step in first.operators)
