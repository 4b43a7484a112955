"""What the settings ask for beside the answers: the packages of the telemetry, and whose scripts may read them."""

from mlserverless.bundle import resolve
from mlserverless.bundle.preflight.case import Case
from mlserverless.bundle.preflight.finding import Finding, fail, ok, warn

# By what ``telemetry`` may name: the requirements that it takes, each with where that is in a package.
TAKEN = {
    "prometheus": {"prometheus-client": "prometheus_client"},
    "otel": {
        "opentelemetry-sdk": "opentelemetry/sdk",
        "opentelemetry-exporter-otlp-proto-http": "opentelemetry/exporter/otlp/proto/http",
    },
}


def telemetry(case: Case) -> list[Finding]:
    """What ``telemetry`` names is in the package, or among the requirements of the deploy folder.

    A function whose telemetry cannot be opened answers nothing but that.
    """
    findings = []
    for where, text in case.said("telemetry"):
        for name in (part.strip() for part in text.split(",")):
            wanted = TAKEN.get(name, {})
            missing = [each for each, inside in wanted.items() if not _has(case, each, inside)]
            if missing:
                told = f"{where} asks for {name}, and {_place(case)} lacks {', '.join(missing)}"
                mend = f"Lock it in {case.deploy}/requirements.txt and build anew, or leave {name} out."
                findings.append(fail("telemetry", told, mend))
            elif wanted:
                findings.append(ok("telemetry", f"{name}: {', '.join(wanted)}"))
    return findings


def _has(case: Case, requirement: str, inside: str) -> bool:
    if case.package is not None:
        return (case.site / inside).is_dir()
    locks = case.deploy.glob("requirements*.txt")
    return any(resolve.name_of(entry) == requirement for lock in locks for entry in resolve.entries(lock))


def _place(case: Case) -> str:
    return "the package" if case.package is not None else f"{case.deploy}/requirements.txt"


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
