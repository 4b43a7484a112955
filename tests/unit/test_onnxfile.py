"""Which files are taken for ONNX models: those with the message's fields, and all of their weights."""

import random
from pathlib import Path

import onnx
import pytest

from helpers import modelfile, modelfolder, onnxmodel
from mlserverless import onnxfile
from mlserverless.errors import ModelUnavailable
from mlserverless.model import load

GOOD = onnxmodel.classifier()


def refused(data: bytes) -> str:
    with pytest.raises(ModelUnavailable) as caught:
        onnxfile.check(data, "m.onnx")
    return str(caught.value)


def test_a_good_model_is_taken() -> None:
    onnxfile.check(GOOD, "m.onnx")
    onnxfile.check(onnxmodel.classifier(also="zipmap"), "m.onnx")


def test_a_model_in_which_the_word_location_is_said_is_looked_at_and_taken() -> None:
    model = onnx.load_from_string(onnxmodel.classifier(also="int64"))
    model.graph.node[0].name = "location"
    model.metadata_props.add(key="location", value="here")
    model.graph.node[1].doc_string = "location"
    onnxfile.check(model.SerializeToString(), "m.onnx")


def test_a_tflite_model_of_that_name_is_told_for_what_it_is() -> None:
    assert refused(modelfile.model()) == "m.onnx is a TFLite model: call it .tflite."


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "it lacks the field 1 of a ModelProto"),
        (GOOD[:40], r"has \S+ bytes, of which"),
        (GOOD + b"\xff", "it ends in a number"),
        (GOOD + b"\x0b", "the field 1 of wire type 3"),
        (b"no model at all, but a text", "of wire type"),
        (b"\x08\x09", "it lacks the field 7 of a ModelProto"),
        (b"\x08" + b"\xff" * 12, "is too long"),
        (b"\xff\xff\xff\xff\xff\x01", "is the field"),
    ],
)
def test_what_is_no_model_is_refused(data: bytes, told: str) -> None:
    with pytest.raises(ModelUnavailable, match=rf"^m\.onnx is not an ONNX model, or a damaged one: .*{told}"):
        onnxfile.check(data, "m.onnx")


@pytest.mark.parametrize("within", ["graph", "node", "branch"])
def test_weights_in_another_file_are_refused_wherever_they_are_named(within: str) -> None:
    told = refused(onnxmodel.elsewhere(within))
    assert told.startswith(
        "m.onnx keeps the weights of w in another file, which no sha256 covers: save it as one file"
    )
    assert "external_data=False" in told


def test_weights_in_another_file_are_refused_in_functions_and_sparse_tensors() -> None:
    inner = onnx.load_from_string(onnxmodel.elsewhere("node")).graph
    model = onnx.load_from_string(GOOD)
    model.functions.add(name="f", domain="d").node.extend(inner.node)
    assert "in another file" in refused(model.SerializeToString())
    model = onnx.load_from_string(GOOD)
    sparse = model.graph.sparse_initializer.add()
    sparse.values.CopyFrom(onnx.load_from_string(onnxmodel.elsewhere()).graph.initializer[0])
    assert "in another file" in refused(model.SerializeToString())


def test_a_model_nested_too_deep_is_refused_instead_of_a_recursion_error() -> None:
    message = b"location"
    for _ in range(3000):  # an attribute (5) with a graph (6) with a node (1) …
        for number in (6, 5, 1):
            message = bytes([number << 3 | 2]) + _varint(len(message)) + message
    assert "messages 100 deep" in refused(b"\x08\x09" + b"\x3a" + _varint(len(message)) + message)


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def test_damaged_models_are_refused_or_taken_and_nothing_else_happens() -> None:
    dice, refusals = random.Random(7), 0
    data = onnxmodel.elsewhere("branch")
    for _ in range(3000):
        mutant = bytearray(data)
        for _ in range(dice.choice((1, 2, 5))):
            mutant[dice.randrange(len(mutant))] = dice.randrange(256)
        try:
            onnxfile.check(bytes(mutant[: dice.choice((len(mutant), dice.randrange(len(mutant))))]), "m.onnx")
        except ModelUnavailable:
            refusals += 1
    assert refusals > 2500


def test_the_model_files_suffix_says_what_it_is_to_be(tmp_path: Path) -> None:
    where = modelfolder.folder(tmp_path / "m", 'file = "model.onnx"\nlabels = "labels.txt"\n')
    Path(where, "model.onnx").write_bytes(GOOD)
    assert load(where).path.endswith("model.onnx")
    assert load(where).labels == ("cat", "dog")
    Path(where, "model.onnx").write_bytes(modelfile.model())
    assert "is a TFLite model" in modelfolder.fails(where)
    Path(where, "model.toml").write_text("")
    Path(where, "model.tflite").write_bytes(GOOD)
    assert "lacks the identifier TFL3" in modelfolder.fails(where)


def test_where_no_file_is_named_the_one_that_is_there_is_taken(tmp_path: Path) -> None:
    where = Path(modelfolder.folder(tmp_path / "m"))
    (where / "model.onnx").write_bytes(GOOD)
    assert load(str(where)).path.endswith("model.tflite"), "as ever"
    (where / "model.tflite").unlink()
    assert load(str(where)).path.endswith("model.onnx")
    (where / "model.onnx").unlink()
    assert "model.tflite cannot be read" in modelfolder.fails(str(where))


def test_a_bare_file_is_a_model(tmp_path: Path) -> None:
    (tmp_path / "flowers.onnx").write_bytes(GOOD)
    found = load(str(tmp_path / "flowers.onnx"))
    assert (found.name, found.pinned, found.labels) == ("flowers", False, ())
