"""The function path imports no numpy: a whole prediction from an http origin, in a process of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from helpers.images import encode
from helpers.origin import Origin, Reply, response, serving

PREDICT = """
import json, sys
before = set(sys.modules)
from mlserverless.predictor import Predictor
answer = Predictor(sys.argv[1]).predict(sys.argv[2], timeout=60).to_dict()
print(json.dumps([answer, sorted(name for name in set(sys.modules) - before if "." not in name)]))
"""
# numpy itself, what drags it in, and what the path was built to do without
UNWANTED = {"numpy", "ai_edge_litert", "tflite_runtime", "ml_dtypes", "flatbuffers", "dataclasses", "obstore"}


@pytest.fixture(scope="module")
def origin(photos: Path) -> Iterator[Origin]:
    cat = Image.open(photos / "chelsea.png").convert("RGB")
    turned = Image.Exif()
    turned[0x0112] = 1
    replies: dict[str, Reply] = {
        "/cat.png": response((photos / "chelsea.png").read_bytes()),
        "/cat.jpg": response(encode(cat, "JPEG", quality=95, exif=turned)),
        "/cat.webp": response(encode(cat, "WEBP", quality=95)),
        "/alpha.png": response(encode(cat.convert("RGBA"))),
        "/palette.png": response(encode(cat.quantize(256), transparency=b"\xff\xfe")),
        "/grey16.png": response(encode(cat.convert("I").convert("I;16"))),
    }
    with serving(replies) as running:
        yield running


@pytest.mark.parametrize(
    "path", ["/cat.png", "/cat.jpg", "/cat.webp", "/alpha.png", "/palette.png", "/grey16.png"]
)
@pytest.mark.parametrize("model", ["efficientnet-lite0", "dogs-vs-cats"])
def test_prediction_from_a_url_imports_no_numpy(models: Path, origin: Origin, model: str, path: str) -> None:
    environ = {**os.environ, "MLSERVERLESS_ALLOW_PRIVATE_ADDRESSES": "true", "MLSERVERLESS_ENGINE": "litert"}
    done = subprocess.run(
        [sys.executable, "-c", PREDICT, str(models / model), origin.url(path)],
        check=False,
        capture_output=True,
        text=True,
        env=environ,
        timeout=120,
    )
    assert (done.returncode, done.stderr) == (0, "")
    answer, modules = json.loads(done.stdout)
    assert UNWANTED & set(modules) == set()
    assert {"PIL", "ctypes"} <= set(modules)
    if model == "efficientnet-lite0" and path != "/grey16.png":
        assert "cat" in answer["predictions"][0]["label"]
    assert answer["model"] == model
    assert 0 <= answer["predictions"][0]["score"] <= 1
