"""Run in a process of its own: give a model to one engine, run it once on zeros, tell what came of it as JSON."""

import json
import os
import sys
import time
from math import prod
from typing import Any

from mlserverless import engines
from mlserverless.errors import ModelUnavailable
from mlserverless.inspection import trial
from mlserverless.inspection.graph import bits


def main() -> None:
    """Read what is asked from standard input; write the answer to what is the standard output now."""
    out = os.dup(1)
    os.dup2(2, 1)  # an engine may print
    answer = tried(**json.load(sys.stdin))
    with os.fdopen(out, "w") as stream:
        json.dump(answer, stream)


def tried(path: str, engine: str, size: list[int], signature: str) -> dict[str, Any]:
    """Return the fields of a :class:`~mlserverless.inspection.trial.Verdict`."""
    with open(path, "rb") as file:
        data = file.read()
    wanted = engines.Wanted(signature, tuple(size))
    try:
        found = engines.select(engine, engines.order(data, wanted))
    except ModelUnavailable as error:
        _, _, reason = str(error).rpartition(f"{engine}: ")
        return {"status": trial.MISSING, "told": reason.rstrip(".")}
    try:
        interpreter = found.load(data, 1, wanted)
        inputs = interpreter.inputs
        if len(inputs) != 1:
            return {"status": trial.LOADS, "told": f"not run: it has {len(inputs)} inputs"}
        zeros = bytes(prod(inputs[0].shape) * bits(inputs[0].dtype) // 8)
        begin = time.perf_counter()
        interpreter.run(zeros)
    except Exception as error:  # noqa: BLE001 - told, whatever it is
        told = str(error) if isinstance(error, ModelUnavailable) else f"{type(error).__name__}: {error}"
        return {"status": trial.REFUSED, "told": told}
    return {"status": trial.RUNS, "milliseconds": round((time.perf_counter() - begin) * 1000, 1)}


if __name__ == "__main__":
    main()
