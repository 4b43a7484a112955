"""A model as a new project gets it: a copy that is pinned, or a folder begun around a bare file."""

import shutil
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from mlserverless import engines
from mlserverless import model as models
from mlserverless.bundle.model_folder import model_files
from mlserverless.errors import ModelUnavailable


def write(folder: Path, files: dict[str, bytes | Path]) -> Path:
    """Write what was planned, and return the folder."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.read_bytes())
    return folder


@pytest.fixture
def bare(tmp_path: Path, models: Path) -> Path:
    """A .tflite file alone, with float inputs and without metadata."""
    return Path(shutil.copyfile(models / "dogs-vs-cats/model.tflite", tmp_path / "my flowers #2.tflite"))


def test_a_bundled_model_comes_as_it_is_with_its_licence(models: Path) -> None:
    files, notes = model_files("efficientnet-lite0")
    assert set(files) == {"model.toml", "model.tflite", "labels.txt", "LICENSE", "README.md"}
    assert files["model.toml"] == (models / "efficientnet-lite0/model.toml").read_bytes()
    assert notes == ()


def test_of_a_folder_only_what_its_model_toml_names_is_copied_and_pinned(tmp_path: Path, models: Path) -> None:
    folder = tmp_path / "mine"
    (folder / "lists").mkdir(parents=True)
    shutil.copyfile(models / "dogs-vs-cats/model.tflite", folder / "dogs.tflite")
    (folder / "lists/labels.txt").write_text("dog\n")
    (folder / "training.npz").write_bytes(b"0" * 1000)
    toml = 'file = "dogs.tflite"\nlabels = "lists/labels.txt"\n[input]\nrange = "unit"\n'
    (folder / "model.toml").write_text(toml)
    files, notes = model_files(str(folder))
    assert set(files) == {"model.toml", "dogs.tflite", "lists/labels.txt"}
    copied = models_load(write(tmp_path / "model", files))
    assert copied.pinned
    assert copied.labels == ("dog",)
    assert copied.sha256 == sha256((folder / "dogs.tflite").read_bytes()).hexdigest()
    assert notes == ()


@pytest.mark.parametrize("line", ['labels = "../labels.txt"', 'labels = "/etc/hostname"'])
def test_a_file_outside_of_the_folder_is_not_fetched(tmp_path: Path, models: Path, line: str) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    shutil.copyfile(models / "dogs-vs-cats/model.tflite", folder / "model.tflite")
    (tmp_path / "labels.txt").write_text("dog\n")
    (folder / "model.toml").write_text(f"{line}\n")
    with pytest.raises(ModelUnavailable, match="which is not in the folder: copy it there"):
        model_files(str(folder))


def test_a_bare_file_gets_a_folder_that_says_what_is_missing(bare: Path, tmp_path: Path) -> None:
    files, notes = model_files(str(bare))
    begun = models_load(write(tmp_path / "model", files))
    assert (begun.name, begun.pinned, begun.labels, begun.input.range) == ("my flowers 2", True, (), "")
    assert begun.sha256 == sha256(bare.read_bytes()).hexdigest()
    said = [("range", "raw, unit, signed"), ("labels", "one a line"), ("resize", "how the model was trained")]
    assert len(notes) == len(said)
    for note, (word, more) in zip(notes, said, strict=True):
        assert word in note
        assert more in note


@pytest.mark.parametrize("line", ['range = "unit"', 'labels = "labels.txt"'])
def test_a_line_out_of_its_comment_is_taken(bare: Path, tmp_path: Path, line: str) -> None:
    files, _ = model_files(str(bare))
    folder = write(tmp_path / "model", files)
    (folder / "labels.txt").write_text("dog\n")
    text = (folder / "model.toml").read_text()
    assert f"\n# {line} # " in text
    (folder / "model.toml").write_text(text.replace(f"# {line}", line))
    begun = models_load(folder)
    assert (begun.input.range, begun.labels) == (("unit", ()) if "range" in line else ("", ("dog",)))


def test_without_an_engine_the_range_is_asked_for_with_a_doubt(
    bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(*_: Any) -> None:
        raise ModelUnavailable("No engine is installed.")

    monkeypatch.setattr(engines, "select", none)
    _, notes = model_files(str(bare))
    assert notes[0] == "Set range in [input] of model/model.toml, unless the model's input is quantised."
    assert not any("No engine" in note for note in notes)


def test_a_model_that_does_not_fit_its_labels_is_told(tmp_path: Path, models: Path) -> None:
    folder = Path(shutil.copytree(models / "dogs-vs-cats", tmp_path / "mine"))
    (folder / "labels.txt").write_text("dog\ncat\n")
    _, (note,) = model_files(str(folder))
    assert "has 2 labels, but its output has 1 classes" in note


@pytest.mark.parametrize("where", ["no-such", "https://example.com/model.tflite"])
def test_what_is_no_model_here_is_refused(where: str) -> None:
    with pytest.raises(ModelUnavailable):
        model_files(where)


def models_load(folder: Path) -> models.Model:
    """Load the model in ``folder``; raises where its model.toml is not valid."""
    return models.load(str(folder))
