"""The base images, which no registry hands out here: stand-ins by the names that the Dockerfiles ask for."""

import shutil
import subprocess
import sys
from pathlib import Path

from helpers import containers
from mlserverless.bundle import resolve
from mlserverless.bundle.targets import target
from mlserverless.local.azure.server import MESSAGES
from mlserverless.local.parts import fetch

ROOT = Path(__file__).parents[2]
STANDIN = Path(__file__).parent / "standin"
PYTHON, AZURE = "python:3.13-slim", "azure-functions/python:4-python3.13"
TOLD = {PYTHON: "Debian 12 + CPython 3.13, a stand-in", AZURE: "the same + Microsoft's runtime + our host"}
# What Microsoft's base brings along. The rest of the lock file is the app's own, which has to bring it itself.
HOST = "azure-functions azure-functions-runtime azurefunctions-extensions-base protobuf werkzeug markupsafe"
HOST += " typing-extensions"


def python() -> str:
    """Make the base of the Lambda and the container image unless it is there; return its name."""
    command = [sys.executable, str(ROOT / "tools" / "base_image.py"), PYTHON, "--store", str(containers.STORE)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return PYTHON


def azure() -> str:
    """Make the base of the Azure image, on :func:`python`, unless it is there; return its name."""
    lock = ROOT / "requirements" / "azure-runtime.txt"
    others = {resolve.name_of(entry) for entry in resolve.entries(lock)} - set(HOST.split())
    with containers.folder() as context:
        resolve.install(lock, context / "packages", target("azure", "3.13", "x86_64"), without=sorted(others))
        shutil.copytree(fetch(MESSAGES) / MESSAGES.prefix, context / "messages")
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / "src", context / "ours", ignore=ignored)
        shutil.copyfile(STANDIN / "start_nonappservice.sh", context / "start_nonappservice.sh")
        (context / "start_nonappservice.sh").chmod(0o755)
        containers.build(context, AZURE, PYTHON, file=STANDIN / "Dockerfile", layers=True)
    return AZURE
