"""An .onnx file: what ONNX Runtime and the package onnx tell of it, and what is said where one is missing."""

import json
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import pytest

from helpers import onnxmodel
from mlserverless import model
from mlserverless.errors import ModelUnavailable
from mlserverless.inspection import document, onnx, report, suggest, trial
from mlserverless.inspection.memory import Weights
from mlserverless.inspection.ops import Use

package = pytest.importorskip("onnx", reason="the package onnx is not installed")
pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed")


@pytest.fixture
def made(tmp_path: Path) -> str:
    """A model of (any, 3, 8, 8) that is scaled, then its mean taken."""
    helper, float32 = package.helper, package.TensorProto.FLOAT
    factor = helper.make_tensor("factor", float32, [1, 3, 1, 1], [1.0, 2.0, 3.0])
    nodes = [
        helper.make_node("Mul", ["image", "factor"], ["scaled"]),
        helper.make_node("GlobalAveragePool", ["scaled"], ["means"]),
        helper.make_node("Flatten", ["means"], ["scores"]),
    ]
    graph = helper.make_graph(
        nodes,
        "made by a test",
        [helper.make_tensor_value_info("image", float32, ["batch", 3, 8, 8])],
        [helper.make_tensor_value_info("scores", float32, ["batch", 3])],
        [factor],
    )
    held = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    path = tmp_path / "a.onnx"
    package.save(held, path)
    return str(path)


def test_all_of_it_is_told(made: str) -> None:
    found = report.inspect(made)
    assert found.format == "onnx"
    assert [(port.tensor.name, port.tensor.shape, port.tensor.dtype) for port in found.inputs + found.outputs] == [
        ("image", (-1, 3, 8, 8), "float32"),
        ("scores", (-1, 3), "float32"),
    ]
    assert set(found.operators) == {Use(name, 13, 1) for name in ("Mul", "GlobalAveragePool", "Flatten")}
    assert found.weights == (Weights("float32", 3, 12),)
    assert [(verdict.engine, verdict.status) for verdict in found.engines] == [("onnxruntime", trial.RUNS)]
    assert found.notes == ()
    json.dumps(document.to_dict(found))


def test_folder_that_names_no_file_is_looked_into_as_when_it_is_served(made: str) -> None:
    place = Path(made).parent
    Path(made).rename(place / "model.onnx")
    (place / "model.toml").write_text('[input]\nrange = "unit"\n')
    assert report.inspect(str(place), ()).path == str(place / "model.onnx")


def test_suffix_in_capitals_is_one_too(made: str) -> None:
    path = Path(made).rename(Path(made).with_suffix(".ONNX"))
    assert report.inspect(str(path), ()).format == "onnx"


def test_reading_that_does_not_end_is_told(made: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx, "SECONDS", 0.001)
    with pytest.raises(ModelUnavailable, match="is no ONNX model that could be read: no answer within 0 s"):
        report.inspect(made, ())


def test_suggested_model_toml_is_for_planes(made: str) -> None:
    text = suggest.model_toml(report.inspect(made, ()))
    for line in ('file = "a.onnx"', 'layout = "nchw"', 'activation = "softmax"'):
        assert line in text


def test_what_is_not_installed_is_said(made: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(name: str) -> object:
        raise ImportError(name)

    monkeypatch.setattr(onnx, "import_module", none)
    assert onnx.describe(made) == {}
    monkeypatch.setattr(onnx, "_asked", onnx.describe)
    assert set(report.inspect(made, ()).notes) == {onnx.RUNTIME, onnx.PACKAGE}


def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let neither ONNX Runtime nor the package onnx be installed."""
    monkeypatch.setattr(onnx, "_asked", lambda _: {})


def test_what_the_file_alone_tells_is_told(made: str, monkeypatch: pytest.MonkeyPatch) -> None:
    alone(monkeypatch)
    found = report.inspect(made, ())
    assert (found.format, found.size) == ("onnx", Path(made).stat().st_size)
    told = document.to_dict(found)
    assert (told["task"], told["inputs"], len(told["sha256"])) == (None, [], 64)
    text = suggest.model_toml(found)
    assert f'sha256 = "{found.sha256}"' in text
    assert "cannot be served" not in text
    assert "# Its inputs and outputs are not told" in text
    (Path(made).parent / "model.toml").write_text(text)
    assert model.load(str(Path(made).parent)).sha256 == found.sha256


@pytest.mark.parametrize("data", [b"no model at all", b"", b"\x08\x09"])
def test_broken_file_is_refused_by_itself(data: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alone(monkeypatch)
    (tmp_path / "a.onnx").write_bytes(data)
    with pytest.raises(ModelUnavailable, match=r"a\.onnx is not an ONNX model, or a damaged one"):
        report.inspect(str(tmp_path / "a.onnx"), ())


def test_weights_in_another_file_are_not_looked_for(tmp_path: Path) -> None:
    (tmp_path / "a.onnx").write_bytes(onnxmodel.elsewhere())
    with pytest.raises(ModelUnavailable, match="keeps the weights of w in another file"):
        report.inspect(str(tmp_path / "a.onnx"), ())


PARTS = {"onnx": {"operators", "weights"}, "onnxruntime": {"inputs", "outputs"}}


@pytest.mark.parametrize("left", PARTS)
def test_each_package_tells_its_part(left: str, made: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def only(name: str, real: Callable[[str], object] = import_module) -> object:
        if name != left:
            raise ImportError(name)
        return real(name)

    monkeypatch.setattr(onnx, "import_module", only)
    assert onnx.describe(made).keys() - {"description"} == PARTS[left]


def test_file_that_is_none_is_refused_in_a_line(tmp_path: Path) -> None:
    (tmp_path / "a.onnx").write_bytes(b"no model at all")
    with pytest.raises(ModelUnavailable, match="is not an ONNX model, or a damaged one") as caught:
        report.inspect(str(tmp_path / "a.onnx"), ())
    assert "\n" not in str(caught.value)


def test_file_that_only_the_packages_refuse_is_told_in_a_line(made: str) -> None:
    data = Path(made).read_bytes().replace(b"GlobalAveragePool", b"GlobalAverageP\xffol")
    Path(made).write_bytes(data)
    with pytest.raises(ModelUnavailable, match="is no ONNX model that could be read") as caught:
        report.inspect(made, ())
    assert "\n" not in str(caught.value)
