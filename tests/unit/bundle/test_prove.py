"""Slimming as far as the answers stay alike: what is put back, what is told, and when it is given up."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlserverless.bundle import golden, prove, resolve, slim
from mlserverless.bundle.archive import files
from mlserverless.bundle.golden import Run
from mlserverless.bundle.prove import Trial
from mlserverless.bundle.resolve import BuildError
from mlserverless.bundle.targets import Target
from mlserverless.testing.world import World

TARGET = Target("container", f"{sys.version_info.major}.{sys.version_info.minor}")
INFO = "alpha-1.0.dist-info"
HELD = {
    "alpha/__init__.py": "",
    "alpha/used.py": "",
    "alpha/idle.py": "",
    "alpha/table.dat": "",
    "alpha/sub/__init__.py": "",
    "alpha/sub/idle.py": "",
    "idle/__init__.py": "",
    f"{INFO}/METADATA": "",
    f"{INFO}/WHEEL": "",
}
USED = ("alpha/__init__.py", "alpha/used.py")
DROPPED = {
    "alpha/idle.py": slim.MODULE,
    "alpha/sub/__init__.py": slim.FOLDER,
    "alpha/sub/idle.py": slim.FOLDER,
    "alpha/table.dat": slim.DATA,
    "idle/__init__.py": slim.PACKAGE,
    "idle-2.dist-info/RECORD": slim.PACKAGE,
    f"{INFO}/WHEEL": slim.RECORDS,
    f"{INFO}/RECORD": slim.RECORDS,
}


def site(root: Path) -> Path:
    for name, text in HELD.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    (root / INFO / "RECORD").write_text(
        "".join(f"{name},,\n" for name in [*HELD, f"{INFO}/RECORD"] if "idle/_" not in name)
    )
    (root / "idle-2.dist-info").mkdir()
    (root / "idle-2.dist-info" / "RECORD").write_text("idle/__init__.py,,\nidle-2.dist-info/RECORD,,\n")
    return root


@pytest.fixture
def trial(tmp_path: Path) -> Trial:
    return Trial(TARGET, sys.executable, site(tmp_path / "site"), None, tmp_path / "entry", True, ("jpeg",))


@pytest.fixture
def world() -> Any:
    with World() as made:
        yield made


@pytest.fixture
def missed(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[int]]:
    """Make the golden requests miss some files, by their names; return how often they were asked so far."""

    def install(*names: str, fails: bool = False) -> list[int]:
        asked = [0]

        def run(target: Target, python: str, paths: list[Path], *_: object, **__: object) -> Run:
            asked[0] += 1
            without = [name for name in names if not (paths[1] / name).exists()]
            if without and fails:
                raise BuildError(f"The package ends with code 1: no {without[0]}")
            used = frozenset(str(paths[1] / name) for name in USED)
            return Run(({"reply": without},), used, 1)

        monkeypatch.setattr(golden, "run", run)
        return asked

    return install


def shrink(trial: Trial, tmp_path: Path, target_site: Path | None = None) -> tuple[dict[str, str], list[str]]:
    """Return what was left out, by path, and what was told."""
    told: list[str] = []
    wanted = trial.run(None)  # the stand-in looks at no world
    found = prove.shrink(trial, wanted, target_site or trial.site, tmp_path / "away", None, told.append)
    return {one.path: one.rule for one in found}, told


def test_where_nothing_differs_all_of_it_stays_away(
    trial: Trial, tmp_path: Path, missed: Callable[..., list[int]]
) -> None:
    asked = missed()
    dropped, told = shrink(trial, tmp_path)
    assert (dropped, told, asked) == (DROPPED, [], [2])
    assert {str(path) for path in files(trial.site)} == {*USED, f"{INFO}/METADATA"}
    assert {str(path) for path in files(tmp_path / "away" / "trial")} == set(DROPPED)


def test_a_rule_that_was_too_daring_is_undone_as_a_whole_and_told(
    trial: Trial, tmp_path: Path, missed: Callable[..., list[int]]
) -> None:
    missed("alpha/sub/__init__.py")
    dropped, told = shrink(trial, tmp_path)
    undone = (slim.MODULE, slim.FOLDER)
    assert dropped == {name: rule for name, rule in DROPPED.items() if rule not in undone}
    assert told == [
        f"put back: {rule}, since without it answer 0: {{'reply': ['alpha/sub/__init__.py']}}, not {{'reply': []}}"
        for rule in undone
    ]
    assert {name for name, rule in DROPPED.items() if rule in undone} < {str(path) for path in files(trial.site)}


def test_a_process_that_dies_is_a_difference(
    trial: Trial, tmp_path: Path, missed: Callable[..., list[int]]
) -> None:
    missed("alpha/idle.py", fails=True)
    dropped, told = shrink(trial, tmp_path)
    assert dropped == {name: rule for name, rule in DROPPED.items() if rule != slim.MODULE}
    (line,) = told
    assert line.endswith("since without it The package ends with code 1: no alpha/idle.py")


def test_with_a_stand_in_the_targets_own_files_go_and_come_back_too(
    trial: Trial, tmp_path: Path, missed: Callable[..., list[int]]
) -> None:
    missed("alpha/idle.py")
    target_site = site(tmp_path / "target")
    (target_site / "alpha" / "_fast.cpython-313-aarch64-linux-gnu.so").touch()
    dropped, _ = shrink(trial._replace(own=False), tmp_path, target_site)
    assert dropped == {name: rule for name, rule in DROPPED.items() if rule != slim.MODULE} | {
        "alpha/_fast.cpython-313-aarch64-linux-gnu.so": slim.SHARED
    }
    for root in (trial.site, target_site):
        assert {str(path) for path in files(root)} == {*USED, f"{INFO}/METADATA", "alpha/idle.py"}


def test_a_package_that_never_answers_alike_is_given_up_whole(
    trial: Trial, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = iter(range(100))
    monkeypatch.setattr(golden, "run", lambda *_, **__: Run(({"reply": next(numbers)},), frozenset(), 1))
    with pytest.raises(BuildError, match=r"The package for container:.* does not answer alike twice: answer 0: "):
        shrink(trial, tmp_path)
    assert next(numbers) == 3, "whole, slimmed, and once more after the one rule that dropped something was undone"
    assert {str(path) for path in files(trial.site)} >= set(HELD)


def test_the_packed_one_has_to_answer_alike(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = Run(({"reply": 1},), frozenset(), 1)
    monkeypatch.setattr(golden, "run", lambda *_, **__: wanted._replace(peak=5))
    assert prove.confirm(trial, wanted, None).peak == 5
    monkeypatch.setattr(golden, "run", lambda *_, **__: wanted._replace(answers=({"reply": 2},)))
    with pytest.raises(BuildError, match=r"The packed package for container:.* answers otherwise: answer 0: "):
        prove.confirm(trial, wanted, None)


def test_the_entry_file_the_packages_and_the_runtime_are_on_the_path(
    trial: Trial, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    given: list[Any] = []

    def run(*arguments: Any, raw: bool) -> Run:
        assert raw
        given.append(arguments)
        return Run(({"reply": len(given)},), frozenset({f"used-{len(given)}"}), 10 - len(given))

    monkeypatch.setattr(golden, "run", run)
    trial = trial._replace(models=("blue",), raw=True)
    trial.run(None)
    trial._replace(runtime=tmp_path / "runtime").run(None)
    paths = [trial.entry, trial.site]
    assert given == [
        (TARGET, sys.executable, paths, trial.entry, None, ("jpeg",), ("blue",)),
        (TARGET, sys.executable, [*paths, tmp_path / "runtime"], trial.entry, None, ("jpeg",), ("blue",)),
    ]
    both = trial._replace(plain=tmp_path / "ours").run(None)
    assert [(arguments[2][0], arguments[3]) for arguments in given[2:]] == [
        (trial.entry, trial.entry),
        (tmp_path / "ours", tmp_path / "ours"),
    ]
    assert both == Run(({"reply": 3}, {"reply": 4}), frozenset({"used-3", "used-4"}), 7)


def test_it_is_said_whose_wheels_were_run(trial: Trial) -> None:
    assert trial.told() == f"on its own platform, Python {TARGET.python}"
    stand_in = trial._replace(own=False).told()
    assert stand_in == f"with the same releases for {sys.platform}, Python {TARGET.python}"


def test_only_files_of_the_site_count_and_by_the_names_they_have_everywhere(tmp_path: Path) -> None:
    used = [f"{tmp_path}/PIL/_imaging.cpython-313-x86_64-linux-gnu.so", f"{tmp_path}-2/a.py", "/usr/lib/os.py"]
    assert prove.relative(used, tmp_path) == {"PIL/_imaging.so"}


def test_slimming_takes_a_python_of_the_targets_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolve, "interpreter", {"3.12": "/python3.12"}.get)
    assert prove.python_for(Target("aws", "3.12"), slim=True) == "/python3.12"
    assert prove.python_for(Target("aws", "3.14"), slim=False) is None
    with pytest.raises(
        BuildError, match=r"needs a Python 3\.14 on this machine.*uv python install 3\.14.*--no-slim"
    ):
        prove.python_for(Target("aws", "3.14"), slim=True)


# It asks whether a module is there, in a way that neither imports nor opens it.
LAZY = """
import importlib.util
import alpha.used

def application(environ, start_response):
    try:
        start_response("200 OK", [])
        return [str(int(environ["QUERY_STRING"])).encode()]
    except ValueError as error:
        there = importlib.util.find_spec("alpha." + "idle"[:4]) is not None
        return [b"told by a module of its own" if there else b"told badly"]
"""


def test_in_truth_a_module_that_is_looked_for_by_a_name_made_up_later_is_put_back(
    trial: Trial, tmp_path: Path, world: World
) -> None:
    trial.entry.mkdir()
    (trial.entry / "app.py").write_text(LAZY)
    told: list[str] = []
    wanted = trial.run(world)
    dropped = prove.shrink(trial, wanted, trial.site, tmp_path / "away", world, told.append)
    assert {one.path: one.rule for one in dropped} == {
        n: rule for n, rule in DROPPED.items() if rule != slim.MODULE
    }
    assert (trial.site / "alpha" / "idle.py").is_file()
    (line,) = told
    assert line.startswith(f"put back: {slim.MODULE}, since without it answer ")
    assert "told badly" in line
