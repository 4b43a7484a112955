"""What a request object asks for, and what is said of one that asks for something else."""

from pathlib import Path
from typing import Any

import pytest

from helpers.fakes import IMAGE, SCORES, fake_engine
from helpers.tensors import PIXELS, model, request
from mlserverless.engines import Tensor
from mlserverless.errors import InvalidRequest
from mlserverless.web.inference import asking
from mlserverless.web.inference.asking import Asked, Output
from mlserverless.web.inference.served import Served

TAKES = "fake takes the input 'image', UINT8 [n, 2, 2, 3] with n from 1 to 16."
LABEL = Tensor("label", (1,), "int64", alias="class")


@pytest.fixture
def found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Served:
    fake_engine(monkeypatch, [b"\1\2\3", bytes(8)], outputs=(SCORES, LABEL))
    return model(tmp_path, '[output]\nscores = "scores"')


def read(found: Served, value: Any, behind: bytes = b"") -> Asked:
    return asking.read(value, memoryview(behind), found)


def refused(found: Served, value: Any, behind: bytes = b"") -> str:
    with pytest.raises(InvalidRequest) as caught:
        read(found, value, behind)
    return str(caught.value)


def test_every_output_is_told_in_json_where_nothing_else_is_said(found: Served) -> None:
    assert read(found, request()) == Asked(None, [bytes(PIXELS)], (Output(0, "scores"), Output(1, "class")))
    assert read(found, request(id="", outputs=[], parameters={})).id == ""


def test_parameters_that_are_not_known_are_passed_over(found: Served) -> None:
    more = {"priority": 1, "timeout": 5, "content_type": "np"}
    asked = read(found, request(parameters=more, in_parameters=more, outputs=[{"name": "scores"} | more]))
    assert asked.outputs == (Output(0, "scores"),)


def test_outputs_are_told_in_the_order_and_by_the_names_that_are_asked_for(found: Served) -> None:
    asked = request(outputs=[{"name": "label"}, {"name": "scores"}])
    assert read(found, asked).outputs == (Output(1, "label"), Output(0, "scores"))


@pytest.mark.parametrize(
    ("every", "one", "binary"),
    [
        ({}, {}, False),
        ({"binary_data_output": True}, {}, True),
        ({}, {"binary_data": True}, True),
        ({"binary_data_output": True}, {"binary_data": False}, False),
    ],
)
def test_an_outputs_own_word_goes_before_that_for_all(
    every: dict[str, bool], one: dict[str, bool], binary: bool, found: Served
) -> None:
    outputs = [{"name": "class", "parameters": {"classification": 2, **one}}]
    assert read(found, request(parameters=every, outputs=outputs)).outputs == (Output(1, "class", binary, 2),)


def test_without_outputs_that_for_all_is_that_of_every_one(found: Served) -> None:
    asked = read(found, request(parameters={"binary_data_output": True}))
    assert asked.outputs == (Output(0, "scores", binary=True), Output(1, "class", binary=True))


def test_a_batch_is_a_run_each(found: Served) -> None:
    data = bytes(range(36))
    assert read(found, request(list(data), [3, 2, 2, 3])).items == [data[:12], data[12:24], data[24:]]
    value = request(..., [3, 2, 2, 3], in_parameters={"binary_data_size": 36})
    assert read(found, value, data).items == [data[:12], data[12:24], data[24:]]


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"in_name": "pixels"}, f"The input's name is 'pixels'; {TAKES}"),
        ({"in_name": ...}, f"The input's name is missing; {TAKES}"),
        ({"in_name": ["image"]}, f"The input's name is ['image']; {TAKES}"),
        ({"in_datatype": "BF16"}, f"The input's datatype is 'BF16'; {TAKES}"),
        ({"in_datatype": ...}, f"The input's datatype is missing; {TAKES}"),
        ({"in_shape": [2, 2, 3]}, f"The input's shape is [2, 2, 3]; {TAKES}"),
        ({"in_shape": [0, 2, 2, 3]}, f"The input's shape is [0, 2, 2, 3]; {TAKES}"),
        ({"in_shape": [-1, 2, 2, 3]}, f"The input's shape is [-1, 2, 2, 3]; {TAKES}"),
        ({"in_shape": [17, 2, 2, 3]}, f"The input's shape is [17, 2, 2, 3]; {TAKES}"),
        ({"in_shape": [1, 2, 3, 2]}, f"The input's shape is [1, 2, 3, 2]; {TAKES}"),
        ({"in_shape": [True, 2, 2, 3]}, f"The input's shape is [True, 2, 2, 3]; {TAKES}"),
        ({"in_shape": [1.0, 2, 2, 3]}, f"The input's shape is [1.0, 2, 2, 3]; {TAKES}"),
        ({"in_shape": []}, f"The input's shape is []; {TAKES}"),
        ({"in_shape": "1,2,2,3"}, f"The input's shape is '1,2,2,3'; {TAKES}"),
        ({"in_shape": ...}, f"The input's shape is missing; {TAKES}"),
        ({"in_data": ...}, "The input has no data: give a list"),
        ({"in_data": "AAAA"}, "The input has no data: give a list"),
        ({"in_data": [0] * 11}, "data has 11 elements; the shape [1, 2, 2, 3] has 12."),
        ({"in_parameters": []}, "The input's parameters is list; expected is an object"),
        ({"in_parameters": {"binary_data_size": 12}}, "The input has both data and binary_data_size"),
        ({"in_parameters": {"shared_memory_region": "x"}}, "shared_memory_region is not supported"),
        ({"id": None}, "id is None; accepted is a text."),
        ({"id": 42}, "id is 42; accepted is a text."),
        ({"parameters": None}, "The request's parameters is NoneType"),
        ({"parameters": {"binary_data_output": 1}}, "binary_data_output is 1; accepted are true and false."),
        ({"outputs": {}}, "outputs is {}; accepted is a list of objects with a name."),
        ({"outputs": None}, "outputs is None; accepted is a list"),
        ({"outputs": ["scores"]}, "An output is str; expected is an object."),
        ({"outputs": [{}]}, "The output's name is None; fake gives 'scores', 'class'."),
        ({"outputs": [{"name": "logits"}]}, "The output's name is 'logits'; fake gives 'scores', 'class'."),
        ({"outputs": [{"name": "scores"}] * 2}, "The output 'scores' is asked for twice."),
        ({"outputs": [{"name": "scores", "parameters": 5}]}, "The output 'scores''s parameters is int"),
        ({"inputs": []}, f"inputs is a list of 0; the model has one input: {TAKES}"),
        ({"inputs": [{}, {}]}, f"inputs is a list of 2; the model has one input: {TAKES}"),
        ({"inputs": {}}, f"inputs is dict; the model has one input: {TAKES}"),
        ({"inputs": [5]}, "The input is int; expected is an object."),
    ],
)
def test_what_does_not_fit_is_told_with_what_does(more: dict[str, Any], told: str, found: Served) -> None:
    assert refused(found, request(**more)).startswith(told)


@pytest.mark.parametrize("classes", [-1, True, "2", 1.5])
def test_a_number_of_classes_is_a_number(classes: Any, found: Served) -> None:
    outputs = [{"name": "scores", "parameters": {"classification": classes}}]
    assert refused(found, request(outputs=outputs)).startswith("classification is ")


@pytest.mark.parametrize(
    ("size", "behind"), [(11, 11), (12, 11), (12, 13), (24, 24), (12.0, 12), (True, 12), ("12", 12), (-12, 12)]
)
def test_sizes_that_do_not_add_up_are_told(size: Any, behind: int, found: Served) -> None:
    value = request(..., in_parameters={"binary_data_size": size})
    told = refused(found, value, bytes(behind))
    assert told.startswith(f"binary_data_size is {size!r}, the shape [1, 2, 2, 3] of UINT8 has 12 bytes, and")
    assert f"and {behind} follow the JSON" in told


def test_bytes_that_no_input_has_are_told(found: Served) -> None:
    assert refused(found, request(), b"x").startswith("1 bytes follow the JSON")


def test_what_is_no_object_is_told(found: Served) -> None:
    assert refused(found, [request()]).startswith("The body's JSON is list; expected is an object.")


def test_a_model_without_a_dimension_for_it_takes_one_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_engine(monkeypatch, inputs=(IMAGE._replace(shape=(2, 2, 3)),))
    found = model(tmp_path)
    assert read(found, request(PIXELS, [2, 2, 3])).items == [bytes(PIXELS)]
    for shape in ([1, 2, 2, 3], [1, 2, 3], [4, 2, 3]):
        assert refused(found, request(PIXELS, shape)).endswith("fake takes the input 'image', UINT8 [2, 2, 3].")
