"""The settings and the environment: known names, accepted values, no secrets, nothing larger than is let in."""

import os
import re
from collections.abc import Iterator
from typing import Any

from mlserverless.bundle import limits
from mlserverless.bundle.preflight.case import Asked, Case, number
from mlserverless.bundle.preflight.finding import Finding, fail, ok, warn
from mlserverless.config import DOCS, FOREIGN, PREFIX, Settings
from mlserverless.errors import ConfigError

SECRET_NAME = re.compile(r"secret|password|passwd|token|api_?key|access_?key|private_?key|credential", re.I)
SECRET_VALUE = re.compile(
    r"\b(AKIA|ASIA)[0-9A-Z]{16}\b|AccountKey=[^;$]|SharedAccessKey=[^;$]|[?&;](sig|X-Amz-Signature)=|"
    r"-----BEGIN [A-Z ]*PRIVATE KEY|\bgh[pousr]_\w{30}|\bxox[abp]-|\"private_key\"|://[^/\s:@$]+:[^/\s@$]+@"
)
KEPT = {
    "aws": "Give the function's role the right, or keep it in Secrets Manager.",
    "azure": "Use the app's identity, or a reference to Key Vault.",
    "gcp": "Use the function's service account, or --set-secrets.",
    "container": "Give it when the container is run, not in the image.",
}


def secrets(case: Case) -> list[Finding]:
    """No secret stands in a variable of a template, where whoever reads the configuration reads it."""
    problems = []
    for asked in case.asked:
        for name, value in asked.variables.items():
            if why := _secret(str(name), value):
                told = f"{asked.where}: the variable {name} {why}"
                problems.append(fail("secrets", told, KEPT[case.target.provider]))
    seen = any(asked.variables for asked in case.asked)
    return problems or ([ok("secrets", "none in the templates' variables")] if seen else [])


def _secret(name: str, value: Any) -> str:
    if isinstance(value, str) and SECRET_VALUE.search(value):
        return "holds a key or a signature"
    if "listKeys(" in str(value):
        return "holds an account's key"
    elsewhere = not isinstance(value, str) or value.startswith(("{{resolve:", "@Microsoft.KeyVault"))
    if elsewhere or value.isdigit() or value in ("", "managedidentity"):
        return ""
    if SECRET_NAME.search(name):
        return "is called as a secret is, and its value stands there"
    return ""


def settings(case: Case) -> list[Finding]:
    """The settings of the project and of the templates are known and accepted."""
    mend, problems = f"See {DOCS}.", []
    try:
        Settings.load({}, str(case.project))
    except ConfigError as error:
        problems.append(fail("settings", str(error), mend))
    for asked in case.asked:
        for name, value in asked.variables.items():
            if told := _refused(str(name), value):
                problems.append(fail("settings", f"{asked.where}: {told}", mend))
    if problems:
        return problems
    if not (case.project / "mlserverless.toml").is_file() and _in_pyproject(case):
        told = "pyproject.toml has settings, which a package does not have with it"
        return [warn("settings", told, "Put them into mlserverless.toml.")]
    return [ok("settings", "known and accepted")]


def _refused(name: str, value: Any) -> str:
    if not name.startswith(PREFIX) or name in FOREIGN:
        return ""
    if name.removeprefix(PREFIX).lower() in Settings._fields and not _literal(value):
        return ""  # only the deployment knows it
    try:
        Settings.load({name: _text(value)}, os.devnull)  # a folder in which there is no settings file
    except ConfigError as error:
        return str(error)
    return ""


def _literal(value: Any) -> bool:
    return isinstance(value, str | int | float) and "${" not in str(value)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _in_pyproject(case: Case) -> bool:
    try:
        return Settings.load({}, str(case.project)) != Settings()
    except ConfigError:
        return False


def payload(case: Case) -> list[Finding]:
    """What callers may send is no more than what the platform lets in."""
    limit = limits.BODIES.get(case.target.provider)
    if limit is None:
        return []
    findings = []
    for asked in case.asked:
        most = max_bytes(case, asked)
        if asked.http and most is not None and most > limit.value:
            told = f"{asked.where} takes images of {most:,.0f} bytes, and {limit.value:,} reach it in a body"
            mend = f"Set MLSERVERLESS_MAX_BYTES to {limit.value * 95 // 100:,} or less".replace(",", "_")
            findings.append(warn("payload", told, f"{mend}, so that callers learn it from an answer.", limit))
        elif asked.http and most is not None:
            findings.append(ok("payload", f"{asked.where}: images of at most {most:,.0f} bytes", limit))
    return findings


def max_bytes(case: Case, asked: Asked) -> float | None:
    """Return the largest image that a function takes: the template's, the project's, the default."""
    said = asked.variables.get(f"{PREFIX}MAX_BYTES")
    if said is not None:
        return number(said)
    try:
        return Settings.load({}, str(case.project)).max_bytes
    except ConfigError:
        return None


def amount(case: Case) -> list[Finding]:
    """Lambda takes 4 KB of variables."""
    if case.target.provider != "aws":
        return []
    return list(_amount(case))


def _amount(case: Case) -> Iterator[Finding]:
    limit = limits.VARIABLES
    for asked in case.asked:
        size = sum(len(str(name)) + len(str(value)) for name, value in asked.variables.items())
        if size > limit.value:
            told = f"{asked.where} has {size:,} characters of variables, and {limit} are the most"
            yield fail("variables", told, "Put settings into mlserverless.toml, which the package holds.", limit)
