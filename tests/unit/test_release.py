"""The release: what is asked of a version and its tag, the list of parts; the workflows leave that to tools/."""

import json
import os
import re
import runpy
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml

import mlserverless

ROOT = Path(__file__).parents[2]
RELEASE = runpy.run_path(str(ROOT / "tools/release.py"))
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
PINNED = re.compile(r"[\w-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")


def workflow(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / f".github/workflows/{name}.yml").read_text(encoding="utf-8"))
    return found


def test_the_version_may_be_released() -> None:
    assert RELEASE["version"]() == mlserverless.__version__
    assert RELEASE["check"]("") == []


def test_another_tag_than_the_versions_is_refused() -> None:
    wrong = RELEASE["check"]("v99.0.0")
    assert wrong[0] == f"The tag is 'v99.0.0', and the version '{mlserverless.__version__}': " + (
        f"tag it v{mlserverless.__version__}, or change __version__."
    )


def test_a_release_has_a_section_of_the_changelog(tmp_path: Path) -> None:
    given = {**RELEASE["check"].__globals__}
    try:
        RELEASE["check"].__globals__["ROOT"] = tmp_path
        (tmp_path / "src/mlserverless").mkdir(parents=True)
        (tmp_path / "src/mlserverless/__init__.py").write_text('__version__ = "1.2.0rc1"\n')
        (tmp_path / "CHANGELOG.md").write_text("# Changelog\n\n## Unreleased\n")
        assert RELEASE["check"]("v1.2.0rc1") == [
            "CHANGELOG.md has no section ## 1.2.0rc1: name what is under ## Unreleased so."
        ]
        (tmp_path / "CHANGELOG.md").write_text("# Changelog\n\n## 1.2.0rc1 – 2027-01-31\n")
        assert RELEASE["check"]("v1.2.0rc1") == []
        (tmp_path / "src/mlserverless/__init__.py").write_text('__version__ = "1.2"\n')
        assert "give MAJOR.MINOR.PATCH" in RELEASE["check"]("")[0]
    finally:
        RELEASE["check"].__globals__.update(given)


def test_the_script_stops_at_a_wrong_tag_before_it_builds(tmp_path: Path) -> None:
    done = subprocess.run(
        [ROOT / "tools/release.sh", str(tmp_path / "dist")],
        env={**os.environ, "TAG": "v99.0.0"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 1
    assert "The tag is 'v99.0.0'" in done.stderr
    assert not (tmp_path / "dist").exists()


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    """A wheel with two models: one under two licences, one under its own."""
    path = tmp_path / "mlserverless-1.0.0-py3-none-any.whl"
    texts = {"a": "Apache License, Version 2.0, and the MIT License", "b": "All rights reserved"}
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in texts.items():
            folder = f"mlserverless/_models/{name}/"
            archive.writestr(f"{folder}model.toml", f'name = "model {name}"\nfile = "model.tflite"\n')
            archive.writestr(f"{folder}model.tflite", name * 3)
            archive.writestr(f"{folder}LICENSE", text)
    return path


def test_the_parts_are_what_is_installed_and_the_models(wheel: Path) -> None:
    installed = {
        "bomFormat": "CycloneDX",
        "metadata": {"timestamp": "2027-01-31T00:00:00+00:00"},
        "components": [
            {"name": "pillow", "bom-ref": "pillow==1", "type": "library"},
            {
                "name": "mlserverless",
                "bom-ref": "mlserverless==1.0.0",
                "type": "library",
                "externalReferences": [{"type": "distribution", "url": "file:///somewhere"}],
            },
        ],
        "dependencies": [{"ref": "mlserverless==1.0.0", "dependsOn": ["pillow==1"]}, {"ref": "pillow==1"}],
    }
    made = RELEASE["parts"](json.loads(json.dumps(installed)), wheel)
    mine = made["metadata"]["component"]
    assert (mine["name"], mine["hashes"][0]["alg"]) == ("mlserverless", "SHA-256")
    assert "somewhere" not in json.dumps(made), "a path of the machine that built it"
    assert [one["name"] for one in made["components"]] == ["pillow", "model a", "model b"]
    first, second = made["components"][1:]
    assert [one["license"].get("id") for one in first["licenses"]] == ["Apache-2.0", "MIT"]
    assert second["licenses"] == [
        {"license": {"name": "model b's licence", "text": {"content": "All rights reserved"}}}
    ]
    assert made["dependencies"][0]["dependsOn"] == ["model-model a", "model-model b", "pillow==1"]
    assert {one["ref"] for one in made["dependencies"]} == {
        "mlserverless==1.0.0", "pillow==1", "model-model a", "model-model b"
    }  # fmt: skip


@pytest.mark.parametrize("words", [[], ["build"], ["parts", "x"]])
def test_how_it_is_used_is_told(words: list[str]) -> None:
    assert "Usage: release.py check" in RELEASE["main"](words)


def test_a_folder_without_the_versions_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mlserverless-0.0.1-py3-none-any.whl").touch()
    assert "not one wheel and one sdist" in RELEASE["main"](["parts", "x.json", str(tmp_path)])


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_actions_are_pinned_by_commit_and_permissions_given_one_by_one(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for used in re.findall(r"uses: (.*)", text):
        assert PINNED.fullmatch(used) or used.startswith("./.github/workflows/"), used
    told = yaml.safe_load(text)
    assert told["permissions"] == {}
    for job in told["jobs"].values():
        assert job["permissions"]
        assert "secrets" not in json.dumps(job), "nothing is kept"
        assert "uses" in job or job["timeout-minutes"]
        for step in job.get("steps", ()):
            if str(step.get("uses", "")).startswith("actions/checkout"):
                assert step["with"]["persist-credentials"] is False


def test_the_release_only_calls_what_runs_anywhere() -> None:
    jobs = workflow("release")["jobs"]
    assert jobs["test"]["uses"] == "./.github/workflows/ci.yml"
    assert [jobs[name]["needs"] for name in ("build", "publish", "announce")] == ["test", "build", "publish"]
    runs = [step["run"] for step in jobs["build"]["steps"] if "run" in step]
    assert runs == ["tools/release.sh dist"]
    assert workflow("ci")["jobs"]["test"]["steps"][-1]["run"].endswith(".ci/run")


def test_only_what_publishes_may_publish() -> None:
    jobs = workflow("release")["jobs"]
    assert jobs["publish"]["permissions"] == {"id-token": "write"}
    assert jobs["publish"]["environment"] == "release"
    for step in jobs["publish"]["steps"]:
        assert not str(step.get("uses", "")).startswith("actions/checkout"), "no code of the repository runs there"
    assert jobs["build"]["permissions"] == {"contents": "read", "id-token": "write", "attestations": "write"}
    assert jobs["announce"]["permissions"] == {"contents": "write"}


def test_locks_of_the_release_are_made_by_the_script_that_makes_all() -> None:
    script = (ROOT / "requirements/lock.sh").read_text(encoding="utf-8")
    for name in ("release", "runtime"):
        assert f"-o requirements/{name}.txt" in script
        assert "--hash=sha256:" in (ROOT / f"requirements/{name}.txt").read_text(encoding="utf-8")
