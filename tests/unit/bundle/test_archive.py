"""Archives that are the same bytes whenever and wherever they are made, and that installers take."""

import base64
import hashlib
import os
import py_compile
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from mlserverless.bundle import archive

HELD = {
    "app.py": b"print('hello')\n",
    "pkg/__init__.py": b"",
    "pkg/_fast.cpython-313-x86_64-linux-gnu.so": b"\x7fELF" * 50,
    "pkg/libjpeg-1a2b.so.62.4.0": b"\x7fELF",
    "pkg/data.bin": bytes(range(256)) * 9,
    "pkg-2/Ö.txt": b"sorted by bytes",
    "pkg.txt": b"before pkg/ in bytes",
}


def tree(root: Path, names: list[str], *, when: float, mode: int) -> Path:
    """Write HELD below ``root``, its files in the order of ``names``, with that time and mode."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(HELD[name])
        path.chmod(mode)
        os.utime(path, (when, when))
    return root


@pytest.fixture
def trees(tmp_path: Path) -> tuple[Path, Path]:
    """Two folders of the same files, which differ in all that is not in them."""
    first = tree(tmp_path / "a", list(HELD), when=1e9, mode=0o644)
    second = tree(tmp_path / "deeper" / "b", [*reversed(HELD)], when=1.7e9, mode=0o700)
    (second / "an empty folder").mkdir()
    return first, second


def test_files_are_listed_by_their_bytes(trees: tuple[Path, Path]) -> None:
    for root in trees:
        names = [path.as_posix() for path in archive.files(root)]
        assert names == sorted(HELD, key=str.encode)
    assert archive.size(trees[0]) == sum(map(len, HELD.values()))


def test_a_zip_is_the_same_bytes_whatever_the_files_times_modes_and_order(
    trees: tuple[Path, Path], tmp_path: Path
) -> None:
    outs = [tmp_path / "1.zip", tmp_path / "2.zip"]
    for root, out in zip(trees, outs, strict=True):
        archive.write_zip(root, out)
    assert outs[0].read_bytes() == outs[1].read_bytes()
    assert archive.sha256(outs[0]) == hashlib.sha256(outs[1].read_bytes()).hexdigest()
    (trees[1] / "app.py").write_bytes(b"print('other')\n")
    archive.write_zip(trees[1], outs[1])
    assert archive.sha256(outs[0]) != archive.sha256(outs[1])


def test_a_zip_has_what_the_folder_has_readable_by_all(trees: tuple[Path, Path], tmp_path: Path) -> None:
    archive.write_zip(trees[0], tmp_path / "out.zip", "python/")
    with zipfile.ZipFile(tmp_path / "out.zip") as made:
        assert made.testzip() is None
        assert {info.filename: made.read(info) for info in made.infolist()} == {
            f"python/{name}": data for name, data in HELD.items()
        }
        modes = {info.filename.removeprefix("python/"): info.external_attr >> 16 for info in made.infolist()}
        assert {name for name, mode in modes.items() if mode == 0o100755} == {
            name for name in HELD if ".so" in name
        }
        assert {mode for name, mode in modes.items() if ".so" not in name} == {0o100644}
        assert {info.date_time for info in made.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert {info.create_system for info in made.infolist()} == {3}
        assert all(info.compress_type == zipfile.ZIP_DEFLATED for info in made.infolist())
    assert (tmp_path / "out.zip").stat().st_size < archive.size(trees[0]), "it is compressed"


@pytest.fixture
def wheel(trees: tuple[Path, Path], tmp_path: Path) -> Path:
    """A wheel of the first folder, with bytecode in it."""
    py_compile.compile(
        str(trees[0] / "app.py"), doraise=True, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH
    )
    return archive.write_wheel(trees[0], tmp_path / "wheels", "mls_function", "1.2", "py3-none-any", "3")


def test_a_wheel_is_named_and_describes_itself(wheel: Path) -> None:
    assert wheel.name == "mls_function-1.2-py3-none-any.whl"
    with zipfile.ZipFile(wheel) as made:
        about = made.read("mls_function-1.2.dist-info/METADATA").decode()
        told = made.read("mls_function-1.2.dist-info/WHEEL").decode()
    assert about == "Metadata-Version: 2.1\nName: mls_function\nVersion: 1.2\nRequires-Python: ==3.*\n"
    assert "Root-Is-Purelib: false\n" in told
    assert "Tag: py3-none-any\n" in told


def test_each_member_of_a_wheel_is_what_its_record_says(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as made:
        names = made.namelist()
        rows = [line.rsplit(",", 2) for line in made.read(names[-1]).decode().splitlines()]
        assert names[-1] == "mls_function-1.2.dist-info/RECORD"
        assert [row[0] for row in rows] == names
        assert rows[-1][1:] == ["", ""]
        for name, digest, size in rows[:-1]:
            data = made.read(name)
            coded = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")
            assert (digest, int(size)) == (f"sha256={coded}", len(data)), name


def test_what_other_packages_tell_of_themselves_stays_below_the_wheels_own(tmp_path: Path) -> None:
    for name in ("alpha-1.0.dist-info/METADATA", "alpha-1.0.dist-info/licenses/third/LICENSE", "alpha/a.py"):
        (tmp_path / "root" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "root" / name).write_text(name)
    wheel = archive.write_wheel(tmp_path / "root", tmp_path, "mls", "2", "py3-none-any", "3")
    with zipfile.ZipFile(wheel) as made:
        names = made.namelist()
        licence = made.read("mls-2.dist-info/licenses/alpha-1.0/licenses/third/LICENSE")
    assert {name.partition("/")[0] for name in names} == {"alpha", "mls-2.dist-info"}, (
        "pip takes no wheel with two"
    )
    assert licence == b"alpha-1.0.dist-info/licenses/third/LICENSE"
    assert "mls-2.dist-info/licenses/alpha-1.0/METADATA" in names


def test_a_wheel_is_the_same_bytes_each_time(trees: tuple[Path, Path], tmp_path: Path) -> None:
    made = [
        archive.write_wheel(root, tmp_path / str(at), "mls", "1", "cp313-cp313-linux_x86_64", "3.13")
        for at, root in enumerate(trees)
    ]
    assert made[0].read_bytes() == made[1].read_bytes()


def test_pip_installs_a_wheel_with_its_bytecode_as_it_is(
    wheel: Path, trees: tuple[Path, Path], tmp_path: Path
) -> None:
    into = tmp_path / "into"
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--isolated"]
    command += ["--no-index", "--no-deps", "--no-compile", "--no-cache-dir", "--target", str(into), str(wheel)]
    subprocess.run(command, check=True)
    for path in archive.files(trees[0]):
        assert (into / path).read_bytes() == (trees[0] / path).read_bytes(), path
    (bytecode,) = (into / "__pycache__").glob("app.*.pyc")
    assert bytecode.read_bytes()[4:8] == b"\x01\0\0\0", "it is not compared with its source"
