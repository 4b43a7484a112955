"""A deployment: is the provider's tool here, what is the package's model called, and running the commands."""

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from mlserverless.bundle.archive import sha256
from mlserverless.bundle.commands import ENGINES, Command
from mlserverless.bundle.package import MADE, Package
from mlserverless.bundle.record import digests
from mlserverless.bundle.stage import packed_name

TOOLS = {"aws": ("sam",), "azure": ("az",), "gcp": ("gcloud",), "container": ENGINES}
GET = {
    "aws": '`pip install aws-sam-cli`, or the AWS SAM developer guide, "Install the AWS SAM CLI"',
    "azure": '`pip install azure-cli`, or Microsoft Learn, "How to install the Azure CLI"',
    "gcp": '`brew install --cask gcloud-cli` on a Mac, else Google Cloud\'s guide, "Install the Google Cloud CLI"',
    "container": '`apt-get install podman` or `brew install podman`, or Docker\'s manual, "Install Docker Engine"',
}


class ToolMissing(RuntimeError):
    """The provider's tool is not on this machine; the text says how to get it."""


class CommandFailed(RuntimeError):
    """The ``command`` ended with an exit ``code`` other than 0; ``left`` were not run."""

    def __init__(self, command: Command, code: int, left: Sequence[Command]) -> None:
        super().__init__(f"{command.words[0]} ended with exit code {code}.")
        self.command, self.code, self.left = command, code, tuple(left)


def tool(provider: str) -> str:
    """Return the path of the provider's tool; raise ToolMissing where it is not on this machine."""
    names = TOOLS[provider]
    for name in names:
        if found := shutil.which(name):
            return found
    told = f"Deploying to {provider} needs {' or '.join(names)}, which is not on the PATH."
    raise ToolMissing(f"{told} To get it: {GET[provider]}.")


def model_name(where: str, package: Package | None = None) -> str:
    """Return the name of the first model in the ``package``, or what that at ``where`` would have there.

    Raises ModelUnavailable where it cannot be read.
    """
    inside = package.model if package else None
    return inside.name if inside else packed_name(where)


def check_archives(package: Path) -> None:
    """Raise ValueError where an archive in the folder ``package`` is not the one that its build.json tells of."""
    told = json.loads((package / MADE).read_text(encoding="utf-8"))
    for name, about in told["archives"].items():
        if not (package / name).is_file() or sha256(package / name) != about["sha256"]:
            raise ValueError(f"{package / name} is not what was built and proven, by its {MADE}: build it again.")
    if told.get("files") != digests(package):
        raise ValueError(f"{package} has files that are not what was built, by its {MADE}: build it again.")


def default_name(project: Path) -> str:
    """Return the project folder's name as a name that every provider takes; "" where nothing of it can be one."""
    name = re.sub(r"[^a-z0-9]+", "-", project.resolve().name.lower())
    return re.sub(r"^[^a-z]+", "", name)[:40].rstrip("-")


def run(every: Sequence[Command], tell: Callable[[Command], None]) -> None:
    """Run the commands one after the other, each told before; what they print goes where this process prints.

    Raises CommandFailed at the first that fails, or cannot be started.
    """
    for number, command in enumerate(every):
        tell(command)
        try:
            code = subprocess.run(command.words, check=False).returncode  # noqa: S603 - shown before, and no shell
        except OSError as error:
            raise ToolMissing(f"{command.words[0]} cannot be run: {error.strerror}.") from error
        if code:
            raise CommandFailed(command, code, every[number + 1 :])
