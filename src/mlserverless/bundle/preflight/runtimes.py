"""The Python of the target: how long it is supported, and whether the templates and the entry file fit it."""

import ast
from datetime import timedelta
from pathlib import Path

from mlserverless.bundle import limits
from mlserverless.bundle.preflight import gcloud
from mlserverless.bundle.preflight.case import Case
from mlserverless.bundle.preflight.finding import Finding, fail, ok, warn
from mlserverless.bundle.preflight.sam import every
from mlserverless.bundle.stage import ENTRIES

SOON = timedelta(days=183)  # half a year
INIT = "`mlserverless init` writes one"
NAMED = {"aws": "Runtime", "azure": "the runtime's version", "gcp": "--runtime"}


def end(case: Case) -> list[Finding]:
    """The target's Python is supported, and will be for half a year."""
    target, known = case.target, limits.ENDS[case.target.provider]
    last = known.get(target.python)
    if last is None:
        mend = f"Take one whose end is known: {', '.join(known)}."
        return [warn("python-end", f"it is not known how long {target.provider} has Python {target.python}", mend)]
    cited = f"{last.source} (read {last.read})"
    later = [version for version, one in known.items() if one.on > last.on]
    mend = f"Take Python {later[-1]}." if later else "Take a newer Python once the provider has one."
    gone = f", and nothing can be deployed on it from {last.gone} on" if last.gone else ""
    told = f"Python {target.python} on {target.provider}: supported until {last.on}"
    if case.today > last.on:
        return [fail("python-end", f"{told}{gone}", mend)._replace(source=cited)]
    if case.today + SOON > last.on:
        return [
            warn("python-end", f"{told}{gone}: in {(last.on - case.today).days} days", mend)._replace(source=cited)
        ]
    return [ok("python-end", told)._replace(source=cited)]


def matches(case: Case) -> list[Finding]:
    """The templates ask for the Python and the architecture that the package is for."""
    findings = []
    target = case.target
    built = case.package.target if case.package else target
    if built != target:
        told = f"the package is for {built}, not for {target}"
        findings.append(fail("runtime", told, f"Build it for {target}, or check it against {built}."))
    for asked in case.asked:
        for what, said, wanted in (
            ("Python", asked.python, target.python),
            ("architecture", asked.arch, target.arch),
        ):
            if said is not None and said != wanted:
                told = f"{asked.where} asks for the {what} {said}, and the target is {target}"
                where = NAMED.get(target.provider, what) if what == "Python" else "Architectures"
                mend = f"Set {where} there to {wanted}, or check and build for {what} {said}."
                findings.append(fail("runtime", told, mend))
    if findings or not case.asked or target.provider == "container":
        return findings
    return [ok("runtime", f"the templates ask for Python {target.python} on {target.arch}")]


def entry(case: Case) -> list[Finding]:
    """The entry file is there and has what the platform calls."""
    problems = [
        problem
        for name, attribute, where in _entries(case)
        if (problem := _missing(case.deploy / name, attribute, where))
    ]
    if problems:
        return [fail("entry", problem, f"Name what is there, or write it; {INIT}.") for problem in problems]
    return [ok("entry", f"{ENTRIES[case.target.provider]} has what the platform calls")]


def _entries(case: Case) -> list[tuple[str, str, str]]:
    """Return the file, the name in it, and who says so, of all that the platform calls."""
    default = ENTRIES[case.target.provider]
    if case.target.provider == "aws":
        said = [(function.properties.get("Handler"), function.where) for function in every(case)]
        return [
            (
                handler.rpartition(".")[0].replace(".", "/") + ".py",
                handler.rpartition(".")[2],
                f"Handler of {where}",
            )
            for handler, where in said
            if isinstance(handler, str) and not handler.startswith("mlserverless.")
        ] or [(default, "handler", "Lambda's image")]
    if case.target.provider == "gcp":
        told = [(source.name, gcloud.flags(source).get("entry-point")) for source in case.sources]
        named = [(default, str(name), f"--entry-point in {where}") for where, name in told if name]
        return named or [(default, "predict", "gcloud")]
    return [(default, "app" if case.target.provider == "azure" else "application", case.target.provider)]


def _missing(path: Path, attribute: str, where: str) -> str:
    try:
        tree = ast.parse(path.read_bytes())
    except OSError:
        return f"{path.parent.name}/{path.name}, which {where} names, is not there"
    except (SyntaxError, ValueError) as error:
        return f"{path.name} is no Python: {error}"
    return "" if attribute in _bound(tree) else f"{path.name} has no {attribute}, which {where} names"


def _bound(tree: ast.Module) -> set[str]:
    """Return the names that a module binds, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.alias):
            found.add(node.asname or node.name.partition(".")[0])
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
    return found
