"""Raw tensors: every output as it is, in the Open Inference Protocol's terms, and none that cannot be sent."""

import json
import struct
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.fakes import fake_engine, folder
from helpers.graphs import Graph, T, build, cast, mean, multiply
from helpers.images import encode, gradient
from mlserverless.engines import WIDTHS, Tensor, select
from mlserverless.errors import InvalidRequest, ModelUnavailable
from mlserverless.predictor import Predictor
from mlserverless.tasks import raw
from mlserverless.types import RawTensor

PNG = encode(gradient(4, 4))
RAW = 'task = "raw"\n'


def answer(path: Path, monkeypatch: pytest.MonkeyPatch, *outputs: tuple[Tensor, bytes]) -> tuple[RawTensor, ...]:
    fake_engine(monkeypatch, [data for _, data in outputs], outputs=tuple(tensor for tensor, _ in outputs))
    return Predictor(folder(path / "mine", RAW)).predict(PNG).outputs


def fails(path: Path, toml: str = RAW, **settings: Any) -> str:
    with pytest.raises(ModelUnavailable) as caught:
        Predictor(folder(path / "mine", toml), **settings).predict(PNG)
    return str(caught.value)


def segmenter() -> bytes:
    """Return a model of two outputs: a number for each pixel, and the mean colour in half precision."""
    tensors = [T("image", (1, 4, 4, 3)), T("ten", (1,), "float32", [10.0]), T("tens", (1, 4, 4, 3))]
    tensors += [T("axes", (2,), "int32", [1, 2]), T("m", (1, 3)), T("mask", (1, 4, 4, 3), "int64")]
    ops = [multiply("image", "ten", "tens"), cast("tens", "mask"), mean("image", "axes", "m"), cast("m", "half")]
    names = ("serving_default", {"images": "image"}, {"colour": "half", "segments": "mask"})
    return build(Graph([*tensors, T("half", (1, 3), "float16")], ops, ["image"], ["mask", "half"], names))


@pytest.mark.parametrize("engine", ["litert", "litert-python", "tflite-runtime"])
def test_outputs_are_told_by_name_shape_and_type(tmp_path: Path, engine: str) -> None:
    try:
        select(engine)
    except ModelUnavailable as error:
        pytest.skip(str(error))
    data = segmenter()
    mine = folder(
        tmp_path / "mine", f'{RAW}sha256 = "{sha256(data).hexdigest()}"\n[input]\nrange = "unit"\nlayout = "nhwc"'
    )
    (mine / "model.tflite").write_bytes(data)
    picture = gradient(4, 4)
    told = Predictor(mine, engine=engine).predict(encode(picture)).to_dict()
    assert list(told) == ["model", "sha256", "outputs"]
    image = np.asarray(picture, np.float32) / np.float32(255)
    segments, colour = told["outputs"]
    assert list(segments) == ["name", "shape", "datatype", "data"]
    assert (segments["name"], segments["shape"], segments["datatype"]) == ("segments", (1, 4, 4, 3), "INT64")
    assert list(segments["data"]) == (image * 10).astype(np.int64).ravel().tolist()
    assert (colour["name"], colour["shape"], colour["datatype"]) == ("colour", (1, 3), "FP16")
    assert np.float16(colour["data"]) == pytest.approx(image.mean((0, 1)), abs=1e-3)
    json.dumps(told, allow_nan=False)


@pytest.mark.parametrize(
    ("dtype", "datatype", "values"),
    [
        ("bool", "BOOL", (True, False)),
        ("uint8", "UINT8", (0, 255)),
        ("int8", "INT8", (-128, 127)),
        ("uint16", "UINT16", (0, 65_535)),
        ("int16", "INT16", (-32_768, 7)),
        ("int32", "INT32", (-5, 2**31 - 1)),
        ("uint32", "UINT32", (5, 2**32 - 1)),
        ("int64", "INT64", (-(2**63), 2**63 - 1)),
        ("uint64", "UINT64", (0, 2**64 - 1)),
        ("float16", "FP16", (0.5, -65504.0)),
        ("float32", "FP32", (0.25, -1e-30)),
        ("float64", "FP64", (0.1, 1e300)),
    ],
)
def test_every_dtype_has_its_name_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dtype: str, datatype: str, values: tuple[Any, ...]
) -> None:
    (only,) = answer(tmp_path, monkeypatch, (Tensor("x", (2,), dtype), np.array(values, dtype).tobytes()))
    assert (only.name, only.shape, only.datatype) == ("x", (2,), datatype)
    assert [type(value) for value in only.data] == [type(value) for value in values]
    assert only.data == pytest.approx(values, rel=1e-7)


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_digits_of_a_float32_bring_back_the_same_number(value: float) -> None:
    (told,) = raw._data(None, Tensor("x", (1,), "float32"), struct.pack("<f", value))  # type: ignore[arg-type]
    assert struct.pack("<f", told) == struct.pack("<f", value)


@given(st.floats(width=16, allow_nan=False, allow_infinity=False))
def test_digits_of_a_float16_bring_back_the_same_number(value: float) -> None:
    (told,) = raw._data(None, Tensor("x", (1,), "float16"), struct.pack("<e", value))  # type: ignore[arg-type]
    assert struct.pack("<e", told) == struct.pack("<e", value)
    assert len(repr(told).lstrip("-").replace(".", "").split("e")[0].strip("0")) <= 5


def test_quantised_values_are_the_stored_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (only,) = answer(tmp_path, monkeypatch, (Tensor("x", (1, 2), "uint8", 0.5, 3), b"\x03\xff"))
    assert only.data == (3, 255)


def test_output_without_dimensions_and_one_without_elements(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = answer(
        tmp_path,
        monkeypatch,
        (Tensor("one", (), "int32"), b"\x05\0\0\0"),
        (Tensor("none", (0, 4), "float32"), b""),
    )
    assert found == (RawTensor("one", (), "INT32", (5,)), RawTensor("none", (0, 4), "FP32", ()))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_what_no_client_can_read_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: float, dtype: str
) -> None:
    with pytest.raises(ModelUnavailable, match="mine answered NaN or an infinity in the output 'x': its weights"):
        answer(tmp_path, monkeypatch, (Tensor("x", (2,), dtype), np.array([1, value], dtype).tobytes()))


def test_answer_that_is_too_long_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    count = 700_000
    data = np.full(count, 1 / 3, np.float32).tobytes()
    fake_engine(monkeypatch, data, outputs=(Tensor("x", (1, count), "float32"),))
    said = fails(tmp_path)
    assert said.startswith("The answer of mine has 8,400,000 bytes of data; at most 6,000,000 are sent")
    fake_engine(monkeypatch, bytes(4 * count), outputs=(Tensor("x", (1, count), "int32"),))
    assert len(Predictor(folder(tmp_path / "mine", RAW)).predict(PNG).outputs[0].data) == count


def test_answer_that_is_always_too_long_is_told_at_load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = fake_engine(monkeypatch, outputs=(Tensor("x", (1, 2000, 2000), "int32"),))
    assert "has at least 8,000,000 bytes of data" in fails(tmp_path)
    assert engine.made[0].given == []


@pytest.mark.parametrize(
    ("dtype", "values"),
    [
        ("bool", [True, False]),
        *((dtype, [0, 9, 10]) for dtype in WIDTHS if "int" in dtype),
        *((dtype, [0.0, -0.0, 9.0, 1e5, 1e16, 0.1]) for dtype in ("float16", "float32", "float64")),
    ],
)
def test_no_answer_is_shorter_than_what_is_reckoned_for_its_dtype(dtype: str, values: list[Any]) -> None:
    """With the comma that follows it; that of the last one stands for the list's brackets."""
    with np.errstate(over="ignore"):
        data = np.array([value for value in values if np.isfinite(np.array(value, dtype))], dtype).tobytes()
    told = raw._data(None, Tensor("x", (len(values),), dtype), data)  # type: ignore[arg-type]
    assert min(len(json.dumps(value)) + 1 for value in told) == raw.LEAST[dtype]
    (one, two) = (len(json.dumps([told[0]] * count, separators=(",", ":"))) for count in (1, 2))
    assert two - one >= raw.LEAST[dtype]


@pytest.mark.parametrize(("dtype", "least"), [("bool", 5), ("float16", 4), ("float64", 4), ("uint8", 2)])
def test_longest_answer_that_may_fit_is_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dtype: str, least: int
) -> None:
    count = 6_000_000 // least
    engine = fake_engine(monkeypatch, b"", outputs=(Tensor("x", (count + 1,), dtype),))
    assert f"has at least {least * (count + 1):,} bytes of data" in fails(tmp_path)
    fake_engine(monkeypatch, b"", outputs=(Tensor("x", (count,), dtype),))
    assert Predictor(folder(tmp_path / "mine", RAW)).load().task == "raw"
    assert engine.made[0].given == []


@pytest.mark.parametrize(
    ("outputs", "toml", "said"),
    [
        ((), RAW, "mine answers nothing"),
        ((Tensor("x", (1,), "type 8"),), RAW, "the output 'x' is type 8; told are bool, float16"),
        (
            (Tensor("x", (1,), "int8"),),
            RAW + '[output]\nactivation = "softmax"',
            "output.activation is 'softmax', but task is raw",
        ),
    ],
)
def test_outputs_that_cannot_be_told_are_found_at_load(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, outputs: tuple[Tensor, ...], toml: str, said: str
) -> None:
    fake_engine(monkeypatch, outputs=outputs)
    assert said in fails(tmp_path, toml)


@pytest.mark.parametrize(
    "options", [{"top_k": 3}, {"score_threshold": 0.5}, {"labels_allow": "a"}, {"labels_deny": ()}]
)
def test_options_for_classes_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any]
) -> None:
    fake_engine(monkeypatch)
    with pytest.raises(InvalidRequest, match=f"^{next(iter(options))} is for classes, and this model answers raw"):
        Predictor(folder(tmp_path / "mine", RAW)).predict(PNG, **options)


def test_settings_for_labels_are_refused_and_others_do_no_harm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_engine(monkeypatch)
    assert "The settings name the label 'cat', and mine answers raw tensors" in fails(tmp_path, labels_deny="cat")
    found = Predictor(folder(tmp_path / "mine", RAW), top_k=1, score_threshold=0.9).predict(PNG)
    assert found.outputs == (RawTensor("scores", (1, 3), "UINT8", (64, 128, 32)),)
