"""What the package holds beside the model: the engine of the target with its imports, the stores' client."""

from collections.abc import Iterator
from pathlib import Path

from mlserverless import engines
from mlserverless import model as models
from mlserverless.bundle.package import packed_models
from mlserverless.bundle.preflight.case import Case
from mlserverless.bundle.preflight.finding import Finding, fail, ok, warn
from mlserverless.bundle.preflight.models import readable
from mlserverless.bundle.resolve import ONNX_GLIBC
from mlserverless.bundle.stage import SETTINGS
from mlserverless.bundle.targets import PYTHONS
from mlserverless.config import PREFIX
from mlserverless.engines import Wanted

STORES = ("s3://", "gs://", "az://")


def engine(case: Case) -> list[Finding]:
    """The engine that the settings name runs the models, and on the target; the package has what it imports."""
    chosen, target = _engine(case), case.target
    found = [engines.order(one.data, Wanted(delegates=one.delegates)) for one in readable(case)]
    orders = found or [engines.ORDER]
    for order in orders:
        if chosen not in ("auto", *order):
            told = f"the settings want {chosen}, which cannot run the model; {', '.join(order)} can"
            return [fail("engine", told, "Leave engine at auto, which takes for each model one that can.")]
    if engines.ONNX in orders and target.base.glibc < ONNX_GLIBC:
        told = f"onnxruntime, which runs the .onnx model, needs glibc 2.28; {target.base.system} has less"
        return [fail("engine", told, "Take a newer Python, or convert the model to .tflite.")]
    if chosen == "litert" and target.engine != "litert":
        told = f"the settings want litert, which needs glibc 2.27; {target.base.system} has less"
        return [fail("engine", told, "Leave engine at auto, which takes litert-python there, or a newer Python.")]
    if chosen in models.FRAGILE and not _own_requirements(case):
        told = f"the settings want {chosen}, which no package has"
        return [
            fail("engine", told, "Leave engine at auto, or lock it in a requirements.txt of the deploy folder.")
        ]
    if chosen == "tflite-runtime" and target.python in PYTHONS[1:]:
        told = f"the settings want tflite-runtime, which has no wheel for Python {target.python}"
        return [fail("engine", told, "Take Python 3.11, or leave engine at auto.")]
    taken = [
        chosen if chosen != "auto" else target.engine if target.engine in order else order[0] for order in orders
    ]
    if case.package is None:
        return [ok("engine", ", ".join(dict.fromkeys(taken)))]
    return [finding for wanted in dict.fromkeys(taken) for finding in _inside(case, case.site, wanted)]


def _inside(case: Case, site: Path, wanted: str) -> Iterator[Finding]:
    mend = f"Build the package for {case.target} anew."
    needed = {
        "litert": ("ai_edge_litert/*LiteRt*.so*", "PIL/__init__.py*"),
        "litert-python": ("ai_edge_litert/interpreter.py*", "PIL/__init__.py*", "numpy/__init__.py*"),
        "onnxruntime": ("onnxruntime/capi/*pybind11_state*", "PIL/__init__.py*", "numpy/__init__.py*"),
    }.get(wanted, ("PIL/__init__.py*",))
    found = [ok("engine", wanted)]
    for pattern in (*needed, "mlserverless/__init__.py*"):
        if not any(site.glob(pattern)) and not any(site.glob(pattern.replace("/*", "/**/*"))):
            name = pattern.partition("/")[0]
            found = [fail("engine", f"the package lacks {name} ({pattern}), which {wanted} takes", mend)]
            break
    yield from found
    for where, value in _places(case) if not (site / "obstore").is_dir() else ():
        if value.startswith(STORES):
            told = (
                f"{where} names {value.partition('://')[0]}://, and the package has no obstore, which writes there"
            )
            # A template that is not deployed does no harm.
            yield (fail if where == SETTINGS else warn)("stores", told, "Build it without --no-stores.")


def _places(case: Case) -> Iterator[tuple[str, str]]:
    """Yield where a store may be named, and what is named there."""
    yield from case.said("sink")
    yield from case.said("schedule_source")


def _engine(case: Case) -> str:
    return next((value for _, value in case.said("engine")), "auto")


def _own_requirements(case: Case) -> bool:
    names = (path.read_text(encoding="utf-8", errors="replace") for path in case.deploy.glob("requirements*.txt"))
    return any(name in text for text in names for name in models.FRAGILE)


def named(case: Case) -> list[Finding]:
    """The model that a template names is the one in the package."""
    if case.package is None:
        return []
    inside = {path.name for path in packed_models(case.package.root)}
    findings = []
    for asked in case.asked:
        name = asked.variables.get(f"{PREFIX}MODEL")
        if isinstance(name, str) and "://" not in name and "${" not in name and inside and name not in inside:
            told = f"{asked.where} names the model {name}, and the package has {', '.join(sorted(inside))}"
            mend = f"`mlserverless deploy` gives the parameter; by hand, set it to {min(inside)}."
            findings.append(warn("model-name", told, mend))
    return findings or ([ok("model-name", ", ".join(sorted(inside)))] if inside else [])
