"""Small image classifiers that run: float and quantised, NHWC, NCHW, flat, grey, and one with one class more.

One dense layer of random weights over all pixels, so that whatever is wrong with a pixel shows in the output.
"""

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from helpers.graphs import CODES, Graph, Op, T, build

BUNDLED = Path(__file__).parents[2] / "models"
NAMES = ("ant", "bee", "cat", "dog", "elk", "fox", "gnu")
Range = str | tuple[tuple[float, ...], tuple[float, ...]]


class Kind(NamedTuple):
    """A model, and what its model.toml says rightly."""

    name: str
    layout: str = "nhwc"
    size: tuple[int, int] = (32, 32)
    channels: int = 3
    dtype: str = "float32"
    scale: float = 0.0
    zero_point: int = 0
    classes: int = 7
    softmax: bool = False  # in the file; else the output is logits
    input: dict[str, Any] = {}  # noqa: RUF012 - a NamedTuple default is never written to
    output: dict[str, Any] = {}  # noqa: RUF012
    labels: tuple[str, ...] = NAMES
    weights: str = "float32"

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the input."""
        height, width = self.size
        if self.layout == "flat":
            return (1, height * width * self.channels)
        return (1, self.channels, height, width) if self.layout == "nchw" else (1, height, width, self.channels)


IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
LOGITS = {"activation": "softmax"}
KINDS = (
    Kind("float", input={"range": "imagenet"}, output=LOGITS),
    Kind("soft", softmax=True, input={"range": "unit", "fit": "crop", "crop": 0.875, "resize": "bicubic"}),
    Kind("nchw", layout="nchw", input={"range": "imagenet", "fit": "crop", "side": 40}, output=LOGITS),
    Kind("flat", layout="flat", input={"range": "signed", "size": [32, 32]}, output=LOGITS),
    Kind("grey", channels=1, size=(28, 28), input={"range": "unit"}, output=LOGITS),
    Kind("more", classes=8, softmax=True, input={"range": "signed"}, output={"offset": 1}),
    Kind("int8", dtype="int8", scale=1 / 48, zero_point=-4, softmax=True, input={"range": "imagenet"}),
    Kind("uint8", dtype="uint8", scale=1 / 127.5, zero_point=128, softmax=True, input={"resize": "nearest"}),
)


def write(kind: Kind, folder: Path, data: bytes = b"", **changes: Any) -> Path:
    """Write the model folder of ``kind``; ``changes`` to its sections ``input`` and ``output``, and ``labels``."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.tflite").write_bytes(data or model(kind))
    labels = changes.get("labels", kind.labels)
    (folder / "labels.txt").write_text("".join(f"{label}\n" for label in labels))
    # A mistake that the file's own metadata contradicts is refused when it is loaded, before anything is compared.
    lines = [f'name = "{kind.name}"', 'labels = "labels.txt" # one a line', 'metadata = "ignore"']
    for section in ("input", "output"):
        said = {**getattr(kind, section), **changes.get(section, {})}
        lines += ["", f"[{section}]", *(f"{key} = {toml(value)}" for key, value in said.items() if value != "")]
    (folder / "model.toml").write_text("\n".join(lines) + "\n")
    return folder


def toml(value: Any) -> str:
    """Return ``value`` as TOML."""
    if isinstance(value, tuple):
        return f"{{ mean = {list(value[0])}, std = {list(value[1])} }}"
    return json.dumps(value)


def model(kind: Kind, seed: int = 3) -> bytes:
    """Return the .tflite file of ``kind``: a dense layer, a softmax where it has one, quantised at both ends."""
    random = np.random.default_rng(seed)
    length = int(np.prod(kind.shape))
    weights = random.normal(0, 6 / length**0.5, (kind.classes, length)).astype(np.float32)
    quantised, half = kind.dtype != "float32", kind.weights == "float16"
    tensors = [
        T("image", kind.shape, kind.dtype, scale=kind.scale, zero_point=kind.zero_point),
        T("rows", (2,), "int32", np.array([1, length], np.int32)),
        T("row", (1, length)),
        T("weights", weights.shape, "float32", None if half else weights),
        T("half", weights.shape, "float16", weights),
        T("logits", (1, kind.classes)),
        T("scores", (1, kind.classes)),
        T("real", kind.shape),
        T("stored", (1, kind.classes), kind.dtype, scale=1 / 256, zero_point=-128 if kind.dtype == "int8" else 0),
    ]
    ops = [Op(CODES.DEQUANTIZE, ("image",), ("real",))] if quantised else []
    ops.append(Op(CODES.RESHAPE, ("real" if quantised else "image", "rows"), ("row",)))
    ops += [Op(CODES.DEQUANTIZE, ("half",), ("weights",))] if half else []
    options = schema.BuiltinOptions.FullyConnectedOptions, schema.FullyConnectedOptionsT()
    ops.append(Op(CODES.FULLY_CONNECTED, ("row", "weights"), ("logits",), options))
    last = "logits"
    if kind.softmax:
        soft = schema.SoftmaxOptionsT()
        soft.beta = 1.0
        ops.append(Op(CODES.SOFTMAX, ("logits",), ("scores",), (schema.BuiltinOptions.SoftmaxOptions, soft)))
        last = "scores"
    if quantised:
        ops.append(Op(CODES.QUANTIZE, (last,), ("stored",)))
        last = "stored"
    used = {name for op in ops for name in (*op.inputs, *op.outputs)}
    return build(Graph([tensor for tensor in tensors if tensor.name in used], ops, ["image"], [last]))
