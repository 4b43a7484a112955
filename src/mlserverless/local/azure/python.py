"""Which Python runs Microsoft's Azure worker runtime, and the reason where it cannot."""

import json
import os
import subprocess
import sys
from typing import NamedTuple

from mlserverless.local.runtime import child_environment

VARIABLE = "MLSERVERLESS_AZURE_PYTHON"

_INSTALL = '"mlserverless[azure-local]"'
_PROBE = """
import importlib.util, json, sys
def found(name):
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False
names = ["mlserverless", "azure.functions", "azure_functions_runtime", "google.protobuf"]
print(json.dumps({"version": sys.version_info[:3], "missing": [n for n in names if not found(n)]}))
"""


class Interpreter(NamedTuple):
    """An interpreter, its version, and a sentence saying what to do where it cannot run the runtime."""

    path: str
    version: tuple[int, ...]
    reason: str | None


def interpreter(python: str | None) -> Interpreter:
    """Ask ``python`` what it has; by default the one that MLSERVERLESS_AZURE_PYTHON names, else this one."""
    path = python or os.environ.get(VARIABLE) or sys.executable
    try:
        done = subprocess.run(  # noqa: S603 - an interpreter that the caller chose, our own words
            [path, "-P", "-c", _PROBE], env=child_environment({}), capture_output=True, text=True, check=True
        )
        said = json.loads(done.stdout)
        version, missing = tuple(said["version"]), list(said["missing"])
    except (OSError, subprocess.CalledProcessError, ValueError, TypeError, KeyError) as error:
        return Interpreter(path, (), f"{path} is no Python 3.13 or later that runs ({error}): {_name_one()}")
    return Interpreter(path, version, _reason(path, version, missing))


def _reason(path: str, version: tuple[int, ...], missing: list[str]) -> str | None:
    if version < (3, 13):
        return (
            f"Microsoft's Python runtime for Azure Functions needs Python 3.13 or later and {path} is"
            f" {'.'.join(map(str, version))}: {_name_one()}"
        )
    if missing:
        return f"{path} has no {', '.join(missing)}: {path} -m pip install {_INSTALL}"
    return None


def _name_one() -> str:
    return f"make an environment of Python 3.13, pip install {_INSTALL} there, and name its python in {VARIABLE}"
