"""A target's own wheels: what the lock files pin, for its Python, its architecture and its glibc, by uv.

The lock files stand in the deploy folders: ``requirements.txt`` is what is packed, ``requirements-onnx.txt`` what
is for an .onnx model, ``requirements-runtime.txt`` what the platform or the image has beside it; what telemetry
takes is :mod:`~mlserverless.bundle.telemetry`'s. One file serves every Python and architecture, since uv reads the
markers for the target and the hashes cover every wheel of a release.
"""

import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from mlserverless.bundle.targets import Target
from mlserverless.local import deploy

STORES = ("obstore",)
ONNX_GLIBC = (2, 28)  # onnxruntime's wheels are manylinux_2_28


class BuildError(RuntimeError):
    """A package cannot be made; the message says why and what to do."""


def uv() -> str:
    """Return the path of uv; raise BuildError where it is not installed."""
    beside = Path(sys.executable).with_name("uv")
    found = str(beside) if beside.is_file() else shutil.which("uv")
    if found is None:
        raise BuildError(
            'Packages are resolved with uv, which is not installed: pip install "mlserverless[build]".'
        )
    return found


def lock_files(target: Target, folder: Path | None = None, kind: str = "tflite") -> tuple[Path, Path | None]:
    """Return the target's lock file for models of the ``kind`` tflite or onnx, and its runtime's if it has one.

    A project's deploy ``folder`` may hold either; else they are the package's own. Raises BuildError where there
    is none for the target.
    """
    ours = deploy.folder(target.provider)
    suffix = "" if target.engine == "litert" else "-arm64" if target.arch == "arm64" else "-py311"
    if kind == "onnx":
        if target.base.glibc < ONNX_GLIBC:
            raise BuildError(
                f"{target} stands on {target.base.system}, whose glibc is older than the 2.28 that ONNX Runtime's "
                "wheels need: give Python 3.12 or later, or convert the model to .tflite."
            )
        suffix = "-onnx"

    def find(name: str) -> Path | None:
        places = (place / name for place in (folder, ours) if place is not None)
        return next((path for path in places if path.is_file()), None)

    packed = find(f"requirements{suffix}.txt")
    whole = folder is not None and folder.resolve() != ours.resolve() and (folder / "requirements.txt").is_file()
    if suffix and folder and whole and not (folder / f"requirements{suffix}.txt").is_file():
        raise BuildError(
            f"{folder}/requirements.txt is not for {target}: put its lock at {folder}/requirements{suffix}.txt."
        )
    if packed is None:
        raise BuildError(f"There is no requirements{suffix}.txt for {target} in {ours}.")
    return packed, find("requirements-runtime.txt")


def merged(locks: Sequence[Path], into: Path) -> Path:
    """Return the one lock file of ``locks``, or, of several, ``into``, written with all that they pin."""
    if len(locks) == 1:
        return locks[0]
    found = dict.fromkeys(entry for lock in locks for entry in entries(lock))
    into.write_text("\n".join(found) + "\n", encoding="utf-8")
    return into


def install(lock: Path, into: Path, target: Target, *, without: Sequence[str] = (), here: bool = False) -> None:
    """Install what ``lock`` pins into the folder ``into``, as wheels for ``target``, but for those ``without``.

    With ``here`` they are this machine's wheels, of the same releases. Nothing is built from source, and every
    wheel has one of the lock's hashes. Raises BuildError with uv's own words.
    """
    into.mkdir(parents=True, exist_ok=True)
    kept = [entry for entry in entries(lock) if name_of(entry) not in without]
    with tempfile.TemporaryDirectory(prefix="lock-") as folder:
        wanted = Path(folder, "requirements.txt")
        wanted.write_text("\n".join(kept) + "\n", encoding="utf-8")
        command = [uv(), "pip", "install", "--quiet", "--no-config", "--require-hashes", "--only-binary", ":all:"]
        command += ["--no-deps", "--link-mode", "copy", "--python-version", target.python, "--target", str(into)]
        command += [] if here else ["--python-platform", target.platform]
        command += ["--requirement", str(wanted)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own words
    if done.returncode:
        raise BuildError(f"uv cannot install {lock} for {target}: {done.stderr.strip()}")
    shutil.rmtree(into / "bin", ignore_errors=True)  # scripts with this machine's path in their first line
    (into / ".lock").unlink(missing_ok=True)


def entries(lock: Path) -> list[str]:
    """Return the lock file's requirements, each with its hashes."""
    found: list[str] = []
    for line in lock.read_text(encoding="utf-8").splitlines():
        if line.startswith((" ", "\t")) and found:
            found[-1] += "\n" + line
        elif line.strip() and not line.startswith("#"):
            found.append(line)
    return found


def name_of(entry: str) -> str:
    """Return the name of the requirement ``entry``."""
    return entry.partition("==")[0].strip().lower()


def versions(lock: Path) -> dict[str, str]:
    """Return the pinned versions by name; of a name with several, the last."""
    pinned = (re.match(r"([A-Za-z0-9][\w.-]*)(?:\[[^]]*\])? *==\s*([^\s;\\]+)", entry) for entry in entries(lock))
    return {match[1].lower(): match[2] for match in pinned if match}


@cache
def interpreter(version: str) -> str | None:
    """Return a Python of ``version`` on this machine, or None; none is downloaded."""
    if version == ".".join(map(str, sys.version_info[:2])):
        return sys.executable
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    places = [f"python{version}", *map(str, sorted(pyenv.glob(f"versions/{version}.*/bin/python")))]
    for place in places:
        if found := _printed([place, "-c", "import sys; print(sys.executable)"]):
            return found
    asked = ["python", "find", "--no-config", "--no-project", "--no-python-downloads", "--system", version]
    return _printed([uv(), *asked])


def _printed(command: list[str]) -> str | None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own words
    except OSError:
        return None
    return None if done.returncode else done.stdout.strip() or None


def runs_here(target: Target) -> bool:
    """Return whether this machine runs the target's wheels, given a Python of its version."""
    arch = platform.machine().lower().replace("amd64", "x86_64").replace("arm64", "aarch64")
    return sys.platform == "linux" and arch == target.machine
