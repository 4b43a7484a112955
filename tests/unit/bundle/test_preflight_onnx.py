"""The preflight of .onnx models and of delegates: which engine runs them where, and is it in the package?"""

from pathlib import Path

import pytest

from helpers import delegated, modelfile, modelfolder, onnxmodel
from helpers.preflight import case, only, statuses
from mlserverless.bundle.package import Package
from mlserverless.bundle.preflight import (
    CHECKS,
    Case,
    binaries,
    contents,
    delegates,
    examine,
    models,
    trial,
)
from mlserverless.bundle.targets import parse

TARGETS = ("aws", "aws:python3.13:arm64", "azure", "gcp", "container")
HELD = ("onnxruntime/capi/onnxruntime_pybind11_state.so", "numpy/__init__.pyc", "PIL/__init__.py")


def project(folder: Path, target: str = "aws", *, onnx: bool = True, toml: str = "", **files: str) -> Case:
    """Return the case of a project whose model is an .onnx file, or a .tflite file with a ``toml``."""
    made = case(folder, target, **files)
    where = Path(modelfolder.folder(folder / "model", toml))
    if onnx:
        (where / "model.tflite").unlink()
        (where / "model.onnx").write_bytes(onnxmodel.classifier())
    return made


def packed(
    folder: Path, target: str = "aws", *names: str, archive: bool = True, onnx: bool = True, toml: str = ""
) -> Case:
    """Return the case of a package with a model in it, and the files ``names``."""
    root = folder / "built" / "package"
    for name in (*names, "mlserverless/__init__.py"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    place = root / "mlserverless" / "_models"
    place.mkdir()
    where = Path(modelfolder.folder(place / "mine", toml))
    if onnx:
        (where / "model.tflite").unlink()
        (where / "model.onnx").write_bytes(onnxmodel.classifier())
    zipped = folder / "function.zip" if archive else None
    return case(folder / "deploy", target, Package(parse(target), folder, root, zipped, 0, 0))


@pytest.mark.parametrize("target", TARGETS)
def test_an_onnx_model_is_run_by_onnxruntime(tmp_path: Path, target: str) -> None:
    finding = only(contents.engine, project(tmp_path, target))
    assert (finding.status, finding.told) == ("ok", "onnxruntime")


def test_lambdas_oldest_python_has_no_onnxruntime(tmp_path: Path) -> None:
    finding = only(contents.engine, project(tmp_path, "aws:python3.11"))
    assert finding.status == "fail"
    assert finding.told == "onnxruntime, which runs the .onnx model, needs glibc 2.28; Amazon Linux 2 has less"
    assert only(contents.engine, project(tmp_path / "azure", "azure:python3.11")).status == "ok"


@pytest.mark.parametrize("engine", ["litert", "litert-python", "tflite-runtime", "tensorflow"])
def test_an_engine_of_tflite_files_does_not_run_it(tmp_path: Path, engine: str) -> None:
    finding = only(contents.engine, project(tmp_path, mlserverless_toml=f'engine = "{engine}"\n'))
    assert finding.status == "fail"
    assert finding.told == f"the settings want {engine}, which cannot run the model; onnxruntime can"


def test_onnxruntime_does_not_run_a_tflite_file(tmp_path: Path) -> None:
    wanted = 'engine = "onnxruntime"\n'
    finding = only(contents.engine, project(tmp_path, onnx=False, mlserverless_toml=wanted))
    assert (finding.status, finding.told[:53]) == ("fail", "the settings want onnxruntime, which cannot run the m")
    assert only(contents.engine, project(tmp_path / "onnx", mlserverless_toml=wanted)).status == "ok"


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("missing", ["", *HELD])
def test_a_package_has_onnxruntime_and_what_that_imports(tmp_path: Path, target: str, missing: str) -> None:
    finding = only(contents.engine, packed(tmp_path, target, *(name for name in HELD if name != missing)))
    assert finding.status == ("fail" if missing else "ok")
    assert finding.told.startswith(f"the package lacks {missing.partition('/')[0]}" if missing else "onnxruntime")


def test_a_package_with_models_of_both_kinds_has_both_engines(tmp_path: Path) -> None:
    examined = packed(tmp_path, "aws", *HELD)
    assert examined.package is not None
    second = examined.package.root / "mlserverless" / "_models" / "second"
    modelfolder.folder(second)
    found = contents.engine(examined)
    assert [(one.status, one.told.partition(" (")[0]) for one in found] == [
        ("ok", "onnxruntime"),
        ("fail", "the package lacks ai_edge_litert"),
    ]
    (examined.package.root / "ai_edge_litert").mkdir()
    (examined.package.root / "ai_edge_litert" / "libLiteRt.so").touch()
    assert statuses(contents.engine(examined)) == {("engine", "ok")}


def test_an_onnx_model_is_loaded_and_asked_as_any_other(tmp_path: Path) -> None:
    made = project(tmp_path)
    (tmp_path / "model" / "model.toml").write_text('[input]\nrange = "unit"\n')
    found = trial.run(tmp_path / "model", tmp_path, 100_000)
    (tried,) = found.models
    assert (tried.engine, tried.classes, found.problem) == ("onnxruntime", onnxmodel.CLASSES, "")
    assert found.peak > 30_000_000
    assert ("model", "ok") in statuses(models.examine(made))


def test_weights_elsewhere_are_told(tmp_path: Path) -> None:
    made = project(tmp_path)
    (tmp_path / "model" / "model.onnx").write_bytes(onnxmodel.elsewhere())
    finding = only(models.examine, made)
    assert (finding.check, finding.status) == ("model", "fail")
    assert "in another file, which no sha256 covers" in finding.told


def test_without_onnxruntime_here_what_to_install_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        trial, "run", lambda *_: trial.Trial(problem="engine", told="No engine can run the model.")
    )
    finding = models.examine(project(tmp_path))[-1]
    assert (finding.check, finding.status) == ("memory-needed", "warn")
    assert finding.mend == 'pip install "mlserverless[onnx]", to try it here.'
    finding = models.examine(project(tmp_path / "tflite", onnx=False))[-1]
    assert finding.mend == "pip install ai-edge-litert, to try it here."


def delegate(library: str, more: str = "") -> str:
    return f'[[delegates]]\nlibrary = "{library}"\n{more}\n'


def test_a_model_without_delegates_has_no_line(tmp_path: Path) -> None:
    assert delegates.examine(project(tmp_path, onnx=False)) == []
    assert delegates.examine in CHECKS


def test_a_delegate_in_the_models_folder_is_good(tmp_path: Path) -> None:
    made = project(tmp_path, onnx=False, toml=delegate("libmine.so"))
    assert only(delegates.examine, made).status == "fail"
    (tmp_path / "model" / "libmine.so").write_bytes(b"ELF")
    finding = only(delegates.examine, made)
    assert (finding.check, finding.status, finding.told) == ("delegates", "ok", "libmine.so")


@pytest.mark.parametrize(
    ("target", "archive", "more", "status"),
    [
        ("aws", True, "", "fail"),
        ("azure", True, "", "fail"),
        ("gcp", True, "", "fail"),
        ("aws", True, "required = false", "warn"),
        ("aws", False, "", "warn"),
        ("container", False, "", "warn"),
    ],
)
@pytest.mark.parametrize("library", ["libedgetpu.so.1", "/opt/lib/libmine.so"])
def test_a_delegate_of_the_system_can_only_be_in_an_image(
    tmp_path: Path, target: str, archive: bool, more: str, status: str, library: str
) -> None:
    examined = packed(tmp_path, target, archive=archive, onnx=False, toml=delegate(library, more))
    finding = only(delegates.examine, examined)
    assert (finding.check, finding.status) == ("delegates", status)
    assert f"names the delegate {library}, which is not in its folder" in finding.told
    assert "docs/how-to/use-a-delegate.md" in finding.mend


def test_a_library_outside_the_folder_that_is_there_only_here_is_no_good(tmp_path: Path) -> None:
    (tmp_path / "libhere.so").write_bytes(b"ELF")
    made = project(tmp_path, onnx=False, toml=delegate(f"{tmp_path}/libhere.so"))
    assert only(delegates.examine, made).status == "fail"


def test_the_whole_examination_of_a_model_with_a_delegate(tmp_path: Path) -> None:
    made = project(tmp_path, onnx=False, toml='task = "raw"\n' + delegate("libnone.so", "required = false"))
    (tmp_path / "model" / "model.tflite").write_bytes(modelfile.model())
    found = examine(made.target, deploy=tmp_path, project=tmp_path, model="model", today=made.today)
    assert ("delegates", "warn") in statuses(found)
    assert [one.told for one in found if one.check == "engine"] == ["litert-python"]


def test_a_delegate_for_another_machine_would_be_found(tmp_path: Path) -> None:
    library = delegated.compiled(tmp_path)
    assert library.read_bytes()[:4] == b"\x7fELF"
    examined = packed(tmp_path, "aws:python3.13:arm64", onnx=False, toml=delegate("libmine.so"))
    assert examined.package is not None
    place = examined.package.root / "mlserverless" / "_models" / "mine" / "libmine.so"
    place.write_bytes(library.read_bytes())
    finding = only(binaries.architecture, examined)
    assert (finding.status, "libmine.so" in finding.told) == ("fail", True)
