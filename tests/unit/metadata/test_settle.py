"""Labels of model.toml's file and of metadata: which output's, and the same or an error that names both."""

import sys
from pathlib import Path

import numpy as np
import pytest

from helpers import graphs, modelfile
from helpers.graphs import Graph, T
from helpers.modelfile import described, file
from mlserverless.errors import ModelUnavailable
from mlserverless.metadata.read import read
from mlserverless.metadata.records import LabelFile
from mlserverless.metadata.settle import agreed, label_files

FILES = (LabelFile("labels.txt"), LabelFile("labels_de.txt", "de"))
MODEL = modelfile.model(b"x", {"labels.txt": b"cat\ndog\n", "labels_de.txt": b"Katze\nHund\n"})


def told(tmp_path: Path, text: bytes, files: tuple[LabelFile, ...] = FILES) -> tuple[str, ...]:
    (tmp_path / "mine.txt").write_bytes(text)
    return agreed(MODEL, files, str(tmp_path / "mine.txt"))


@pytest.mark.parametrize("text", [b"cat\ndog\n", b"cat\ndog", b" cat\r\ndog \r\n"])
def test_same_labels_agree_however_they_are_written(tmp_path: Path, text: bytes) -> None:
    assert told(tmp_path, text) == ("cat", "dog")


def test_labels_of_another_locale_agree(tmp_path: Path) -> None:
    assert told(tmp_path, b"Katze\nHund") == ("Katze", "Hund")


def test_without_label_files_in_metadata_there_is_nothing_to_agree_with(tmp_path: Path) -> None:
    assert told(tmp_path, b"one\n", ()) == ("one",)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            b"cat\ndingo\n",
            "Line 2 of mine.txt, the labels in model.toml, is 'dingo', of labels.txt in the model's TFLite "
            "metadata 'dog'. Remove labels from model.toml, or, if the metadata is wrong, set metadata = "
            '"ignore" there. See docs/reference/metadata.md.',
        ),
        (
            b"cat\ndog\nfish\n",
            "mine.txt, the labels in model.toml, has 3 lines, labels.txt in the model's TFLite metadata 2. Remove",
        ),
        (b"cat\n", "has 1 lines, labels.txt in the model's TFLite metadata 2."),
    ],
)
def test_other_labels_name_the_first_line_that_differs(tmp_path: Path, text: bytes, said: str) -> None:
    with pytest.raises(ModelUnavailable) as caught:
        told(tmp_path, text)
    assert said in str(caught.value)


@pytest.mark.parametrize("text", [b"\xff\xfe", None])
def test_label_file_that_cannot_be_read_is_told(tmp_path: Path, text: bytes | None) -> None:
    if text:
        (tmp_path / "mine.txt").write_bytes(text)
    with pytest.raises(ModelUnavailable, match=r"The label file .*/mine\.txt cannot be read: "):
        agreed(MODEL, (), str(tmp_path / "mine.txt"))


def test_same_bytes_agree_without_zipfile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would cost every cold start some 5 ms."""
    monkeypatch.setitem(sys.modules, "zipfile", None)
    assert told(tmp_path, b"cat\ndog\n") == ("cat", "dog")
    with pytest.raises(ImportError):
        told(tmp_path, b"cat\ndog")


def two_outputs() -> tuple[bytes, bytes]:
    """Return a model of the outputs species and health, and metadata that calls them kind and state."""
    ops = [graphs.add("image", "one", "species"), graphs.multiply("image", "one", "health")]
    tensors = [
        T("image", (1, 2)),
        T("one", (1,), value=np.float32([1])),
        T("species", (1, 2)),
        T("health", (1, 2)),
    ]
    bare = graphs.build(Graph(tensors, ops, ["image"], ["species", "health"]))
    outputs = [{0: "kind", 6: [file("kinds.txt")]}, {0: "state", 6: [file("states.txt")]}]
    return bare, described([], outputs)


@pytest.mark.parametrize(
    ("names", "found"),
    [
        *[((), "kinds.txt"), (("", ""), "kinds.txt"), (("kind",), "kinds.txt"), (("state",), "states.txt")],
        *[(("", "health"), "states.txt"), (("species", ""), "kinds.txt"), (("none",), "kinds.txt")],
    ],
)
def test_labels_are_those_of_the_output_that_is_named(names: tuple[str, ...], found: str) -> None:
    bare, packed = two_outputs()
    metadata = read(modelfile.model(packed))
    assert [named.name for named in label_files(bare, metadata, names)] == [found]


def test_names_that_are_corrupt_are_told() -> None:
    bare, packed = two_outputs()
    for data in (bare[:40], modelfile.model(packed), b"\xff" * 64):
        with pytest.raises(ModelUnavailable, match="The model is corrupt: "):
            label_files(data, read(modelfile.model(packed)), ("none",))


def test_outputs_without_labels_are_passed_over() -> None:
    metadata = read(modelfile.model(described([], [{0: "boxes"}, {0: "classes", 6: [file("map.txt", 3)]}])))
    assert label_files(b"", metadata, ("boxes",)) == (LabelFile("map.txt", "", True),)
    assert label_files(b"", read(modelfile.model()), ("boxes",)) == ()
