"""How a model is served: its version, its outputs, whether several inputs may be sent at a time."""

from pathlib import Path

import pytest

from helpers.fakes import IMAGE, SCORES, fake_engine
from helpers.tensors import model
from mlserverless.engines import Tensor
from mlserverless.web.inference.served import metadata, served

RAW = 'task = "raw"'


@pytest.mark.parametrize(
    ("image", "outputs", "most"),
    [
        (IMAGE, (SCORES,), 16),
        (IMAGE, (SCORES, Tensor("label", (1,), "int64")), 16),
        (IMAGE, (SCORES, Tensor("count", (), "float32")), 1),
        (IMAGE, (SCORES, Tensor("rows", (5, 6), "float32")), 1),
        (IMAGE._replace(shape=(2, 2, 3)), (SCORES,), 1),
    ],
)
def test_several_may_be_sent_where_every_tensor_begins_with_a_1(
    image: Tensor,
    outputs: tuple[Tensor, ...],
    most: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answers = [bytes(output.bytes) for output in outputs]
    fake_engine(monkeypatch, answers, (image,), outputs)
    found = model(tmp_path, RAW)
    assert found.most == most
    wanted = (-1, *image.shape[1:]) if most > 1 else image.shape
    assert metadata(found)["inputs"] == [{"name": "image", "datatype": "UINT8", "shape": wanted}]
    assert served("fake", found.loaded, 1).most == 1, "as the setting max_batch says"


def test_an_output_that_the_protocol_has_no_type_for_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outputs = (Tensor("text", (1,), "object"), SCORES)
    fake_engine(monkeypatch, [b"", b"\1\2\3"], (IMAGE,), outputs)
    found = model(tmp_path, '[output]\nscores = "scores"')
    assert found.outputs == ((1, SCORES),)
    assert [output["name"] for output in metadata(found)["outputs"]] == ["scores"]


def test_a_signatures_name_goes_before_the_models_own() -> None:
    assert SCORES.known_as == "scores"
    assert SCORES._replace(alias="probabilities").known_as == "probabilities"


def test_a_version_is_the_beginning_of_the_files_digest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_engine(monkeypatch)
    found = model(tmp_path)
    digest = found.loaded.model.sha256
    assert found.version == digest[:12]
    assert found.is_version(digest[:12])
    assert found.is_version(digest)
    assert not found.is_version(digest[:11])
    assert not found.is_version(digest + "0")


def test_an_onnx_model_is_told_as_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_engine(monkeypatch)
    found = model(tmp_path)
    onnx = found.loaded._replace(model=found.loaded.model._replace(data=b"\x08\x08onnx"))
    assert metadata(served("fake", onnx, 16))["platform"] == "onnx_onnxv1"
