"""Models made by hand for `inspect`: each has one thing to be seen."""

from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from helpers.graphs import CODES, Graph, Op, T, add, build, mean, multiply

OPTIONS = schema.BuiltinOptions


def softmax(source: str, target: str) -> Op:
    """Return the softmax of ``source``."""
    options = schema.SoftmaxOptionsT()
    options.beta = 1.0
    return Op(CODES.SOFTMAX, (source,), (target,), (OPTIONS.SoftmaxOptions, options))


def dense(source: str, filters: str, target: str) -> Op:
    """Return ``source`` times ``filters``."""
    options = schema.FullyConnectedOptionsT()
    return Op(CODES.FULLY_CONNECTED, (source, filters), (target,), (OPTIONS.FullyConnectedOptions, options))


def convolution(source: str, filters: str, bias: str, target: str, depthwise: bool = False) -> Op:
    """Return ``source`` convolved, of the same size."""
    options = schema.DepthwiseConv2DOptionsT() if depthwise else schema.Conv2DOptionsT()
    options.padding, options.strideH, options.strideW = schema.Padding.SAME, 1, 1
    if depthwise:
        options.depthMultiplier = 1
    code, kind = (
        (CODES.DEPTHWISE_CONV_2D, OPTIONS.DepthwiseConv2DOptions)
        if depthwise
        else (CODES.CONV_2D, OPTIONS.Conv2DOptions)
    )
    return Op(code, (source, filters, bias), (target,), (kind, options))


def edited(model: bytes, change: Any) -> bytes:
    """Return ``model`` after ``change`` was made to its ModelT."""
    held = schema.ModelT.InitFromPackedBuf(model, 0)
    change(held)
    builder = flatbuffers.Builder(1024)
    builder.Finish(held.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def classifier(dtype: str = "float32", classes: int = 3, shape: tuple[int, ...] = (1, 4, 4, 3)) -> bytes:
    """Return an image classifier: the mean of each channel, times weights, then a softmax."""
    tensors = [
        T(
            "image",
            shape,
            dtype,
            scale=0.0 if dtype == "float32" else 0.5,
            zero_point=0 if dtype == "float32" else 3,
        ),
        T("axes", (2,), "int32", [1, 2]),
        T("means", (1, 3), "float32"),
        T("filters", (classes, 3), "float32", np.eye(classes, 3)),
        T("logits", (1, classes)),
        T("probabilities", (1, classes)),
    ]
    steps = [
        mean("image", "axes", "means"),
        dense("means", "filters", "logits"),
        softmax("logits", "probabilities"),
    ]
    if dtype != "float32":
        tensors.insert(1, T("pixels", shape))
        steps[0] = mean("pixels", "axes", "means")
        options = schema.DequantizeOptionsT()
        steps.insert(0, Op(CODES.DEQUANTIZE, ("image",), ("pixels",), (OPTIONS.DequantizeOptions, options)))
    return build(Graph(tensors, steps, ["image"], ["probabilities"]))


def logits(classes: int = 3) -> bytes:
    """Return a classifier that ends in a sum, of an input without a layout that is in doubt."""
    tensors = [
        T("image", (1, 4, 4, 3)),
        T("axes", (2,), "int32", [1, 2]),
        T("means", (1, 3)),
        T("filters", (classes, 3), "float32", np.eye(classes, 3)),
        T("scores", (1, classes)),
    ]
    steps = [mean("image", "axes", "means"), dense("means", "filters", "scores")]
    return build(Graph(tensors, steps, ["image"], ["scores"]))


def dense_of_version(version: int) -> bytes:
    """Return a classifier whose FULLY_CONNECTED says that it is of ``version``."""

    def change(model: Any) -> None:
        for code in model.operatorCodes:
            if code.builtinCode == CODES.FULLY_CONNECTED:
                code.version = version

    return edited(classifier(), change)


def custom(name: str) -> bytes:
    """Return a model of one custom operator."""
    tensors = [T("image", (1, 2, 2, 3)), T("out", (1, 2, 2, 3))]
    return build(Graph(tensors, [Op(name, ("image",), ("out",))], ["image"], ["out"]))


def open_size() -> bytes:
    """Return a model whose input leaves batch, height and width open."""
    tensors = [T("image", (-1, -1, -1, 3)), T("two", (), "float32", 2.0), T("out", (-1, -1, -1, 3))]
    return build(Graph(tensors, [multiply("image", "two", "out")], ["image"], ["out"]))


def planes() -> bytes:
    """Return a model that takes (channels, height, width) and has two signatures and two outputs."""
    tensors = [T("x", (1, 3, 8, 8)), T("one", (), "float32", 1.0), T("y", (1, 3, 8, 8)), T("z", (1, 3, 8, 8))]
    steps = [add("x", "one", "y"), multiply("x", "one", "z")]
    first = Graph(tensors, steps, ["x"], ["y", "z"], ("serve", {"picture": "x"}, {"more": "y", "same": "z"}))
    second = Graph(tensors[:3], steps[:1], ["x"], ["y"], ("embed", {"picture": "x"}, {"vector": "y"}))
    return build(first, second)


def two_inputs() -> bytes:
    """Return a model that adds two inputs."""
    tensors = [T("a", (1, 2, 2, 3)), T("b", (1, 2, 2, 3)), T("sum", (1, 2, 2, 3))]
    return build(Graph(tensors, [add("a", "b", "sum")], ["a", "b"], ["sum"]))


def convolutions() -> bytes:
    """Return two convolutions: 5 × 4 pixels, 2 channels, to 3 channels by 3 × 3, then each by itself by 3 × 3."""
    tensors = [
        T("image", (1, 5, 4, 2)),
        T("filters", (3, 3, 3, 2), "float32", np.ones((3, 3, 3, 2))),
        T("bias", (3,), "float32", np.zeros(3)),
        T("wide", (1, 5, 4, 3)),
        T("own", (1, 3, 3, 3), "float32", np.ones((1, 3, 3, 3))),
        T("out", (1, 5, 4, 3)),
    ]
    steps = [
        convolution("image", "filters", "bias", "wide"),
        convolution("wide", "own", "bias", "out", depthwise=True),
    ]
    return build(Graph(tensors, steps, ["image"], ["out"]))


def halves() -> bytes:
    """Return a dense layer whose weights are float16 in the file, and unpacked by a DEQUANTIZE."""
    options = schema.DequantizeOptionsT()
    tensors = [
        T("x", (1, 32)),
        T("half", (16, 32), "float16", np.ones((16, 32))),
        T("full", (16, 32)),
        T("y", (1, 16)),
    ]
    steps = [
        Op(CODES.DEQUANTIZE, ("half",), ("full",), (OPTIONS.DequantizeOptions, options)),
        dense("x", "full", "y"),
    ]
    return build(Graph(tensors, steps, ["x"], ["y"]))


def detector(names: tuple[str, str, str, str] = ("boxes", "classes", "scores", "count")) -> bytes:
    """Return a graph that ends as a detector does; its options are left out, so that no engine runs it."""
    tensors = [
        T("image", (1, 8, 8, 3), "uint8", scale=1 / 128, zero_point=128),
        T("anchors", (4, 4), "float32", np.ones((4, 4))),
        *(T(name, (1, 10, 4) if place == 0 else (1, 10)) for place, name in enumerate(names)),
    ]
    steps = [Op("TFLite_Detection_PostProcess", ("image", "image", "anchors"), names, b"")]
    return build(Graph(tensors, steps, ["image"], list(names)))
