"""Quantised files: sizes, types, versions, and that they answer what the float one answers, on both engines."""

from collections import Counter
from typing import Any

import numpy as np
import pytest

from helpers.convertible import CLASSES, answers, network, samples
from mlserverless.conversion import flat
from mlserverless.conversion.problem import ConversionError
from mlserverless.conversion.quantise import quantised
from mlserverless.inspection import graph

INPUTS = samples(24)


def versions(data: bytes) -> dict[str, int]:
    steps = graph.read(data).subgraphs[0].operators
    assert max(Counter(step.name for step in steps).values()) <= 16
    return {step.name: step.version for step in steps}


def made(how: str, *, by_unit: bool = True, **changes: Any) -> bytes:
    return quantised(network(**changes), how, INPUTS, dense_by_unit=by_unit)


def test_none_is_the_file_as_it_is() -> None:
    assert quantised(network(), "none", INPUTS, dense_by_unit=True) == network()


@pytest.mark.parametrize(
    ("how", "by_unit", "package", "most"),
    [
        ("float16", True, "ai_edge_litert", 0.002),
        ("float16", True, "tflite_runtime", 0.002),
        ("dynamic", True, "ai_edge_litert", 0.03),
        ("dynamic", False, "tflite_runtime", 0.03),
        ("int8", True, "ai_edge_litert", 0.03),
        ("int8", True, "tflite_runtime", 0.03),
    ],
)
def test_it_answers_as_the_float_one(how: str, by_unit: bool, package: str, most: float) -> None:
    if package == "tflite_runtime":
        pytest.importorskip("tflite_runtime")
    wanted = answers(network(), INPUTS)
    assert np.ptp(wanted) > 0.3  # the network tells the inputs apart
    assert np.abs(answers(made(how, by_unit=by_unit), INPUTS, package) - wanted).max() < most


def test_weights_of_float16() -> None:
    tensors = {tensor.name: tensor for tensor in graph.read(made("float16")).subgraphs[0].tensors}
    assert {tensors[name].dtype for name in ("w1", "w2", "w3")} == {"float16"}
    assert (tensors["image"].dtype, tensors["scores"].dtype) == ("float32", "float32")


def test_an_inputs_span_is_what_is_told_not_what_the_samples_had() -> None:
    data = quantised(network(), "int8", INPUTS, dense_by_unit=True, span=(0.0, 255.0))
    whole = graph.read(data).subgraphs[0]
    taken = whole.tensors[whole.inputs[0]]
    assert (taken.scales, taken.zero_points) == ((1.0,), (-128,))


def test_types_of_int8() -> None:
    whole = graph.read(made("int8")).subgraphs[0]
    assert {whole.tensors[i].dtype for i in (*whole.inputs, *whole.outputs)} == {"int8"}
    assert {"float32"}.isdisjoint(tensor.dtype for tensor in whole.tensors)


def test_dynamic_leaves_depthwise_in_float() -> None:
    tensors = {tensor.name: tensor.dtype for tensor in graph.read(made("dynamic")).subgraphs[0].tensors}
    assert (tensors["w1"], tensors["w2"], tensors["w3"]) == ("int8", "float32", "int8")


def test_versions_are_those_that_tflite_converter_writes() -> None:
    assert versions(made("int8")) == {
        "CONV_2D": 3,
        "DEPTHWISE_CONV_2D": 3,
        "MEAN": 2,
        "FULLY_CONNECTED": 4,
        "SOFTMAX": 2,
    }
    assert versions(made("dynamic"))["CONV_2D"] == 5
    assert versions(made("float16"))["DEQUANTIZE"] == 3


def test_dense_layers_by_unit_take_version_12() -> None:
    """tflite-runtime would take version 1 of it, and answer nonsense."""
    assert versions(made("dynamic"))["FULLY_CONNECTED"] == 12
    assert versions(made("dynamic", by_unit=False))["FULLY_CONNECTED"] == 9
    runtime = pytest.importorskip("tflite_runtime.interpreter")
    with pytest.raises(ValueError, match="FULLY_CONNECTED"):
        runtime.Interpreter(model_content=made("dynamic")).allocate_tensors()


def test_a_signature_is_kept_and_one_is_made() -> None:
    named = flat.unpacked(made("int8", signature=True)).signatureDefs[0]
    assert (named.signatureKey, named.inputs[0].name) == (b"serve", b"pixels")
    ours = flat.unpacked(made("int8")).signatureDefs[0]
    assert (ours.signatureKey, ours.inputs[0].name, ours.outputs[0].name) == (
        b"serving_default",
        b"image",
        b"scores",
    )


def test_without_a_bias_and_without_a_softmax() -> None:
    data = made("int8", bias=False, softmax=False)
    wanted = answers(network(bias=False, softmax=False), INPUTS)
    assert wanted.shape == (24, CLASSES)
    assert np.abs(answers(data, INPUTS) - wanted).max() < 0.05 * np.ptp(wanted)


def test_what_is_quantised_already_is_refused() -> None:
    with pytest.raises(ConversionError, match="quantised already"):
        quantised(made("int8"), "int8", INPUTS, dense_by_unit=True)


def test_what_is_no_model_is_refused() -> None:
    with pytest.raises(ConversionError, match="TFL3"):
        quantised(b"no model at all", "int8", INPUTS, dense_by_unit=True)


def test_what_the_quantiser_refuses_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    from ai_edge_quantizer import quantizer

    def refuse(*_: Any, **__: Any) -> None:
        raise ValueError("no such layer")

    monkeypatch.setattr(quantizer.Quantizer, "quantize", refuse)
    with pytest.raises(ConversionError, match="cannot make it int8: no such layer"):
        made("int8")
