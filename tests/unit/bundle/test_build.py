"""Builds: one that is real but for its wheels, which are this environment's own; the others by their parts."""

import json
import platform
import shutil
import sys
import zipfile
from pathlib import Path
from typing import Any

import PIL
import pytest

from helpers import modelfolder
from mlserverless.bundle import build as building
from mlserverless.bundle import golden, package, prove, resolve, slim, stage, symbols
from mlserverless.bundle.archive import files
from mlserverless.bundle.build import NOT_RUN, STEPS, BuildError, build
from mlserverless.bundle.golden import Run
from mlserverless.bundle.package import Dropped, Package
from mlserverless.bundle.prove import Trial
from mlserverless.bundle.targets import PROVIDERS, Target
from mlserverless.config import Settings
from mlserverless.formats import PLUGINS
from mlserverless.local import deploy

SITE = Path(PIL.__file__).parents[1]
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
ARCH = "arm64" if platform.machine() in ("aarch64", "arm64") else "x86_64"
CONTAINER = Target("container", PYTHON, ARCH)
ENGINE = ("__init__.py", "libLiteRt.so", "libpywrap_litert_common.so", "interpreter.py")
linux = pytest.mark.skipif(sys.platform != "linux", reason="runs this environment's wheels as a Linux target's")


def info(name: str) -> Path:
    (found,) = SITE.glob(f"{name}-*.dist-info")
    return found


def install(lock: Path, into: Path, target: Target, **_: Any) -> None:
    """Install as :func:`resolve.install` does, from this environment and with a package that nothing imports."""
    if lock.name in ("requirements-runtime.txt", "runtime.txt"):
        (into / "gunicorn").mkdir(parents=True)
        (into / "gunicorn" / "__init__.py").write_text("")
        return
    for folder in ("PIL", "pillow.libs", "obstore"):
        shutil.copytree(SITE / folder, into / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pillow", "obstore", "ai_edge_litert"):
        shutil.copytree(info(name), into / info(name).name)
    (into / "ai_edge_litert").mkdir()
    for file in ENGINE:
        shutil.copyfile(SITE / "ai_edge_litert" / file, into / "ai_edge_litert" / file)
    (into / "idle").mkdir()
    (into / "idle" / "__init__.py").write_text("x = 1\n")
    (into / "idle-1.dist-info").mkdir()
    (into / "idle-1.dist-info" / "RECORD").write_text("idle/__init__.py,,\nidle-1.dist-info/RECORD,,\n")


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> tuple[Package, list[str]]:
    """A container's package, slimmed and proven, and what was told of it."""
    told: list[str] = []
    folder = tmp_path_factory.mktemp("build")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(resolve, "install", install)
        patch.setenv("HOME", str(folder))
        made = build(
            CONTAINER,
            model="efficientnet-lite0",
            out=folder / "build" / "container",
            project=folder,
            formats=("jpeg", "png"),
            tell=told.append,
        )
    return made, told


def rules(made: Package) -> dict[str, str]:
    return {one.path: one.rule for one in made.dropped}


@linux
def test_a_real_build_goes_through_its_steps_and_puts_nothing_back(real: tuple[Package, list[str]]) -> None:
    assert real[1] == [
        *("resolving", "running the whole package", "slimming", "compiling"),
        *("packing", "running the packed package", "done"),
    ]
    assert len(real[1]) == STEPS


@linux
def test_what_a_real_build_leaves_out_it_leaves_out_by_rule(real: tuple[Package, list[str]]) -> None:
    made, _ = real
    found = rules(made)
    assert found["idle/__init__.py"] == slim.PACKAGE
    assert found["ai_edge_litert/libpywrap_litert_common.so"] == slim.SHARED
    assert found["ai_edge_litert/interpreter.py"] == slim.MODULE
    assert found[f"{info('pillow').name}/RECORD"] == slim.RECORDS
    assert found["mlserverless/adapters/gcp.py"] == slim.ELSEWHERE
    assert found["mlserverless/bundle/slim.py"] == slim.ELSEWHERE
    assert found["PIL/_imaging.pyi"] == slim.UNUSED
    assert found["PIL/FliImagePlugin.py"] == slim.MODULE
    assert found["PIL/AvifImagePlugin.py"] == slim.MODULE, "AVIF is not among the formats"
    assert any(name.startswith("PIL/_avif.") and rule == slim.SHARED for name, rule in found.items())


@linux
def test_what_a_real_build_keeps_is_what_predictions_take(real: tuple[Package, list[str]]) -> None:
    made, _ = real
    kept = {path.as_posix() for path in files(made.root)}
    assert not kept & set(rules(made))
    wanted = {"PIL/JpegImagePlugin.py", "ai_edge_litert/libLiteRt.so", "gunicorn/__init__.py"}
    wanted |= {"mlserverless/adapters/wsgi.py", f"{info('pillow').name}/METADATA", "obstore/__init__.py"}
    wanted |= {
        f"mlserverless/_models/efficientnet-lite0/{name}" for name in ("model.toml", "model.tflite", "LICENSE")
    }
    assert wanted <= kept
    assert any(name.startswith("pillow.libs/libjpeg") for name in kept), "a library that another needs"
    assert any(name.startswith(f"{info('pillow').name}/licenses/") for name in kept)
    compiled = {path.name.partition(".")[0] for path in made.root.rglob("*.pyc")}
    assert {"JpegImagePlugin", "predictor", "wsgi"} <= compiled
    assert made.unpacked == sum((made.root / name).stat().st_size for name in kept)
    assert 20e6 < sum(one.size for one in made.dropped) < 60e6


@linux
def test_a_real_build_is_an_images_context_with_the_model_in_its_entry_file(
    real: tuple[Package, list[str]],
) -> None:
    made, _ = real
    assert made.root == made.out / "packages"
    assert made.archive is None
    assert {path.name for path in made.out.iterdir()} == {
        "packages",
        "app",
        "Dockerfile",
        ".dockerignore",
        "build.json",
    }
    entry = (made.out / "app" / "app.py").read_text()
    assert 'os.environ.setdefault("MLSERVERLESS_MODEL", "efficientnet-lite0")' in entry
    assert 'os.environ.setdefault("MLSERVERLESS_FORMATS", "jpeg,png")' in entry
    assert f"BASE_IMAGE=python:{PYTHON}-slim" in (made.out / "Dockerfile").read_text()


@linux
def test_a_real_build_tells_its_proof(real: tuple[Package, list[str]]) -> None:
    made, _ = real
    count, _, how = made.proof.partition(" ")
    assert int(count) > 80
    assert how == f"golden answers, on its own platform, Python {PYTHON}"
    assert made.peak is not None
    assert 10e6 < made.peak < 500e6
    told = json.loads((made.out / "build.json").read_text())
    assert told["packages"]["pillow"] == resolve.versions(resolve.lock_files(CONTAINER)[0])["pillow"]
    assert told["proof"] == made.proof
    read = package.read(made.out)
    assert (read.root, read.unpacked, rules(read)) == (made.root, made.unpacked, rules(made))


class Parts:
    """Builds with stand-ins for the resolver and the golden requests, which write down what they are asked."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.folder, self._patch = folder, patch
        self.installed: list[tuple[str, str, tuple[str, ...], bool]] = []
        self.tried: list[list[str]] = []
        self.told: list[str] = []
        self.answers: list[Any] = []
        ours = folder / "ours"
        ours.mkdir()
        (ours / "predictor.py").write_text("y = 1\n")
        patch.setattr(stage, "HERE", ours)
        patch.setattr(resolve, "install", self._install)
        patch.setattr(golden, "run", self._run)
        patch.setattr(resolve, "interpreter", lambda _: sys.executable)
        patch.setattr(resolve, "runs_here", lambda _: True)

    def _install(
        self, lock: Path, into: Path, target: Target, *, without: tuple[str, ...] = (), here: bool = False
    ) -> None:
        self.installed.append((lock.name, into.name, tuple(without), here))
        (into / "alpha").mkdir(parents=True)
        (into / "alpha" / f"{into.name}.py").write_text("x = 1\n")

    def _run(self, target: Target, python: str, paths: list[Path], *more: Any, raw: bool) -> Run:
        self.models, self.raw = more[-1], raw
        assert all(path.is_dir() for path in paths)
        self.tried.append([path.name for path in paths])
        self.answers.append({"reply": "alike"})
        return Run((self.answers[0],), frozenset(), 7_000_000)

    def build(self, target: Target, **given: Any) -> Package:
        model, out = modelfolder.folder(self.folder / "roses"), self.folder / "out"
        return build(target, model=model, out=out, project=self.folder, tell=self.told.append, **given)


@pytest.fixture
def parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Parts:
    return Parts(tmp_path, monkeypatch)


def entry_names(path: Path) -> set[str]:
    with zipfile.ZipFile(path) as archive:
        return set(archive.namelist())


def test_a_zip_is_recorded_with_its_size_and_replaced_by_the_next(parts: Parts) -> None:
    made = parts.build(Target("aws"), slim=False)
    out = parts.folder / "out"
    assert (made.out, made.root, made.archive) == (out, out / "package", out / "function.zip")
    assert made.zipped == (out / "function.zip").stat().st_size
    assert made.dropped == ()
    assert made.peak == 7_000_000
    assert {"app.py", "alpha/site.py", "mlserverless/_models/roses/model.tflite"} <= entry_names(made.archive)
    first = (out / "function.zip").read_bytes()
    (out / "of-the-first").touch()
    again = parts.build(Target("aws"), slim=False)
    assert again == made
    assert (out / "function.zip").read_bytes() == first, "the same bytes each time"
    assert not (out / "of-the-first").exists()
    assert parts.tried == [["entry", "site"], ["package", "package"]] * 2
    assert "slimming" not in parts.told


def test_further_models_are_packed_set_and_asked(parts: Parts) -> None:
    more = modelfolder.folder(parts.folder / "asters", 'name = "blue"\n')
    made = parts.build(Target("aws"), slim=False, models=(more,))
    assert made.archive is not None
    assert "mlserverless/_models/asters/model.tflite" in entry_names(made.archive)
    assert 'setdefault("MLSERVERLESS_MODELS", "asters")' in (made.root / "app.py").read_text()
    assert (parts.models, parts.raw) == (("blue",), False)
    assert made.models == package.read(made.out).models == ("roses", "asters")
    assert made.model == made.root / "mlserverless/_models/roses"


def test_models_that_the_projects_settings_name_and_the_package_has_not_are_not_looked_for(parts: Parts) -> None:
    (parts.folder / "mlserverless.toml").write_text('models = ["asters"]\n')
    made = parts.build(Target("aws"), slim=False)
    entry = (made.root / "app.py").read_text()
    assert (made.root / "mlserverless.toml").is_file()
    assert 'setdefault("MLSERVERLESS_MODELS", "")' in entry
    assert Settings.load({"MLSERVERLESS_MODELS": ""}, str(made.root)).models == ()
    assert made.models == ("roses",)


def test_nothing_is_chosen_of_a_raw_models_answers(parts: Parts) -> None:
    raw = modelfolder.folder(parts.folder / "maps", 'task = "raw"\n')
    build(Target("aws"), model=raw, out=parts.folder / "out", project=parts.folder, slim=False)
    assert parts.raw


def test_slimmed_it_tells_what_was_left_out(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    made = parts.build(Target("aws"))
    assert Dropped("alpha/site.py", 6, slim.FOLDER) in made.dropped
    assert not (made.root / "alpha").exists()
    assert parts.tried == [["entry", "site"]] * 2 + [["package", "package"]]


def test_without_stores_obstore_is_not_installed(parts: Parts) -> None:
    parts.build(Target("aws"), stores=False, slim=False)
    assert parts.installed == [("requirements.txt", "site", ("obstore",), False)]


@pytest.mark.parametrize(
    ("provider", "given", "beside"),
    [("aws", {}, False), ("aws", {"image": True}, True), ("gcp", {}, True), ("azure", {}, False)],
)
def test_what_the_platform_has_is_installed_where_the_package_needs_it(
    parts: Parts, provider: str, given: dict[str, bool], beside: bool
) -> None:
    parts.build(Target(provider), slim=False, **given)
    assert ("requirements-runtime.txt", "runtime", (), False) in parts.installed or not beside
    assert len(parts.installed) == 1 + beside
    assert parts.tried[0] == ["entry", "site", *(["runtime"] if beside else [])]


def test_formats_are_set_where_they_are_not_all(parts: Parts) -> None:
    made = parts.build(Target("aws"), slim=False)
    assert "FORMATS" not in (made.root / "app.py").read_text()
    made = parts.build(Target("aws"), slim=False, formats=tuple(reversed(PLUGINS)))
    assert "FORMATS" not in (made.root / "app.py").read_text()
    made = parts.build(Target("aws"), slim=False, formats=("webp",))
    assert 'os.environ.setdefault("MLSERVERLESS_FORMATS", "webp")' in (made.root / "app.py").read_text()


def test_a_layer_is_recorded_beside_the_function(parts: Parts) -> None:
    made = parts.build(Target("aws"), slim=False, layer=True)
    told = json.loads((made.out / "build.json").read_text())
    assert set(told["archives"]) == {"function.zip", "layer.zip"}
    assert entry_names(made.out / "layer.zip") >= {"python/alpha/site.py"}


@pytest.mark.parametrize(
    ("provider", "image"), [("azure", False), ("gcp", False), ("container", False), ("aws", True)]
)
def test_only_a_zip_for_lambda_has_a_layer(parts: Parts, provider: str, image: bool) -> None:
    with pytest.raises(BuildError, match="Only a zip for AWS Lambda can be split"):
        parts.build(Target(provider), layer=True, image=image)
    assert parts.installed == []


def test_a_folder_that_no_build_made_is_refused_before_anything_is_done(parts: Parts) -> None:
    (parts.folder / "out").mkdir()
    (parts.folder / "out" / "mine.txt").write_text("mine")
    with pytest.raises(BuildError, match=r"out is not empty and was not made by a build"):
        parts.build(Target("aws"))
    assert parts.installed == []
    assert [path.name for path in (parts.folder / "out").iterdir()] == ["mine.txt"]


def test_where_a_build_fails_the_last_one_stays(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    made = parts.build(Target("aws"), slim=False)
    before = {path: (made.out / path).read_bytes() for path in files(made.out)}
    runs = iter(({"reply": 1}, {"reply": 2}))
    monkeypatch.setattr(golden, "run", lambda *_, **__: Run((next(runs),), frozenset(), 1))
    with pytest.raises(BuildError, match=r"The packed package for aws:.* answers otherwise"):
        parts.build(Target("aws"), slim=False)
    assert {path: (made.out / path).read_bytes() for path in files(made.out)} == before


def test_without_a_python_of_its_version_it_is_built_whole_and_said_to_be_unproven(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resolve, "interpreter", lambda _: None)
    with pytest.raises(BuildError, match=r"Slimming a package for aws:.* needs a Python 3\.13 on this machine"):
        parts.build(Target("aws"))
    made = parts.build(Target("aws"), slim=False)
    assert (made.proof, made.peak, made.dropped) == (NOT_RUN, None, ())
    assert parts.tried == []
    assert parts.told == ["resolving", "packing", "done"]
    assert not [*made.root.rglob("*.pyc")], "bytecode is of one Python"
    assert json.loads((made.out / "build.json").read_text())["proof"] == NOT_RUN
    with pytest.raises(BuildError, match=r"A stripped package has to be run, and aws:.* cannot run here"):
        parts.build(Target("aws"), slim=False, strip=True)


@pytest.mark.parametrize("asked", [True, False])
def test_what_the_telemetry_takes_is_packed_whole(
    parts: Parts, monkeypatch: pytest.MonkeyPatch, asked: bool
) -> None:
    whole: list[frozenset[str]] = []

    def shrink(trial: Trial, *_: Any) -> list[Dropped]:
        whole.append(trial.whole)
        return []

    monkeypatch.setattr(prove, "shrink", shrink)
    (parts.folder / "mlserverless.toml").write_text('telemetry = ["prometheus"]\n' if asked else "")
    made = parts.build(Target("container"))
    assert whole == [frozenset({"prometheus-client"} if asked else ())]
    assert ("prometheus-client" in json.loads((made.out / "build.json").read_text())["packages"]) is asked


@pytest.mark.parametrize("provider", ["aws", "gcp"])
def test_a_target_that_cannot_run_here_is_tried_with_this_machines_wheels(
    parts: Parts, monkeypatch: pytest.MonkeyPatch, provider: str
) -> None:
    monkeypatch.setattr(resolve, "runs_here", lambda _: False)
    made = parts.build(Target(provider), stores=False)
    beside = provider == "gcp"
    assert ("requirements.txt", "stand-in", ("obstore",), True) in parts.installed
    assert (("runtime.txt", "stand-in-runtime", (), True) in parts.installed) is beside
    paths = ["entry", "stand-in", *(["stand-in-runtime"] if beside else [])]
    assert parts.tried == [paths] * 3
    assert made.proof == f"1 golden answers, with the same releases for {sys.platform}, Python 3.13"
    with pytest.raises(BuildError, match="A stripped package has to be run"):
        parts.build(Target(provider), strip=True)


def test_libraries_are_stripped_before_it_is_packed_and_run(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(symbols, "strip", lambda site: (site / "alpha" / "site.py").write_text("stripped = 1\n"))
    made = parts.build(Target("aws"), slim=False, strip=True)
    assert (made.root / "alpha" / "site.py").read_text() == "stripped = 1\n"
    assert len(parts.tried) == 2


def test_a_projects_own_deploy_folder_is_taken(parts: Parts) -> None:
    shutil.copytree(deploy.folder("aws"), parts.folder / "aws", ignore=shutil.ignore_patterns("__pycache__"))
    (parts.folder / "aws" / "mine.py").write_text("x = 1\n")
    assert building.deploy_folder(Target("aws"), parts.folder) == parts.folder / "aws"
    assert (parts.build(Target("aws"), slim=False).root / "mine.py").is_file()
    (parts.folder / "gcp").mkdir()  # without what is loaded it is none
    for provider in PROVIDERS[1:]:
        assert building.deploy_folder(Target(provider), parts.folder) == deploy.folder(provider)


def test_nobody_needs_to_listen(tmp_path: Path, parts: Parts) -> None:
    model = modelfolder.folder(tmp_path / "roses")
    made = build(Target("aws"), model=model, out=tmp_path / "quiet", project=tmp_path, slim=False)
    assert made.out == tmp_path / "quiet"


def test_an_entry_file_that_answers_less_is_proven_beside_ours(tmp_path: Path) -> None:
    target = Target("gcp")
    (tmp_path / "main.py").write_text('"""Mine."""\n')
    plain = building._plain(target, tmp_path, tmp_path / "plain", {"MODEL": "a-model", "FORMATS": "png"})
    assert plain is not None
    text = (plain / "main.py").read_text()
    assert 'os.environ.setdefault("MLSERVERLESS_MODEL", "a-model")' in text
    assert "FORMATS" not in text, "ours opens all of them"
    ours = building.deploy_folder(target, tmp_path / "no-project")
    assert building._plain(target, ours, tmp_path / "other", {"MODEL": "a-model"}) is None
