"""What the largest bodies of inference requests take in memory, each in a process of its own."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from helpers.figures import Figure, Scale, skip
from security.memory import MB, unmeasurable

NAME, BAR = "an inference body of 10 MB in memory", "≤ 200 MB above baseline in JSON; in binary ≤ 3 times its size"
LARGEST, IN_JSON, IN_BINARY = 10_000_000, 200 * MB, 3
MODEL, SIDE = "efficientnet-lite0", 224
ELEMENTS = SIDE * SIDE * 3
# Asked once before with a small body, so that neither the model nor the modules count.
ASK = """
import json, sys
from mlserverless.predictor import Predictor
from mlserverless.serving import Service
from mlserverless.web.app import WebApp
from mlserverless.web.http import HttpRequest
from security.memory import cost
name, length, path = sys.argv[1:]
app = WebApp(Service(lambda: Predictor(name), write=lambda _: None))
def ask(body, headers):
    return app(HttpRequest("POST", f"/v2/models/{name}/infer", "", headers, body)).status
assert ask(bytes(150528), {"inference-header-content-length": "0"}) == 200
with open(path, "rb") as file:
    body = file.read()
status, spent = cost(lambda: ask(body, {"inference-header-content-length": length} if length else {}))
print(json.dumps([status, spent.seconds, spent.bytes]))
"""


def figure(scale: Scale) -> Figure:
    """Return the figure; the shortened form leaves out the bodies that are like others."""
    if reason := unmeasurable():
        return skip(NAME, BAR, reason)
    taken, sizes, details = dict[str, int](), dict[str, int](), dict[str, str]()
    with tempfile.TemporaryDirectory() as folder:
        for name, length, body in _bodies(short=scale.short):
            assert len(body) <= LARGEST, name
            path = Path(folder) / "body"
            path.write_bytes(body)
            sizes[name] = len(body)
            words = [sys.executable, "-c", ASK, MODEL, str(length or ""), str(path)]
            done = subprocess.run(
                words, capture_output=True, text=True, check=True, env={"PYTHONPATH": "tests"}, timeout=120
            )
            status, seconds, taken[name] = json.loads(done.stdout.splitlines()[-1])
            details[name] = f"{len(body):,} bytes: {status} in {seconds:.2f} s, {taken[name] / MB:.0f} MB"
    binary = taken.pop("in binary") / sizes["in binary"]
    worst = max(taken, key=taken.__getitem__)
    measured = f"{taken[worst] / MB:.0f} MB ({worst}); {binary:.1f} times its size in binary"
    return Figure(NAME, BAR, measured, taken[worst] <= IN_JSON and binary <= IN_BINARY, details)


def _bodies(*, short: bool) -> Iterator[tuple[str, int, bytes]]:
    """Yield name, length of the JSON where binary follows, body."""
    head = _head(16, f'"parameters":{{"binary_data_size":{16 * ELEMENTS}}}')
    yield "in binary", len(head), head + bytes(16 * ELEMENTS)
    rows = LARGEST // (SIDE * 14 * SIDE)  # images, of "[0.1,0.1,0.1]," a pixel
    nested = json.dumps([[[["x"] * 3] * SIDE] * SIDE] * rows, separators=(",", ":")).replace('"x"', "0.1")
    yield "nested floats", 0, _head(rows, f'"data":{nested}')
    if short:
        return
    yield "flat floats", 0, _head(16, '"data":[' + "0.1," * (16 * ELEMENTS - 1) + "0.1]")
    yield "a text with a character of four bytes", 0, ('"😀' + "a" * (LARGEST - 6) + '"').encode()
    yield "flat whole numbers", 0, _head(16, '"data":[' + "300," * (16 * ELEMENTS - 1) + "300]")
    yield "small lists", 0, b"[" + b"[0.1]," * (16 * ELEMENTS // 3) + b"[]]"
    yield "too many numbers", 0, b"[" + b"0," * (LARGEST // 2 - 2) + b"0]"
    yield "nothing but brackets", 0, b"[" * LARGEST


def _head(inputs: int, rest: str) -> bytes:
    told = f'{{"inputs":[{{"name":"image","datatype":"UINT8","shape":[{inputs},{SIDE},{SIDE},3],{rest}}}]}}'
    return told.encode()
