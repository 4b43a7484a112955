"""Control groups: of version 1 and 2 in folders that look like them; in earnest where this machine has some."""

import os
from pathlib import Path

import pytest

from mlserverless.measure import groups
from mlserverless.measure.groups import Base, Unavailable
from mlserverless.measure.spawn import Died, Limits, Subject, ask


@pytest.fixture
def v2(tmp_path: Path) -> Path:
    (tmp_path / "cgroup.controllers").write_text("cpuset cpu io memory pids\n")
    (tmp_path / "cgroup.subtree_control").write_text("cpu memory pids\n")
    return tmp_path


@pytest.fixture
def v1(tmp_path: Path) -> Path:
    for name in ("cpu", "memory/docker/a1"):
        (tmp_path / name).mkdir(parents=True)
    return tmp_path


@pytest.fixture
def own(tmp_path: Path) -> Path:
    file = tmp_path / "own"
    file.write_text("4:memory:/docker/a1\n1:cpu,cpuacct:/elsewhere\n0::/\n")
    return file


class Made:
    """Folders of groups, which keep what is written into them: real ones vanish with their files."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **files: str) -> None:
        self.removed: list[Path] = []
        self._files = files
        mkdir = Path.mkdir
        monkeypatch.setattr(Path, "mkdir", lambda path, **given: self._mkdir(mkdir, path, **given))
        monkeypatch.setattr(Path, "rmdir", lambda path: self.removed.append(path))

    def _mkdir(self, mkdir: object, path: Path, **given: bool) -> None:
        mkdir(path, **given)  # type: ignore[operator]
        for name, text in self._files.items():
            (path / name.replace("__", ".")).write_text(text)


def test_version_2_is_one_folder_with_cpu_memory_and_no_swap(v2: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base = groups.find(v2, v2 / "none")
    assert base == Base(2, v2, v2)
    made = Made(monkeypatch, memory__swap__max="max", memory__events="low 0\noom 3\noom_kill 2\n")
    with groups.limited(base, 512, 0.25) as group:
        (folder,) = map(Path, group.folders)
        assert folder.parent == v2
        assert (folder / "memory.max").read_text() == str(512 * 2**20)
        assert (folder / "memory.swap.max").read_text() == "0"
        assert (folder / "cpu.max").read_text() == "5000 20000"
        assert group.quota == folder / "cpu.max"
        assert group.oom_kills() == 2
    assert made.removed == [folder]


def test_version_2_turns_the_controllers_on(v2: Path) -> None:
    control = v2 / "cgroup.subtree_control"
    control.write_text("pids\n")
    groups.find(v2, v2 / "none")
    assert control.read_text() == "+cpu +memory"


def test_version_2_that_may_not_be_delegated_says_what_to_do(v2: Path) -> None:
    (v2 / "cgroup.subtree_control").unlink()
    with pytest.raises(Unavailable, match=r"may not \(No such file or directory\)\. Run it as root \(sudo -E\)"):
        groups.find(v2, v2 / "none")


def test_version_1_has_a_folder_a_controller_below_this_processs_own(
    v1: Path, own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = groups.find(v1, own)
    assert base == Base(1, v1 / "cpu", v1 / "memory/docker/a1"), "where its own group is not to be seen: the top"
    made = Made(monkeypatch, memory__oom_control="oom_kill_disable 0\nunder_oom 0\n")
    with groups.limited(base, 1024, 2.0) as group:
        cpu, memory = map(Path, group.folders)
        assert (memory / "memory.limit_in_bytes").read_text() == str(1024 * 2**20)
        assert not (memory / "memory.memsw.limit_in_bytes").exists()
        assert (cpu / "cpu.cfs_period_us").read_text() == "20000"
        assert (cpu / "cpu.cfs_quota_us").read_text() == "40000"
        assert group.oom_kills() == 0
    assert made.removed == [cpu, memory]


def test_a_quota_is_never_below_the_kernels_least() -> None:
    assert groups.quota_text(1, 0.001) == "1000"
    assert groups.quota_text(2, 0.333) == "6660 20000"


@pytest.mark.parametrize("empty", [True, False])
def test_without_control_groups_it_says_so(tmp_path: Path, empty: bool) -> None:
    if not empty:
        (tmp_path / "cpu").mkdir()
    with pytest.raises(Unavailable, match="has none with cpu and memory"):
        groups.find(tmp_path, tmp_path / "own")


def test_where_they_may_not_be_written_it_says_what_to_do(
    v1: Path, own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(Unavailable, match=r"which this user may not\. Run it as root \(sudo -E\); in a container"):
        groups.find(v1, own)


def test_where_they_are_mounted_to_be_read_only_it_says_what_to_do(
    v1: Path, own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(groups, "_read_only", lambda _: True)
    with pytest.raises(Unavailable, match="--privileged and --cgroupns=host"):
        groups.find(v1, own)


def test_what_the_kernel_refuses_is_told_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(16, "Device or resource busy")

    monkeypatch.setattr(groups, "_write", refuse)
    with (
        pytest.raises(Unavailable, match="Device or resource busy"),
        groups.limited(Base(2, tmp_path, tmp_path), 512, 1.0),
    ):
        raise AssertionError("it was lent")
    assert list(tmp_path.iterdir()) == []


def test_a_group_that_is_still_busy_is_tried_again_and_then_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[float] = []
    monkeypatch.setattr(groups.time, "sleep", tries.append)
    (tmp_path / "still").mkdir()
    groups._remove(tmp_path)
    assert len(tries) == groups.TRIES
    groups._remove(tmp_path / "none")
    assert len(tries) == groups.TRIES


def may_not() -> str:
    """Return why groups cannot be made here; "" where they can."""
    try:
        with groups.limited(groups.find(), 40, 1.0):
            return ""
    except Unavailable as why:
        return str(why)


def test_in_earnest_a_child_is_held_to_its_memory_or_it_is_said_why_not(tmp_path: Path) -> None:
    if why := may_not():
        assert "root" in why
        return
    (tmp_path / "greedy.py").write_text("held = [bytearray(1 << 20) for _ in range(4000)]")
    with groups.limited(groups.find(), 40, 1.0) as group:
        limits = Limits(group.folders, 1, {"PYTHONPATH": str(tmp_path)})
        with pytest.raises(Died, match="killed by signal 9"):
            ask(Subject("greedy"), "cold", "http://127.0.0.1:1/", "", limits=limits)
        assert group.oom_kills() == 1
    assert not any(Path(folder).exists() for folder in group.folders)
