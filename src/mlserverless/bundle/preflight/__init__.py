"""Will the platform take it, and will it run there? Checked offline, before any upload.

A check is a function that takes the :class:`~mlserverless.bundle.preflight.case.Case` and returns its lines. Each
line that is not green says what is wrong, with the value and the limit, and the mend.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path

from mlserverless.bundle.package import Package
from mlserverless.bundle.preflight import (
    access,
    amounts,
    arm,
    binaries,
    contents,
    delegates,
    dockerfile,
    gcloud,
    lambdas,
    models,
    permissions,
    runtimes,
    sam,
    signals,
    sizes,
    variables,
)
from mlserverless.bundle.preflight.case import Asked, Case, Source
from mlserverless.bundle.preflight.finding import FAIL, OK, WARN, Finding, fail, ok
from mlserverless.bundle.targets import Target

__all__ = ["CHECKS", "FAIL", "OK", "WARN", "Case", "Finding", "examine", "gather"]
Check = Callable[[Case], list[Finding]]

CHECKS: tuple[Check, ...] = (
    runtimes.end,
    runtimes.matches,
    runtimes.entry,
    models.examine,
    contents.engine,
    contents.named,
    signals.packages,
    delegates.examine,
    binaries.architecture,
    binaries.symbols,
    binaries.libraries,
    binaries.python,
    sizes.examine,
    amounts.memory,
    amounts.timeout,
    amounts.front_door,
    amounts.concurrency,
    lambdas.tmp,
    lambdas.queue,
    lambdas.snapstart,
    variables.settings,
    variables.payload,
    variables.amount,
    variables.secrets,
    signals.origins,
    access.public,
    permissions.wildcards,
    permissions.user,
)
# What is read of a deploy folder. Those for AWS and Google hold no other YAML.
FILES = {
    "aws": ("*.yaml", "*.yml", "Dockerfile"),
    "azure": ("host.json", "main.bicep", "main.json", "Dockerfile"),
    "gcp": ("flags*.yaml", "service.yaml"),
    "container": ("Dockerfile",),
}
Asks = Callable[[Source], list[Asked]]


def examine(
    target: Target,
    *,
    deploy: Path,
    project: Path,
    model: str,
    others: tuple[str, ...] = (),
    package: Package | None = None,
    today: date | None = None,
) -> list[Finding]:
    """Return what every check says of deploying ``model`` with the folder ``deploy`` to ``target``.

    ``others`` are further models, as the setting ``models`` has them. ``project`` is the folder with the settings;
    ``package`` a built one: without it, what only that can tell is left out. ``today`` is for the ends of Pythons.
    It takes a second or two: each model is loaded and asked once.
    """
    if not deploy.is_dir():
        told = f"there is no folder {deploy}"
        return [fail("deploy-folder", told, f"`mlserverless init --cloud {target.provider}` writes one.")]
    begun = Case(target, deploy, project, model, package, today or datetime.now(UTC).date(), others=others)
    case, findings = gather(begun)
    return findings + [finding for check in CHECKS for finding in check(case)]


def gather(case: Case) -> tuple[Case, list[Finding]]:
    """Return the case with what its deploy folder says, and a line for what of that cannot be read."""
    read = list(_read(case.target, case.deploy))
    findings = [
        fail("template", f"{source.name} cannot be read: {source.problem}", "Mend it, or take the one of `init`.")
        for source, _ in read
        if source.problem
    ]
    good = [(source, asks) for source, asks in read if not source.problem]
    if good and not findings:
        findings.append(ok("template", ", ".join(source.name for source, _ in good)))
    sources = tuple(source for source, _ in good)
    asked = tuple(one for source, asks in good for one in asks(source))
    return case._replace(sources=sources, asked=asked), findings


def _read(target: Target, deploy: Path) -> Iterator[tuple[Source, Asks]]:
    """Yield what is read of a deploy folder, each with what tells what is asked for in it."""
    # What `mlserverless deploy` gives for the parameters of that name.
    given = {"Runtime": f"python{target.python}", "Architecture": target.arch, "pythonVersion": target.python}
    for path in (path for pattern in FILES[target.provider] for path in sorted(deploy.glob(pattern))):
        if path.name == "Dockerfile":
            yield dockerfile.read(path), dockerfile.asked
        elif target.provider == "aws":
            yield sam.read(path, given), sam.asked
        elif target.provider == "azure":
            yield arm.read(path, given), arm.asked
        else:
            yield gcloud.read(path), gcloud.asked
