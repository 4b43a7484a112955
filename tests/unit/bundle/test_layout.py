"""What each provider's own tool finds in the folder that a build writes."""

import hashlib
import json
import zipfile
from pathlib import Path

import pytest

from mlserverless import __version__
from mlserverless.bundle import layout
from mlserverless.bundle.archive import files
from mlserverless.bundle.layout import Stage
from mlserverless.bundle.resolve import BuildError
from mlserverless.bundle.targets import Target

SITE = {"mlserverless/__init__.py", "mlserverless/predictor.py", "PIL/Image.py", "PIL/mlserverless/odd.py"}


def write(root: Path, names: set[str]) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    return root


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    """A staged package, with packages of its runtime and their lock file."""
    (tmp_path / "runtime.txt").write_text("gunicorn==1 \\\n    --hash=sha256:aa\n\n")
    runtime = write(tmp_path / "runtime", {"gunicorn/__init__.py"})
    return Stage(write(tmp_path / "entry", {"app.py", "host.json"}), write(tmp_path / "site", SITE), runtime)


@pytest.fixture
def deploy(tmp_path: Path) -> Path:
    """A deploy folder with something of each kind."""
    names = {"app.py", "template.yaml", "other.yml", "main.bicep", "main.json", "host.json", "README.md"}
    folder = write(tmp_path / "deploy", names | {".gcloudignore", ".dockerignore", "requirements.txt"})
    (folder / "Dockerfile").write_text(
        "# 3.13 in words\nARG BASE_IMAGE=docker/python:3.13-slim\nFROM ${BASE_IMAGE}\nRUN python3.13 -V\n"
    )
    return folder


@pytest.fixture
def out(tmp_path: Path) -> Path:
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


def held(root: Path) -> set[str]:
    return {path.as_posix() for path in files(root)}


def zipped(path: Path) -> set[str]:
    with zipfile.ZipFile(path) as archive:
        return set(archive.namelist())


def test_a_zip_for_lambda_has_it_all_at_its_root(stage: Stage, deploy: Path, out: Path) -> None:
    found = layout.write(Target("aws"), stage, deploy, out, image=False, layer=False)
    package = out / "package"
    assert found == layout.Layout(package, package, package, out / "function.zip", None)
    assert held(package) == zipped(out / "function.zip") == SITE | {"app.py", "host.json"}
    assert {path.name for path in out.iterdir()} == {
        *("package", "function.zip", "template.yaml", "other.yml", "main.bicep", "main.json", ".gcloudignore")
    }, "host.json belongs into the zip"


def test_a_layer_has_others_packages_and_the_function_ours(stage: Stage, deploy: Path, out: Path) -> None:
    found = layout.write(Target("aws"), stage, deploy, out, image=False, layer=True)
    assert (found.archive, found.layer) == (out / "function.zip", out / "layer.zip")
    ours = {"mlserverless/__init__.py", "mlserverless/predictor.py"}
    assert zipped(out / "function.zip") == ours | {"app.py", "host.json"}
    assert zipped(out / "layer.zip") == {f"python/{name}" for name in SITE - ours}
    assert held(found.root) == SITE | {"app.py", "host.json"}, "unpacked, it is the whole"
    assert not {"function", "layer"} & {path.name for path in out.iterdir()}


def test_a_zip_for_azure_has_the_packages_where_the_host_looks(stage: Stage, deploy: Path, out: Path) -> None:
    found = layout.write(Target("azure"), stage, deploy, out, image=False, layer=False)
    inner = ".python_packages/lib/site-packages"
    assert (found.root, found.entry, found.site) == (out / "package", out / "package", out / "package" / inner)
    assert zipped(out / "function.zip") == {f"{inner}/{name}" for name in SITE} | {"app.py", "host.json"}


def test_a_source_folder_for_google_has_a_wheel_that_its_requirements_pin(
    stage: Stage, deploy: Path, out: Path
) -> None:
    found = layout.write(Target("gcp", "3.12"), stage, deploy, out, image=False, layer=False)
    wheel = (
        out / "source" / "wheels" / f"mlserverless_function-{__version__}-cp312-cp312-manylinux_2_35_x86_64.whl"
    )
    assert {name for name in zipped(wheel) if "dist-info" not in name} == SITE == held(found.root)
    assert (out / "source" / "requirements.txt").read_text() == (
        f"./wheels/{wheel.name} --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}\n"
        "gunicorn==1 \\\n    --hash=sha256:aa\n"
    )
    assert held(out / "source") == {
        "app.py",
        "host.json",
        "requirements.txt",
        ".gcloudignore",
        f"wheels/{wheel.name}",
    }
    assert not (out / ".gcloudignore").exists(), "it stands where gcloud reads it"
    assert (found.root, found.entry, found.site) == (out / "package", out / "source", out / "package")
    assert found.archive == out / "source.zip"
    assert zipped(out / "source.zip") == held(out / "source")


def test_a_source_folder_needs_no_runtime_and_no_ignored_files(stage: Stage, deploy: Path, out: Path) -> None:
    (deploy / ".gcloudignore").unlink()
    layout.write(Target("gcp"), stage._replace(runtime=None), deploy, out, image=False, layer=False)
    assert (out / "source" / "requirements.txt").read_text().count("\n") == 1
    assert not (out / "source" / ".gcloudignore").exists()


@pytest.mark.parametrize("provider", ["container", "aws", "azure"])
def test_an_images_context_has_packages_app_and_dockerfile(
    stage: Stage, deploy: Path, out: Path, provider: str
) -> None:
    target = Target(provider, "3.12")
    found = layout.write(target, stage, deploy, out, image=provider != "container", layer=False)
    assert found == layout.Layout(out / "packages", out / "app", out / "packages", None)
    assert held(out / "packages") == SITE | {"gunicorn/__init__.py"}
    assert held(out / "app") == {"app.py", "host.json"}
    assert (out / ".dockerignore").read_text() == ".dockerignore"
    assert (out / "Dockerfile").read_text() == (
        "# 3.13 in words\nARG BASE_IMAGE=docker/python:3.12-slim\nFROM ${BASE_IMAGE}\nRUN python3.13 -V\n"
    )


@pytest.mark.parametrize("name", ["Dockerfile", ".dockerignore"])
def test_an_image_needs_its_files(stage: Stage, deploy: Path, out: Path, name: str) -> None:
    (deploy / name).unlink()
    with pytest.raises(BuildError, match=f"has no {name}, which an image needs"):
        layout.write(Target("container"), stage._replace(runtime=None), deploy, out, image=False, layer=False)


def test_only_what_a_build_made_is_replaced(tmp_path: Path, out: Path) -> None:
    made = write(tmp_path / "made", {"build.json", "new"})
    layout.check(tmp_path / "missing")
    layout.check(out)  # it is empty
    write(out, {"mine"})
    with pytest.raises(BuildError, match="out is not empty and was not made by a build: give another --out"):
        layout.replace(made, out)
    assert held(out) == {"mine"}
    assert held(made) == {"build.json", "new"}
    (out / "build.json").write_text(json.dumps({"scripts": {"build": "true"}}))  # another tool's
    with pytest.raises(BuildError, match="was not made by a build"):
        layout.replace(made, out)
    assert held(out) == {"build.json", "mine"}
    told = {"target": "aws", "root": "package", "unpacked": 1, "zipped": 1, "proof": "", "peak_megabytes": None}
    (out / "build.json").write_text(json.dumps(told | {"archives": {}, "dropped": {}}))
    layout.replace(made, out)
    assert held(out) == {"build.json", "new"}
    assert not held(made)


def test_a_folder_that_is_not_there_yet_is_made(tmp_path: Path) -> None:
    layout.replace(write(tmp_path / "made", {"build.json"}), tmp_path / "deep" / "er")
    assert held(tmp_path / "deep" / "er") == {"build.json"}
