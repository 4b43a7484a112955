"""The presets against the libraries' own preprocessing: the values of every pixel, sizes, crops and methods."""

from array import array
from typing import Any

import numpy as np
from PIL import Image

from helpers.figures import Figure, Scale
from helpers.goldens import tensors, told
from mlserverless import preprocess, presets
from mlserverless.engines import Tensor
from mlserverless.model_toml import Input, read_input

BAR = 1e-6
SIDE = 16
Array = np.ndarray[Any, np.dtype[Any]]
# As in tests/golden/make.py: every value in every channel.
RAMP = np.stack([np.arange(256, dtype=np.uint8) ^ mask for mask in (0, 0x55, 0xFF)], 1).reshape(SIDE, SIDE, 3)
BETWEEN = (RAMP * np.float32(0.997) + np.float32(0.3)).astype(np.float32)


def measure(scale: Scale) -> list[Figure]:
    """Return a figure for each mode of Keras and range of torchvision, and one for the tables."""
    rows: dict[str, list[tuple[str, float]]] = {}
    for name, preset in told()["presets"].items():
        for kind in ("whole", "between"):
            if f"{preset['values']}/{kind}" in tensors():
                rows.setdefault(row(name, kind), []).append((name, largest(name, kind)))
    figures = [_figure(name, dict(found)) for name, found in sorted(rows.items())]
    wrong = {name: why for name in sorted({*told()["presets"], *named()}) if (why := differs(name))}
    shown = f"{len(told()['presets'])} presets, {len(wrong)} other than the library says"
    return [
        *figures,
        Figure("sizes, crops and methods of the presets", "0 wrong, 0 missing", shown, not wrong, wrong),
    ]


def _figure(name: str, found: dict[str, float]) -> Figure:
    most = max(found.values())
    shown = f"≤ {most:.1e}" if most else "bit-exact"
    return Figure(name, f"≤ {BAR:g}", f"{shown}; {len(found)} models", most <= BAR, found)


def row(name: str, kind: str) -> str:
    """Return the line of the table that a preset's values belong to."""
    scale = wanted(name).range
    mode = {"raw": "raw", "signed": "tf", "imagenet": "torch", "caffe": "caffe"}.get(str(scale), "mean and std")
    what = "whole pixels" if kind == "whole" else "pixels between whole ones"
    return f"{name.partition('/')[0]}, mode {mode}, {what}"


def named() -> list[str]:
    """Return the presets that have a library's own preprocessing behind them."""
    return [name for name in presets.every() if not name.startswith("mediapipe/")]


def wanted(name: str) -> Input:
    """Return what the preset says."""
    return read_input({"preset": name}, "model.tflite")


def values(name: str, kind: str) -> Array:
    """Return what this package makes of every pixel value, (16, 16, 3)."""
    given = wanted(name)._replace(size=())
    tensor = Tensor("", (1, SIDE, SIDE, 3), "float32")
    target = preprocess.check(given, tensor)
    pixels: Any = RAMP.tobytes()
    if kind == "between":
        channels = (array("f", BETWEEN[..., channel].tobytes()) for channel in range(3))
        pixels = tuple(Image.frombytes("F", (SIDE, SIDE), channel.tobytes()) for channel in channels)
    data = preprocess.tensor_bytes(pixels, given.range, tensor, target)
    return np.frombuffer(data, "<f4").reshape(SIDE, SIDE, 3)


def largest(name: str, kind: str) -> float:
    """Return the largest difference from the library's values."""
    theirs = tensors()[f"{told()['presets'][name]['values']}/{kind}"]
    return float(np.abs(values(name, kind) - theirs).max())


def differs(name: str) -> str:
    """Return what a preset says otherwise than its library, "" where nothing."""
    theirs, ours = told()["presets"].get(name), presets.every().get(name)
    if theirs is None or ours is None:
        return "missing " + ("here" if ours is None else "in the library")
    if name.startswith("keras/"):
        said: tuple[Any, ...] = (theirs["side"],)
        here: tuple[Any, ...] = (ours["size"][0],)
    else:
        said = theirs["size"], theirs["side"], theirs["resize"]
        here = ours["size"][0], ours["side"], ours["resize"]
    return "" if said == here else f"{here}, but the library says {said}"
