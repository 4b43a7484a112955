"""Faults that the preflight has to tell before an upload, and good projects in which it may tell none."""

import os
import shutil
import tempfile
from collections.abc import Sequence
from datetime import date
from itertools import count
from pathlib import Path

from helpers.figures import Figure, Scale
from mlserverless.bundle.package import Package
from mlserverless.bundle.preflight import OK, Finding, examine
from mlserverless.bundle.resolve import interpreter
from mlserverless.bundle.scaffold import scaffold
from mlserverless.bundle.targets import PROVIDERS, Target, parse
from packages.built import MODEL, package
from packages.seeded import FAULTS
from packages.seeds import Fault, Setup

TODAY = date(2026, 11, 25)  # of which the good ones are good
GOOD = (
    *(f"aws:python{version}" for version in ("3.11", "3.12", "3.13")),
    *("aws:python3.12:arm64", "aws:python3.13:arm64", "container::arm64"),
    *(f"{provider}:python{version}" for provider in ("azure", "gcp") for version in ("3.11", "3.12", "3.13")),
    "container",
)


def measure(scale: Scale) -> list[Figure]:
    """Return the two figures: faults told, and false alarms."""
    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        place = Path(folder)
        project = place / "good"
        scaffold(project, PROVIDERS, MODEL)
        numbers = count()
        seeded = [(fault, _seeded(fault, project, place / str(next(numbers)))) for fault in FAULTS]
        targets = [parse(text) for text in GOOD]
        alarms = {str(target): _alarms(target, project, scale) for target in targets}
    told = {fault.name: _checks(findings) for fault, findings in seeded}
    missed = [f"{fault.name}: {told[fault.name]}" for fault, _ in seeded if told[fault.name] != [fault.check]]
    caught = len(FAULTS) - len(missed)
    packed = sum(_packs(target, scale) for target in targets)
    false = {name: findings for name, findings in alarms.items() if findings}
    what = f"on {len(GOOD)} targets, {packed} with a built package"
    return [
        Figure(
            "preflight: seeded faults caught before upload",
            f"{len(FAULTS)} of {len(FAULTS)}, each by its own check alone",
            f"{caught} of {len(FAULTS)}" + (f"; not: {'; '.join(missed)}" if missed else ""),
            not missed and len(FAULTS) >= 24,
            {"faults": told},
        ),
        Figure(
            "preflight: false alarms on the good ones",
            "0",
            f"{sum(map(len, false.values()))} {what}" + (f": {false}" if false else ""),
            not false,
            {"targets": list(alarms)},
        ),
    ]


def _checks(findings: Sequence[Finding]) -> list[str]:
    return sorted({finding.check for finding in findings if finding.status != OK})


def _seeded(fault: Fault, good: Path, place: Path) -> list[Finding]:
    """Return what the preflight tells of a copy of the good project with the fault in it."""
    shutil.copytree(good, place / "project", copy_function=os.link)
    target = Target(fault.provider, fault.python)
    made = _linked(package(fault.provider, fault.python, image=fault.image), place) if fault.packed else None
    setup = Setup(target, place / "project", made)
    setup = fault.change(setup) or setup
    return examine(
        setup.target,
        deploy=setup.deploy,
        project=setup.project,
        model=setup.model if Path(setup.model).is_absolute() else str(setup.project / setup.model),
        package=setup.package,
        today=fault.today or TODAY,
    )


def _linked(made: Package, place: Path) -> Package:
    """Return a copy of the package that takes no disk: hard links."""
    shutil.copytree(made.out, place / "package", copy_function=os.link)
    return made.moved(place / "package")


def _packs(target: Target, scale: Scale) -> bool:
    """Return whether the target's package is built: in the shortened form, those that other figures build."""
    wanted = not scale.short or target.python == "3.13"
    return wanted and interpreter(target.python) is not None


def _alarms(target: Target, project: Path, scale: Scale) -> list[Finding]:
    made = package(target.provider, target.python, target.arch) if _packs(target, scale) else None
    model = (
        str(next(made.root.rglob("mlserverless/_models/*/model.toml")).parent) if made else str(project / "model")
    )
    deploy = project / target.provider
    if target.provider == "gcp":  # whose flags have no parameters: another Python is written into them
        deploy = project.parent / str(target)
        shutil.copytree(project / "gcp", deploy)
        for path in deploy.glob("*.yaml"):
            path.write_text(path.read_text().replace("python313", f"python{target.python.replace('.', '')}"))
    found = examine(target, deploy=deploy, project=project, model=model, package=made, today=TODAY)
    return [finding for finding in found if finding.status != OK]
