"""Sizes that a model leaves open are filled in, and outputs are read with the size that they have."""

import logging
from typing import Any

import numpy as np
import pytest

from helpers.graphs import CODES, Graph, Op, T, build, cast, mean, multiply, schema
from helpers.images import encode, gradient
from mlserverless import engines
from mlserverless.engines import PLAIN, Engine, EngineMissing, Interpreter, Wanted, capi, closed, select
from mlserverless.errors import ModelUnavailable
from mlserverless.predictor import Predictor

ENGINES = ("litert", "litert-python", "tflite-runtime")
SIZE = Wanted(size=(6, 5))


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> Engine:
    try:
        return select(request.param)
    except ModelUnavailable as error:
        pytest.skip(str(error))


def colour(shape: tuple[int, ...], **more: Any) -> bytes:
    """Return a model of two outputs: the mean colour, and twice that."""
    tensors = [T("image", shape), T("axes", (2,), "int32", [1, 2]), T("m", (shape[0], 3), **more)]
    tensors += [T("two", (1,), "float32", [2.0]), T("d", (shape[0], 3), **more)]
    return build(Graph(tensors, [mean("image", "axes", "m"), multiply("m", "two", "d")], ["image"], ["m", "d"]))


def doubled(shape: tuple[int, ...]) -> bytes:
    tensors = [T("image", shape), T("two", (1,), "float32", [2.0]), T("out", shape)]
    return build(Graph(tensors, [multiply("image", "two", "out")], ["image"], ["out"]))


def bright() -> bytes:
    """Return a model that answers where the image is above 0.5: as many places as there are."""
    tensors = [T("image", (1, 4, 4, 3)), T("half", (1,), "float32", [0.5]), T("is", (1, 4, 4, 3), "bool")]
    options = (schema.BuiltinOptions.GreaterOptions, schema.GreaterOptionsT())
    found = (schema.BuiltinOptions.WhereOptions, schema.WhereOptionsT())
    ops = [Op(CODES.GREATER, ("image", "half"), ("is",), options), Op(CODES.WHERE, ("is",), ("at",), found)]
    return build(Graph([*tensors, T("at", (-1, 4), "int64")], ops, ["image"], ["is", "at"]))


def ran(interpreter: Interpreter, image: "np.ndarray[Any, Any]") -> list["np.ndarray[Any, Any]"]:
    answers = interpreter.run(image.tobytes())
    return [
        np.frombuffer(data, tensor.dtype).reshape(tensor.shape)
        for data, tensor in zip(answers, interpreter.outputs, strict=True)
    ]


@pytest.mark.parametrize("shape", [(-1, 6, 5, 3), (1, -1, -1, 3), (-1, -1, -1, 3), (1, 6, -1, 3)])
def test_batch_is_one_and_sides_are_what_is_wanted(engine: Engine, shape: tuple[int, ...]) -> None:
    interpreter = engine.load(colour(shape), 1, SIZE)
    assert [tensor.shape for tensor in interpreter.inputs] == [(1, 6, 5, 3)]
    assert [(tensor.name, tensor.shape) for tensor in interpreter.outputs] == [("m", (1, 3)), ("d", (1, 3))]
    image = np.random.default_rng(1).random((1, 6, 5, 3), np.float32)
    once, twice = ran(interpreter, image)
    assert once == pytest.approx(image.mean((1, 2)), rel=1e-6)
    assert twice == pytest.approx(2 * image.mean((1, 2)), rel=1e-6)


@pytest.mark.parametrize("shape", [(-1, -1, -1, 3), (1, 3, -1, -1)])
def test_output_is_as_large_as_the_image_then(engine: Engine, shape: tuple[int, ...]) -> None:
    interpreter = engine.load(doubled(shape), 1, SIZE)
    full = (1, 6, 5, 3) if shape[3] == 3 else (1, 3, 6, 5)
    image = np.random.default_rng(2).random(full, np.float32)
    (out,) = ran(interpreter, image)
    assert interpreter.outputs[0].shape == full
    assert (out == 2 * image).all()


def test_size_that_nothing_says_is_asked_for(engine: Engine) -> None:
    with pytest.raises(ModelUnavailable, match=r"takes \(1, -1, -1, 3\), .* say size = \[height, width\]"):
        engine.load(colour((1, -1, -1, 3)), 1)


def test_output_whose_shape_the_file_does_not_tell_is_asked_of_the_engine(engine: Engine) -> None:
    interpreter = engine.load(colour((1, 4, 4, 3), unshaped=True), 1)
    assert [tensor.shape for tensor in interpreter.outputs] == [(1, 3), (1, 3)]
    once, _ = ran(interpreter, np.ones((1, 4, 4, 3), np.float32))
    assert once.tolist() == [[1, 1, 1]]


@pytest.mark.parametrize("name", ENGINES[1:])
def test_output_whose_size_depends_on_the_image_has_the_size_of_each_run(name: str) -> None:
    try:
        interpreter = select(name).load(bright(), 1)
    except ModelUnavailable as error:
        pytest.skip(str(error))
    image = np.zeros((1, 4, 4, 3), np.float32)
    for places in ([], [[0, 1, 2, 1]], [[0, 1, 2, 1], [0, 3, 3, 0]]):
        for place in places:
            image[tuple(place)] = 1
        is_bright, at = ran(interpreter, image)
        assert at.tolist() == places
        assert is_bright.sum() == len(places)
        assert [tensor.dtype for tensor in interpreter.outputs] == ["bool", "int64"]


def test_c_interface_leaves_such_an_output_to_another_engine() -> None:
    with pytest.raises(EngineMissing, match="the size of an output depends on the image"):
        select("litert").load(bright(), 1)


@pytest.mark.parametrize(("shape", "wanted"), [((1, -1, -1, 3), SIZE), ((1, 4, 4, 3), PLAIN)])
def test_release_that_cannot_resize_leaves_it_to_another_engine(
    monkeypatch: pytest.MonkeyPatch, shape: tuple[int, ...], wanted: Wanted
) -> None:
    engine = select("litert")
    monkeypatch.setattr("mlserverless.engines.described.NEEDED_OPEN", ("CompiledModelResizeEverything",))
    with pytest.raises(EngineMissing, match="lacks LiteRtCompiledModelResizeEverything"):
        engine.load(colour(shape, unshaped=True), 1, wanted)
    assert engine.load(colour((1, 4, 4, 3)), 1).inputs[0].shape == (1, 4, 4, 3), "others are not asked"


@pytest.mark.parametrize(
    ("shape", "wanted", "whole"),
    [
        ((-1, 4, 4, 3), PLAIN, (1, 4, 4, 3)),
        ((1, -1, -1, 3), SIZE, (1, 6, 5, 3)),
        ((-1, 3, -1, -1), SIZE, (1, 3, 6, 5)),
        ((-1, -1, -1, -1), SIZE, (1, 6, 5, 3)),
        ((-1, -1, -1, -1), SIZE._replace(channels=1, layout="nchw"), (1, 1, 6, 5)),
        ((-1, -1, -1, -1), SIZE._replace(channels=4), (1, 6, 5, 4)),
        ((-1, -1), SIZE._replace(channels=1), (1, 30)),
        ((-1, -1, -1), SIZE, (1, 6, 5)),
        ((-1, -1, 3), SIZE, (6, 5, 3)),
        ((3, -1, -1), SIZE, (3, 6, 5)),
        ((-1,), PLAIN, (1,)),
        ((-1, 2, -1, 2, 2), PLAIN, (1, 2, 1, 2, 2)),
        ((), PLAIN, ()),
    ],
)
def test_open_sizes_are_filled_in(shape: tuple[int, ...], wanted: Wanted, whole: tuple[int, ...]) -> None:
    assert closed(shape, wanted) == whole


def test_every_width_is_numpys_and_every_dtype_of_the_library_has_one() -> None:
    assert {dtype: np.dtype(dtype).itemsize for dtype in engines.WIDTHS} == engines.WIDTHS
    assert set(capi.DTYPES.values()) == set(engines.WIDTHS)


@pytest.mark.parametrize("dtype", ["float16", "int8", "uint8", "int16", "int32", "int64", "bool"])
def test_outputs_of_any_dtype_cross_as_bytes(engine: Engine, dtype: str) -> None:
    tensors = [T("image", (1, 2, 2, 1)), T("out", (1, 2, 2, 1), dtype)]
    interpreter = engine.load(build(Graph(tensors, [cast("image", "out")], ["image"], ["out"])), 1)
    image = np.array([0, 1, 2, 100], np.float32).reshape(1, 2, 2, 1)
    (out,) = ran(interpreter, image)
    assert interpreter.outputs[0].dtype == dtype
    assert out.tolist() == image.astype(dtype).tolist()
    assert interpreter.outputs[0].bytes == 4 * np.dtype(dtype).itemsize


def test_fallback_is_told_once_in_the_log(
    tmp_path: Any, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mlserverless.engines.described.NEEDED_OPEN", ("CompiledModelResizeEverything",))
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "model.tflite").write_bytes(colour((-1, -1, -1, 3)))
    (mine / "model.toml").write_text('[input]\nsize = [6, 5]\nrange = "unit"\n[output]\nscores = "m"\n')
    with caplog.at_level(logging.WARNING):
        ready = Predictor(mine, concurrency=2)
        answers = [ready.predict(encode(gradient(20, 20))) for _ in range(2)]
    assert ready.load().engine == "litert-python"
    (record,) = caplog.records
    assert record.getMessage() == (
        "not using the engine litert (this release of ai-edge-litert lacks LiteRtCompiledModelResizeEverything)"
    )
    monkeypatch.undo()
    with_c = Predictor(mine)
    assert with_c.load().engine == "litert"
    assert with_c.predict(encode(gradient(20, 20))).predictions == answers[0].predictions == answers[1].predictions


def test_engine_that_is_named_and_cannot_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    (tmp_path / "model.tflite").write_bytes(bright())
    (tmp_path / "model.toml").write_text('task = "raw"\n[input]\nrange = "unit"\nlayout = "nhwc"\n')
    with pytest.raises(ModelUnavailable, match=r"depends on the image.*The setting engine = auto takes another"):
        Predictor(tmp_path, engine="litert").load()
    assert Predictor(tmp_path).load().engine == "litert-python"
