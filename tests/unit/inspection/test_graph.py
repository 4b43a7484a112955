"""What is read of a .tflite file's graphs, and what is refused."""

from pathlib import Path

import pytest

from helpers import specimens
from mlserverless.errors import ModelUnavailable
from mlserverless.inspection import graph
from mlserverless.inspection.graph import Signature, Tensor

MODELS = Path(__file__).parents[3] / "models"


def test_tensors_and_operators_are_those_that_were_written() -> None:
    held = graph.read(specimens.classifier("uint8"))
    first = held.subgraphs[0]
    assert [first.tensors[i] for i in first.inputs] == [
        Tensor("image", (1, 4, 4, 3), "uint8", (0.5,), (3,)),
    ]
    assert [(step.name, step.version, step.custom) for step in first.operators] == [
        ("DEQUANTIZE", 1, False),
        ("MEAN", 1, False),
        ("FULLY_CONNECTED", 1, False),
        ("SOFTMAX", 1, False),
    ]
    filters = next(tensor for tensor in first.tensors if tensor.name == "filters")
    assert (filters.elements, filters.bytes, filters.held) == (9, 36, 36)
    assert held.description == "made by a test"


def test_signatures_have_their_own_names_and_graphs() -> None:
    held = graph.read(specimens.planes())
    assert held.signatures == (
        Signature("serve", 0, (("picture", 0),), (("more", 2), ("same", 3))),
        Signature("embed", 1, (("picture", 0),), (("vector", 2),)),
    )


def test_dimension_that_is_left_open_is_told() -> None:
    first = graph.read(specimens.open_size()).subgraphs[0]
    tensor = first.tensors[first.inputs[0]]
    assert (tensor.shape, tensor.elements) == ((-1, -1, -1, 3), 3)


def test_version_and_custom_name_are_those_of_the_code() -> None:
    dense = graph.read(specimens.dense_of_version(12)).subgraphs[0].operators[1]
    assert (dense.name, dense.version) == ("FULLY_CONNECTED", 12)
    flex = graph.read(specimens.custom("FlexErf")).subgraphs[0].operators[0]
    assert (flex.name, flex.custom) == ("FlexErf", True)


def test_scales_of_each_channel_are_read() -> None:
    tensors = graph.read((MODELS / "efficientnet-lite0" / "model.tflite").read_bytes()).subgraphs[0].tensors
    several = [tensor for tensor in tensors if len(tensor.scales) > 1]
    assert several
    for tensor in several:
        assert len(tensor.scales) == len(tensor.zero_points) == tensor.shape[tensor.along]


@pytest.mark.parametrize(
    ("dtype", "bits"),
    [("float32", 32), ("float16", 16), ("int4", 4), ("bool", 8), ("float8_e4m3fn", 8), ("string", 0)],
)
def test_width_of_a_dtype_is_in_its_name(dtype: str, bits: int) -> None:
    assert graph.bits(dtype) == bits


def test_elements_of_half_a_byte_share_one() -> None:
    assert Tensor("", (3,), "int4").bytes == 2


def test_text_that_is_no_utf8_is_no_fault() -> None:
    data = bytearray(specimens.classifier())
    at = data.index(b"made by a test")
    data[at : at + 4] = b"\xf8\xfc\xff\x80"
    assert graph.read(bytes(data)).description.endswith(" by a test")


def test_every_cut_of_a_file_is_read_or_refused() -> None:
    data, refused = specimens.planes(), list[str]()
    for end in range(8, len(data), 7):
        try:
            graph.read(data[:end])
        except ModelUnavailable as error:
            refused.append(str(error))
    assert len(refused) > 100
    assert all(told.startswith(("The model is corrupt", "The model is empty")) for told in refused)


def test_tensor_that_is_not_there_is_named() -> None:
    def change(model: object) -> None:
        model.subgraphs[0].operators[0].inputs = [99, 1]  # type: ignore[attr-defined]

    with pytest.raises(ModelUnavailable, match=r"the tensor 99 of 6 is named"):
        graph.read(specimens.edited(specimens.classifier(), change))


def test_signature_of_a_tensor_that_is_not_there_is_refused() -> None:
    def change(model: object) -> None:
        model.signatureDefs[0].inputs[0].tensorIndex = 44  # type: ignore[attr-defined]

    with pytest.raises(ModelUnavailable, match=r"a signature names the tensor 44 of 4"):
        graph.read(specimens.edited(specimens.planes(), change))


def test_graph_that_answers_nothing_is_refused() -> None:
    def change(model: object) -> None:
        model.subgraphs[0].outputs = []  # type: ignore[attr-defined]

    with pytest.raises(ModelUnavailable, match="it has no graph that answers anything"):
        graph.read(specimens.edited(specimens.classifier(), change))
