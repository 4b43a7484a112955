"""What libraries need, read from Pillow's own, and from files that are none or broken."""

import struct
import sys
from pathlib import Path

import PIL
import pytest

from mlserverless.bundle import elf

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads this machine's own libraries, Linux's")
SITE = Path(PIL.__file__).parents[1]
LIBRARIES = SITE / "pillow.libs"


def header(machine: int) -> bytes:
    """Return an ELF file that is nothing but its header."""
    return struct.pack(
        "<16sHHIQQQIHHHHHH", b"\x7fELF\x02\x01\x01" + bytes(9), 3, machine, 1, 0, 0, 0, 0, 64, 0, 0, 64, 0, 0
    )


def imaging() -> Path:
    (found,) = (SITE / "PIL").glob("_imaging.*.so")
    return found


def test_a_library_tells_its_machine_its_libraries_and_their_versions() -> None:
    found = elf.read(imaging())
    assert found is not None
    assert found.path == imaging()
    assert found.machine in ("x86_64", "aarch64")
    assert "libc.so.6" in found.libraries
    assert any(name.startswith("libjpeg") for name in found.libraries)
    assert any(version.startswith("GLIBC_2.") for version in found.versions)
    assert list(found.versions) == sorted(set(found.versions))


@pytest.mark.parametrize(("machine", "name"), [(62, "x86_64"), (183, "aarch64"), (243, "EM_RISCV")])
def test_the_machine_is_named_as_the_kernel_names_it(tmp_path: Path, machine: int, name: str) -> None:
    (tmp_path / "lib.so").write_bytes(header(machine))
    assert elf.read(tmp_path / "lib.so") == elf.Needs(tmp_path / "lib.so", name, (), ())


def test_what_is_no_elf_file_needs_nothing(tmp_path: Path) -> None:
    for name, data in {"module.py": b"import os\n", "empty.so": b"", "short.so": b"\x7fEL"}.items():
        (tmp_path / name).write_bytes(data)
        assert elf.read(tmp_path / name) is None
    assert elf.needs(tmp_path) == []


@pytest.mark.parametrize("length", [4, 20, 63])
def test_a_truncated_one_is_said_to_be_corrupt(tmp_path: Path, length: int) -> None:
    (tmp_path / "lib.so").write_bytes(imaging().read_bytes()[:length])
    with pytest.raises(ValueError, match=r"lib\.so is a corrupt ELF file"):
        elf.read(tmp_path / "lib.so")


def test_a_folder_is_read_in_the_order_of_its_paths_and_links_are_not_followed(tmp_path: Path) -> None:
    for name in ("b.so", "a/lib.so.1"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(header(62))
    (tmp_path / "c.so").symlink_to("b.so")
    assert [one.path.relative_to(tmp_path).as_posix() for one in elf.needs(tmp_path)] == ["a/lib.so.1", "b.so"]


def test_the_closure_has_what_is_needed_and_what_that_needs() -> None:
    found = elf.closure([imaging()], SITE)
    names = {path.name.partition("-")[0] for path in found}
    assert {"libjpeg", "libtiff"} <= names
    assert all(path.parent == LIBRARIES for path in found)
    needed = {name for path in found if (told := elf.read(path)) for name in told.libraries}
    assert {path.name for path in found} >= needed & {path.name for path in LIBRARIES.iterdir()}
    assert imaging() not in found


def test_the_closure_of_nothing_and_of_what_is_elsewhere_is_empty(tmp_path: Path) -> None:
    assert elf.closure([], SITE) == set()
    assert elf.closure([imaging()], tmp_path) == set()
