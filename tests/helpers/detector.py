"""A small detector that runs: the real ``TFLite_Detection_PostProcess`` behind an image that sets its scores.

Three anchors in a row. The mean red, green and blue of the image are the scores of class 0 at the first, class 1
at the second and class 2 at the third; each box is its anchor.
"""

from collections.abc import Sequence

import numpy as np

from helpers.graphs import CODES, Graph, Op, T, add, build, mean, multiply, schema

# Centre y and x, height, width. The boxes are [0.1, 0, 0.3, 0.2], [0.4, 0.2, 0.6, 0.6] and [0.5, 0.5, 1.0, 1.0].
ANCHORS = [[0.2, 0.1, 0.2, 0.2], [0.5, 0.4, 0.2, 0.4], [0.75, 0.75, 0.5, 0.5]]
BOXES = [[0.1, 0.0, 0.3, 0.2], [0.4, 0.2, 0.6, 0.6], [0.5, 0.5, 1.0, 1.0]]
OP_ORDER = ("boxes", "classes", "scores", "count")


def options(most: int = 3, classes: int = 3) -> bytes:
    """Return the operator's options, a FlexBuffer as TensorFlow's object detection API writes it."""
    from flatbuffers import flexbuffers

    builder = flexbuffers.Builder()
    with builder.Map():
        builder.Int("max_detections", most)
        builder.Int("max_classes_per_detection", 1)
        builder.Int("detections_per_class", most)
        builder.Bool("use_regular_nms", False)
        builder.Float("nms_score_threshold", 0.0)
        builder.Float("nms_iou_threshold", 0.6)
        builder.Int("num_classes", classes)
        for side, scale in (("y", 10.0), ("x", 10.0), ("h", 5.0), ("w", 5.0)):
            builder.Float(f"{side}_scale", scale)
    return bytes(builder.Finish())


def model(
    order: Sequence[str] = OP_ORDER,
    names: Sequence[str] = ("StatefulPartitionedCall:3", "StatefulPartitionedCall:2", "StatefulPartitionedCall:1"),
    count: str = "StatefulPartitionedCall:0",
    aliases: dict[str, str] | None = None,
    *,
    hidden: bool = False,
) -> bytes:
    """Return a detector whose outputs stand in ``order``; ``names`` are those of boxes, classes and scores.

    ``aliases``: the signature's names. ``hidden``: each output is copied once more, so that the operator's own
    outputs are none of the model's.
    """
    called = dict(zip(OP_ORDER, (*names, count), strict=True))
    inner = {role: f"inner {role}" if hidden else name for role, name in called.items()}
    tensors = [
        T("image", (1, 4, 4, 3)),
        T("axes", (2,), "int32", [1, 2]),
        T("mean", (1, 3)),
        T("rows", (3,), "int32", [1, 1, 3]),
        T("row", (1, 1, 3)),
        T("eye", (1, 3, 3), "float32", np.eye(3)),
        T("by class", (1, 3, 3)),
        # The first class of the operator's is a background that it leaves out.
        T("background", (1, 3, 1), "float32", np.zeros((1, 3, 1))),
        T("all", (1, 3, 4)),
        T("encodings", (1, 3, 4), "float32", np.zeros((1, 3, 4))),
        T("anchors", (3, 4), "float32", ANCHORS),
        T(inner["boxes"], (1, 3, 4), unshaped=not hidden),
        T(inner["classes"], (1, 3), unshaped=not hidden),
        T(inner["scores"], (1, 3), unshaped=not hidden),
        T(inner["count"], (1,), unshaped=not hidden),
    ]
    reshape = (schema.BuiltinOptions.ReshapeOptions, schema.ReshapeOptionsT())
    joined = schema.ConcatenationOptionsT()
    joined.axis = 2
    ops = [
        mean("image", "axes", "mean"),
        Op(CODES.RESHAPE, ("mean", "rows"), ("row",), reshape),
        multiply("row", "eye", "by class"),
        Op(
            CODES.CONCATENATION,
            ("background", "by class"),
            ("all",),
            (schema.BuiltinOptions.ConcatenationOptions, joined),
        ),
        Op("TFLite_Detection_PostProcess", ("encodings", "all", "anchors"), tuple(inner.values()), options()),
    ]
    if hidden:
        tensors.append(T("zero", (1,), "float32", [0.0]))
        for role, shape in zip(OP_ORDER, ((1, 3, 4), (1, 3), (1, 3), (1,)), strict=True):
            tensors.append(T(called[role], shape))
            ops.append(add(inner[role], "zero", called[role]))
    signature = None
    if aliases:
        signature = ("serving_default", {"images": "image"}, {aliases[role]: called[role] for role in OP_ORDER})
    return build(Graph(tensors, ops, ["image"], [called[role] for role in order], signature))
