"""What shared libraries need, read from their ELF headers by pyelftools: machine, libraries, symbol versions.

The fields are those of the System V ABI's dynamic section; symbol versions are GNU's ``.gnu.version_r``.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from elftools.common.exceptions import ELFError
from elftools.elf.dynamic import DynamicSection
from elftools.elf.elffile import ELFFile
from elftools.elf.gnuversions import GNUVerNeedSection

_MACHINES = {"EM_X86_64": "x86_64", "EM_AARCH64": "aarch64"}


class Needs(NamedTuple):
    """One ELF file: what it is made for, the libraries it needs (DT_NEEDED), and of these the symbol versions."""

    path: Path
    machine: str
    libraries: tuple[str, ...]
    versions: tuple[str, ...]


def read(path: Path) -> Needs | None:
    """Return what the file needs; None where it is no ELF file. Raises ValueError where it is a corrupt one."""
    with path.open("rb") as file:
        if file.read(4) != b"\x7fELF":
            return None
        file.seek(0)
        try:
            elf = ELFFile(file)
            machine = str(elf["e_machine"])
            libraries: list[str] = []
            versions: set[str] = set()
            for section in elf.iter_sections():
                if isinstance(section, DynamicSection):
                    libraries += [str(getattr(tag, "needed")) for tag in section.iter_tags("DT_NEEDED")]  # noqa: B009
                elif isinstance(section, GNUVerNeedSection):
                    versions |= {aux.name for _, auxiliaries in section.iter_versions() for aux in auxiliaries}
        except (ELFError, UnicodeDecodeError, AttributeError, KeyError) as error:
            raise ValueError(f"{path} is a corrupt ELF file: {error}") from error
    return Needs(path, _MACHINES.get(machine, machine), tuple(libraries), tuple(sorted(versions)))


def needs(folder: Path) -> list[Needs]:
    """Return what each ELF file below ``folder`` needs, sorted by path."""
    found = (read(path) for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink())
    return [one for one in found if one is not None]


def closure(roots: Iterable[Path], folder: Path) -> set[Path]:
    """Return the libraries below ``folder`` that the shared objects ``roots`` need, and those that these need.

    A library is found by its file's name, as the loader does in the folders that a wheel's RPATH names.
    """
    there = {path.name: path for path in folder.rglob("*.so*") if path.is_file()}
    found: set[Path] = set()
    queue = list(roots)
    while queue:
        told = read(queue.pop())
        for name in told.libraries if told else ():
            if (path := there.get(name)) is not None and path not in found:
                found.add(path)
                queue.append(path)
    return found
