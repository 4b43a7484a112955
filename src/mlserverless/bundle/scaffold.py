"""A project that can be deployed as it is: model, settings, the chosen clouds' deploy folders, a CI workflow.

Everything is planned first. Where one of the files is there already nothing is written, unless that is asked for.
"""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from mlserverless import __version__
from mlserverless.bundle import settings_file
from mlserverless.bundle.model_folder import model_files
from mlserverless.local import deploy

TEXTS = Path(__file__).parent / "project"
WORKFLOW = ".github/workflows/deploy.yml"
# The build takes the package's own lock files, which a newer version renews, unless the folder has some.
LEFT = ("README.md", "requirements*", "__pycache__", "*.pyc")
VARIABLES = {
    "aws": (
        "`NAME` (of the stack), `AWS_REGION`, `AWS_ROLE`",
        "an IAM identity provider, and a role that trusts it",
    ),
    "azure": (
        "`NAME` (of the app), `AZURE_RESOURCE_GROUP`, "
        "`AZURE_CLIENT_ID`, `AZURE_TENANT_ID`, `AZURE_SUBSCRIPTION_ID`",
        "a federated credential of an Entra application or a managed identity",
    ),
    "gcp": (
        "`NAME` (of the function), `GCP_PROJECT`, `GCP_REGION`, `GCP_IDENTITY_PROVIDER`, `GCP_SERVICE_ACCOUNT`",
        "a workload identity pool, and a service account that it may impersonate",
    ),
}
FOLDERS = {
    "aws": "AWS Lambda: the entry file, and a SAM template for each kind of trigger",
    "azure": "Azure Functions: the entry file, the host's settings, what is made in Azure",
    "gcp": "Google Cloud functions: the entry file, the flags of each kind of function",
    "container": "any container: the Dockerfile and the entry file",
}
Content = bytes | Path


class Occupied(Exception):
    """Files that would be written are there already; ``paths`` names them, relative to the project."""

    def __init__(self, paths: Sequence[str]) -> None:
        super().__init__(f"{len(paths)} files are there already")
        self.paths = tuple(paths)


class Project(NamedTuple):
    """A project that was written: its folder, the files in it, and what is left to fill in."""

    folder: Path
    files: tuple[str, ...]
    notes: tuple[str, ...]


def scaffold(folder: Path, clouds: Sequence[str], model: str, *, force: bool = False) -> Project:
    """Write a project into ``folder`` for the ``clouds``, with a copy of ``model``, as ``mlserverless init`` does.

    Raises Occupied, with nothing written, where a file is there already and ``force`` is not given, or a folder
    stands in a file's place; ModelUnavailable where the model cannot be read; OSError where it cannot write.
    """
    planned, notes = model_files(model)
    plan: dict[str, Content] = {f"model/{name}": content for name, content in planned.items()}
    plan["mlserverless.toml"] = settings_file.text(model="model").encode()
    plan["requirements.txt"] = _requirements().encode()
    plan[".gitignore"] = TEXTS / "gitignore"
    for cloud in clouds:
        plan |= {f"{cloud}/{name}": path for name, path in deploy_files(cloud).items()}
    plan["README.md"] = _readme(folder, clouds).encode()
    plan[WORKFLOW] = workflow(clouds).encode()
    if taken := sorted(name for name in plan if _taken(folder, name, force)):
        raise Occupied(taken)
    for name, content in plan.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, Path):
            shutil.copyfile(content, path)
        else:
            path.write_bytes(content)
    return Project(folder, tuple(sorted(plan)), notes)


def _taken(folder: Path, name: str, force: bool) -> bool:
    path = folder / name
    between = [parent for parent in path.parents if parent != folder and parent.is_relative_to(folder)]
    if path.is_dir() or any(os.path.lexists(parent) and not parent.is_dir() for parent in between):
        return True
    return os.path.lexists(path) and not force


def deploy_files(cloud: str) -> dict[str, Path]:
    """Return the files of the cloud's deploy folder that a project has, by their names in it."""
    folder = deploy.folder(cloud)
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if path.is_file() and not any(Path(part).match(left) for part in name.parts for left in LEFT):
            found[name.as_posix()] = path
    return found


def workflow(clouds: Sequence[str]) -> str:
    """Return the GitHub Actions workflow that builds for the ``clouds``, and deploys to those that it can."""
    head = (TEXTS / "workflow.yml").read_text(encoding="utf-8").replace("CLOUDS", ", ".join(clouds))
    jobs = [
        (TEXTS / f"workflow-{cloud}.yml").read_text(encoding="utf-8") for cloud in clouds if cloud in VARIABLES
    ]
    return head + "".join(jobs)


def _requirements() -> str:
    return (
        "# What builds and deploys this project; what the function itself runs on is pinned in the package.\n"
        "# From a wheel: ./wheels/mlserverless-….whl[build]\n"
        f"mlserverless[build]=={__version__}\n"
    )


def _readme(folder: Path, clouds: Sequence[str]) -> str:
    says = {
        "mlserverless predict photo.jpg": "try it here: the settings name the model",
        f"mlserverless doctor {clouds[0]}": f"will {clouds[0]} take it, as it stands?",
        f"mlserverless build {clouds[0]}": f"into build/{clouds[0]}, proven by running it",
        **{f"mlserverless deploy {cloud}": f"to {FOLDERS[cloud].partition(':')[0]}" for cloud in clouds},
    }
    rows = [f"| {cloud} | {' | '.join(VARIABLES[cloud])} |" for cloud in clouds if cloud in VARIABLES]
    parts = {
        "NAME": folder.resolve().name,
        "FOLDERS": "\n".join(f"| `{cloud}/` | {FOLDERS[cloud]} |" for cloud in clouds),
        "COMMANDS": "\n".join(f"{command:<40} # {told}" for command, told in says.items()),
        "VARIABLES": "\n".join(rows) or "| | none of the chosen clouds is deployed to from CI | |",
    }
    lines = (TEXTS / "README.md").read_text(encoding="utf-8").splitlines()
    return "\n".join(parts.get(line, line.replace("# NAME", f"# {parts['NAME']}")) for line in lines) + "\n"
