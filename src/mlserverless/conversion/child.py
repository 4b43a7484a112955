"""Run in a process of its own: load a model folder with one engine, run it on the pictures that are asked for.

The first line on standard input says what to load; each further one is the place of a picture. Every line that it
writes is an answer. The model runs through the stages that serve it.
"""

import base64
import json
import os
import sys
import time
from array import array
from typing import Any

from mlserverless import formats, loading, postprocess, prepare, preprocess
from mlserverless.config import Settings
from mlserverless.conversion.pixels import MAX_PIXELS
from mlserverless.deadline import Deadline
from mlserverless.errors import MlserverlessError


def main() -> None:
    """Load, then answer until standard input ends."""
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # an engine may print
    asked = json.loads(sys.stdin.readline())
    try:
        loaded = loading.load(Settings(model=asked["folder"], engine=asked["engine"], concurrency=1))
        inputs = [_input(loaded, path) for path in asked["pictures"]]
    except MlserverlessError as error:
        _tell(out, {"refused": str(error)})
        return
    shapes = [list(tensor.shape) for tensor in loaded.outputs]
    _tell(out, {"task": loaded.task, "place": loaded.places[0], "shapes": shapes, "dtype": loaded.input.dtype})
    for line in sys.stdin:
        data = inputs[int(line)]
        begin = time.perf_counter()
        outputs = loaded.pool.run(lambda one, data=data: one.run(data), Deadline())  # type: ignore[misc]
        took = time.perf_counter() - begin
        real = [
            base64.b64encode(array("f", postprocess.real(bytes(value), tensor)).tobytes()).decode()
            for value, tensor in zip(outputs, loaded.outputs, strict=True)
        ]
        _tell(out, {"milliseconds": 1000 * took, "outputs": real})


def _input(loaded: loading.Loaded, path: str) -> bytes:
    with open(path, "rb") as file:
        image = formats.open_image(file.read(), formats=tuple(formats.PLUGINS), max_pixels=MAX_PIXELS)
    wanted = loaded.model.input
    ready = prepare.prepare_input(image, loaded.target, wanted)
    return preprocess.tensor_bytes(ready.pixels, wanted.range, loaded.input, loaded.target)


def _tell(out: Any, answer: dict[str, Any]) -> None:
    out.write(json.dumps(answer) + "\n")
    out.flush()


if __name__ == "__main__":
    main()
