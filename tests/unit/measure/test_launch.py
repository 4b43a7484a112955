"""The step before a measured process: it joins groups, reads the clocks and leaves nothing else behind."""

import os
import runpy
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mlserverless.measure import launch


def test_it_joins_the_groups_keeps_to_the_cores_and_becomes_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    groups = [tmp_path / "cpu", tmp_path / "memory"]
    for group in groups:
        group.mkdir()
    became: list[tuple[str, list[str]]] = []
    bound: list[list[int]] = []
    monkeypatch.setattr(os, "execv", lambda path, words: became.append((path, words)))
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3, 1, 2}, raising=False)
    monkeypatch.setattr(os, "sched_setaffinity", lambda _, cores: bound.append(cores), raising=False)
    before = time.perf_counter()
    launch.main([os.pathsep.join(map(str, groups)), "2", "/bin/python", "-c", "code"])
    ((path, words),) = became
    assert (path, words[:3]) == ("/bin/python", ["/bin/python", "-c", "code"])
    assert before <= float(words[4]) <= time.perf_counter()
    assert 0 < float(words[3]) <= time.process_time()
    assert [(group / "cgroup.procs").read_text() for group in groups] == ["0", "0"]
    assert bound == [[1, 2]]


def test_without_groups_and_cores_it_only_becomes_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    became: list[str] = []
    monkeypatch.setattr(os, "execv", lambda path, words: became.append(path))
    monkeypatch.setattr(sys, "argv", ["launch.py", "", "0", "/bin/python"])
    runpy.run_path(launch.__file__, run_name="__main__")
    assert became == ["/bin/python"]


def test_the_command_runs_on_the_same_clock() -> None:
    code = "import sys, time; now = time.perf_counter(); print(now - float(sys.argv[2]), sys.argv[1])"
    command = [sys.executable, "-I", "-S", str(launch.__file__), "", "0", sys.executable, "-I", "-S", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    took, cpu = map(float, done.stdout.split())
    assert 0 < took < 20
    assert cpu > 0
