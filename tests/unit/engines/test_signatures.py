"""Signatures: chosen by name, in the file's order, with the names that they have for the model's tensors."""

from typing import Any

import numpy as np
import pytest

from helpers import graphs, modelfile
from helpers.graphs import Graph, T, build, mean, multiply
from mlserverless.engines import Engine, Wanted, chosen, select, signatures
from mlserverless.errors import ModelUnavailable

IMAGE = np.arange(48, dtype=np.float32).reshape(1, 4, 4, 3)
MEAN, TWICE = [22.5, 23.5, 24.5], [45.0, 47.0, 49.0]


@pytest.fixture(params=["litert", "litert-python", "tflite-runtime"])
def engine(request: pytest.FixtureRequest) -> Engine:
    try:
        return select(request.param)
    except ModelUnavailable as error:
        pytest.skip(str(error))


def graph(outputs: list[str], signature: Any = None, shape: tuple[int, ...] = (1, 4, 4, 3)) -> Graph:
    tensors = [T("image", shape), T("axes", (2,), "int32", [1, 2]), T("m", (1, 3))]
    tensors += [T("two", (1,), "float32", [2.0]), T("d", (1, 3))]
    return Graph(tensors, [mean("image", "axes", "m"), multiply("m", "two", "d")], ["image"], outputs, signature)


NAMES = ("serve", {"pixels": "image"}, {"a_double": "d", "z_mean": "m"})
BOTH = graph(["m", "d"], NAMES)
ONE = graph(["d"], ("other", {"img": "image"}, {"only": "d"}))


def told(engine: Engine, data: bytes, wanted: Wanted) -> list[tuple[str, str, list[float]]]:
    interpreter = engine.load(data, 1, wanted)
    answers = interpreter.run(IMAGE.tobytes())
    return [
        (tensor.name, tensor.alias, np.frombuffer(data, np.float32).tolist())
        for tensor, data in zip(interpreter.outputs, answers, strict=True)
    ]


@pytest.mark.parametrize("outputs", [["m", "d"], ["d", "m"]])
def test_outputs_stand_in_the_models_order_with_the_signatures_names(engine: Engine, outputs: list[str]) -> None:
    known = {"m": ("m", "z_mean", MEAN), "d": ("d", "a_double", TWICE)}
    assert told(engine, build(graph(outputs, NAMES)), Wanted()) == [known[name] for name in outputs]
    assert engine.load(build(BOTH), 1).inputs[0].alias == "pixels"


def test_first_of_several_is_taken_and_another_by_its_name(engine: Engine) -> None:
    data = build(ONE, BOTH)
    assert told(engine, data, Wanted()) == told(engine, data, Wanted("other")) == [("d", "only", TWICE)]
    assert told(engine, data, Wanted("serve")) == [("m", "z_mean", MEAN), ("d", "a_double", TWICE)]


def test_first_signature_may_be_of_another_subgraph_than_the_first(engine: Engine) -> None:
    data = build(ONE._replace(signature=None), graph(["d", "m"], NAMES))
    assert told(engine, data, Wanted()) == [("d", "a_double", TWICE), ("m", "z_mean", MEAN)]


def test_second_subgraph_may_leave_sizes_open(engine: Engine) -> None:
    data = build(ONE, graph(["m", "d"], NAMES, (1, -1, -1, 3)))
    wanted = Wanted("serve", size=(4, 4))
    assert engine.load(data, 1, wanted).inputs[0].shape == (1, 4, 4, 3)
    assert told(engine, data, wanted)[0] == ("m", "z_mean", MEAN)


@pytest.mark.parametrize(
    ("data", "there"),
    [
        (build(ONE, BOTH), "it has 'other', 'serve'"),
        (build(ONE._replace(signature=None)), "it has none, so leave"),
    ],
)
def test_unknown_name_is_told_with_those_there_are(engine: Engine, data: bytes, there: str) -> None:
    with pytest.raises(ModelUnavailable, match=f"^The model has no signature 'nope': {there}"):
        engine.load(data, 1, Wanted("nope"))


def test_model_without_a_signature_has_no_other_names(engine: Engine) -> None:
    assert told(engine, build(graph(["m", "d"])), Wanted()) == [("m", "", MEAN), ("d", "", TWICE)]


def test_several_instances_of_another_subgraphs_signature_do_not_mix(engine: Engine) -> None:
    data = build(ONE, BOTH)
    one, other = (engine.load(data, 1, Wanted("serve")) for _ in range(2))
    first = one.run(IMAGE.tobytes())
    other.run(bytes(IMAGE.nbytes))
    assert one.run(IMAGE.tobytes()) == first


def test_wrong_length_for_another_subgraph_is_refused(engine: Engine) -> None:
    interpreter = engine.load(build(ONE, BOTH), 1, Wanted("serve"))
    with pytest.raises(ValueError, match=r"7 bytes|buffer size"):
        interpreter.run(b"1234567")


def test_shapes_are_read_from_the_file() -> None:
    data = build(ONE, graph(["m", "d"], NAMES, (-1, -1, -1, 3)))
    assert signatures.shapes(data, 0) == ([(1, 4, 4, 3)], [(1, 3)])
    assert signatures.shapes(data, 1) == ([(-1, -1, -1, 3)], [(1, 3), (1, 3)])
    found = signatures.choose(data, "serve")
    assert (found.key, found.subgraph, found.order) == ("serve", 1, (2, 4))
    assert (found.inputs, found.outputs) == ({0: "pixels"}, {4: "a_double", 2: "z_mean"})


def test_signature_of_a_subgraph_that_is_not_there_is_told(
    monkeypatch: pytest.MonkeyPatch, engine: Engine
) -> None:
    class Astray(graphs.schema.SignatureDefT):  # type: ignore[misc]
        def Pack(self, builder: Any) -> Any:
            self.subgraphIndex = 7
            return super().Pack(builder)

    monkeypatch.setattr(graphs.schema, "SignatureDefT", Astray)
    with pytest.raises(ModelUnavailable, match=r"signatures are corrupt|CreateModelFromBuffer answered"):
        engine.load(build(BOTH), 1)


@pytest.mark.parametrize("data", [b"", b"\x01\0\0\0", b"\xff" * 100])
def test_what_is_no_flatbuffer_is_told(data: bytes) -> None:
    with pytest.raises(ModelUnavailable, match=r"^The model's signatures are corrupt: .+\.$"):
        signatures.choose(data, "")


def test_the_first_is_chosen_where_nothing_is_said() -> None:
    assert [chosen(keys, wanted) for keys, wanted in (((), ""), (("a", "b"), ""), (("a", "b"), "b"))] == [0, 0, 1]


def test_model_without_a_graph_is_refused(engine: Engine) -> None:
    """Of another version of the schema, so that the Python interpreters refuse it before they look for one."""
    with pytest.raises(ModelUnavailable, match=r"it has no graph\.|schema version 0 not equal"):
        engine.load(modelfile.model(), 1)


@pytest.mark.parametrize("name", ["litert-python", "tflite-runtime"])
def test_what_the_python_half_cannot_take_is_the_models_fault(name: str) -> None:
    """A name that is no UTF-8, and a signature whose output is none of its subgraph's."""
    try:
        engine = select(name)
    except ModelUnavailable as error:
        pytest.skip(str(error))
    good = build(ONE, BOTH)
    assert good.count(b"image\0") == 2
    astray = graph(["m", "d"], ("serve", {"pixels": "image"}, {"a_double": "axes", "z_mean": "m"}))
    for data in (good.replace(b"image\0", b"im\xffge\0"), build(ONE, astray)):
        with pytest.raises(ModelUnavailable, match=f"^{name} cannot run this model: .+"):
            engine.load(data, 1, Wanted("serve"))
