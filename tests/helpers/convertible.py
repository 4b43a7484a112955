"""A small image classifier as a float .tflite file, and pictures to calibrate it with and to compare on.

A convolution with ReLU6, one of whose channels has no weights left and only its bias, a depthwise one, the
means of the channels, a dense layer, a softmax.
"""

from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from PIL import Image

from helpers.graphs import CODES, Graph, Op, T, build, mean

SIDE, CHANNELS, CLASSES = 16, 8, 5
NAMES = ("ant", "bee", "cat", "dog", "elk")
DEAD = 3  # the channel without weights, and its bias
DEAD_BIAS = 2.5
SAME, RELU6 = schema.Padding.SAME, schema.ActivationFunctionType.RELU6


def network(*, softmax: bool = True, bias: bool = True, signature: bool = False) -> bytes:
    """Return the .tflite file, from float32 (1, 16, 16, 3) to (1, 5); ``bias``: of the dense layer."""
    random = np.random.default_rng(3)

    def weights(*shape: int) -> Any:
        return random.normal(0, 0.4, shape).astype(np.float32)

    first, offsets = weights(CHANNELS, 3, 3, 3), weights(CHANNELS)
    first[DEAD], offsets[DEAD] = 0.0, DEAD_BIAS
    tensors = [
        T("image", (1, SIDE, SIDE, 3)),
        T("w1", first.shape, value=first),
        T("b1", (CHANNELS,), value=offsets),
        T("conv", (1, SIDE, SIDE, CHANNELS)),
        T("w2", (1, 3, 3, CHANNELS), value=weights(1, 3, 3, CHANNELS)),
        T("b2", (CHANNELS,), value=weights(CHANNELS)),
        T("depthwise", (1, SIDE, SIDE, CHANNELS)),
        T("axes", (2,), "int32", value=[1, 2]),
        T("means", (1, CHANNELS)),
        T("w3", (CLASSES, CHANNELS), value=weights(CLASSES, CHANNELS) * 3),
        T("b3", (CLASSES,), value=weights(CLASSES)),
        T("logits", (1, CLASSES)),
        T("scores", (1, CLASSES)),
    ]
    ops = [
        Op(CODES.CONV_2D, ("image", "w1", "b1"), ("conv",), _convolution()),
        Op(CODES.DEPTHWISE_CONV_2D, ("conv", "w2", "b2"), ("depthwise",), _depthwise()),
        mean("depthwise", "axes", "means"),
        Op(CODES.FULLY_CONNECTED, ("means", "w3", *(["b3"] if bias else [])), ("logits",), _dense()),
    ]
    if softmax:
        options = schema.SoftmaxOptionsT()
        options.beta = 1.0
        ops.append(Op(CODES.SOFTMAX, ("logits",), ("scores",), (schema.BuiltinOptions.SoftmaxOptions, options)))
    end = "scores" if softmax else "logits"
    signed = ("serve", {"pixels": "image"}, {"out": end}) if signature else None
    return build(Graph(tensors, ops, ("image",), (end,), signed))


def _convolution() -> tuple[int, Any]:
    options = schema.Conv2DOptionsT()
    options.padding, options.strideW, options.strideH = SAME, 1, 1
    options.fusedActivationFunction = RELU6
    return schema.BuiltinOptions.Conv2DOptions, options


def _depthwise() -> tuple[int, Any]:
    options = schema.DepthwiseConv2DOptionsT()
    options.padding, options.strideW, options.strideH, options.depthMultiplier = SAME, 1, 1, 1
    return schema.BuiltinOptions.DepthwiseConv2DOptions, options


def _dense() -> tuple[int, Any]:
    return schema.BuiltinOptions.FullyConnectedOptions, schema.FullyConnectedOptionsT()


def pictures(folder: Path, count: int, seed: int = 0) -> list[Path]:
    """Write PNG files of a colour each with some noise over it, and return them."""
    folder.mkdir(parents=True, exist_ok=True)
    random, made = np.random.default_rng(seed), []
    for number in range(count):
        pixels = random.integers(0, 256, 3) + random.normal(0, 40, (SIDE, SIDE, 3))
        made.append(folder / f"{number:02}.png")
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(made[-1])
    return made


def samples(count: int, seed: int = 1) -> list[Any]:
    """Return inputs, float32 (1, 16, 16, 3) of 0…1."""
    random = np.random.default_rng(seed)
    return [random.uniform(0, 1, (1, SIDE, SIDE, 3)).astype(np.float32) for _ in range(count)]


def answers(model: bytes, inputs: list[Any], package: str = "ai_edge_litert") -> Any:
    """Return the real scores, (inputs, classes), that the Python interpreter of ``package`` gives."""
    from importlib import import_module

    interpreter = import_module(f"{package}.interpreter").Interpreter(model_content=model)
    interpreter.allocate_tensors()
    taken, given = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    rows = []
    for array in inputs:
        scale, zero = taken["quantization"]
        if scale:
            array = np.clip(np.floor(array / scale + 0.5) + zero, -128, 127).astype(np.int8)
        interpreter.set_tensor(taken["index"], array)
        interpreter.invoke()
        row = interpreter.get_tensor(given["index"])[0]
        scale, zero = given["quantization"]
        rows.append((row.astype(np.float32) - zero) * scale if scale else row)
    return np.stack(rows)
