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
from mlserverless import model, model_values
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


def packed(toml: str = "", labels: bytes = b"one\ntwo\n", mean: float = 127.0) -> tuple[str, bytes, bytes]:
    """Return a model.toml, a model whose metadata has a range and the labels one and two, and a label file."""
    data = modelfile.model(modelfile.metadata([mean], [128.0], "packed.txt"), {"packed.txt": b"one\ntwo"})
    return toml, data, labels


def test_what_the_folder_leaves_open_the_files_own_metadata_says(tmp_path: Path) -> None:
    told = load(folder(tmp_path / "a", *packed()))
    assert (told.labels, told.input.range) == (("one", "two"), ((127.0,), (128.0,)))
    half = load(folder(tmp_path / "b", *packed('[input]\nrange = "raw"')))
    assert (half.labels, half.input.range) == (("one", "two"), "raw")
    other = load(folder(tmp_path / "c", *packed('labels = "labels.txt"')))
    assert (other.labels, other.input.range) == (("one", "two"), ((127.0,), (128.0,)))
    assert [image.mean for image in other.metadata.inputs] == [(127.0,)]


def test_labels_of_the_folder_and_of_metadata_have_to_be_the_same(tmp_path: Path) -> None:
    said = fails(folder(tmp_path / "a", *packed('labels = "labels.txt"', b"one\nthree\n")))
    assert said.startswith(
        "Line 2 of labels.txt, the labels in model.toml, is 'three', of packed.txt in the model's TFLite metadata "
        "'two'. Remove labels"
    )
    ignored = 'labels = "labels.txt"\nmetadata = "ignore"'
    found = load(folder(tmp_path / "b", *packed(ignored, b"one\nthree\n")))
    assert (found.labels, found.input.range, found.metadata.present) == (("one", "three"), "", False)


def test_metadata_is_used_or_ignored(tmp_path: Path) -> None:
    assert load(folder(tmp_path / "a", *packed('metadata = "use"'))).labels == ("one", "two")
    assert load(folder(tmp_path / "b", *packed('metadata = "ignore"'))).labels == ()
    said = fails(folder(tmp_path / "c", *packed('metadata = "maybe"')))
    assert "metadata is 'maybe'; accepted are use, ignore." in said


def test_corrupt_metadata_is_told_even_where_the_folder_says_it_all(tmp_path: Path) -> None:
    """A file that was damaged is not to be trusted with the rest; who knows better ignores it."""
    broken = modelfile.model(modelfile.metadata([1.0], [1.0], identifier=b"M999"))
    toml = 'labels = "labels.txt"\n[input]\nrange = "unit"'
    assert "metadata is corrupt: its identifier is b'M999', not M001" in fails(
        folder(tmp_path / "a", toml, broken)
    )
    assert load(folder(tmp_path / "b", f'metadata = "ignore"\n{toml}', broken)).labels == ("cat", "dog")


def several() -> bytes:
    files = {"en.txt": b"cat\ndog", "de.txt": b"Katze\nHund"}
    outputs = [{6: [modelfile.file("en.txt", locale="en"), modelfile.file("de.txt", locale="de")]}]
    return modelfile.model(modelfile.described([], outputs), files)


@pytest.mark.parametrize(
    ("toml", "labels"),
    [
        ("", ("cat", "dog")),
        ('labels_locale = "de-AT"', ("Katze", "Hund")),
        ('labels = "labels.txt"', ("cat", "dog")),
    ],
)
def test_labels_of_a_locale(tmp_path: Path, toml: str, labels: tuple[str, ...]) -> None:
    assert load(folder(tmp_path / "a", toml, several())).labels == labels


def test_locale_that_the_metadata_does_not_have_is_told(tmp_path: Path) -> None:
    said = fails(folder(tmp_path / "a", 'labels_locale = "fr"', several()))
    assert "labels_locale is 'fr'; the locales of the labels in the model's metadata are: en, de." in said
    assert "no labels at all" in fails(folder(tmp_path / "b", 'labels_locale = "fr"'))
    said = fails(folder(tmp_path / "c", 'labels = "labels.txt"\nlabels_locale = "de"', several()))
    assert "say one of the two" in said


@pytest.mark.parametrize(
    ("toml", "threshold"),
    [("", 0.25), ("[output]\nscore_threshold = 0.5", 0.5), ("[output]\nscore_threshold = 0", 0.0)],
)
def test_score_threshold_of_the_folder_goes_before_that_of_metadata(
    tmp_path: Path, toml: str, threshold: float
) -> None:
    data = modelfile.model(modelfile.everything(), modelfile.FILES)
    assert load(folder(tmp_path / "a", toml, data)).output.score_threshold == threshold


def test_without_a_score_threshold_there_is_none(tmp_path: Path) -> None:
    assert load(folder(tmp_path / "a")).output.score_threshold is None
    said = fails(folder(tmp_path / "b", '[output]\nscore_threshold = "high"'))
    assert "output.score_threshold is 'high'; accepted is a number" in said


def test_calibration_is_read_with_its_file(tmp_path: Path) -> None:
    data = modelfile.model(modelfile.everything(), modelfile.FILES)
    curves = load(folder(tmp_path / "a", data=data)).curves
    assert curves is not None
    assert (len(curves.sigmoids), curves.transformation, curves.default) == (2, "log", 0.125)
    assert load(folder(tmp_path / "b", 'metadata = "ignore"', data)).curves is None


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
        "There is no model 'no-such': give a model folder, a .tflite or .onnx file or one of dogs-vs-cats, "
    )
    assert "efficientnet-lite0" in said
    assert "rebuild" not in said  # stands beside them and is no model


@pytest.mark.parametrize("where", ["s3://bucket/model", "https://h.example/m.tflite?secret"])
def test_url_is_no_model_and_its_query_is_not_repeated(where: str) -> None:
    said = fails(where)
    assert said == "The model is a URL: only Predictor and a deployed function download one."


def test_folder_without_a_model_toml_says_so(tmp_path: Path) -> None:
    assert fails(str(tmp_path)) == f"The folder '{tmp_path}' has no model.toml. See {model_values.DOCS}."


def test_name_with_a_path_is_not_looked_up_on_the_shelf() -> None:
    with pytest.raises(ModelUnavailable, match=r"There is no model '\.\./models/efficientnet-lite0'"):
        locate("../models/efficientnet-lite0")


def test_missing_file_is_named(tmp_path: Path) -> None:
    said = fails(folder(tmp_path / "a", 'file = "other.tflite"'))
    assert said == f"The model file {tmp_path}/a/other.tflite cannot be read: No such file or directory."


def test_file_that_is_too_large_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model, "MAX_MODEL_BYTES", len(DATA) - 1)
    assert f"model.tflite has {len(DATA):,} bytes; a model has at most" in fails(folder(tmp_path / "a"))


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
