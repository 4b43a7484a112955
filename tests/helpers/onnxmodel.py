"""Small ONNX models, made with the ``onnx`` package."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from onnx import ModelProto, TensorProto, helper, numpy_helper

CLASSES = 5
TYPES = {"float32": TensorProto.FLOAT, "float16": TensorProto.FLOAT16, "uint8": TensorProto.UINT8}
TYPES |= {"int64": TensorProto.INT64, "string": TensorProto.STRING}


def weights(classes: int = CLASSES, channels: int = 3) -> "np.ndarray[Any, np.dtype[np.float32]]":
    """Return the weights of :func:`classifier`, (channels, classes)."""
    return np.random.default_rng(7).normal(size=(channels, classes)).astype(np.float32)


def classifier(
    shape: Sequence[int | str] = (1, 3, 8, 6),
    *,
    classes: int = CLASSES,
    planar: bool = True,
    also: str = "",
    batch: int | str = 1,
    dtype: str = "float32",
) -> bytes:
    """Return a model of images of ``shape``: softmax(channels' means × :func:`weights`), (batch, ``classes``).

    ``planar``: NCHW, else NHWC. ``also``: one more output, called "label": "int64", "string" or "zipmap".
    ``dtype`` is the input's; it is cast to float32.
    """
    axes = [2, 3] if planar else [1, 2]
    nodes = [
        helper.make_node("Cast", ["image"], ["x"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["x"], ["mean"], axes=axes, keepdims=0),
        helper.make_node("MatMul", ["mean", "w"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["scores"]),
    ]
    outputs = [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [batch, classes])]
    domains = [helper.make_opsetid("", 17)]
    if also:
        nodes, first, domains = [*nodes, *_more(also, classes)], _told(also, batch), [*domains, _ML]
        outputs = [first, *outputs]  # as skl2onnx has them: the label first
    held = [numpy_helper.from_array(weights(classes), "w")]
    image = helper.make_tensor_value_info("image", TYPES[dtype], list(shape))
    graph = helper.make_graph(nodes, "classifier", [image], outputs, held)
    return model(graph, domains).SerializeToString()


_ML = helper.make_opsetid("ai.onnx.ml", 3)


def _more(also: str, classes: int) -> list[Any]:
    if also == "int64":
        return [helper.make_node("ArgMax", ["scores"], ["label"], axis=1, keepdims=0)]
    names: dict[str, Any] = {"classlabels_strings": [f"class {i}" for i in range(classes)]}
    if also == "zipmap":
        return [helper.make_node("ZipMap", ["scores"], ["label"], domain="ai.onnx.ml", **names)]
    most = helper.make_node("ArgMax", ["scores"], ["most"], axis=1, keepdims=0)
    table = {"keys_int64s": list(range(classes)), "values_strings": names["classlabels_strings"]}
    return [most, helper.make_node("LabelEncoder", ["most"], ["label"], domain="ai.onnx.ml", **table)]


def _told(also: str, batch: int | str) -> Any:
    if also != "zipmap":
        return helper.make_tensor_value_info("label", TYPES[also], [batch])
    told = helper.make_map_type_proto(TensorProto.STRING, helper.make_tensor_type_proto(TensorProto.FLOAT, None))
    return helper.make_value_info("label", helper.make_sequence_type_proto(told))


def model(graph: Any, domains: Sequence[Any] = ()) -> ModelProto:
    """Return the model of ``graph``, of versions that every ONNX Runtime from 1.17 on takes."""
    return helper.make_model(graph, opset_imports=domains or [helper.make_opsetid("", 17)], ir_version=9)


def elsewhere(within: str = "graph") -> bytes:
    """Return a model with a tensor whose data is in another file: ``within`` the "graph", a "node", a "branch"."""
    tensor = numpy_helper.from_array(weights(), "w")
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("location", "../../etc/passwd"), ("offset", "0"), ("length", "60")):
        tensor.external_data.add(key=key, value=value)
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [3, CLASSES])
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [3, CLASSES])
    if within == "graph":
        return model(
            helper.make_graph([helper.make_node("Add", ["x", "w"], ["y"])], "g", [x], [y], [tensor])
        ).SerializeToString()
    constant = helper.make_node("Constant", [], ["y"], value=tensor)
    if within == "node":
        return model(helper.make_graph([constant], "g", [x], [y])).SerializeToString()
    branch = helper.make_graph([constant], "branch", [], [y])
    truth = numpy_helper.from_array(np.array(True), "truth")
    node = helper.make_node("If", ["truth"], ["y"], then_branch=branch, else_branch=branch)
    return model(helper.make_graph([node], "g", [x], [y], [truth])).SerializeToString()
