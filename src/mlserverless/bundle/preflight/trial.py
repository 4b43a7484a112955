"""The model, loaded and asked once in a process of its own: does it work, and how much memory does it take?"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from mlserverless.config import PREFIX

SECONDS = 120.0
PIXELS = 12_000_000  # as the camera of a phone makes them
HERE = Path(__file__).resolve().parents[3]
# It prints one JSON object. The image is made by a process of its own, whose memory does not count.
MAKE = """
import sys
from PIL import Image
side = int(int(sys.argv[1]) ** 0.5)
Image.radial_gradient("L").resize((side, side)).convert("RGB").save(sys.stdout.buffer, "JPEG", quality=90)
"""
ASK = """
import json, resource, sys
from contextlib import suppress
from mlserverless import engines, errors, model, naming
from mlserverless.config import Settings
from mlserverless.predictor import Predictor
def tell(**told):
    print(json.dumps(told))
    raise SystemExit
try:
    settings = Settings.load(model=sys.argv[1], models=sys.argv[2:])
except errors.ConfigError:
    tell(problem="settings")
try:
    named = naming.names(settings)
except errors.ModelUnavailable as error:
    tell(problem="names", told=str(error))
for place, where in enumerate(named.values()):
    try:
        found = model.load(where)
    except errors.ModelUnavailable as error:
        tell(problem="model", told=str(error), place=place)
    order = engines.order(found.data, engines.Wanted(delegates=found.delegates))
    try:
        if settings.engine in ("auto", *order):
            engines.select(settings.engine, order)
    except errors.ModelUnavailable as error:
        tell(problem="engine", told=str(error), place=place)
predictor = Predictor(sys.argv[1], models=sys.argv[2:])
every = [predictor.named(name) for name in named]
loaded = []
for place, one in enumerate(every):
    try:
        loaded.append(one.load())
    except errors.MlserverlessError as error:
        tell(problem="model", told=str(error), place=place)
image = sys.stdin.buffer.read()
for one in every:
    with suppress(errors.MlserverlessError):
        one.predict(image, timeout=60)
try:  # what the kernel says of this program alone: the other counts the one that started it too
    with open("/proc/self/status") as file:
        peak = next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmHWM"))
except (OSError, StopIteration):
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
models = []
for one in loaded:
    labels = one.model.labels
    numbers = labels == tuple(map(str, range(len(labels))))  # what stands for them where there are none
    classes = len(labels) if one.task == "classify" else 0
    models.append((classes, 0 if numbers else len(labels), one.task, one.engine))
tell(peak=peak, models=models)
"""


class Tried(NamedTuple):
    """What a model turned out to be. ``classes`` (a classifier's) and ``labels`` are numbers of them."""

    classes: int = 0
    labels: int = 0
    task: str = "classify"
    engine: str = ""


class Trial(NamedTuple):
    """What came of it: the ``peak`` of memory in bytes, the ``models``; or a ``problem`` and what was told of it.

    A problem is "settings", "names" (two are called alike), "engine" (none that can run it is on this machine),
    "model" or "crash"; ``place`` is that of the model in question.
    """

    peak: int = 0
    problem: str = ""
    told: str = ""
    place: int = 0
    models: tuple[Tried, ...] = ()


def run(model: Path, project: Path, pixels: int = PIXELS, others: tuple[str, ...] = ()) -> Trial:
    """Load the model with the project's settings, ``others`` beside it; each predicts a JPEG of ``pixels``.

    ``others`` are as the setting ``models`` has them.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    environment = {**kept, "PYTHONPATH": str(HERE)}
    try:
        image = _python([MAKE, str(pixels)], environment, project)
        done = _python([ASK, str(model.resolve()), *others], environment, project, image.stdout)
    except subprocess.TimeoutExpired:
        return Trial(problem="crash", told=f"no answer within {SECONDS:.0f} s")
    if done.returncode:
        last = done.stderr.decode(errors="replace").strip().splitlines()
        told = last[-1] if last else "nothing was said"
        return Trial(problem="crash", told=f"the process ended with code {done.returncode}: {told}")
    answer = json.loads(done.stdout.splitlines()[-1])
    return Trial(**answer | {"models": tuple(Tried(*one) for one in answer.get("models", ()))})


def _python(
    arguments: list[str], environment: dict[str, str], folder: Path, data: bytes = b""
) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-P", "-c", *arguments]
    return subprocess.run(  # noqa: S603 - our own words
        command, input=data, capture_output=True, env=environment, cwd=folder, timeout=SECONDS, check=False
    )
