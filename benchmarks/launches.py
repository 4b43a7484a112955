"""A Lambda sandbox's first invoke after init against its warm ones: the real awslambdaric under a Runtime API."""

import json
import shutil
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from benchmarks.children import ROOT, Failed, model, ratio, summary
from helpers.figures import Figure, Scale
from mlserverless.local.aws.function import Function
from mlserverless.local.aws.sandboxes import Sandboxes

MEMORY_MB, TIMEOUT_S = 3538, 30.0  # two vCPUs, which this measures on
WARM = 30  # invokes after the first


def measure(scale: Scale, url: str, bar: float) -> Figure:
    """Return the figure of ``url``, asked of one fresh sandbox after the other, held to ``bar``."""
    first: list[float] = []
    warm: list[float] = []
    init: list[float] = []
    answers: set[str] = set()
    with TemporaryDirectory() as folder:
        function = _function(Path(folder))
        for _ in range(scale.of(15, 3)):
            sandboxes = Sandboxes(function, 1)
            try:
                init_ms, spent, said = _sandbox(sandboxes, _event(url), scale.of(WARM, 10))
            finally:
                sandboxes.close()
            init.append(init_ms)
            first.append(spent[0])
            warm.append(median(spent[1:]))
            answers |= said
    if len(answers) != 1:
        raise Failed(f"the sandboxes answered differently: {answers}")
    times = ratio(first, warm)
    return Figure(
        f"Lambda, {MEMORY_MB:,} MB, an http image: first invoke after init against the median of "
        f"{scale.of(WARM, 10)} more",
        f"≤ {bar} ×",
        f"{times}, medians {median(first):.1f} against {median(warm):.1f} ms, init {median(init):.0f} ms, "
        f"{len(first)} fresh sandboxes",
        times.median <= bar,
        {"milliseconds": {"first": summary(first), "warm": summary(warm), "init": summary(init)}},
    )


def _function(folder: Path) -> Function:
    # The folder as it is deployed, beside this checkout's package.
    shutil.copy(ROOT / "adapters" / "aws" / "app.py", folder)
    settings = {"MLSERVERLESS_MODEL": str(model()), "MLSERVERLESS_ALLOW_PRIVATE_ADDRESSES": "true"}
    return Function("app.handler", folder, TIMEOUT_S, MEMORY_MB, settings)


def _event(url: str) -> bytes:
    event = {
        "version": "2.0",
        "rawPath": "/predict",
        "requestContext": {"http": {"method": "POST", "path": "/predict"}, "stage": "$default"},
        "headers": {"content-type": "application/json"},
        "body": json.dumps({"url": url}),
    }
    return json.dumps(event).encode()


def _sandbox(sandboxes: Sandboxes, event: bytes, more: int) -> tuple[float, list[float], set[str]]:
    """Return one sandbox's milliseconds of init and of each invoke, and what it answered."""
    spent: list[float] = []
    said: set[str] = set()
    init = 0.0
    for _ in range(1 + more):
        done = sandboxes.invoke(event)
        if done.function_error:
            raise Failed(f"the function failed: {done.payload.decode()}")
        init = done.init_ms or init
        spent.append(done.duration_ms)
        said.add(json.loads(done.payload)["body"])
    return init, spent, said
