"""The golden tensors that the real libraries made, and what this package makes of the same pixels."""

import json
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from golden.cases import SOURCES, STEP, Case, cases, pixels
from mlserverless import prepare, preprocess
from mlserverless.engines import Tensor
from mlserverless.model_toml import Input, read_input

HERE = Path(__file__).parents[1] / "golden"
LIBRARIES = ("tensorflow", "torch", "mediapipe")
MODES = {1: "L", 3: "RGB", 4: "RGBA"}
Array = np.ndarray[Any, np.dtype[Any]]


class Difference(NamedTuple):
    """How far a tensor is from the library's: whether its bytes are the same; the largest difference, 0…255."""

    exact: bool
    largest: float


@lru_cache(maxsize=1)
def tensors() -> dict[str, Array]:
    """Return what is kept of each tensor, flat, by its name."""
    found: dict[str, Array] = {}
    for library in LIBRARIES:
        with np.load(HERE / f"{library}.npz") as kept:
            found |= {name: kept[name] for name in kept.files}
    return found


@lru_cache(maxsize=1)
def told() -> dict[str, Any]:
    """Return the versions of each library, the sha256 of each tensor, and what each preset is."""
    files = {library: json.loads((HERE / f"{library}.json").read_text(encoding="utf-8")) for library in LIBRARIES}
    return {
        "versions": {library: file["versions"] for library, file in files.items()},
        "sha256": {name: digest for file in files.values() for name, digest in file["sha256"].items()},
        "presets": {name: preset for file in files.values() for name, preset in file.get("presets", {}).items()},
    }


def wanted(case: Case) -> Input:
    """Return the [input] of a model that wants its images so."""
    return read_input({"resizer": case.library, "range": "raw", **case.options}, "model.tflite")


@lru_cache(maxsize=8)
def source(name: str) -> Image.Image:
    """Return a source of the golden tensors."""
    width, height, channels = SOURCES[name]
    return Image.frombytes(MODES[channels], (width, height), pixels(name))


def ours(case: Case) -> bytes:
    """Return the bytes, float32, that this package would give a model for the case."""
    (width, height), channels = case.target, SOURCES[case.source][2]
    tensor, given = Tensor("", (1, height, width, channels), "float32"), wanted(case)
    target = preprocess.check(given, tensor)
    prepared = prepare.prepare_input(source(case.source), target, given)
    return preprocess.tensor_bytes(prepared.pixels, given.range, tensor, target)


def difference(case: Case, data: bytes | None = None) -> Difference:
    """Return how far ours, or ``data``, is from the library's tensor."""
    data = ours(case) if data is None else data
    kept, found = tensors()[case.name].astype(np.float32), np.frombuffer(data, "<f4")
    found = found if kept.size == found.size else found[::STEP]
    return Difference(
        sha256(data).hexdigest() == told()["sha256"][case.name], float(np.abs(found - kept).max(initial=0))
    )


__all__ = ["Case", "Difference", "cases", "difference", "ours", "source", "tensors", "told", "wanted"]
