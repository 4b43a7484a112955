"""Whatever a body holds, it is read or refused as an error of the caller's."""

import json
from typing import Any

import pytest
from hypothesis import find, given
from hypothesis import strategies as st

from helpers.fakes import IMAGE, SCORES, FakeEngine
from helpers.tensors import model
from mlserverless import engines
from mlserverless.errors import MlserverlessError
from mlserverless.web.http import HttpRequest
from mlserverless.web.inference import reading
from mlserverless.web.inference.asking import Asked
from mlserverless.web.inference.served import Served

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@st.composite
def requests(draw: st.DrawFn) -> dict[str, Any]:
    """Return a right request, or one in which a member is missing or anything."""
    tensor = {"name": "image", "datatype": "UINT8", "shape": [1, 2, 2, 3], "data": [7] * 12, "parameters": {}}
    output = {"name": "scores", "parameters": {"binary_data": True, "classification": 1}}
    value = {"id": "", "inputs": [tensor], "outputs": [output], "parameters": {"binary_data_output": False}}
    if draw(st.booleans()):
        changed: Any = draw(st.sampled_from((value, tensor, output, value["parameters"], output["parameters"])))
        name = draw(st.sampled_from(sorted(changed) or ["binary_data_size"]))
        changed[name] = draw(ANYTHING)
        if draw(st.booleans()):
            del changed[name]
    return value


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Served:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(engines, "select", FakeEngine(b"\1\2\3", (IMAGE,), (SCORES,)).select)
        return model(tmp_path_factory.mktemp("model"))


def read(found: Served, body: bytes, headers: dict[str, str]) -> Asked | None:
    """Return what is asked for, None where it is refused, as it should be."""
    try:
        asked = reading.read(HttpRequest("POST", "/", "", headers, body), found, 10_000)
    except MlserverlessError as error:
        refused = error
    else:
        assert [len(item) for item in asked.items] == [12] * len(asked.items)
        assert [output.name for output in asked.outputs] == ["scores"]
        return asked
    assert 400 <= refused.status < 500
    assert len(str(refused)) < 600
    return None


@given(st.binary(max_size=60), st.none() | st.text(max_size=4) | st.integers(0, 60).map(str))
def test_bytes(found: Served, body: bytes, length: str | None) -> None:
    read(found, body, {} if length is None else {reading.HEADER: length})


@given(requests(), st.binary(max_size=13) | st.just(bytes(12)), st.sampled_from((0, 0, 1, -1)))
def test_requests(found: Served, value: Any, behind: bytes, off: int) -> None:
    body = json.dumps(value).encode()
    read(found, body + behind, {reading.HEADER: str(len(body) + off)} if behind else {})


@pytest.mark.parametrize("taken", [True, False])
def test_some_of_them_are_taken_and_some_are_not(found: Served, taken: bool) -> None:
    """Else the properties would say little."""
    find(requests(), lambda value: (read(found, json.dumps(value).encode(), {}) is not None) is taken)
