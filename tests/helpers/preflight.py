"""Deploy folders of a few lines, and what the preflight's checks say of them."""

from collections.abc import Callable
from datetime import date
from pathlib import Path

from mlserverless.bundle.package import Package
from mlserverless.bundle.preflight import Case, Finding, gather
from mlserverless.bundle.targets import parse

TODAY = date(2026, 11, 25)
HEAD = """\
Resources:
  Classifier:
    Type: AWS::Serverless::Function
    Properties:
      Handler: app.handler
      Runtime: python3.13
"""


def template(*lines: str, then: str = "") -> str:
    """Return a SAM template whose function has the property ``lines`` too, and what comes ``then``."""
    return HEAD + "".join(f"      {line}\n" for line in lines) + then


def case(folder: Path, target: str = "aws", package: Package | None = None, **files: str) -> Case:
    """Return the case of a deploy folder with ``files``: ``template_yaml="…"`` is the file template.yaml."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("_", ".", 1)).write_text(text, encoding="utf-8")
    return gather(Case(parse(target), folder, folder, "model", package, TODAY))[0]


def only(check: Callable[[Case], list[Finding]], examined: Case) -> Finding:
    """Return the one line that the check says."""
    (finding,) = check(examined)
    return finding


def statuses(findings: list[Finding]) -> set[tuple[str, str]]:
    """Return the lines' checks and statuses."""
    return {(finding.check, finding.status) for finding in findings}
