"""Metadata written into models: read back by ours, the engines answer the same, the bytes are always the same."""

import struct
import sys
import zipfile
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from helpers import graphs, modelfile
from helpers.graphs import Graph, T
from mlserverless import verify
from mlserverless.engines import select
from mlserverless.errors import ModelUnavailable
from mlserverless.metadata import labels
from mlserverless.metadata import write as module
from mlserverless.metadata.read import read
from mlserverless.metadata.records import LabelFile, Metadata, TensorInfo
from mlserverless.metadata.write import write

ENGINES = ("litert", "litert-python", "tflite-runtime")


def small() -> bytes:
    """Return a model of two signatures: twice its input, and its input and one."""
    return graphs.build(
        Graph(
            [T("x", (1, 2)), T("two", (1,), value=np.float32([2])), T("y", (1, 2)), T("z", (1, 2))],
            [graphs.multiply("x", "two", "y"), graphs.add("x", "two", "z")],
            ["x"],
            ["y", "z"],
            ("serve", {"image": "x"}, {"double": "y", "more": "z"}),
        )
    )


def fails(*given: Any, **more: Any) -> str:
    with pytest.raises(ModelUnavailable) as caught:
        write(*given, **{"name": "m", **more})
    return str(caught.value)


def test_what_is_written_is_read() -> None:
    data = write(
        small(),
        name="Größe",
        description="Tells sizes",
        version="v1",
        author="Me",
        license="Apache-2.0",
        mean=[123.5, 116.25, 103.5],
        std=[58.5],
        minimum=[-2.0],
        maximum=[2.5],
        labels=["klein", "groß"],
        labels_by_locale={"en-US": ["small", "large"], "en": ["small", "big"]},
        score_threshold=0.25,
        color_space="RGB",
        output=1,
    )
    files = (LabelFile("labels.txt"), LabelFile("labels_en.txt", "en"), LabelFile("labels_en-US.txt", "en-US"))
    image = TensorInfo(*("image", "", (), "image", "rgb", ()), (123.5, 116.25, 103.5), (58.5,), (-2.0,), (2.5,))
    scores = TensorInfo("scores", content="feature", labels=files, score_threshold=0.25)
    assert read(data) == Metadata(
        *("Größe", "Tells sizes", "v1", "Me", "Apache-2.0", "1.0.0"),
        (image,),
        (TensorInfo(), scores),
        tuple(file.name for file in files),
        True,
    )
    assert [labels.packed(data, file.name) for file in files] == [
        *(("klein", "groß"), ("small", "big"), ("small", "large")),
    ]


def test_little_is_written_where_little_is_given() -> None:
    found = read(write(small(), name="m", color_space=""))
    assert found.inputs == (TensorInfo("input", content="feature"),)
    assert found.outputs == (TensorInfo("scores", content="feature"), TensorInfo())
    assert (found.description, found.files, found.present) == ("", (), True)


def test_detectors_labels_are_of_values() -> None:
    (classes, _) = read(write(small(), name="m", labels=["a"], of_values=True, color_space="GRAYSCALE")).outputs
    assert classes == TensorInfo("classes", content="feature", labels=(LabelFile("labels.txt", "", True),))


def test_same_arguments_give_the_same_bytes(models: Path) -> None:
    data = (models / "dogs-vs-cats" / "model.tflite").read_bytes()
    one = write(data, name="m", labels=["dog"], labels_by_locale={"de": ["Hund"], "fr": ["chien"]})
    assert one == write(data, name="m", labels=["dog"], labels_by_locale={"fr": ["chien"], "de": ["Hund"]})
    assert data in one  # untouched, behind the new root


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", ["efficientnet-lite0", "dogs-vs-cats"])
def test_engines_answer_the_same_with_it(models: Path, name: str, engine: str) -> None:
    data = (models / name / "model.tflite").read_bytes()
    count = 1000 if name == "efficientnet-lite0" else 1
    written = write(data, name=name, mean=[127.5], std=[127.5], labels=[f"class {i}" for i in range(count)])
    verify.check(written)
    answers = []
    for contents in (data, written):
        interpreter = select(engine).load(contents, 1)
        dice = np.random.default_rng(5)
        (tensor,) = interpreter.inputs
        answers.append(interpreter.run(dice.integers(0, 255, tensor.bytes, np.uint8).tobytes()))
    assert answers[0] == answers[1]


def test_signatures_and_other_metadata_are_kept() -> None:
    from ai_edge_litert.interpreter import Interpreter

    tree = schema.ModelT.InitFromPackedBuf(small(), 0)
    kept = schema.BufferT()
    kept.data = list(b"1.5.0")
    tree.buffers.append(kept)
    entry = schema.MetadataT()
    entry.name, entry.buffer = "min_runtime_version", len(tree.buffers) - 1
    tree.metadata = [entry]
    builder = flatbuffers.Builder(1024)
    builder.Finish(tree.Pack(builder), b"TFL3")
    data = write(write(bytes(builder.Output()), name="one", labels=["x"]), name="two")
    found = schema.ModelT.InitFromPackedBuf(data, 0)
    assert [entry.name for entry in found.metadata] == [b"min_runtime_version", b"TFLITE_METADATA"]
    assert bytes(found.buffers[found.metadata[0].buffer].data) == b"1.5.0"
    assert (found.version, found.description) == (tree.version, tree.description)
    assert len(found.buffers) == len(tree.buffers) + 1
    runner = Interpreter(model_content=data).get_signature_runner("serve")
    answer = runner(image=np.float32([[1, 2]]))
    assert (answer["double"].tolist(), answer["more"].tolist()) == ([[2, 4]], [[3, 4]])


def test_new_metadata_takes_the_place_of_the_old(models: Path) -> None:
    data = (models / "efficientnet-lite0" / "model.tflite").read_bytes()
    written = write(data, name="again", labels=[f"class {i}" for i in range(1000)], labels_by_locale={})
    found = read(written)
    assert (found.name, found.inputs[0].mean, found.files) == ("again", (), ("labels.txt",))
    assert labels.packed(written, "labels.txt")[7] == "class 7"
    assert b"PK\x03\x04" not in written[: written.index(b"class 7") - 200]  # the old archive is gone
    assert read(write(written, name="bare")).files == ()


@pytest.mark.parametrize("data", [b"", b"TFL3", b"\x10\0\0\0TFL2" + bytes(64), b"\xff" * 64, small()[:60]])
def test_what_is_no_model_is_refused(data: bytes) -> None:
    assert fails(data).startswith("The model is corrupt: ")


def test_model_without_a_graph_is_refused() -> None:
    assert "it has no graph" in fails(modelfile.model())


def outside(**fields: Any) -> bytes:
    tree = schema.ModelT.InitFromPackedBuf(small(), 0)
    for name, value in fields.items():
        place: Any = tree.buffers[1] if name in ("offset", "size") else tree.subgraphs[0].operators[0]
        setattr(place, name, value)
    builder = flatbuffers.Builder(1024)
    builder.Finish(tree.Pack(builder), b"TFL3")
    return bytes(builder.Output())


@pytest.mark.parametrize("fields", [{"offset": 4096, "size": 4}, {"largeCustomOptionsOffset": 4096}])
def test_model_with_data_outside_the_flatbuffer_is_refused(fields: dict[str, int]) -> None:
    assert read(write(outside(offset=1), name="m")).name == "m"  # 1 says that there is none
    assert fails(outside(**fields)).startswith(
        "The model keeps data outside its flatbuffer, as models over 2 GB do"
    )


def test_what_would_be_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    size = len(write(small(), name="m"))
    monkeypatch.setattr(module, "MAX_BYTES", size)
    assert len(write(small(), name="m")) == size
    monkeypatch.setattr(module, "MAX_BYTES", size - 1)
    assert fails(small()) == f"The model would have {size:,} bytes; a .tflite file has at most {size - 1:,}."


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"mean": [1.0]}, "mean is (1.0,) and std (); accepted are both or none"),
        ({"mean": [1.0] * 3, "std": [1.0] * 4}, "accepted are both or none, one number or one a channel"),
        ({"mean": [1.0], "std": [0.0]}, "std not 0"),
        ({"mean": [1e39], "std": [1.0]}, "mean is (1e+39,), which float32 does not hold"),
        ({"minimum": [float("nan")]}, "minimum is (nan,), which float32 does not hold"),
        ({"color_space": "bgr"}, "color_space is 'bgr'; accepted are rgb, gray and an empty one"),
        ({"score_threshold": float("inf")}, "score_threshold is inf"),
        ({"labels": ["a\nb"]}, "has a line break or blanks around it"),
        ({"labels": [" a"]}, "has a line break or blanks around it"),
        ({"labels_by_locale": {"../x": ["a"]}}, "the locale '../x' is none"),
        ({"labels": ["a"], "labels_by_locale": {"de": ["a", "b"]}}, "labels_de.txt has 2 labels, labels.txt 1"),
        ({"labels_by_locale": {"de": []}}, "labels_de.txt has 0 labels; 1 to 1,000,000 can be read"),
    ],
)
def test_what_would_not_be_read_back_is_refused(given: dict[str, Any], said: str) -> None:
    told = fails(small(), **given)
    assert told.startswith("The metadata cannot be written: ")
    assert told.endswith("See docs/reference/metadata.md.")
    assert said in told


@pytest.mark.parametrize("output", [-1, 2])
def test_output_that_the_model_does_not_have_is_refused(output: int) -> None:
    assert (
        fails(small(), output=output) == f"The labels are of output {output}, and the model has 2, counted from 0."
    )


def test_without_flatbuffers_what_to_install_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "flatbuffers", None)
    assert fails(small()) == (
        'Writing metadata needs the package flatbuffers: pip install "mlserverless[convert]".'
    )


def test_archive_is_a_usual_one(tmp_path: Path) -> None:
    path = tmp_path / "m.tflite"
    path.write_bytes(write(small(), name="m", labels=["a", "b"]))
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert archive.read("labels.txt") == b"a\nb\n"
        assert archive.infolist()[0].date_time == (1980, 1, 1, 0, 0, 0)


def test_constants_stay_aligned() -> None:
    """XNNPACK and delegates read weights in place; the schema asks for 16 bytes."""
    data = write(small(), name="m", labels=["a"])
    at = data.index(struct.pack("<f", 2.0), data.index(small()))
    assert (at - small().index(struct.pack("<f", 2.0))) % 64 == 0
