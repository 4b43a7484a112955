"""All that is known of a file, as a record and as JSON."""

import json
import time
from pathlib import Path

import pytest

from helpers import modelfile, specimens
from helpers.graphs import Graph, T, build, multiply
from helpers.modelfolder import folder
from mlserverless.errors import ModelUnavailable
from mlserverless.inspection import document, report, trial

MODELS = Path(__file__).parents[3] / "models"


def written(place: Path, data: bytes, name: str = "a.tflite") -> str:
    (place / name).write_bytes(data)
    return str(place / name)


def test_bundled_model_is_told_whole() -> None:
    found = document.to_dict(report.inspect("efficientnet-lite0", ()))
    assert found["sha256"] == "d28ff9d2732a7f9382851cf8d97fb1f7c976b4e41349af23d3847662a6a25f19"
    assert (found["size"], found["format"], found["task"]) == (5_284_243, "tflite", "classify")
    assert found["inputs"] == [
        {
            "name": "image",
            "signature_names": [],
            "shape": [1, 224, 224, 3],
            "dtype": "uint8",
            "scales": [0.0078125],
            "zero_points": [127],
            "layout": "nhwc",
        }
    ]
    assert found["labels"]["count"] == 1000
    assert found["labels"]["labels"][:2] == ["tench", "goldfish"]
    assert found["metadata"]["inputs"][0]["mean"] == [127.0]
    assert found["parameters"]["elements"] == 4_631_000
    assert found["multiply_adds"] == 385_187_552
    assert found["operators"][0] == {"name": "CONV_2D", "version": 3, "count": 33, "custom": False}
    assert found["notes"] == found["engines"] == []
    json.dumps(found)


def test_file_is_read_in_half_a_second() -> None:
    begin = time.perf_counter()
    report.inspect("efficientnet-lite0", ())
    assert time.perf_counter() - begin < 0.5


def test_engines_are_tried_and_what_they_lack_is_told(tmp_path: Path) -> None:
    found = report.inspect(written(tmp_path, specimens.dense_of_version(39)), ("litert", "litert-python"))
    for verdict in found.engines:
        assert verdict.status == trial.REFUSED
        assert verdict.lacks == ("FULLY_CONNECTED version 39 (it has up to 14)",)


def test_open_size_is_tried_with_metadata_or_the_usual_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []
    monkeypatch.setattr(trial, "run", lambda path, names, size, signature: asked.append(size) or [])
    report.inspect(written(tmp_path, specimens.open_size()))
    where = folder(tmp_path / "mine", "[input]\nsize = [32, 48]\n", specimens.open_size())
    report.inspect(where)
    report.inspect(written(tmp_path, specimens.classifier()))
    assert asked == [(224, 224), [32, 48], ()]


def test_names_of_signatures_stand_with_their_tensors(tmp_path: Path) -> None:
    found = report.inspect(written(tmp_path, specimens.planes()), ())
    assert found.signatures == ("serve", "embed")
    assert [port.aliases for port in found.inputs + found.outputs] == [("picture",), ("more",), ("same",)]


def test_pin_that_does_not_hold_is_noted(tmp_path: Path) -> None:
    found = report.inspect(folder(tmp_path / "mine", f'sha256 = "{"0" * 64}"\n', specimens.classifier()), ())
    assert any("pins another sha256" in note for note in found.notes)


def test_labels_that_cannot_be_read_are_noted(tmp_path: Path) -> None:
    where = folder(tmp_path / "mine", 'labels = "gone.txt"\n', specimens.classifier())
    found = report.inspect(where, ())
    assert found.labels == ()
    assert any("gone.txt" in note for note in found.notes)


def test_corrupt_metadata_is_noted_and_the_rest_told(tmp_path: Path) -> None:
    from mlserverless.metadata.write import write

    data = write(specimens.classifier(), name="mine", labels=("a", "b", "c"))
    assert data.count(b"M001") == 1
    found = report.inspect(written(tmp_path, data.replace(b"M001", b"M999")), ())
    assert any("metadata is corrupt" in note for note in found.notes)
    assert found.inputs[0].tensor.name == "image"


def test_file_that_would_be_refused_without_a_pin_is_noted(tmp_path: Path) -> None:
    def change(model: object) -> None:
        first = model.subgraphs[0]  # type: ignore[attr-defined]
        first.operators.reverse()

    found = report.inspect(written(tmp_path, specimens.edited(specimens.classifier(), change)), ())
    assert "which none before it has written" in found.unpinned
    assert found.notes == ()


def test_file_that_is_pinned_is_not_noted(tmp_path: Path) -> None:
    data = specimens.custom("Unheard")
    alone = report.inspect(written(tmp_path, data), ())
    assert "custom operator 'Unheard'" in alone.unpinned
    assert report.inspect(folder(tmp_path / "mine", f'sha256 = "{alone.sha256}"\n', data), ()).unpinned == ""


def test_batch_of_rows_that_is_left_open_is_one(tmp_path: Path) -> None:
    tensors = [T("row", (-1, 100)), T("two", (), "float32", 2.0), T("out", (-1, 100))]
    data = build(Graph(tensors, [multiply("row", "two", "out")], ["row"], ["out"]))
    (verdict,) = report.inspect(written(tmp_path, data), ("litert",)).engines
    assert verdict.status == trial.RUNS


def test_input_that_is_no_image_and_leaves_sizes_open_is_not_tried(tmp_path: Path) -> None:
    tensors = [T("sound", (-1, -1)), T("two", (), "float32", 2.0), T("out", (-1, -1))]
    data = build(Graph(tensors, [multiply("sound", "two", "out")], ["sound"], ["out"]))
    (verdict,) = report.inspect(written(tmp_path, data), ("litert",)).engines
    assert (verdict.status, verdict.lacks) == (trial.UNTRIED, ())
    assert verdict.told == "an input that is no image leaves sizes open"


@pytest.mark.parametrize("data", [b"", b"TFL3", b"\x1c\0\0\0TFL3" + bytes(40), modelfile.model()])
def test_corrupt_file_is_refused_in_a_line(data: bytes, tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable) as caught:
        report.inspect(written(tmp_path, data), ())
    assert "\n" not in str(caught.value)


def test_file_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match="There is no model"):
        report.inspect(str(tmp_path / "none.tflite"), ())
    where = folder(tmp_path / "mine", 'file = "other.tflite"\n', b"")
    with pytest.raises(ModelUnavailable, match=r"other.tflite cannot be read: No such file"):
        report.inspect(where, ())


def test_file_larger_than_a_model_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report.models, "MAX_MODEL_BYTES", 100)
    with pytest.raises(ModelUnavailable, match="at most 100"):
        report.inspect(written(tmp_path, specimens.classifier()), ())
