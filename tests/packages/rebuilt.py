"""The same package built again: in another folder, by another clock, in another time zone."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from helpers.figures import Figure, Scale, skip
from mlserverless.bundle import archive, resolve
from packages.built import MODEL, package

NAME, BAR = "rebuilt in another folder with another clock", "byte-identical"
SCRIPT = """
import sys, time
from pathlib import Path
from mlserverless.bundle.build import build
from mlserverless.bundle.targets import target
made = build(target(sys.argv[1], "3.13", "x86_64"), model=sys.argv[2], out=Path(sys.argv[3]), project=Path("."))
print(made.archive, int(time.time()))
"""
LATER = "+400 hours"


def measure(scale: Scale) -> list[Figure]:
    """Return one figure for each archive: of two builds days apart."""
    if resolve.interpreter("3.13") is None:
        return [skip(NAME, BAR, "this machine has no Python 3.13")]
    if (clock := shutil.which("faketime")) is None:
        return [skip(NAME, BAR, "Debian's faketime, which sets another clock, is not installed")]
    providers = ("aws",) if scale.short else ("aws", "azure", "gcp")
    return [_figure(provider, clock) for provider in providers]


def _figure(provider: str, clock: str) -> Figure:
    first = package(provider).archive
    assert first is not None
    with TemporaryDirectory(prefix="elsewhere-") as folder:
        environment = {**os.environ, "TZ": "Pacific/Auckland", "PYTHONHASHSEED": "7", "TMPDIR": folder}
        command = [clock, LATER, sys.executable, "-c", SCRIPT, provider, MODEL, str(Path(folder, "out"))]
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, check=True, umask=0o077
        )
        path, seconds = done.stdout.split()
        days = (int(seconds) - first.stat().st_mtime) / 86_400
        same = archive.sha256(Path(path)) == archive.sha256(first)
    shown = f"{'the same' if same else 'other'} bytes, {days:.0f} days later: {archive.sha256(first)[:16]}…"
    return Figure(f"{NAME}, {provider}", BAR, shown, same and days > 10)
