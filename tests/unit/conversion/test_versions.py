"""The least version of an operator that computes with given types."""

from types import SimpleNamespace
from typing import Any

import pytest

from mlserverless.conversion.flat import schema
from mlserverless.conversion.versions import needed

TYPES = schema().TensorType


def tensor(kind: str, scales: int = 0) -> Any:
    quantization = SimpleNamespace(scale=[0.1] * scales) if scales else None
    return SimpleNamespace(type=getattr(TYPES, kind.upper()), quantization=quantization)


@pytest.mark.parametrize(
    ("operator", "taken", "given", "version"),
    [
        ("CONV_2D", ["float32", "float32"], "float32", 1),
        ("CONV_2D", ["int8", "int8"], "int8", 3),
        ("ADD", ["int8", "int8"], "int8", 2),
        ("RESHAPE", ["int8", "int32"], "int8", 1),
        ("QUANTIZE", ["float32"], "int8", 1),
        ("TRANSPOSE_CONV", ["int32", "int8", "int8"], "int8", 2),
        ("TRANSPOSE_CONV", ["int32", "int8", "float32"], "float32", 2),
        ("BATCH_MATMUL", ["float32", "int8"], "float32", 4),
        ("TILE", ["float32", "int32"], "float32", 1),
        ("DEQUANTIZE", ["float16"], "float32", 3),
        ("DEQUANTIZE", ["int8"], "float32", 2),
    ],
)
def test_versions(operator: str, taken: list[str], given: str, version: int) -> None:
    graph = SimpleNamespace(tensors=[*map(tensor, taken), tensor(given)])
    step = SimpleNamespace(inputs=[*range(len(taken)), -1], outputs=[len(taken)])
    assert needed(operator, graph, step) == version


@pytest.mark.parametrize(
    ("operator", "scales", "version"),
    [
        *(("FULLY_CONNECTED", 1, 9), ("FULLY_CONNECTED", 5, 12), ("CONV_2D", 1, 2), ("CONV_2D", 5, 5)),
        ("DEPTHWISE_CONV_2D", 5, 6),
    ],
)
def test_float_activations_with_weights_of_8_bits(operator: str, scales: int, version: int) -> None:
    graph = SimpleNamespace(tensors=[tensor("float32"), tensor("int8", scales), tensor("float32")])
    assert needed(operator, graph, SimpleNamespace(inputs=[0, 1], outputs=[2])) == version


def test_several_scales_of_a_dequantize() -> None:
    graph = SimpleNamespace(tensors=[tensor("int8", 4), tensor("float32")])
    assert needed("DEQUANTIZE", graph, SimpleNamespace(inputs=[0], outputs=[1])) == 5


def test_an_operator_without_inputs() -> None:
    assert (
        needed("VAR_HANDLE", SimpleNamespace(tensors=[tensor("int8")]), SimpleNamespace(inputs=[], outputs=[0]))
        == 1
    )
