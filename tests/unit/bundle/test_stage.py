"""The unpacked package: our own files, the model under a name, and an entry file that names it."""

import ast
import hashlib
import os
import re
import runpy
import shutil
import tomllib
from pathlib import Path

import pytest

from helpers import modelfolder, onnxmodel
from mlserverless import certificate, model
from mlserverless.bundle import stage
from mlserverless.bundle.archive import files
from mlserverless.bundle.resolve import BuildError
from mlserverless.bundle.targets import PROVIDERS, Target
from mlserverless.errors import ModelUnavailable
from mlserverless.local import deploy

AWS = Target("aws")


def model_toml(site: Path, name: str) -> dict[str, object]:
    return tomllib.loads((site / "mlserverless" / "_models" / name / "model.toml").read_text())


def held(site: Path, name: str) -> set[str]:
    return {path.as_posix() for path in files(site / "mlserverless" / "_models" / name)}


def test_our_own_package_comes_without_models_deploy_folders_and_bytecode(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "here"
    for name in ("a.py", "sub/b.py", "a.pyc", "__pycache__/a.pyc", "_models/m/model.tflite", "_deploy/aws/app.py"):
        (here / name).parent.mkdir(parents=True, exist_ok=True)
        (here / name).touch()
    monkeypatch.setattr(stage, "HERE", here)
    stage.copy_ours(tmp_path / "site")
    assert [str(path) for path in files(tmp_path / "site")] == ["mlserverless/a.py", "mlserverless/sub/b.py"]


def test_what_is_copied_is_this_package() -> None:
    assert Path(model.__file__).parent == stage.HERE


@pytest.mark.parametrize("name", ["dogs-vs-cats", "efficientnet-lite0"])
def test_a_bundled_model_keeps_its_name_and_its_licence(tmp_path: Path, models: Path, name: str) -> None:
    assert stage.copy_model(name, tmp_path) == name
    assert held(tmp_path, name) == {"model.toml", "model.tflite", "labels.txt", "LICENSE"}
    for file in held(tmp_path, name):
        copied = tmp_path / "mlserverless" / "_models" / name / file
        assert copied.read_bytes() == (models / name / file).read_bytes(), "it was pinned before"


def test_a_model_that_is_not_pinned_is_pinned_in_the_copy(tmp_path: Path) -> None:
    where = modelfolder.folder(tmp_path / "My flowers!", 'labels = "labels.txt"\n')
    (tmp_path / "My flowers!" / "notes.txt").touch()
    assert stage.copy_model(where, tmp_path / "site") == "My-flowers-"
    assert held(tmp_path / "site", "My-flowers-") == {"model.toml", "model.tflite", "labels.txt"}
    found = model_toml(tmp_path / "site", "My-flowers-")
    assert found == {"sha256": model.load(where).sha256, "labels": "labels.txt"}
    assert model.load(str(tmp_path / "site/mlserverless/_models/My-flowers-")).pinned
    assert "sha256" not in Path(where, "model.toml").read_text(), "the one that was given stays as it was"


def test_a_file_alone_becomes_a_folder(tmp_path: Path) -> None:
    (tmp_path / "roses.tflite").write_bytes(modelfolder.DATA)
    assert stage.copy_model(str(tmp_path / "roses.tflite"), tmp_path / "site") == "roses"
    assert held(tmp_path / "site", "roses") == {"model.toml", "roses.tflite"}
    assert model_toml(tmp_path / "site", "roses")["file"] == "roses.tflite"


@pytest.mark.parametrize(("toml", "name"), [('name = "Wild roses"\n', "Wild-roses"), ("", "model")])
def test_a_projects_folder_has_the_models_own_name(tmp_path: Path, toml: str, name: str) -> None:
    where = modelfolder.folder(tmp_path / "model", toml)
    assert stage.copy_model(where, tmp_path / "site") == name


def test_a_file_in_a_subfolder_stays_in_it(tmp_path: Path) -> None:
    modelfolder.folder(tmp_path / "m", 'file = "v2/net.tflite"\n')
    (tmp_path / "m" / "v2").mkdir()
    (tmp_path / "m" / "model.tflite").rename(tmp_path / "m" / "v2" / "net.tflite")
    assert stage.copy_model(str(tmp_path / "m"), tmp_path / "site") == "m"
    assert held(tmp_path / "site", "m") == {"model.toml", "v2/net.tflite"}


def test_several_models_are_found_by_the_settings_and_keep_their_names(tmp_path: Path) -> None:
    first = modelfolder.folder(tmp_path / "first", 'name = "roses"\n')
    second = modelfolder.folder(tmp_path / "my second")
    settings = stage.copy_models((first, second, f"big={tmp_path / 'first' / 'model.tflite'}"), tmp_path / "site")
    assert settings == {"MODEL": "first", "MODELS": "my-second,big=model"}
    assert stage.folders(settings) == ("first", "my-second", "model")
    assert stage.names(settings, tmp_path / "site") == ("roses", "my-second", "big")
    assert stage.copy_models((first,), tmp_path / "alone") == {"MODEL": "first"}


def test_two_models_cannot_have_one_folder(tmp_path: Path) -> None:
    first = modelfolder.folder(tmp_path / "roses")
    (tmp_path / "b").mkdir()
    second = modelfolder.folder(tmp_path / "b" / "roses")
    with pytest.raises(
        BuildError, match=r"Two models would be packed as 'roses', one of them .*rename its folder"
    ):
        stage.copy_models((first, f"other={second}"), tmp_path / "site")


def test_a_url_is_no_model_to_pack_and_a_missing_one_none_at_all(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match=r"The model is a URL: a package holds its model\. Download it"):
        stage.copy_model("https://example.com/m.tflite", tmp_path)
    with pytest.raises(ModelUnavailable, match="There is no model 'roses'"):
        stage.copy_model("roses", tmp_path)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_each_providers_entry_file_sets_what_it_was_built_with_first(tmp_path: Path, provider: str) -> None:
    folder = deploy.folder(provider)
    stage.copy_entry(Target(provider), folder, tmp_path, tmp_path / "entry", {"MODEL": "m"})
    body = ast.parse((tmp_path / "entry" / stage.ENTRIES[provider]).read_text()).body
    wanted = ["import os", "os.environ.setdefault('MLSERVERLESS_MODEL', 'm')"]
    assert [ast.unparse(node) for node in body[1:3]] == wanted
    assert ast.get_docstring(ast.Module(body, [])), "its description still stands at its top"
    assert (tmp_path / "entry" / "host.json").is_file() is (provider == "azure")


def test_the_users_own_modules_and_settings_come_along(tmp_path: Path) -> None:
    (tmp_path / "aws").mkdir()
    for name, text in {"app.py": "import more\n", "more.py": "x = 1\n", "template.yaml": "a: 1\n"}.items():
        (tmp_path / "aws" / name).write_text(text)
    (tmp_path / "mlserverless.toml").write_text('model = "roses"\n')
    stage.copy_entry(AWS, tmp_path / "aws", tmp_path, tmp_path / "entry", {})
    assert {str(path) for path in files(tmp_path / "entry")} == {"app.py", "more.py", "mlserverless.toml"}
    assert (tmp_path / "entry" / "more.py").read_text() == "x = 1\n", "only the entry file sets something"


def test_a_folder_without_its_entry_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match=r"has no main\.py, which gcp loads: see `mlserverless init`"):
        stage.copy_entry(Target("gcp"), tmp_path, tmp_path, tmp_path / "entry", {})


def test_an_entry_file_that_is_no_python_is_told(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("def handler(:\n")
    with pytest.raises(BuildError, match=r"app\.py is no Python: .*line 1"):
        stage.copy_entry(AWS, tmp_path, tmp_path, tmp_path / "entry", {})


@pytest.mark.parametrize(
    "source",
    [
        "FOUND = __import__('os').environ['MLSERVERLESS_MODEL']\n",
        '"""One line."""\nimport os\nFOUND = os.environ["MLSERVERLESS_MODEL"]\n',
        '"""Several\n\nlines.\n"""\n\nfrom __future__ import annotations\nimport os\n'
        'FOUND = os.environ["MLSERVERLESS_MODEL"]\n',
        "from __future__ import (\n    annotations,\n)\nimport os\nFOUND = os.environ['MLSERVERLESS_MODEL']",
    ],
)
def test_a_default_is_set_before_the_first_import_and_a_variable_wins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    (tmp_path / "app.py").write_text(stage.with_defaults(source, {"MODEL": "mine", "FORMATS": "jpeg,png"}))
    monkeypatch.setattr(os, "environ", {})
    assert runpy.run_path(str(tmp_path / "app.py"))["FOUND"] == "mine"
    assert os.environ["MLSERVERLESS_FORMATS"] == "jpeg,png"
    monkeypatch.setattr(os, "environ", {"MLSERVERLESS_MODEL": "other"})
    assert runpy.run_path(str(tmp_path / "app.py"))["FOUND"] == "other"


def test_an_empty_pin_is_replaced(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    shutil.copytree(Path(__file__).parents[3] / "models" / "efficientnet-lite0", folder)
    told = (folder / "model.toml").read_text(encoding="utf-8")
    (folder / "model.toml").write_text(re.sub(r'sha256 = ".*"', 'sha256 = ""', told), encoding="utf-8")
    name = stage.copy_model(str(folder), tmp_path / "site")
    copied = tomllib.loads(
        (tmp_path / "site/mlserverless/_models" / name / "model.toml").read_text(encoding="utf-8")
    )
    assert copied["sha256"] == hashlib.sha256((folder / "model.tflite").read_bytes()).hexdigest()


def test_a_model_file_outside_its_folder_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    file = Path(__file__).parents[3] / "models" / "efficientnet-lite0" / "model.tflite"
    (folder / "model.toml").write_text(f'file = "{file}"\n', encoding="utf-8")
    with pytest.raises(BuildError, match="is not in the model folder: put it there"):
        stage.copy_model(str(folder), tmp_path / "site")


def test_a_label_file_above_the_model_folder_writes_nowhere_else(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    shutil.copytree(Path(__file__).parents[3] / "models" / "efficientnet-lite0", folder)
    shutil.copy(folder / "labels.txt", tmp_path / "labels.txt")
    told = (folder / "model.toml").read_text(encoding="utf-8")
    (folder / "model.toml").write_text(told.replace('"labels.txt"', '"../labels.txt"'), encoding="utf-8")
    with pytest.raises(BuildError, match="is not in the model folder: put it there"):
        stage.copy_model(str(folder), tmp_path / "site")
    assert not list((tmp_path / "site").rglob("labels.txt"))


def onnx_folder(path: Path, toml: str = "") -> Path:
    where = Path(modelfolder.folder(path, toml))
    (where / "model.tflite").unlink()
    (where / "model.onnx").write_bytes(onnxmodel.classifier())
    return where


def test_a_certificate_is_packed_and_a_stale_one_refused(tmp_path: Path) -> None:
    hashed = "0" * 64
    text = '[certificate]\nreference = "{0}"\nmodel = "{1}"\npipeline = "{2}"\nimages = 3\ndate = "2026-11-28"\n'
    plain = model.load(modelfolder.folder(tmp_path / "mine"))
    fitting = text.format(hashed, plain.sha256, certificate.pipeline(plain))
    stage.copy_model(modelfolder.folder(tmp_path / "mine", fitting), tmp_path / "site")
    assert model_toml(tmp_path / "site", "mine")["certificate"] == tomllib.loads(fitting)["certificate"]
    for stale, told in (
        (fitting.replace(plain.sha256, hashed), "it is of a model file with the sha256 0000"),
        ('task = "raw"\n' + fitting, "have been changed since"),
    ):
        with pytest.raises(BuildError, match=told) as caught:
            stage.copy_model(modelfolder.folder(tmp_path / "mine", stale), tmp_path / "other")
        assert "Run `mlserverless certify` again, or take [certificate] out." in str(caught.value)


def test_models_are_of_a_kind_each(tmp_path: Path) -> None:
    onnx, tflite = str(onnx_folder(tmp_path / "one")), modelfolder.folder(tmp_path / "other")
    assert stage.kinds((onnx,)) == ("onnx",)
    assert stage.kinds((tflite, "efficientnet-lite0")) == ("tflite",)
    assert stage.kinds((onnx, f"second={tflite}")) == ("tflite", "onnx")
    with pytest.raises(BuildError, match="The model is a URL"):
        stage.kinds((tflite, "https://example.com/m.onnx"))


def test_an_onnx_model_is_packed_under_its_own_name_and_pinned(tmp_path: Path) -> None:
    site = tmp_path / "site"
    assert stage.copy_model(str(onnx_folder(tmp_path / "flowers")), site) == "flowers"
    assert held(site, "flowers") == {"model.toml", "model.onnx"}
    digest = hashlib.sha256(onnxmodel.classifier()).hexdigest()
    assert model_toml(site, "flowers") == {"sha256": digest}


def test_a_delegate_in_the_models_folder_is_packed_and_one_elsewhere_is_not(tmp_path: Path) -> None:
    names = ("libmine.so", "lib/libother.so", "libedgetpu.so.1", "/opt/libthere.so")
    folder = Path(modelfolder.folder(tmp_path / "m", "".join(f'[[delegates]]\nlibrary = "{n}"\n' for n in names)))
    (folder / "lib").mkdir()
    for name in names[:2]:
        (folder / name).write_bytes(b"ELF")
    stage.copy_model(str(folder), tmp_path / "site")
    assert held(tmp_path / "site", "m") == {"model.toml", "model.tflite", *names[:2]}


def test_a_delegate_above_the_models_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "libx.so").write_bytes(b"ELF")
    folder = modelfolder.folder(tmp_path / "m", '[[delegates]]\nlibrary = "../libx.so"\n')
    with pytest.raises(BuildError, match="which is not in the model folder: put it there"):
        stage.copy_model(folder, tmp_path / "site")
