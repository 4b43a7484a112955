"""The preflight as `build` and `deploy` run it: what is not green is shown, and a red line ends the command."""

from pathlib import Path
from typing import TYPE_CHECKING

from mlserverless.cli import FAILED
from mlserverless.cli.progress import say

if TYPE_CHECKING:
    from mlserverless.bundle.package import Package
    from mlserverless.bundle.targets import Target


def examine(target: "Target", models: tuple[str, ...], package: "Package | None", otherwise: str) -> None:
    """Raise SystemExit where the preflight has a red line, after having shown what is not green, with its mend.

    ``models``: the first, and further ones as the setting of that name has them. ``otherwise``
    says what was not done therefore.
    """
    from mlserverless.bundle.build import deploy_folder
    from mlserverless.bundle.preflight import FAIL, OK
    from mlserverless.bundle.preflight import examine as look

    deploy = deploy_folder(target, Path())
    found = look(target, deploy=deploy, project=Path(), model=models[0], others=models[1:], package=package)
    for finding in found:
        if finding.status != OK:
            colour = "red" if finding.status == FAIL else "yellow"
            say(f"{finding.status}: {finding.check}: {finding.told}\n  {finding.mend}", colour)
    if any(finding.status == FAIL for finding in found):
        what = "the package" if package else "the project"
        say(f"{otherwise}: {what} would not be taken, or should not be. See above.", "red")
        raise SystemExit(FAILED)
