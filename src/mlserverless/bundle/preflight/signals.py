"""What the settings ask for beside the answers: the packages of the telemetry, and whose scripts may read them."""

from mlserverless.bundle import resolve, telemetry
from mlserverless.bundle.preflight.case import Case
from mlserverless.bundle.preflight.finding import Finding, fail, ok, warn
from mlserverless.bundle.preflight.sam import every
from mlserverless.bundle.stage import SETTINGS


def packages(case: Case) -> list[Finding]:
    """What ``telemetry`` names is in the package, or will be.

    A function whose telemetry cannot be opened answers nothing but that. A layer of a template's may bring it.
    """
    findings, said = [], list(case.said("telemetry"))
    held = _held(case, [text for where, text in said if where == SETTINGS])
    say = warn if any(function.properties.get("Layers") for function in every(case)) else fail
    for where, text in said:
        for name in (part.strip() for part in text.split(",")):
            if name not in telemetry.TAKEN:
                continue
            if missing := telemetry.lacking(name, held):
                told = f"{where} asks for {name}, and {_what(case)} lacks {', '.join(missing)}"
                mend = f"Name it in {SETTINGS} and build anew, which packs it; or leave {name} out."
                findings.append(say("telemetry", told, mend))
            else:
                findings.append(ok("telemetry", f"{where}: {name}"))
    return findings


def _held(case: Case, told: list[str]) -> set[str]:
    """Return the requirements of telemetry that are in the package; without one, those that a build packs.

    A build packs what the settings file has ``told``.
    """
    if case.package is not None:
        pairs = (pair for taken in telemetry.TAKEN.values() for pair in taken.items())
        return {requirement for requirement, inside in pairs if (case.site / inside).is_dir()}
    named = ",".join(told).split(",")
    packed = {requirement for name in named for requirement in telemetry.TAKEN.get(name, ())}
    return packed.union(*(resolve.versions(lock) for lock in case.deploy.glob("requirements*.txt")))


def _what(case: Case) -> str:
    return "the package" if case.package is not None else "what a build packs"


def origins(case: Case) -> list[Finding]:
    """Not every website's scripts may read the answers: they ask from where a browser is, and with its network."""
    return [
        warn(
            "cors",
            f"{where} lets the scripts of every website read the answers",
            "Name the origins of your own pages in cors_origins; a function that is for everybody may keep *.",
        )
        for where, text in case.said("cors_origins")
        if text.strip() == "*"
    ]
