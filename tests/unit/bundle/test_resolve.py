"""Lock files read, uv asked for what they pin, and the Pythons of this machine found; uv is a stand-in here."""

import json
import os
import platform
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from mlserverless.bundle import resolve
from mlserverless.bundle.resolve import BuildError
from mlserverless.bundle.targets import PROVIDERS, Target, target
from mlserverless.local import deploy

LOCK = """\
# made by a tool
alpha==1.0 \\
    --hash=sha256:aa \\
    --hash=sha256:ab
Beta-Two==2.1 ; python_full_version < '3.12' \\
    --hash=sha256:bb

# for newer ones
beta-two==2.2 ; python_full_version >= '3.12' \\
\t--hash=sha256:bc
obstore==0.12.1 \\
    --hash=sha256:cc
"""
# Writes down its words and the requirements it is given, and installs a module, a script and its own lock.
UV = """\
#!{python} -S
import json, os, sys
words = sys.argv[1:]
said = {{"words": words}}
if "--requirement" in words:
    said["requirements"] = open(words[words.index("--requirement") + 1]).read()
    into = words[words.index("--target") + 1]
    os.makedirs(into + "/bin")
    for name in ("bin/tool", ".lock", "alpha.py"):
        open(os.path.join(into, name), "w").close()
json.dump(said, open({log!r}, "w"))
print({says!r})
sys.stderr.write({complains!r})
sys.exit({code})
"""
AWS = Target("aws", "3.13", "arm64")
PYTHON = sys.executable  # before a test takes it away


class Uv:
    """A stand-in for uv: the only program on the PATH."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._log = folder, folder / "said"

    def put(self, *, code: int = 0, says: str = "", complains: str = "") -> None:
        path, log = self._folder / "uv", str(self._log)
        path.write_text(UV.format(python=PYTHON, log=log, says=says, complains=complains, code=code))
        path.chmod(0o755)

    @property
    def said(self) -> Any:
        return json.loads(self._log.read_text())


@pytest.fixture
def uv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Uv:
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "alone" / "python"))
    (tmp_path / "lock.txt").write_text(LOCK)
    return Uv(folder)


@pytest.fixture(autouse=True)
def _forgetful() -> Any:
    resolve.interpreter.cache_clear()
    yield
    resolve.interpreter.cache_clear()


def test_entries_have_their_hashes_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "lock.txt").write_text(LOCK)
    found = resolve.entries(tmp_path / "lock.txt")
    assert found[0] == "alpha==1.0 \\\n    --hash=sha256:aa \\\n    --hash=sha256:ab"
    assert [resolve.name_of(entry) for entry in found] == ["alpha", "beta-two", "beta-two", "obstore"]
    assert resolve.versions(tmp_path / "lock.txt") == {"alpha": "1.0", "beta-two": "2.2", "obstore": "0.12.1"}
    (tmp_path / "lock.txt").write_text("    --hash=sha256:of-nothing\n")
    assert resolve.entries(tmp_path / "lock.txt") == ["    --hash=sha256:of-nothing"]


@pytest.mark.parametrize("provider", ["aws", "azure", "gcp", "container"])
def test_every_provider_has_a_lock_file_with_what_is_packed(provider: str) -> None:
    packed, _ = resolve.lock_files(target(provider, "3.13", "x86_64"))
    assert packed == deploy.folder(provider) / "requirements.txt"
    assert {"ai-edge-litert", "pillow", *resolve.STORES} <= resolve.versions(packed).keys()
    assert all("--hash=sha256:" in entry for entry in resolve.entries(packed))


def test_an_older_engine_has_a_lock_file_of_its_own() -> None:
    ours = deploy.folder("aws")
    old, arm = Target("aws", "3.11"), Target("aws", "3.13", "arm64")
    assert resolve.lock_files(old) == (ours / "requirements-py311.txt", ours / "requirements-runtime.txt")
    assert resolve.lock_files(arm) == (ours / "requirements-arm64.txt", ours / "requirements-runtime.txt")


@pytest.mark.parametrize("provider", PROVIDERS)
def test_an_onnx_model_has_a_lock_file_with_its_engine_and_the_same_releases_else(provider: str) -> None:
    for arch in ("x86_64", "arm64") if provider in ("aws", "container") else ("x86_64",):
        packed, beside = resolve.lock_files(target(provider, "3.13", arch), kind="onnx")
        assert packed == deploy.folder(provider) / "requirements-onnx.txt"
        assert beside == resolve.lock_files(target(provider, "3.13", arch))[1]
    held, other = (
        resolve.versions(resolve.lock_files(Target(provider), kind=kind)[0]) for kind in ("onnx", "tflite")
    )
    assert {"onnxruntime", "numpy", "pillow", *resolve.STORES} <= held.keys()
    assert "ai-edge-litert" not in held
    assert {name: held[name] for name in held.keys() & other.keys()} == {
        name: other[name] for name in held.keys() & other.keys()
    }, "a function may have models of both kinds"
    assert all("--hash=sha256:" in entry for entry in resolve.entries(packed))


def test_onnx_runtime_has_no_wheels_for_lambdas_oldest_python() -> None:
    with pytest.raises(
        BuildError, match=r"^aws:python3\.11:x86_64 stands on Amazon Linux 2, whose glibc is older"
    ):
        resolve.lock_files(Target("aws", "3.11"), kind="onnx")


def test_lock_files_are_merged_where_there_are_several(tmp_path: Path) -> None:
    one, other = tmp_path / "one.txt", tmp_path / "other.txt"
    one.write_text("a==1 \\\n    --hash=sha256:aa\nb==2 \\\n    --hash=sha256:bb\n")
    other.write_text("b==2 \\\n    --hash=sha256:bb\nc==3 \\\n    --hash=sha256:cc\n")
    assert resolve.merged([one], tmp_path / "never.txt") == one
    both = resolve.merged([one, other], tmp_path / "both.txt")
    assert resolve.versions(both) == {"a": "1", "b": "2", "c": "3"}
    assert len(resolve.entries(both)) == 3


def test_a_projects_own_lock_file_wins_and_what_it_has_not_is_ours(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text(LOCK)
    found = resolve.lock_files(Target("aws", "3.13"), tmp_path)
    assert found == (tmp_path / "requirements.txt", deploy.folder("aws") / "requirements-runtime.txt")
    (tmp_path / "requirements-runtime.txt").write_text(LOCK)
    assert resolve.lock_files(Target("aws", "3.13"), tmp_path)[1] == tmp_path / "requirements-runtime.txt"
    assert resolve.lock_files(Target("azure", "3.13"))[1] is None


def test_without_a_lock_file_its_name_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deploy, "folder", lambda provider: tmp_path / provider)
    with pytest.raises(
        BuildError, match=r"There is no requirements-py311\.txt for aws:python3\.11:x86_64 in .*aws"
    ):
        resolve.lock_files(Target("aws", "3.11"))


def kept(without: str) -> str:
    lines, dropping = [], False
    for line in LOCK.splitlines():
        if not line.startswith((" ", "\t")):
            dropping = line.startswith((without, "#")) or not line
        lines += [] if dropping else [line]
    return "\n".join(lines) + "\n"


def test_uv_installs_wheels_of_the_target_by_their_hashes(uv: Uv, tmp_path: Path) -> None:
    uv.put()
    into = tmp_path / "deep" / "site"
    resolve.install(tmp_path / "lock.txt", into, AWS, without=("obstore",))
    words = uv.said["words"]
    assert words[:2] == ["pip", "install"]
    assert {"--no-config", "--require-hashes", "--no-deps"} <= set(words)
    given = dict(pairwise(words))
    assert given["--only-binary"] == ":all:"
    assert given["--python-version"] == "3.13"
    assert given["--python-platform"] == "aarch64-manylinux_2_34"
    assert given["--target"] == str(into)
    assert given["--link-mode"] == "copy", "a package of links would change what uv keeps"
    assert uv.said["requirements"] == kept("obstore")
    assert sorted(os.listdir(into)) == ["alpha.py"], "scripts name this machine's Python; the lock is uv's own"


def test_this_machines_own_wheels_are_asked_for_no_platform(uv: Uv, tmp_path: Path) -> None:
    uv.put()
    resolve.install(tmp_path / "lock.txt", tmp_path / "site", AWS, here=True)
    assert "--python-platform" not in uv.said["words"]
    assert uv.said["requirements"] == kept("nothing")


def test_what_uv_complains_of_is_told(uv: Uv, tmp_path: Path) -> None:
    uv.put(code=2, complains="no wheels for alpha\n")
    with pytest.raises(
        BuildError, match=r"uv cannot install .*lock\.txt for aws:python3\.13:arm64: no wheels for al"
    ):
        resolve.install(tmp_path / "lock.txt", tmp_path / "site", AWS)


def test_without_uv_it_is_told_how_to_get_it(uv: Uv, tmp_path: Path) -> None:
    with pytest.raises(BuildError, match=r'uv, which is not installed: pip install "mlserverless\[build\]"'):
        resolve.install(tmp_path / "lock.txt", tmp_path / "site", AWS)


def test_the_uv_beside_this_python_is_taken_first(uv: Uv, tmp_path: Path) -> None:
    uv.put()
    assert resolve.uv() == str(tmp_path / "programs" / "uv")
    (tmp_path / "alone").mkdir()
    (tmp_path / "alone" / "uv").touch()
    assert resolve.uv() == str(tmp_path / "alone" / "uv")


def python(path: Path, *, says: str = "", code: int = 0) -> Path:
    """Put a stand-in for a Python there, which tells its own path, or what it ``says``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho '{says or path}'\nexit {code}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def pyenv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    return tmp_path / "pyenv" / "versions"


def test_the_running_python_needs_no_search(uv: Uv, pyenv: Path) -> None:
    assert resolve.interpreter(f"{sys.version_info.major}.{sys.version_info.minor}") == sys.executable


def test_a_python_is_found_on_the_path_then_in_pyenv(uv: Uv, pyenv: Path, tmp_path: Path) -> None:
    uv.put(code=1)
    ours = python(pyenv / "3.99.1" / "bin" / "python")
    assert resolve.interpreter("3.99") == str(ours)
    resolve.interpreter.cache_clear()
    on_path = python(tmp_path / "programs" / "python3.99")
    assert resolve.interpreter("3.99") == str(on_path)
    on_path.unlink()
    assert resolve.interpreter("3.99") == str(on_path), "it is searched for once"


def test_one_that_does_not_run_is_passed_over(uv: Uv, pyenv: Path, tmp_path: Path) -> None:
    uv.put(code=1)
    python(tmp_path / "programs" / "python3.99", code=127)  # as a shim of pyenv ends
    ours = python(pyenv / "3.99.1" / "bin" / "python")
    assert resolve.interpreter("3.99") == str(ours)


def test_at_last_uv_is_asked_which_downloads_none(uv: Uv, pyenv: Path) -> None:
    uv.put(says="/opt/python3.99")
    assert resolve.interpreter("3.99") == "/opt/python3.99"
    assert uv.said["words"][:2] == ["python", "find"]
    assert "--no-python-downloads" in uv.said["words"]
    assert uv.said["words"][-1] == "3.99"


def test_where_there_is_none_there_is_none(uv: Uv, pyenv: Path) -> None:
    uv.put(code=2, complains="No interpreter found")
    assert resolve.interpreter("3.99") is None


@pytest.mark.parametrize(
    ("system", "machine", "arch", "runs"),
    [
        ("linux", "x86_64", "x86_64", True),
        ("linux", "AMD64", "x86_64", True),
        ("linux", "x86_64", "arm64", False),
        ("linux", "aarch64", "arm64", True),
        ("linux", "arm64", "arm64", True),
        ("darwin", "arm64", "arm64", False),
    ],
)
def test_a_machine_runs_linux_wheels_of_its_own_architecture(
    monkeypatch: pytest.MonkeyPatch, system: str, machine: str, arch: str, runs: bool
) -> None:
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr(platform, "machine", lambda: machine)
    assert resolve.runs_here(Target("aws", "3.13", arch)) is runs


def test_a_projects_lock_for_another_target_is_not_passed_over(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("requests==2.0 --hash=sha256:0\n")
    with pytest.raises(
        BuildError, match=r"is not for aws:python3.13:arm64: put its lock at .*requirements-arm64.txt"
    ):
        resolve.lock_files(Target("aws", "3.13", "arm64"), tmp_path)
    (tmp_path / "requirements-arm64.txt").write_text("requests==2.0 --hash=sha256:0\n")
    assert resolve.lock_files(Target("aws", "3.13", "arm64"), tmp_path)[0] == tmp_path / "requirements-arm64.txt"


def test_a_lock_files_options_are_no_packages(tmp_path: Path) -> None:
    lock = tmp_path / "requirements.txt"
    lock.write_text(
        "--only-binary :all:\nrequests[socks]==2.32.0 ; python_version > '3' \\\n    --hash=sha256:0\n"
    )
    assert resolve.versions(lock) == {"requests": "2.32.0"}
