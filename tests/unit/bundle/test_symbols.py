"""Symbol tables out of libraries, by a stand-in for binutils' strip, and which results are taken."""

import os
import struct
import sys
from pathlib import Path

import pytest

from mlserverless.bundle import symbols
from mlserverless.bundle.resolve import BuildError

STRIP = """\
#!{python} -S
import sys
option, _, out, library = sys.argv[1:]
assert option == "--strip-unneeded"
data = open(library, "rb").read()
if data.endswith(b"no"):
    sys.exit("file format not recognized")
open(out, "wb").write(open({made!r}, "rb").read())
"""


def library(offset: int, address: int, align: int, more: bytes = b"") -> bytes:
    """Return an ELF file of one segment that is loaded, and of ``more`` that it does not need."""
    ident = b"\x7fELF\x02\x01\x01" + bytes(9)
    header = struct.pack("<16sHHIQQQIHHHHHH", ident, 3, 62, 1, 0, 64, 0, 0, 64, 56, 1, 64, 0, 0)
    return header + struct.pack("<IIQQQQQQ", 1, 5, offset, address, address, 8, 8, align) + more


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a library, a module, and a program that strips any library to the same bytes."""
    (tmp_path / "bin").mkdir()
    tool = tmp_path / "bin" / "strip"
    tool.write_text(STRIP.format(python=sys.executable, made=str(tmp_path / "made")))
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    (tmp_path / "site" / "alpha").mkdir(parents=True)
    (tmp_path / "site" / "alpha" / "fast.so").write_bytes(library(0, 0, 4096, b"symbols"))
    (tmp_path / "site" / "alpha" / "__init__.py").write_text("no")
    return tmp_path / "site"


@pytest.mark.parametrize(
    ("made", "taken"),
    [
        (library(0, 0, 4096), True),
        (library(512, 4096 + 512, 4096), True),
        (library(0, 0, 4096, b"symbols"), False),  # no smaller
        (library(512, 4096, 4096), False),  # which no loader maps
        (library(8, 4096, 0), True),  # without alignment any address will do
    ],
)
def test_a_library_is_replaced_where_that_is_smaller_and_can_be_loaded(
    site: Path, made: bytes, taken: bool
) -> None:
    before = (site / "alpha" / "fast.so").read_bytes()
    (site.parent / "made").write_bytes(made)
    symbols.strip(site)
    assert (site / "alpha" / "fast.so").read_bytes() == (made if taken else before)
    assert (site / "alpha" / "__init__.py").read_text() == "no", "only libraries are stripped"
    assert sorted(os.listdir(site / "alpha")) == ["__init__.py", "fast.so"]


def test_what_strip_says_is_told(site: Path) -> None:
    (site / "alpha" / "fast.so").write_bytes(library(0, 0, 4096, b"no"))
    with pytest.raises(
        BuildError, match=r"strip cannot strip fast\.so: file format not recognized; leave out --strip"
    ):
        symbols.strip(site)


def test_without_binutils_it_is_told(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(BuildError, match=r"takes the program strip: install binutils, or leave out --strip"):
        symbols.strip(site)
