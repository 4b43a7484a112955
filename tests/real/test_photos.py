"""Seven photos, two engines: the same first class, the right one, and scores that are close."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from helpers.images import TOP
from mlserverless import Predictor
from mlserverless.engines import EngineMissing, tflite
from mlserverless.local.parts import Part, fetch

from .origin import PHOTOS

pytestmark = pytest.mark.real
# scikit-image's documentation names no licence for this photo, so it is read from its wheel, not kept here.
MOTORCYCLE = Part(
    "scikit-image==0.26.0",
    "74aa5518ccea28121f57a95374581d3b979839adc25bb03f289b1bc9b99c58af",
    "skimage/data/motorcycle_left.png",
)
RIGHT = {**TOP, "motorcycle": "moped"}


def tflite_runtime_missing() -> str | None:
    try:
        tflite.interpreter_module("tflite-runtime")
    except EngineMissing as error:
        return str(error)
    return None


@pytest.mark.parametrize("photo", RIGHT)
def test_both_engines_say_the_same(photo: str, need: Callable[[str | None], None]) -> None:
    need(tflite_runtime_missing())
    path = PHOTOS / photo
    if photo == "motorcycle":
        here = f"{sys.platform}, Python {sys.version_info[0]}.{sys.version_info[1]}"
        need(None if here == "linux, Python 3.11" else f"its wheel is for Linux and Python 3.11, this is {here}")
        path = Path(fetch(MOTORCYCLE)) / MOTORCYCLE.prefix
    best = {name: Predictor(engine=name).predict(path).predictions[0] for name in ("litert", "tflite-runtime")}
    assert best["litert"].label == best["tflite-runtime"].label == RIGHT[photo]
    assert best["litert"].score == pytest.approx(best["tflite-runtime"].score, abs=0.05)
