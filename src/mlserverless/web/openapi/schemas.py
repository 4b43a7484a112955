"""Options, answers and the model in the terms of JSON Schema 2020-12, from the records and readers themselves."""

from collections.abc import Sequence
from types import UnionType
from typing import Any, get_args, get_origin

from mlserverless import readers
from mlserverless.config import Settings
from mlserverless.engines import WIDTHS
from mlserverless.model_toml import CHANNELS, FIT, LAYOUTS, RESIZE, RESIZERS
from mlserverless.options import READERS
from mlserverless.tasks.raw import DATATYPES
from mlserverless.types import Box, Detection, Prediction, RawTensor, Score

TASKS = {"classify": ("predictions", Score), "detect": ("detections", Detection), "raw": ("outputs", RawTensor)}
PLAIN = {str: "string", int: "integer", float: "number", bool: "boolean"}
MOST_LABELS = 100  # that are listed: of more, a label is any text
SHA256 = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
# What a record's annotation does not say of a field.
FIELDS: dict[str, dict[str, Any]] = {
    "sha256": {**SHA256, "description": "Of the model's file."},
    "index": {"type": "integer", "minimum": 0, "description": "The class's place in the model's output."},
    "score": {"type": "number", "description": "As the model tells it, to six digits; 0 to 1 for most models."},
    "datatype": {"enum": list(DATATYPES.values())},
    "top": {"type": "number", "description": "A share of the upright image's height, from the top."},
    "left": {"type": "number", "description": "A share of the upright image's width, from the left."},
}
SEVERAL = {
    "type": "array",
    "items": {"type": "string"},
    "description": "The names of all models, the first's first.",
}


def ref(name: str) -> dict[str, Any]:
    """Return a reference to the schema ``name``."""
    return {"$ref": f"#/components/schemas/{name}"}


def closed(properties: dict[str, Any], optional: Sequence[str] = (), **more: Any) -> dict[str, Any]:
    """Return the schema of an object with these ``properties`` and no others."""
    required = [name for name in properties if name not in optional]
    made = {
        "type": "object",
        **more,
        "required": required,
        "properties": properties,
        "additionalProperties": False,
    }
    return made if required else {key: value for key, value in made.items() if key != "required"}


def record(kind: Any) -> dict[str, Any]:
    """Return the schema of the wire form of a named tuple."""
    about = (kind.__doc__ or "").partition("\n")[0]
    return closed({n: FIELDS.get(n) or _of(t) for n, t in kind.__annotations__.items()}, description=about)


def _of(annotation: Any) -> dict[str, Any]:
    if get_origin(annotation) is tuple:
        return {"type": "array", "items": _of(get_args(annotation)[0])}
    if isinstance(annotation, UnionType):
        return {"type": [PLAIN[one] for one in get_args(annotation) if one is not int]}  # an integer is a number
    return {"type": PLAIN[annotation]} if annotation in PLAIN else ref(annotation.__name__)


def options(names: Sequence[str], labels: Sequence[str], *, raw: bool) -> dict[str, dict[str, Any]]:
    """Return the schema of each option that a request may choose, as its reader takes it.

    ``raw``: the answers are tensors, so that there is nothing to choose but the model.
    """
    known = list(dict.fromkeys(labels))
    label = {"enum": known} if 0 < len(known) <= MOST_LABELS else {"examples": known[:1]} if known else {}
    found: dict[str, dict[str, Any]] = {}
    for name, (accepted, reader) in READERS.items():
        about = {"description": f"{accepted[0].upper()}{accepted[1:]}. As the function's settings say without it."}
        bounds = getattr(reader, "__self__", None)
        if isinstance(bounds, readers.Bounds):
            kind = "integer" if reader == bounds.whole else "number"
            found[name] = {"type": kind, "minimum": bounds.low, "maximum": bounds.high, **about}
        elif reader is readers.split:
            found[name] = {"type": "array", "items": {"type": "string", **label}, **about}
        else:
            found[name] = {"type": "string", "enum": list(names), **about}
    return {"model": found["model"]} if raw else found


def answers(tasks: Sequence[str], settings: Settings) -> dict[str, Any]:
    """Return the schemas of answers: a prediction of each of ``tasks``, a batch's, and what these are made of."""
    told = {name: FIELDS.get(name) or _of(Prediction.__annotations__[name]) for name in ("model", "sha256")}
    about = "What a model said about one image, best first."
    found: dict[str, Any] = {}
    for task in tasks:
        member, kind = TASKS[task]
        name = {"classify": "Classification", "detect": "Detections", "raw": "Tensors"}[task]
        found[name] = closed({**told, member: {"type": "array", "items": ref(kind.__name__)}}, description=about)
        found[kind.__name__] = record(kind)
        found |= {"Box": record(Box)} if task == "detect" else {}
    every = [ref(name) for name in ("Classification", "Detections", "Tensors") if name in found]
    found["Prediction"] = {"oneOf": every} if len(every) > 1 else dict(every[0])
    each = {"anyOf": [ref("Prediction"), ref("Problem")]}
    results = {"type": "array", "items": each, "minItems": 1, "maxItems": settings.max_batch}
    found["Results"] = closed(
        {"results": results}, description="A prediction or a problem for each URL, in order."
    )
    found["Status"] = closed({"status": {"enum": ["ok", "ready"]}})
    return found | {"Answer": {"oneOf": [ref("Prediction"), ref("Results")]}}


def model(names: Sequence[str]) -> dict[str, Any]:
    """Return the schema of what ``/model`` tells."""
    text, whole, number = {"type": "string"}, {"type": "integer"}, {"type": "number"}
    several = {"type": "array", "items": number}
    tensor: dict[str, Any] = {
        "name": text,
        "shape": {"type": "array", "items": whole},
        "dtype": {"enum": list(WIDTHS)},
        "quantization": closed({"scale": number, "zero_point": whole}),
    }
    taken = tensor | {
        "layout": {"enum": list(LAYOUTS)},
        "channels": {"enum": list(CHANNELS)},
        "resize": {"enum": list(RESIZE)},
        "resizer": {"enum": list(RESIZERS)},
        "fit": {"enum": list(FIT)},
        "crop": number,
        "range": {"anyOf": [text, closed({"mean": several, "std": several})]},
        "side": whole,
        "antialias": {"type": "boolean"},
        "preset": text,
    }
    output = {"activation": text, "offset": whole, "scores": text, "boxes": text, "classes": text, "count": text}
    output |= {"shape": tensor["shape"], "dtype": tensor["dtype"]}
    described = {
        "name": text,
        "sha256": SHA256,
        "task": {"enum": list(TASKS)},
        "engine": text,
        "signature": text,
        "input": closed(taken, ("quantization", "side", "antialias", "preset")),
        "outputs": {"type": "array", "items": closed(tensor, ("quantization",))},
        "output": closed(output, tuple(output)[2:]),
        "labels": {"type": "array", "items": text},
        "certified": {"type": "boolean"},
        "certificate": {"type": "object"},
        "models": SEVERAL | {"const": list(names)},
    }
    optional = ("signature", "output", "certified", "certificate", "models")
    return {"Model": closed(described, optional, description="What a model is, is fed with, and answers.")}
