"""The built artefacts: what they hold, and the wheel in an empty environment far from the checkout."""

import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

import mlserverless

ROOT = Path(__file__).parents[2]
CONTENTS = Path(__file__).with_name("wheel-contents.txt")
SDIST_ROOTS = ("src", "adapters", "models", "examples", "benchmarks", "docs", "tests", "tools", "requirements")
SDIST_FILES = (
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "LICENSE",
    "Makefile",
    "README.md",
    "SECURITY.md",
    "mkdocs.yml",
    "pyproject.toml",
)
# Hatchling adds these to every source distribution.
ADDED = {"PKG-INFO", ".gitignore"}


def run(*command: str | Path, cwd: Path, code: int = 0) -> subprocess.CompletedProcess[str]:
    """Run ``command`` with a clean environment and check its exit code."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MLSERVERLESS", "PYTHON"))}
    done = subprocess.run([*map(str, command)], cwd=cwd, env=kept, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the sdist."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT, cwd=folder)
    return folder


def test_the_wheel_holds_exactly_this(built: Path) -> None:
    """After a wanted change: unzip -Z1 dist/*.whl | LC_ALL=C sort > tests/e2e/wheel-contents.txt"""
    (wheel,) = built.glob("*.whl")
    assert sorted(zipfile.ZipFile(wheel).namelist()) == CONTENTS.read_text().splitlines()


def test_the_sdist_holds_what_git_tracks_and_builds_from(built: Path) -> None:
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        held = {name.partition("/")[2] for name in archive.getnames()} - ADDED
    listed = run("git", "ls-files", "--cached", "--others", "--exclude-standard", cwd=ROOT).stdout.splitlines()
    expected = {n for n in listed if (n.startswith(tuple(f"{r}/" for r in SDIST_ROOTS)) or n in SDIST_FILES)}
    assert held == {name for name in expected if (ROOT / name).is_file()}


@pytest.fixture(scope="module")
def installed(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin folder of an empty environment into which the wheel with its cli extra was installed."""
    folder = tmp_path_factory.mktemp("empty")
    run(sys.executable, "-m", "venv", folder / "venv", cwd=folder)
    (wheel,) = built.glob("*.whl")
    run(folder / "venv/bin/python", "-m", "pip", "install", "--quiet", f"{wheel}[cli]", cwd=folder)
    return folder / "venv/bin"


def test_predict_from_the_wheel(installed: Path, tmp_path: Path) -> None:
    shutil.copy(ROOT / "examples/photos/coffee.png", tmp_path)
    done = run(installed / "mlserverless", "predict", "coffee.png", "--top-k", "1", cwd=tmp_path)
    answer = json.loads(done.stdout)
    assert answer["model"] == "efficientnet-lite0"
    assert answer["predictions"] == [{"label": "espresso", "index": 967, "score": 0.949219}]
    assert done.stderr == ""


def test_the_other_bundled_model_and_a_failure(installed: Path, tmp_path: Path) -> None:
    shutil.copy(ROOT / "examples/photos/chelsea.png", tmp_path)
    command = installed / "mlserverless", "predict", "--model", "dogs-vs-cats", "chelsea.png", "absent.png"
    first, second = map(json.loads, run(*command, cwd=tmp_path, code=1).stdout.splitlines())
    assert first["predictions"][0]["label"] == "dog"
    assert first["predictions"][0]["score"] < 0.001
    assert second["problem"]["code"] == "source-not-found"


def test_version_and_a_runtime_that_is_not_installed(installed: Path, tmp_path: Path) -> None:
    assert run(installed / "mlserverless", "--version", cwd=tmp_path).stdout.strip() == mlserverless.__version__
    told = run(installed / "mlserverless", "serve", "--on", "gcp", cwd=tmp_path, code=3).stderr
    assert 'pip install "mlserverless[gcp]"' in told
