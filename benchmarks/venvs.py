"""Each peer in a virtual environment of its own, from a lock file with hashes: requirements/bench/NAME.txt."""

import hashlib
import shutil
import subprocess
from pathlib import Path

from benchmarks.children import ROOT


class Unavailable(Exception):
    """A peer cannot be installed here; the text says why."""


def python(name: str, *versions: str) -> Path:
    """Return the Python of the venv ``name``, made anew where its lock file has changed.

    ``versions`` are the Pythons that it may have, the first that is here. Raises Unavailable.
    """
    lock = ROOT / "requirements" / "bench" / f"{name}.txt"
    folder = ROOT / f".venv-bench-{name}"
    digest, stamp = hashlib.sha256(lock.read_bytes()).hexdigest(), folder / ".ready"
    if stamp.is_file() and stamp.read_text() == digest:
        return folder / "bin" / "python"
    made = subprocess.run(
        [str(ROOT / "tools" / "make_venv.sh"), str(folder), str(lock), *(versions or ("3.11", "3.12", "3.13"))],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    if made.returncode:
        shutil.rmtree(folder, ignore_errors=True)
        told = (made.stderr or made.stdout).strip().splitlines()
        raise Unavailable(f"{name} cannot be installed here: {told[-1] if told else 'no reason was given'}")
    stamp.write_text(digest)
    return folder / "bin" / "python"
