"""Conversions: three sources in four quantisations, each by `mlserverless convert` in its framework's environment.

The sources are one network with its trained weights, EfficientNet-Lite0, in Keras, in PyTorch, and as the ONNX
file that PyTorch writes. They are compared on 270 crops of nine photos, of which none is among the 120 that
calibrate.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from helpers.figures import Figure, Scale, skip
from mlserverless.conversion import pixels, report, trial
from mlserverless.inspection.trial import RUNS

ROOT = Path(__file__).resolve().parents[2]
SOURCES = Path(__file__).parent / "sources"
TENSORFLOW, TORCH = ROOT / ".venv-tensorflow", ROOT / ".venv-torch"
MADE = "`make models` makes it"
# Of pictures with the same best class; dynamic has 8 bits in its weights alone, and is held to int8's bar.
BARS = {"none": 0.995, "float16": 0.995, "dynamic": 0.93, "int8": 0.93}
OTHER_BAR = 0.93  # on tflite-runtime, whose kernels round otherwise
ENGINES = "litert,tflite-runtime"  # the second is not there, so its operators' versions are checked
INPUT = ("--range", "127/128")
SHORT = 40  # pictures
SECONDS = 1800.0


class Case(NamedTuple):
    """A source: the environment that converts it, and what `mlserverless convert` is given."""

    name: str
    venv: Path
    given: tuple[str, ...]


def measure(scale: Scale) -> list[Figure]:
    """Return a figure for each conversion, one for the other engine, one for the versions of operators."""
    with tempfile.TemporaryDirectory(prefix="mlserverless-conversions-") as place:
        folder = Path(place)
        if not _python(TENSORFLOW).is_file():
            return [skip("conversions", "≥ 99.5 % float, ≥ 93 % int8", f"{TENSORFLOW.name} is not here: {MADE}")]
        _make(TENSORFLOW, "crops", folder)
        if scale.short:
            _shorten(folder / "images")
        figures, models = [], []
        for case in _cases(folder, scale):
            if not _python(case.venv).is_file():
                why = f"{case.venv.name} is not here: {MADE}"
                figures.append(skip(f"{case.name}, converted", "≥ 99.5 % float, ≥ 93 % int8", why))
                continue
            for quantize in ("int8",) if scale.short else BARS:
                out = folder / f"{case.name}-{quantize}".replace(" ", "-")
                figures.append(_converted(case, quantize, out, folder))
                models.append(out)
        return [*figures, _elsewhere(models, folder / "images"), _versions()]


def _cases(folder: Path, scale: Scale) -> list[Case]:
    _make(TENSORFLOW, "keras", folder)
    found = [Case("Keras", TENSORFLOW, (str(folder / "lite0.keras"),))]
    if not scale.short:
        if _python(TORCH).is_file():
            _make(TORCH, "onnx", folder)
            found.append(Case("ONNX", TENSORFLOW, (str(folder / "lite0.onnx"),)))
        found.append(Case("PyTorch", TORCH, ("sources.lite0:lite0", "--input-shape", "1,3,224,224")))
    return found


def _shorten(images: Path) -> None:
    files = sorted(images.iterdir())
    for path in set(files) - set(files[:: len(files) // SHORT]):
        path.unlink()


def _converted(case: Case, quantize: str, out: Path, folder: Path) -> Figure:
    command = [
        *(str(case.venv / "bin" / "mlserverless"), "convert", *case.given[:1], "--out", str(out)),
        *(*case.given[1:], *INPUT),
        *("--quantize", quantize, "--images", str(folder / "images"), "--engines", ENGINES, "--json"),
    ]
    if quantize == "int8":
        command += ["--calibrate", str(folder / "calibrate")]
    told: dict[str, Any] = json.loads(_run(command, folder))
    one = next(entry for entry in told["engines"] if entry["status"] == RUNS)
    size, before = report.size(told["converted_bytes"]), report.size(told["original_bytes"])
    shown = (
        f"{one['agreement']:.1%} of {told['pictures']}, difference ≤ {one['largest']:.2g}; {before} → {size}; "
        f"{told['original_milliseconds']:.0f} → {one['milliseconds']:.0f} ms"
    )
    bar = BARS[quantize]
    return Figure(f"{case.name} → {quantize}", f"≥ {bar:.1%} the same", shown, one["agreement"] >= bar, told)


def _elsewhere(models: list[Path], images: Path) -> Figure:
    """Return whether tflite-runtime runs all of the ``models`` and answers as LiteRT does."""
    name, bar = "the same files on tflite-runtime and LiteRT", f"all load, ≥ {OTHER_BAR:.0%} the same"
    found: dict[str, float] = {}
    paths = pixels.found(images)
    for model in models:
        _, trials = trial.run(model, ("litert", "tflite-runtime"), paths, lambda _: [])
        base, other = trials
        if other.status != RUNS or base.status != RUNS:
            if other.status == "not installed":
                return skip(name, bar, other.told)
            found[model.name] = 0.0
            continue
        ran = trial.Ran(base.outputs, base.milliseconds)
        found[model.name] = report.compare(ran, other, ()).agreement
    shown = f"{len(found)} of {len(models)} models, {min(found.values()):.1%} at the least"
    return Figure(name, bar, shown, min(found.values()) >= OTHER_BAR, dict(found))


def _versions() -> Figure:
    """Return whether quantised operators announce the versions that TFLiteConverter gives them."""
    told = json.loads(_run([str(_python(TENSORFLOW)), str(SOURCES / "versions.py")], ROOT).splitlines()[-1])
    compared = {
        f"{how} {name}": (theirs[name], version)
        for how, (theirs, ours) in told.items()
        for name, version in ours.items()
        if name in theirs
    }
    low = {name: pair for name, pair in compared.items() if pair[1] < pair[0]}
    shown = f"{len(compared)} compared, {len(low)} too low{''.join(f'; {one}' for one in low)}"
    return Figure("operators' versions against TFLiteConverter's", "0 too low", shown, not low, compared)


def _make(venv: Path, what: str, folder: Path) -> None:
    _run([str(_python(venv)), str(SOURCES / "make.py"), what, str(folder)], folder)


def _python(venv: Path) -> Path:
    return venv / "bin" / "python"


def _run(command: list[str], folder: Path) -> str:
    path = os.pathsep.join([str(ROOT / "src"), str(SOURCES.parent)])
    environment = {**os.environ, "PYTHONPATH": path, "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    if done.returncode:
        sys.stderr.write(done.stderr)
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}")
    return done.stdout
