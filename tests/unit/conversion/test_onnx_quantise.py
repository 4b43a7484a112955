"""ONNX files in fewer bits, by ONNX Runtime's tools, and what ends them."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

from helpers import onnxmodel
from mlserverless.conversion import onnx_quantise
from mlserverless.conversion.problem import ConversionError

SHAPE = (1, 3, 8, 6)


def inputs(count: int) -> list[Any]:
    random = np.random.default_rng(5)
    return [random.random(SHAPE, np.float32) * random.random((1, 3, 1, 1), np.float32) for _ in range(count)]


def scores(data: bytes, arrays: list[Any]) -> Any:
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    return np.concatenate([session.run(None, {"image": array})[0] for array in arrays])


@pytest.mark.parametrize(("how", "most"), [("none", 0), ("float16", 0.002), ("dynamic", 0.03), ("int8", 0.05)])
def test_it_answers_as_the_float_one(tmp_path: Path, how: str, most: float) -> None:
    data, arrays = onnxmodel.classifier(), inputs(30)
    made = onnx_quantise.quantised(data, how, arrays, tmp_path)
    assert np.abs(scores(made, arrays) - scores(data, arrays)).max() <= most
    assert onnx_quantise.any_fewer(made) == (how in ("dynamic", "int8"))
    kinds = {tensor.data_type for tensor in onnx.load_model_from_string(made).graph.initializer if tensor.dims}
    wanted = {"none": onnx.TensorProto.FLOAT, "float16": onnx.TensorProto.FLOAT16}.get(how, onnx.TensorProto.INT8)
    assert wanted in kinds


def test_what_has_no_weights_stays_as_it_is(tmp_path: Path) -> None:
    helper = onnx.helper
    node = helper.make_node("Softmax", ["image"], ["scores"])
    ends = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1, 4]) for name in ("image", "scores")]
    graph = helper.make_graph([node], "g", ends[:1], ends[1:])
    data = onnxmodel.model(graph, [helper.make_opsetid("", 17)]).SerializeToString()
    assert onnx_quantise.quantised(data, "int8", [], tmp_path) == data
    assert not onnx_quantise.any_fewer(data)


def test_what_its_tools_refuse_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from onnxruntime import quantization

    def refuse(*_: Any, **__: Any) -> None:
        raise ValueError("no such type")

    monkeypatch.setattr(quantization, "quantize_static", refuse)
    with pytest.raises(ConversionError, match="ONNX Runtime cannot make it int8: no such type"):
        onnx_quantise.quantised(onnxmodel.classifier(), "int8", inputs(2), tmp_path)


def test_the_operator_that_ends_it() -> None:
    assert onnx_quantise.ends(onnxmodel.classifier()) == "Softmax"
