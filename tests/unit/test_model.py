"""Model folders: what each key does, which source wins, and what a wrong one says."""

import os
from hashlib import sha256
from mmap import mmap
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from helpers import modelfile
from helpers.modelfolder import DATA, fails, folder
from mlserverless import model, model_toml
from mlserverless.errors import ModelUnavailable
from mlserverless.model import load, locate, trust
from mlserverless.model_toml import Input, Output

DIGEST = sha256(DATA).hexdigest()


def test_every_key_is_read(tmp_path: Path) -> None:
    toml = f"""
    name = "mine"
    file = "weights.bin"
    sha256 = "{DIGEST.upper()}"
    labels = "labels.txt"
    [input]
    resize = "bicubic"
    fit = "crop"
    crop = 0.875
    range = {{ mean = [1, 2.5, 3], std = 4 }}
    [output]
    activation = "softmax"
    """
    where = folder(tmp_path / "a", toml)
    (tmp_path / "a" / "model.tflite").rename(tmp_path / "a" / "weights.bin")
    found = load(where)
    assert found._replace(path="", data=b"") == model.Model(
        "mine",
        "",
        b"",
        DIGEST,
        True,
        ("cat", "dog"),
        input=Input(resize="bicubic", fit="crop", crop=0.875, range=((1.0, 2.5, 3.0), (4.0,))),
        output=Output(activation="softmax"),
    )
    assert (found.path, found.data) == (str(tmp_path / "a" / "weights.bin"), DATA)


@pytest.mark.parametrize("toml", ["", "# nothing yet", "[input]\n[output]\n"])
def test_everything_has_a_default(tmp_path: Path, toml: str) -> None:
    found = load(folder(tmp_path / "cats", toml))
    assert (
        found.name,
        found.labels,
        found.input.resize,
        found.input.fit,
        found.input.crop,
        found.input.range,
        found.output.activation,
    ) == (*("cats", (), "bilinear", "stretch", 1.0, "", "none"),)


@pytest.mark.parametrize("ending", ["", "/"])
def test_name_is_the_folders(tmp_path: Path, ending: str) -> None:
    assert load(folder(tmp_path / "cats") + ending).name == "cats"


def test_file_alone_is_a_model(tmp_path: Path) -> None:
    path = tmp_path / "birds.tflite"
    path.write_bytes(DATA)
    found = load(str(path))
    assert (found.name, found.sha256, found.labels, found.input.range) == ("birds", DIGEST, (), "")


def test_folder_beats_the_files_own_metadata(tmp_path: Path) -> None:
    packed = modelfile.metadata([127.0], [128.0], "packed.txt")
    data = modelfile.model(packed, {"packed.txt": b"one\ntwo"})
    told = load(folder(tmp_path / "a", data=data))
    assert (told.labels, told.input.range) == (("one", "two"), ((127.0,), (128.0,)))
    half = load(folder(tmp_path / "b", '[input]\nrange = "raw"', data))
    assert (half.labels, half.input.range) == (("one", "two"), "raw")
    other = load(folder(tmp_path / "c", 'labels = "labels.txt"', data))
    assert (other.labels, other.input.range) == (("cat", "dog"), ((127.0,), (128.0,)))


def test_metadata_is_not_read_where_the_folder_says_it_all(tmp_path: Path) -> None:
    broken = modelfile.model(modelfile.metadata([1.0], [1.0], identifier=b"M999"))
    toml = 'labels = "labels.txt"\n[input]\nrange = "unit"'
    assert load(folder(tmp_path / "a", toml, broken)).input.range == "unit"
    assert "metadata is corrupt: its identifier is b'M999', not M001" in fails(folder(tmp_path / "a", "", broken))


@pytest.mark.parametrize("name", ["efficientnet-lite0", "dogs-vs-cats"])
def test_bundled_model_is_found_by_its_name(models: Path, name: str) -> None:
    found = load(name)
    assert found.name == name
    assert found.sha256 == sha256((models / name / "model.tflite").read_bytes()).hexdigest()
    assert found == load(str(models / name))


def test_bundled_model_has_its_labels() -> None:
    found = load("efficientnet-lite0")
    assert (len(found.labels), found.labels[0], found.labels[967]) == (1000, "tench", "espresso")
    assert (found.input.resize, found.input.fit, found.input.crop, found.input.range) == (
        "bicubic",
        "crop",
        0.875,
        "raw",
    )


def test_folder_in_the_working_directory_beats_the_bundled_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder(tmp_path / "efficientnet-lite0")
    monkeypatch.chdir(tmp_path)
    assert load("efficientnet-lite0").sha256 == DIGEST


def test_missing_model_names_what_there_is() -> None:
    said = fails("no-such")
    assert said.startswith(
        "There is no model 'no-such': give a model folder, a .tflite file or one of dogs-vs-cats, "
    )
    assert "efficientnet-lite0" in said
    assert "rebuild" not in said  # stands beside them and is no model


@pytest.mark.parametrize("where", ["s3://bucket/model", "https://h.example/m.tflite?secret"])
def test_url_is_no_model_and_its_query_is_not_repeated(where: str) -> None:
    said = fails(where)
    assert said == "The model is a URL: only Predictor and a deployed function download one."


def test_folder_without_a_model_toml_says_so(tmp_path: Path) -> None:
    assert fails(str(tmp_path)) == f"The folder '{tmp_path}' has no model.toml. See {model_toml.DOCS}."


def test_name_with_a_path_is_not_looked_up_on_the_shelf() -> None:
    with pytest.raises(ModelUnavailable, match=r"There is no model '\.\./models/efficientnet-lite0'"):
        locate("../models/efficientnet-lite0")


def test_missing_file_is_named(tmp_path: Path) -> None:
    said = fails(folder(tmp_path / "a", 'file = "other.tflite"'))
    assert said == f"The model file {tmp_path}/a/other.tflite cannot be read: No such file or directory."


def test_file_that_is_too_large_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model, "MAX_MODEL_BYTES", len(DATA) - 1)
    assert f"model.tflite has {len(DATA):,} bytes; a .tflite file has at most" in fails(folder(tmp_path / "a"))


@pytest.mark.parametrize("data", [b"", b"TFL3", b"\x89PNG\r\n\x1a\n", b"version https://git-lfs"])
def test_file_that_is_no_model_is_told(tmp_path: Path, data: bytes) -> None:
    assert fails(folder(tmp_path / "a", data=data)).endswith(
        "is not a TFLite model: it lacks the identifier TFL3."
    )


def test_wrong_sum_names_both(tmp_path: Path) -> None:
    said = fails(folder(tmp_path / "a", f'sha256 = "{"ab" * 32}"'))
    assert said == f"{tmp_path}/a/model.tflite has the sha256 {DIGEST}, but model.toml pins {'ab' * 32}."


def test_model_is_frozen() -> None:
    found: Any = model.Model("m", "p", b"", "d")
    with pytest.raises(AttributeError):
        found.name = "other"


def test_pin_that_is_given_holds_beside_the_one_in_model_toml(tmp_path: Path) -> None:
    where = folder(tmp_path / "a")
    assert not load(where).pinned
    assert load(where, DIGEST).pinned
    assert load(folder(tmp_path / "b", f'sha256 = "{DIGEST}"')).pinned
    with pytest.raises(ModelUnavailable) as caught:
        load(where, "0" * 64)
    path = f"{where}/model.tflite"
    assert str(caught.value) == f"{path} has the sha256 {DIGEST}, but the setting model_sha256 pins {'0' * 64}."


@pytest.mark.parametrize(("engine", "needs"), [("tflite-runtime", True), ("tensorflow", True), ("litert", False)])
def test_engine_that_crashes_on_corrupt_files_needs_a_pin(tmp_path: Path, engine: str, needs: bool) -> None:
    where = folder(tmp_path / "a")
    model.trust(engine, load(where, DIGEST))
    if not needs:
        model.trust(engine, load(where))
        return
    with pytest.raises(ModelUnavailable) as caught:
        model.trust(engine, load(where))
    said = str(caught.value)
    assert said.startswith(
        f"{engine} crashes on corrupt files, so it is given only a file whose sha256 is pinned."
    )
    assert (
        f"model.tflite has {DIGEST}: if that is right, pin it in model.toml or MLSERVERLESS_MODEL_SHA256." in said
    )


@pytest.fixture
def unwritable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Let no file be written to; root may write to every one. Let the package be where the models are."""
    monkeypatch.setattr("os.access", lambda *_: False)
    monkeypatch.setattr(model, "__file__", str(tmp_path))


def test_file_that_may_be_written_is_read(tmp_path: Path) -> None:
    """Who writes over one that is mapped ends the process."""
    found = load(folder(tmp_path / "a"))
    assert type(found.data) is bytes
    Path(found.path).write_bytes(b"something else")
    assert found.data == DATA


@pytest.mark.usefixtures("unwritable")
def test_file_that_cannot_be_written_is_mapped_and_is_the_same(tmp_path: Path) -> None:
    found = load(folder(tmp_path / "a", f'sha256 = "{DIGEST}"\nlabels = "labels.txt"'))
    assert isinstance(found.data, mmap)
    assert bytes(found.data) == DATA
    assert found._replace(data=b"") == model.load(folder(tmp_path / "a"))._replace(
        data=b"", labels=("cat", "dog"), pinned=True
    )


@pytest.mark.usefixtures("unwritable")
def test_file_on_another_device_than_the_package_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is no part of the function is a volume, into which others may write."""
    stat = os.stat

    def elsewhere(path: Any, *given: Any, **more: Any) -> Any:
        found = stat(path, *given, **more)
        return SimpleNamespace(st_dev=found.st_dev + 1) if path == model.__file__ else found

    monkeypatch.setattr(os, "stat", elsewhere)
    found = load(folder(tmp_path / "a"))
    assert (type(found.data), found.data) == (bytes, DATA)


@pytest.mark.usefixtures("unwritable")
@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "is not a TFLite model: it lacks the identifier TFL3"),
        (b"TFL3", "is not a TFLite model: it lacks the identifier TFL3"),
        (b"\x10\0\0\0TFL2" + bytes(64), "is not a TFLite model: it lacks the identifier TFL3"),
    ],
)
def test_mapped_file_that_is_no_model(tmp_path: Path, data: bytes, said: str) -> None:
    assert said in fails(folder(tmp_path / "a", data=data))


@pytest.mark.usefixtures("unwritable")
def test_mapped_file_has_the_pin_or_is_refused(tmp_path: Path) -> None:
    assert f"has the sha256 {DIGEST}, but model.toml pins" in fails(
        folder(tmp_path / "a", f'sha256 = "{"0" * 64}"')
    )


@pytest.mark.usefixtures("unwritable")
def test_metadata_is_read_of_a_mapped_file(tmp_path: Path) -> None:
    data = modelfile.model(
        modelfile.metadata((127.5,), (127.5,), labels="names.txt"), {"names.txt": b"ant\nbee\n"}
    )
    mapped = load(folder(tmp_path / "a", data=data))
    assert isinstance(mapped.data, mmap)
    assert (mapped.labels, mapped.input.range) == (("ant", "bee"), ((127.5,), (127.5,)))


@pytest.mark.usefixtures("unwritable")
def test_missing_file_is_named_where_nothing_can_be_written(tmp_path: Path) -> None:
    where = Path(folder(tmp_path / "a"))
    (where / "model.tflite").unlink()
    assert "model.tflite cannot be read: No such file" in fails(str(where))


@pytest.mark.usefixtures("unwritable")
def test_mapped_file_is_verified(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As one without a pin is."""
    file = models / "dogs-vs-cats" / "model.tflite"
    monkeypatch.setattr(model, "__file__", str(file))
    mapped = load(str(file))
    assert (isinstance(mapped.data, mmap), mapped.pinned) == (True, False)
    trust("litert", mapped)
    broken = mmap(-1, 64)
    broken[:] = b"\x10\0\0\0TFL3" + b"\xff" * 56
    with pytest.raises(ModelUnavailable):
        trust("litert", mapped._replace(data=broken))
