"""Which engines run a model: each is given it in a process of its own, and one that crashes ends nothing else."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from mlserverless import engines
from mlserverless.config import PREFIX
from mlserverless.inspection.ops import Use, lacks

SECONDS = 120.0  # TensorFlow alone takes some to be imported
HERE = Path(__file__).resolve().parents[2]
TFLITE, ONNX = engines.ORDER, engines.ONNX
RUNS, LOADS, REFUSED, CRASHED, MISSING, UNTRIED = (
    "runs",
    "loads",
    "refused",
    "crashed",
    "not installed",
    "not tried",
)


class Verdict(NamedTuple):
    """What an engine makes of a model.

    ``status``: "runs" (it answered zeros), "loads" (and was not run: it has not one input), "refused", "crashed",
    "not installed" or "not tried". ``told``: what the engine says; ``lacks``: the operators that it lacks, as it
    was measured.
    """

    engine: str
    status: str
    told: str = ""
    milliseconds: float = 0.0
    lacks: tuple[str, ...] = ()


def run(path: str, names: Sequence[str], size: Sequence[int] = (), signature: str = "") -> list[Verdict]:
    """Give the model at ``path`` to each of the engines ``names``, two at a time.

    ``size`` is the (height, width) in pixels of an input that leaves them open.
    """
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(lambda engine: _verdict(path, engine, size, signature), names))


def environment() -> dict[str, str]:
    """Return the variables of a process that reads a model: this one's without the settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    return {**kept, "PYTHONPATH": str(HERE)}


def _verdict(path: str, engine: str, size: Sequence[int], signature: str) -> Verdict:
    asked = json.dumps({"path": path, "engine": engine, "size": list(size), "signature": signature})
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "mlserverless.inspection.child"],
            input=asked.encode(),
            capture_output=True,
            env=environment(),
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Verdict(engine, CRASHED, f"no answer within {SECONDS:.0f} s")
    said = done.stderr.decode(errors="replace")
    if done.returncode < 0:
        return Verdict(engine, CRASHED, f"it ends the process, by signal {-done.returncode}")
    if done.returncode or not done.stdout:
        last = said.strip().splitlines()
        return Verdict(engine, CRASHED, f"code {done.returncode}: {last[-1] if last else 'nothing was said'}")
    found = Verdict(engine, **json.loads(done.stdout.splitlines()[-1]))
    return found._replace(told=_reason(found.told, said)) if found.status == REFUSED else found


def _reason(told: str, said: str) -> str:
    """Return why the engine refuses: LiteRT's C interface has only a number, and writes its reason to the log."""
    first = next((line for line in said.splitlines() if line.startswith("ERROR: ")), "")
    return first.removeprefix("ERROR: ").strip() if first and "status" in told else told


def lacking(verdict: Verdict, uses: Sequence[Use]) -> tuple[str, ...]:
    """Return what the engine lacks of the operators ``uses``, as it was measured, where it does not run the model.

    Where it is not installed, this is all that can be told.
    """
    if verdict.status == RUNS:
        return ()
    return tuple(dict.fromkeys(filter(None, (lacks(use, verdict.engine) for use in uses))))
