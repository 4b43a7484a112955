"""Bytecode beside the sources, so that a cold start compiles nothing.

It is of the unchecked kind (PEP 552): it holds the source's hash instead of its time, so it is the same in every
build, and is not compared with the source at import.
"""

import subprocess
from pathlib import Path

from mlserverless.bundle.archive import files
from mlserverless.bundle.resolve import BuildError

# One process in a set order: what marshal writes depends on what was interned before.
SCRIPT = """
import py_compile, sys
mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
for name in sys.stdin.read().splitlines():
    py_compile.compile(name, dfile=name, doraise=True, invalidation_mode=mode)
"""


def add(root: Path, python: str) -> None:
    """Compile every module below ``root`` with ``python``, of the target's version; raise BuildError."""
    names = [path.as_posix() for path in files(root) if path.suffix == ".py"]
    done = subprocess.run(  # noqa: S603 - our own words
        [python, "-S", "-E", "-c", SCRIPT],
        input="\n".join(names),
        cwd=root,
        env={"PYTHONHASHSEED": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise BuildError(f"A module of the package cannot be compiled: {done.stderr.strip()[-1000:]}")
