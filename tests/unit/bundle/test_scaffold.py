"""A project as ``init`` writes it: whole, valid, and never over what is there."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from mlserverless.bundle import scaffold as module
from mlserverless.bundle.scaffold import WORKFLOW, Occupied, Project, deploy_files, scaffold, workflow
from mlserverless.bundle.targets import PROVIDERS
from mlserverless.errors import ModelUnavailable
from mlserverless.local import deploy
from mlserverless.predictor import Predictor


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project for every cloud, which no test changes."""
    return scaffold(tmp_path_factory.mktemp("made") / "flowers", PROVIDERS, "dogs-vs-cats")


def everything(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_files_told_are_the_files_written(project: Project) -> None:
    assert project.files == tuple(sorted(everything(project.folder)))
    assert {"README.md", ".gitignore", "mlserverless.toml", "requirements.txt", WORKFLOW} < set(project.files)
    assert {"aws/app.py", "azure/function_app.py", "gcp/main.py", "container/Dockerfile"} < set(project.files)
    assert project.notes == ()


def test_the_project_answers_here(project: Project, monkeypatch: pytest.MonkeyPatch, photos: Path) -> None:
    monkeypatch.chdir(project.folder)
    predictor = Predictor()
    assert predictor.settings.model == "model"
    assert predictor.predict(photos / "chelsea.png").model == "dogs-vs-cats"


@pytest.mark.parametrize("cloud", PROVIDERS)
def test_a_deploy_folder_comes_as_it_is_but_for_what_the_package_has(cloud: str, project: Project) -> None:
    for name, path in deploy_files(cloud).items():
        assert (project.folder / cloud / name).read_bytes() == path.read_bytes()
    left = {path.name for path in deploy.folder(cloud).iterdir()} - {
        Path(name).parts[0] for name in deploy_files(cloud)
    }
    assert left <= {"README.md", "__pycache__"} | {name for name in left if name.startswith("requirements")}


def test_only_the_chosen_clouds_are_there(tmp_path: Path) -> None:
    made = scaffold(tmp_path, ("gcp", "aws"), "dogs-vs-cats")
    assert {name.partition("/")[0] for name in made.files if "/" in name} == {".github", "aws", "gcp", "model"}
    readme = (tmp_path / "README.md").read_text()
    assert "mlserverless deploy gcp" in readme
    assert "azure" not in readme.lower()
    jobs = yaml.safe_load((tmp_path / WORKFLOW).read_text())["jobs"]
    assert list(jobs) == ["build", "gcp", "aws"]
    assert jobs["build"]["strategy"]["matrix"]["cloud"] == ["gcp", "aws"]


def test_nothing_is_written_where_a_file_is_there(tmp_path: Path) -> None:
    (tmp_path / "aws").mkdir()
    (tmp_path / "aws/app.py").write_text("mine")
    (tmp_path / "README.md").symlink_to("nowhere")
    with pytest.raises(Occupied) as caught:
        scaffold(tmp_path, ("aws",), "dogs-vs-cats")
    assert caught.value.paths == ("README.md", "aws/app.py")
    assert everything(tmp_path) == {"aws/app.py": b"mine"}


def test_force_writes_over_its_own_files_and_no_others(tmp_path: Path) -> None:
    (tmp_path / "aws").mkdir()
    (tmp_path / "aws/app.py").write_text("mine")
    (tmp_path / "aws/other.py").write_text("mine, too")
    scaffold(tmp_path, ("aws",), "dogs-vs-cats", force=True)
    assert (tmp_path / "aws/app.py").read_bytes() == deploy_files("aws")["app.py"].read_bytes()
    assert (tmp_path / "aws/other.py").read_text() == "mine, too"


@pytest.mark.parametrize("force", [True, False])
def test_a_folder_in_a_files_place_or_a_file_in_a_folders_stops_it(tmp_path: Path, force: bool) -> None:
    (tmp_path / "mlserverless.toml").mkdir()
    (tmp_path / "model").write_text("mine")
    with pytest.raises(Occupied) as caught:
        scaffold(tmp_path, ("aws",), "dogs-vs-cats", force=force)
    assert "mlserverless.toml" in caught.value.paths
    assert "model/model.tflite" in caught.value.paths
    assert everything(tmp_path) == {"model": b"mine"}


def test_no_model_no_project(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match="There is no model 'roses'"):
        scaffold(tmp_path, ("aws",), "roses")
    assert everything(tmp_path) == {}


def test_the_readme_is_filled_in(project: Project) -> None:
    text = (project.folder / "README.md").read_text()
    assert text.startswith("# flowers\n")
    assert not set(re.findall(r"^[A-Z]+$", text, re.MULTILINE))
    for cloud in PROVIDERS:
        assert f"| `{cloud}/` |" in text
        assert f"\nmlserverless deploy {cloud} " in text
    for variable in re.findall(r"vars\.(\w+)", (project.folder / WORKFLOW).read_text()):
        assert f"`{variable}`" in text, "each variable of the workflow is explained"


def test_what_a_build_makes_is_not_committed(project: Project) -> None:
    assert "/build/" in (project.folder / ".gitignore").read_text().split()


# --- the workflow ------------------------------------------------------------------------------------------------

STEPS = ("doctor", "build", "upload-artifact")
LOGINS = {
    "aws": "aws-actions/configure-aws-credentials@",
    "azure": "azure/login@",
    "gcp": "google-github-actions/auth@",
}


@pytest.fixture(scope="module")
def jobs() -> Any:
    return yaml.safe_load(workflow(PROVIDERS))


def test_the_workflow_grants_as_little_as_it_can(jobs: Any) -> None:
    assert jobs["permissions"] == {}
    granted = {name: job["permissions"] for name, job in jobs["jobs"].items()}
    deploys = {"contents": "read", "id-token": "write"}
    assert granted == {"build": {"contents": "read"}, "aws": deploys, "azure": deploys, "gcp": deploys}
    text = workflow(PROVIDERS)
    assert "secrets." not in text
    assert text.count("actions/checkout@") == text.count("persist-credentials: false")


def test_every_action_is_pinned_to_a_major_version(jobs: Any) -> None:
    used = [step["uses"] for job in jobs["jobs"].values() for step in job["steps"] if "uses" in step]
    assert len(used) == 16
    for action in used:
        assert re.fullmatch(r"[\w-]+/[\w-]+@v\d+", action), action


def test_a_push_is_looked_at_built_and_kept(jobs: Any) -> None:
    build = jobs["jobs"]["build"]
    done = [str(step.get("run", step.get("uses"))) for step in build["steps"]]
    places = [next(i for i, text in enumerate(done) if word in text) for word in STEPS]
    assert places == sorted(places)
    assert build["strategy"]["matrix"]["cloud"] == list(PROVIDERS)
    upload = build["steps"][-1]["with"]
    assert (upload["include-hidden-files"], upload["if-no-files-found"]) == (True, "error")


@pytest.mark.parametrize("cloud", LOGINS)
def test_only_main_is_deployed_after_the_build_and_with_what_it_built(cloud: str, jobs: Any) -> None:
    job = jobs["jobs"][cloud]
    assert (job["needs"], job["if"], job["environment"]) == ("build", "github.ref == 'refs/heads/main'", cloud)
    assert True in jobs, "YAML 1.1 reads `on` as true"
    assert jobs[True]["push"] == {"branches": ["main"]}
    steps = [str(step.get("run", step.get("uses"))) for step in job["steps"]]
    login = next(i for i, text in enumerate(steps) if text.startswith(LOGINS[cloud]))
    fetched = next(step for step in job["steps"] if "download-artifact" in step.get("uses", ""))
    assert fetched["with"] == {"name": cloud, "path": f"build/{cloud}"}
    assert login < len(steps) - 1
    assert steps[-1].startswith(f"mlserverless deploy {cloud} --built ")


def test_no_value_from_outside_is_pasted_into_a_command(jobs: Any) -> None:
    for job in jobs["jobs"].values():
        for step in job["steps"]:
            assert "${{" not in step.get("run", "")


def test_each_cloud_has_its_texts() -> None:
    assert set(module.FOLDERS) == set(PROVIDERS)
    assert {path.stem.removeprefix("workflow-") for path in module.TEXTS.glob("workflow-*.yml")} == set(
        module.VARIABLES
    )
