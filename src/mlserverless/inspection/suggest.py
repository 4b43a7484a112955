"""A model.toml to begin with: what the file tells is filled in, what a person must decide is marked ``DECIDE``."""

import json
import os
import re
from typing import Any

from mlserverless.inspection import kind
from mlserverless.inspection.graph import OPEN, Tensor
from mlserverless.inspection.onnx import RUNTIME
from mlserverless.inspection.report import DEFAULT_SIDE, Report
from mlserverless.metadata.read import image_input
from mlserverless.model_values import RANGES
from mlserverless.target import Target
from mlserverless.tasks.roles import ROLES  # in the order of the operator's outputs (detection_postprocess.cc)

ENDS = {"SOFTMAX": "a softmax", "LOGISTIC": "a sigmoid"}
WIDE = 30  # columns, up to which comments are aligned


def model_toml(report: Report) -> str:
    """Return the text of a model.toml that can be loaded as it is when it stands beside the model's file."""
    stem, _ = os.path.splitext(os.path.basename(report.path))
    folder = os.path.basename(os.path.dirname(os.path.abspath(report.path)))
    name = report.table.get("name") or (folder if stem == "model" else stem)
    lines = ["# Suggested by `mlserverless inspect`. The file does not settle what is marked DECIDE.", ""]
    image = kind.image(report)
    lines += _warned(report, image)
    image = image or kind.square(kind.row(report))
    lines += _pairs(("name", name, ""), ("file", os.path.basename(report.path), ""), ("sha256", report.sha256, ""))
    lines += _labels(report)
    lines += _pairs(
        *((key, report.table[key], "") for key in ("labels_locale", "metadata") if key in report.table)
    )
    asked = kind.task(report)
    if report.outputs:
        lines += _pairs(("task", asked, _why(asked, report)))
    if len(report.signatures) > 1:
        others = ", ".join(map(_quoted, report.signatures[1:]))
        lines += _pairs(("signature", report.signatures[0], f"DECIDE: or {others}"))
    if image:
        lines += ["", "[input]", *_input(report, image)]
    if output := _output(asked, report):
        lines += ["", "[output]", *output]
    return "\n".join(lines) + "\n"


def _warned(report: Report, image: Target | None) -> list[str]:
    """Return what a person has to know before anything else, as comments."""
    if image:
        return []
    if not report.inputs:
        return [f"# {RUNTIME}", ""]
    if not (numbers := kind.row(report)):
        return ["# This model does not take one image, so that it cannot be served as it is.", ""]
    if kind.square(numbers):
        return [
            f"# It takes {numbers:,} numbers in a row. Where they are no image's pixels, it cannot be served.",
            "",
        ]
    return [
        f"# This model takes {numbers:,} numbers in a row, and nothing says what image they are. Where they are",
        "# an image's pixels, set size = [height, width] and channels in [input]; else it cannot be served.",
        "",
    ]


def _labels(report: Report) -> list[str]:
    if named := report.table.get("labels"):
        return _pairs(("labels", named, f"{len(report.labels):,} of them"))
    if report.labels:
        return [f"# labels: {len(report.labels):,}, packed into the model's file"]
    if report.outputs and kind.task(report) == "raw":
        return []
    return ['# labels = "labels.txt"  # DECIDE: a file with one label a line, in the order of the output']


def _why(task: str, report: Report) -> str:
    if task == "classify":
        count = report.outputs[0].tensor.shape[-1]
        return f"one output with {count:,} value{'s' * (count != 1)}" + (
            "" if report.labels else ': DECIDE, "raw" where they are no scores of classes'
        )
    return "boxes, classes, scores, count" if task == "detect" else "the outputs as they are, by name"


def _input(report: Report, image: Target) -> list[str]:
    tensor = report.inputs[0].tensor
    told = image_input(report.metadata.inputs)
    given = report.table.get("input", {})
    found: list[tuple[str, Any, str]] = []
    if "preset" in given:
        found.append(("preset", given["preset"], ""))
    if OPEN in tensor.shape[1:] and kind.layout(tensor):
        size = given.get("size") or list((told and told.default_size) or (DEFAULT_SIDE, DEFAULT_SIDE))
        found.append(("size", size, "DECIDE: height, width; the model leaves them open"))
    elif image.layout == "flat" and "preset" not in given:
        why = "" if "size" in given else "DECIDE: height, width; the model only has their product"
        found.append(("size", [image.height, image.width], why))
    ours = "" if image.channels != "rgb" else 'DECIDE: "bgr" where it was trained so (OpenCV, Caffe)'
    found.append(("channels", given.get("channels", image.channels), "" if "channels" in given else ours))
    either = "" if "layout" in given or len(kind.readings(tensor)) < 2 else 'DECIDE: or "nchw"'
    found.append(("layout", image.layout, either))
    asked = {
        "resize": ("bilinear", "DECIDE: the method of the training's preprocessing"),
        "fit": ("stretch", 'DECIDE: "crop" cuts to the middle first, "pad" adds a border'),
    }
    for key, (value, why) in asked.items():
        if "preset" not in given or key in given:
            found.append((key, given.get(key, value), "" if key in given else why))
    found += [(key, given[key], "") for key in ("resizer", "antialias", "crop", "side") if key in given]
    if "range" in given or "preset" not in given:
        found.append(("range", *_range(report, tensor, given)))
    return _pairs(*found)


def _range(report: Report, tensor: Tensor, given: dict[str, Any]) -> tuple[Any, str]:
    if "range" in given:
        return given["range"], ""
    told = image_input(report.metadata.inputs)
    if tensor.dtype not in kind.FLOATS:
        return "raw", f"{tensor.dtype} pixels as they are: the model scales them itself"
    if told and told.mean and told.std:
        return {"mean": list(told.mean), "std": list(told.std)}, "from the model's metadata"
    others = ", ".join(name for name in RANGES if name != "unit")
    return "unit", f"DECIDE: how the training scaled pixels; or {others}, or {{ mean = …, std = … }}"


def _output(task: str, report: Report) -> list[str]:
    given = report.table.get("output", {})
    if task == "detect":
        names = [port.tensor.name for port in report.outputs]
        if not all(names) or len(set(names)) < len(names):
            return []
        kept = {key: given.get(key, name) for key, name in zip(ROLES, names, strict=True)}
        return _pairs(*((key, name, "") for key, name in kept.items()))
    if task == "raw":
        return []
    told = (given["activation"], "") if "activation" in given else _activation(report)
    found: list[tuple[str, Any, str]] = [("activation", *told)]
    found += [(key, given[key], "") for key in ("scores", "offset") if key in given]
    count = report.outputs[0].tensor.shape[-1]
    if "offset" not in given and report.labels and count == len(report.labels) + 1:
        why = f"{count:,} values, {len(report.labels):,} labels: the first is the background"
        found.append(("offset", 1, why))
    return _pairs(*found)


def _activation(report: Report) -> tuple[str, str]:
    """Return what is still to be done to the scores, and why."""
    end = report.graph and kind.end(report.graph)
    what = end or "what is not known"
    if end in ENDS:
        return "none", f"the model ends in {ENDS[end]}"
    if report.outputs[0].tensor.shape[-1] == 1:
        return "sigmoid", f"DECIDE: it ends in {what}; none where the value is a score already"
    return "softmax", f"DECIDE: it ends in {what}; none where its values are scores already"


def _pairs(*found: tuple[str, Any, str]) -> list[str]:
    lines = [(f"{key} = {_value(value)}", why) for key, value, why in found]
    return [f"{line:<{WIDE}} # {_plain(why)}" if why else line for line, why in lines]


def _value(value: Any) -> str:
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_value(inner)}" for key, inner in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_value, value)) + "]"
    return str(value).lower() if isinstance(value, bool) else repr(value)


def _quoted(text: str) -> str:
    # JSON's escapes are TOML's too, but for DEL, which TOML wants escaped.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _plain(comment: str) -> str:
    return re.sub(r"[\x00-\x1f\x7f]", " ", comment)
