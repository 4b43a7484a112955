"""What was asked for, read and checked before anything heavy is imported."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from mlserverless import engines as known
from mlserverless import model_toml
from mlserverless.conversion import folder
from mlserverless.conversion.problem import Misused
from mlserverless.conversion.quantise import QUANTISATIONS
from mlserverless.conversion.source import Source, recognise
from mlserverless.errors import ModelUnavailable
from mlserverless.metadata.labels import parse
from mlserverless.model_toml import ACTIVATIONS, Input

FORMS = {"tflite": ".tflite", "onnx": ".onnx"}


class Plan(NamedTuple):
    """What is to be done. ``given`` is the section [input], ``wanted`` what it comes to; "" and (): not said."""

    source: Source
    out: Path
    quantize: str
    form: str
    given: dict[str, Any]
    wanted: Input
    labels: tuple[str, ...]
    name: str
    activation: str
    calibrate: Path | None
    images: Path | None
    engines: tuple[str, ...]


def plan(source: Any, out: str | os.PathLike[str], force: bool, input: Mapping[str, Any], **asked: Any) -> Plan:
    """Return the plan of what was ``asked`` of :func:`mlserverless.conversion.run.convert`; raise Misused."""
    quantize, to = asked["quantize"], asked["to"]
    folder.check(Path(out), force)
    _one_of("quantize", quantize, QUANTISATIONS)
    _one_of("to", to, ("", *FORMS))
    _one_of("activation", asked["activation"], ("", *ACTIVATIONS))
    if asked["calibrate"] and quantize != "int8":
        raise Misused(f"--calibrate is for --quantize int8; {quantize} needs no pictures.")
    found = recognise(source)
    form = to or ("onnx" if found.framework == "sklearn" else "tflite")
    for engine in asked["engines"]:
        _one_of("engines", engine, known.ONNX if form == "onnx" else known.ORDER)
    try:
        wanted = model_toml.read_input(dict(input), "the options")
    except ModelUnavailable as error:
        raise Misused(str(error)) from error
    return Plan(
        found,
        Path(out),
        quantize,
        form,
        dict(input),
        wanted,
        _labels(asked["labels"]),
        asked["name"] or Path(out).resolve().name,
        asked["activation"],
        Path(asked["calibrate"]) if asked["calibrate"] else None,
        Path(asked["images"]) if asked["images"] else None,
        tuple(asked["engines"]),
    )


def _one_of(option: str, value: str, accepted: Sequence[str]) -> None:
    if value not in accepted:
        raise Misused(f"--{option} is {value!r}; accepted are {', '.join(filter(None, accepted))}.")


def _labels(given: Any) -> tuple[str, ...]:
    if given is None or not isinstance(given, str | os.PathLike):
        return tuple(given or ())
    try:
        return parse(Path(given).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise Misused(f"The label file {os.fspath(given)} cannot be read: {error}.") from error
