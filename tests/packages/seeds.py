"""Faults that are put into a good project or package: each a small change of real files."""

import ctypes
import json
import os
import re
import shutil
import struct
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from elftools.elf.elffile import ELFFile
from elftools.elf.gnuversions import GNUVerNeedSection

from mlserverless.bundle import archive, elf, resolve
from mlserverless.bundle.package import Package
from mlserverless.bundle.targets import Target


class Setup(NamedTuple):
    """What is examined: a project's folder, and a package of it where one was built."""

    target: Target
    project: Path
    package: Package | None = None
    model: str = "model"

    @property
    def deploy(self) -> Path:
        return self.project / self.target.provider

    @property
    def root(self) -> Path:
        assert self.package is not None
        return self.package.root


Change = Callable[[Setup], Setup | None]


class Fault(NamedTuple):
    """A fault: what it is, the one check that has to tell it, and how it is made."""

    name: str
    check: str
    change: Change
    provider: str = "aws"
    python: str = "3.13"
    packed: bool = False
    image: bool = False
    today: date | None = None


def write(path: Path, text: str | bytes) -> None:
    """Write the file anew: what was there may be a link to the good one."""
    path.unlink(missing_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)


def edit(path: Path, pattern: str, by: str) -> None:
    """Replace every match of ``pattern`` in the file; there must be one."""
    text, count = re.subn(pattern, by, path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert count, f"{path.name} has no {pattern}"
    write(path, text)


def put(file: str, pattern: str, by: str) -> Change:
    """Return the change that edits ``file`` of the deploy folder."""
    return lambda setup: edit(setup.deploy / file, pattern, by)


def remove(file: str) -> Change:
    """Return the change that removes a file or a folder of the project."""

    def change(setup: Setup) -> None:
        path = setup.project / file
        shutil.rmtree(path) if path.is_dir() else path.unlink()

    return change


def append(file: str, text: str) -> Change:
    """Return the change that appends to a file of the project."""

    def change(setup: Setup) -> None:
        path = setup.project / file
        write(path, path.read_text(encoding="utf-8") + text)

    return change


def setting(text: str) -> Change:
    """Return the change that adds a line to mlserverless.toml."""
    return append("mlserverless.toml", f"\n{text}\n")


def both(*changes: Change) -> Change:
    """Return the change that makes them all."""

    def change(setup: Setup) -> Setup:
        for one in changes:
            setup = one(setup) or setup
        return setup

    return change


def function(**properties: Any) -> Change:
    """Return the change that adds properties to the function of template.yaml, as YAML in one line each."""
    lines = "".join(f"      {name}: {json.dumps(value)}\n" for name, value in properties.items())
    return _properties(lines)


def _properties(lines: str) -> Change:
    return put(
        "template.yaml", r"^(    Type: AWS::Serverless::Function\n(?:    .*\n)*?    Properties:\n)", rf"\1{lines}"
    )


def variable(name: str, value: str) -> Change:
    """Return the change that adds a variable to the function of template.yaml."""
    return put("template.yaml", r"^( +)(MLSERVERLESS_MODEL: )", rf"\1{name}: {json.dumps(value)}\n\1\2")


def flag(name: str, value: Any, file: str = "flags.yaml", without: str = "") -> Change:
    """Return the change that sets a flag of gcloud."""

    def change(setup: Setup) -> None:
        path = setup.deploy / file
        told = yaml.safe_load(path.read_text(encoding="utf-8"))
        told.pop(without, None)
        told[name] = value
        write(path, yaml.safe_dump(told))

    return change


def flip_a_bit(setup: Setup) -> None:
    """Flip one bit in the middle of the model file."""
    path = next((setup.project / "model").glob("*.tflite"))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    write(path, bytes(data))


def one_label_more(setup: Setup) -> None:
    """Add a line to the label file."""
    path = next((setup.project / "model").glob("labels*.txt"))
    write(path, path.read_text(encoding="utf-8").rstrip("\n") + "\none too many\n")


def large_model(size: int) -> Change:
    """Return the change that makes the model file ``size`` bytes larger, behind what the engine reads of it."""

    def change(setup: Setup) -> None:
        path = next((setup.project / "model").glob("*.tflite"))
        write(path, path.read_bytes() + bytes(size))
        # The label files of its metadata are a zip archive, which is looked for at the file's end.
        told = f'metadata = "ignore"\nsha256 = "{archive.sha256(path)}"'
        edit(setup.project / "model" / "model.toml", '^sha256 = ".*"', told)

    return change


def large(name: str, size: int) -> Change:
    """Return the change that puts a file of ``size`` bytes into the package: sparse, so that it takes no disk."""

    def change(setup: Setup) -> None:
        with (setup.root / name).open("wb") as file:
            file.truncate(size)

    return change


def large_archive(size: int) -> Change:
    """Return the change that makes the archive ``size`` bytes long."""

    def change(setup: Setup) -> None:
        assert setup.package is not None
        assert setup.package.archive is not None
        setup.package.archive.unlink()
        with setup.package.archive.open("wb") as file:
            file.truncate(size)

    return change


def other_wheels(arch: str = "x86_64", python: str = "3.13") -> Change:
    """Return the change that puts Pillow's library for another architecture or Python in its own place."""

    def change(setup: Setup) -> None:
        lock, _ = resolve.lock_files(setup.target)
        others = setup.project / "others"
        without = [resolve.name_of(entry) for entry in resolve.entries(lock)]
        without.remove("pillow")
        resolve.install(lock, others, Target(setup.target.provider, python, arch), without=without)
        (right,) = (setup.root / "PIL").glob("_imaging.*.so")
        (wrong,) = (others / "PIL").glob("_imaging.*.so")
        right.unlink()
        shutil.copyfile(wrong, right.with_name(wrong.name if python != setup.target.python else right.name))

    return change


def newer_symbols(kind: str) -> Change:
    """Return the change that lets a library ask for a version of ``kind`` that no system has yet."""

    def change(setup: Setup) -> None:
        for one in elf.needs(setup.root):
            if names := [name for name in one.versions if re.fullmatch(rf"{kind}_\d+\.\d+(\.\d+)?", name)]:
                path, old = one.path, max(names)
                break
        data = path.read_bytes()
        write(path, data)  # a file of its own
        new = old[: len(old) - 2] + "99"
        with path.open("r+b") as file:
            (section,) = [part for part in ELFFile(file).iter_sections() if isinstance(part, GNUVerNeedSection)]
            names_at, needs_at = section.stringtable["sh_offset"], section["sh_offset"]
            at = next(aux["vna_name"] for _, every in section.iter_versions() for aux in every if aux.name == old)
            file.seek(names_at + at)
            file.write(new.encode())
            held = data[needs_at : needs_at + section["sh_size"]]
            file.seek(needs_at)
            file.write(held.replace(struct.pack("<I", elf_hash(old)), struct.pack("<I", elf_hash(new))))
        refused(path, new)

    return change


def refused(path: Path, version: str) -> None:
    """Make sure that this machine's own loader refuses the library for it: the fault is a real one."""
    with pytest.raises(OSError, match=re.escape(version)):
        ctypes.CDLL(str(path), os.RTLD_LAZY)


def elf_hash(name: str) -> int:
    """Return the System V ABI's hash of a symbol's name."""
    told = 0
    for letter in name.encode():
        told = (told << 4) + letter
        high = told & 0xF0000000
        told = (told ^ (high >> 24)) & ~high & 0xFFFFFFFF
    return told


def without_a_library(setup: Setup) -> None:
    """Remove a library that another one of the package needs."""
    for one in elf.needs(setup.root):
        for name in one.libraries:
            if there := [path for path in setup.root.rglob(name) if path.name == name]:
                there[0].unlink()
                return
    raise AssertionError("no library of the package needs another one of it")


def without(folder: str) -> Change:
    """Return the change that removes a folder of the package."""
    return lambda setup: shutil.rmtree(setup.root / folder)
