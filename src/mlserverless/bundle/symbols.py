"""Symbol tables and debug sections out of the shared libraries: about a twelfth of a zip.

What the loader needs stays. It is asked for, never done by itself: it takes binutils, whose versions write other
bytes, and only a package that is run afterwards gets it. A library that patchelf wrote before may come out with
segments that no loader maps; such a one stays as it was.
"""

import shutil
import subprocess
import tempfile
from pathlib import Path

from elftools.elf.elffile import ELFFile

from mlserverless.bundle import elf
from mlserverless.bundle.resolve import BuildError


def strip(site: Path) -> None:
    """Strip every shared library below ``site``; raise BuildError where there is no ``strip`` or it fails."""
    tool = shutil.which("strip")
    if tool is None:
        raise BuildError("Stripping takes the program strip: install binutils, or leave out --strip.")
    with tempfile.TemporaryDirectory(prefix="strip-") as folder:
        out = Path(folder, "stripped")
        for library in (needs.path for needs in elf.needs(site)):
            command = [tool, "--strip-unneeded", "-o", str(out), str(library)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own words
            if done.returncode:
                raise BuildError(f"strip cannot strip {library.name}: {done.stderr.strip()}; leave out --strip.")
            if out.stat().st_size < library.stat().st_size and loadable(out):
                shutil.copyfile(out, library)


def loadable(library: Path) -> bool:
    """Return whether each segment's offset and address are alike modulo its alignment, as the loader demands."""
    with library.open("rb") as file:
        segments = [part for part in ELFFile(file).iter_segments() if part["p_type"] == "PT_LOAD"]
        return all((part["p_offset"] - part["p_vaddr"]) % max(part["p_align"], 1) == 0 for part in segments)
