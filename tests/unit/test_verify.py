"""Files that are sound flatbuffers and no sound graphs: each of these once ended the process in LiteRT."""

import struct
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from helpers import graphs, modelfile, specimens
from helpers.graphs import build
from mlserverless import verify
from mlserverless.config import Settings
from mlserverless.engines import tflite
from mlserverless.errors import ModelUnavailable
from mlserverless.interpreter import load_lite_model
from mlserverless.loading import load
from mlserverless.metadata import slots
from mlserverless.metadata.flatbuffer import Table

NAMES = ("efficientnet-lite0", "dogs-vs-cats")


@pytest.fixture(params=NAMES)
def data(request: pytest.FixtureRequest, models: Path) -> bytes:
    return (models / str(request.param) / "model.tflite").read_bytes()


def graph(data: bytes) -> Table:
    return Table.root(data).tables(slots.SUBGRAPHS)[0]


def changed(data: bytes, vector: int, place: int, number: int) -> bytes:
    """Return ``data`` with the entry ``place`` of the vector that starts at ``vector`` set to ``number``."""
    at = vector + 4 + 4 * place
    return data[:at] + struct.pack("<i", number) + data[at + 4 :]


def fails(data: bytes) -> str:
    with pytest.raises(ModelUnavailable) as caught:
        verify.check(data)
    assert str(caught.value).startswith("The model is corrupt: ")
    return str(caught.value)


def test_good_models_pass(data: bytes) -> None:
    verify.check(data)


def test_model_without_a_graph_passes() -> None:
    verify.check(modelfile.model())


def test_model_of_this_schema_has_a_graph() -> None:
    """Without one it ended the process in the Python interpreter; of another version LiteRT refuses it itself."""
    assert fails(build()).endswith(
        "it has no graph. Should the file be right, pin its sha256: then it is not checked."
    )


def test_custom_operators_options_are_not_taken_on_trust() -> None:
    tensors = [graphs.T("image", (1, 2)), graphs.T("out", (1, 2))]
    ops = [graphs.Op("MyOwn", ("image",), ("out",), b"\x01")]
    with pytest.raises(ModelUnavailable, match="the custom operator 'MyOwn', whose options no engine verifies"):
        verify.check(build(graphs.Graph(tensors, ops, ["image"], ["out"])))


def test_custom_operator_of_a_file_before_2020_is_one_too() -> None:
    """Which has its code in a byte alone; an engine takes the larger of the two."""

    def older(model: Any) -> None:
        model.operatorCodes[0].builtinCode = 0

    with pytest.raises(ModelUnavailable, match="the custom operator 'MyOwn'"):
        verify.check(specimens.edited(specimens.custom("MyOwn"), older))


@pytest.mark.parametrize("place", [0, 1])
def test_first_inputs_may_not_be_left_out(data: bytes, place: int) -> None:
    operators = graph(data).tables(slots.OPERATORS)
    number = next(i for i, operator in enumerate(operators) if operator.length(slots.INPUTS) > place)
    bad = changed(data, operators[number]._target(slots.INPUTS), place, -1)
    assert f"input {place} of operator {number} is the tensor -1 of" in fails(bad)


def test_bias_may_be_left_out(data: bytes) -> None:
    operator = next(o for o in graph(data).tables(slots.OPERATORS) if o.length(slots.INPUTS) == 3)
    verify.check(changed(data, operator._target(slots.INPUTS), 2, -1))


def test_recurrent_operators_may_leave_out_their_second_input(
    data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    operator = next(o for o in graph(data).tables(slots.OPERATORS) if o.length(slots.INPUTS) > 1)
    bad = changed(data, operator._target(slots.INPUTS), 1, -1)
    monkeypatch.setattr(verify, "RECURRENT", range(200))
    verify.check(bad)


@pytest.mark.parametrize("number", [-2, 100_000, 2**31 - 1, -(2**31)])
def test_tensors_that_are_not_there_are_told(data: bytes, number: int) -> None:
    found = graph(data)
    operator = found.tables(slots.OPERATORS)[0]
    for table, slot, said in (
        (operator, slots.INPUTS, "input 0 of operator 0"),
        (operator, slots.OUTPUTS, "an output of operator 0"),
        (found, slots.INPUTS, "an input of the graph"),
        (found, slots.OUTPUTS, "an output of the graph"),
    ):
        assert f"{said} is the tensor {number:,} of" in fails(changed(data, table._target(slot), 0, number))


def test_no_operator_writes_over_what_has_a_value(data: bytes) -> None:
    operator = graph(data).tables(slots.OPERATORS)[3]
    weights = operator.whole_numbers(slots.INPUTS)[1]
    bad = changed(data, operator._target(slots.OUTPUTS), 0, weights)
    assert f"operator 3 writes the tensor {weights}, which has a value already" in fails(bad)


def test_no_operator_reads_what_none_has_written(data: bytes) -> None:
    found = graph(data)
    last = found.whole_numbers(slots.OUTPUTS)[0]
    bad = changed(data, found.tables(slots.OPERATORS)[0]._target(slots.INPUTS), 0, last)
    assert f"operator 0 reads the tensor {last}, which none before it has written" in fails(bad)


@pytest.mark.parametrize(
    ("slot", "count"), [(slots.SCALE, 0), (slots.SCALE, 2), (slots.ZERO_POINT, 1), (slots.SCALE, 100_000)]
)
def test_scales_and_zero_points_are_as_many_as_channels(models: Path, slot: int, count: int) -> None:
    data = (models / NAMES[0] / "model.tflite").read_bytes()
    tensors = [tensor.table(slots.QUANTIZATION) for tensor in graph(data).tables(slots.TENSORS)]
    channels = next(found for found in tensors if found and found.length(slots.SCALE) > 2)
    at = channels._target(slot)
    assert "zero points" in fails(data[:at] + struct.pack("<I", count) + data[at + 4 :])


def test_number_of_tensors_and_operators_is_limited(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify, "MOST", 100)
    assert "more than 100 tensors and operators" in fails(data)


def test_no_flatbuffer_is_told() -> None:
    for noise in (b"", b"\x01\0\0\0", b"\xff" * 100):
        fails(noise)


@pytest.mark.parametrize("engine", ["litert", "litert-python"])
def test_loading_refuses_what_would_end_the_process(data: bytes, engine: str, tmp_path: Path) -> None:
    operator = graph(data).tables(slots.OPERATORS)[3]
    bad = tmp_path / "bad.tflite"
    bad.write_bytes(changed(data, operator._target(slots.INPUTS), 1, -1))
    with pytest.raises(ModelUnavailable, match="input 1 of operator 3"):
        load(Settings.load({}, model=str(bad), engine=engine))
    with pytest.raises(ModelUnavailable, match="input 1 of operator 3"):
        load_lite_model(str(bad))


def test_operator_that_fails_at_the_run_is_the_models_fault() -> None:
    def invoke() -> None:
        raise RuntimeError("kernels/elementwise.cc only defined\nfor positive values.")

    details: list[dict[str, Any]] = [
        {
            "name": "x",
            "shape": (1, 1),
            "shape_signature": (),
            "dtype": np.uint8,
            "quantization": (0.0, 0),
            "index": 0,
        }
    ]
    fake = SimpleNamespace(
        get_input_details=lambda: details,
        get_output_details=lambda: details,
        set_tensor=lambda *_: None,
        invoke=invoke,
    )
    said = "The model cannot be run: kernels/elementwise.cc only defined for positive values."
    with pytest.raises(ModelUnavailable, match=said):
        tflite.PythonInterpreter(fake).run(b"\x00")


def test_pinned_file_is_not_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, models: Path) -> None:
    def check(_: bytes) -> None:
        raise AssertionError

    monkeypatch.setattr(verify, "check", check)
    load(Settings.load({}, model=str(models / "dogs-vs-cats")))
    with pytest.raises(AssertionError):
        load_lite_model(str(models / "dogs-vs-cats" / "model.tflite"))
