"""ONNX Runtime: the numbers that numpy has, shapes that are left open, and outputs that cannot be read."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper

from helpers import onnxmodel
from helpers.child import run
from helpers.pools import in_threads
from mlserverless import engines
from mlserverless.engines import Interpreter, Wanted, onnx, order, select
from mlserverless.errors import ModelUnavailable
from mlserverless.model_toml import Delegate

Array = np.ndarray[Any, Any]


def load(model: bytes, wanted: Wanted = engines.PLAIN, threads: int = 1) -> Interpreter:
    return select("auto", order(model, wanted)).load(model, threads, wanted)


def expected(image: Array, axes: tuple[int, int] = (2, 3)) -> Array:
    logits = image.astype(np.float32).mean(axes) @ onnxmodel.weights()
    powers = np.exp(logits - logits.max())
    return np.asarray(powers / powers.sum())


def image(shape: tuple[int, ...] = (1, 3, 8, 6), seed: int = 1) -> Array:
    return np.random.default_rng(seed).random(shape, np.float32)


def test_it_is_chosen_by_what_the_file_is_and_by_name() -> None:
    model = onnxmodel.classifier()
    assert select("auto", order(model)).name == "onnxruntime"
    assert select("onnxruntime", order(model)).name == "onnxruntime"


@pytest.mark.parametrize("engine", ["litert", "litert-python", "tflite-runtime", "tensorflow"])
def test_an_engine_of_tflite_files_is_refused_with_the_one_that_can(engine: str) -> None:
    with pytest.raises(ModelUnavailable, match=rf"^The engine {engine} cannot run an ONNX model; onnxruntime can"):
        select(engine, order(onnxmodel.classifier()))


def test_it_is_refused_for_a_tflite_file() -> None:
    with pytest.raises(ModelUnavailable, match=r"^The engine onnxruntime cannot run this model; litert, "):
        select("onnxruntime", order(b"\x1c\0\0\0TFL3"))


@pytest.mark.parametrize("threads", [1, 2])
def test_it_answers_what_numpy_does(threads: int) -> None:
    interpreter = load(onnxmodel.classifier(), threads=threads)
    assert [(t.name, t.shape, t.dtype, t.scale) for t in interpreter.inputs] == [
        ("image", (1, 3, 8, 6), "float32", 0)
    ]
    assert [(t.name, t.shape, t.dtype) for t in interpreter.outputs] == [("scores", (1, 5), "float32")]
    for seed in range(20):
        (answer,) = interpreter.run(image(seed=seed).tobytes())
        np.testing.assert_allclose(np.frombuffer(answer, np.float32), expected(image(seed=seed))[0], rtol=1e-5)


def test_pixels_of_the_other_layout_and_type_are_taken_as_they_are() -> None:
    pixels = np.random.default_rng(3).integers(0, 256, (1, 8, 6, 3), np.uint8)
    interpreter = load(onnxmodel.classifier((1, 8, 6, 3), planar=False, dtype="uint8"))
    assert interpreter.inputs[0].dtype == "uint8"
    found = np.frombuffer(interpreter.run(pixels.tobytes())[0], np.float32)
    np.testing.assert_allclose(found, expected(pixels, (1, 2))[0], rtol=1e-4)


def test_half_floats_are_taken_as_two_bytes_each() -> None:
    interpreter = load(onnxmodel.classifier(dtype="float16"))
    assert (interpreter.inputs[0].dtype, interpreter.inputs[0].bytes) == ("float16", 2 * 3 * 8 * 6)
    half = image().astype(np.float16)
    found = np.frombuffer(interpreter.run(half.tobytes())[0], np.float32)
    np.testing.assert_allclose(found, expected(half)[0], rtol=1e-4)


@pytest.mark.parametrize("change", [-4, 4, 1])
def test_a_wrong_length_is_refused_and_does_no_harm(change: int) -> None:
    interpreter = load(onnxmodel.classifier())
    data = image().tobytes()
    answer = interpreter.run(data)
    with pytest.raises(ValueError, match=r"cannot reshape|buffer size"):
        interpreter.run(data[:change] if change < 0 else data + bytes(change))
    assert interpreter.run(data) == answer


def test_an_open_batch_is_one_and_an_open_size_is_the_one_wanted() -> None:
    model = onnxmodel.classifier(("batch", 3, "height", "width"), batch="batch")
    with pytest.raises(ModelUnavailable, match=r"say size = \[height, width\] in \[input\]"):
        load(model)
    interpreter = load(model, Wanted(size=(8, 6)))
    assert interpreter.inputs[0].shape == (1, 3, 8, 6)
    assert interpreter.outputs[0].shape == (1, 5)
    found = np.frombuffer(interpreter.run(image().tobytes())[0], np.float32)
    np.testing.assert_allclose(found, expected(image())[0], rtol=1e-5)


def test_an_output_whose_size_no_input_tells_is_asked_for_it_by_running_once() -> None:
    interpreter = load(onnxmodel.classifier(("N", 3, 8, 6), batch="unk__7", also="int64"))
    assert [tensor.shape for tensor in interpreter.outputs] == [(1,), (1, 5)]


def test_a_size_that_depends_on_the_image_is_told_after_each_run() -> None:
    x = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, 2, 2])
    y = helper.make_tensor_value_info("places", TensorProto.INT64, [4, "found"])
    model = onnxmodel.model(helper.make_graph([helper.make_node("NonZero", ["image"], ["places"])], "g", [x], [y]))
    interpreter = load(model.SerializeToString())
    ones = np.zeros((1, 3, 2, 2), np.float32)
    ones[0, 1, 0, 1] = ones[0, 2, 1, 1] = 1
    (answer,) = interpreter.run(ones.tobytes())
    assert interpreter.outputs[0].shape == (4, 2)
    assert np.frombuffer(answer, np.int64).reshape(4, 2).tolist() == [[0, 0], [1, 2], [0, 1], [1, 1]]
    interpreter.run(bytes(48))
    assert interpreter.outputs[0].shape == (4, 0)


def test_label_and_probabilities_are_two_outputs() -> None:
    interpreter = load(onnxmodel.classifier(also="int64"))
    assert [(t.name, t.dtype, t.shape) for t in interpreter.outputs] == [
        ("label", "int64", (1,)),
        ("scores", "float32", (1, 5)),
    ]
    label, scores = interpreter.run(image().tobytes())
    assert np.frombuffer(label, np.int64)[0] == np.frombuffer(scores, np.float32).argmax()


def test_a_zipmap_is_refused_with_the_export_that_does_without() -> None:
    model = onnxmodel.classifier(also="zipmap")
    with pytest.raises(
        ModelUnavailable, match=r"'label' is a ZipMap .*options=\{\"zipmap\": False\}.*scores in \[out"
    ):
        load(model)


def test_labels_as_texts_are_refused() -> None:
    with pytest.raises(ModelUnavailable, match="'label' answers texts: export the model with whole numbers"):
        load(onnxmodel.classifier(also="string"))


@pytest.mark.parametrize("also", ["zipmap", "string"])
def test_what_cannot_be_read_is_left_out_where_the_scores_are_named(also: str) -> None:
    interpreter = load(onnxmodel.classifier(also=also), Wanted(outputs=("scores",)))
    assert [tensor.name for tensor in interpreter.outputs] == ["scores"]
    (answer,) = interpreter.run(image().tobytes())
    np.testing.assert_allclose(np.frombuffer(answer, np.float32), expected(image())[0], rtol=1e-5)
    with pytest.raises(ModelUnavailable, match="'label' "):
        load(onnxmodel.classifier(also=also), Wanted(outputs=("label",)))


def test_a_model_without_any_output_that_can_be_read_names_those_it_has() -> None:
    x = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1])
    y = helper.make_tensor_value_info("halves", TensorProto.BFLOAT16, [1])
    node = helper.make_node("Cast", ["image"], ["halves"], to=TensorProto.BFLOAT16)
    model = onnxmodel.model(helper.make_graph([node], "g", [x], [y])).SerializeToString()
    with pytest.raises(ModelUnavailable, match=r"'halves' is tensor\(bfloat16\), which is not read here"):
        load(model)
    with pytest.raises(ModelUnavailable, match="no output that can be read; it has halves"):
        load(model, Wanted(outputs=("scores",)))


def test_a_model_of_two_inputs_loads_and_is_not_run() -> None:
    inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n"]) for name in ("a", "b")]
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["m"])
    node = helper.make_node("Concat", ["a", "b"], ["y"], axis=0)
    interpreter = load(onnxmodel.model(helper.make_graph([node], "g", inputs, [y])).SerializeToString())
    assert [tensor.name for tensor in interpreter.inputs] == ["a", "b"]
    with pytest.raises(ValueError, match="the model has the inputs"):
        interpreter.run(bytes(4))


def test_an_operator_that_nobody_knows_is_told() -> None:
    x = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1])
    node = helper.make_node("Fancy", ["image"], ["y"], domain="my.own")
    model = helper.make_graph([node], "g", [x], [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])])
    made = onnxmodel.model(model, [helper.make_opsetid("", 17), helper.make_opsetid("my.own", 1)])
    with pytest.raises(ModelUnavailable, match=r"^ONNX Runtime cannot run this model: .*Fancy"):
        load(made.SerializeToString())


def test_an_operator_that_fails_is_told() -> None:
    x = helper.make_tensor_value_info("image", TensorProto.FLOAT, [4])
    indices = helper.make_node("Cast", ["image"], ["i"], to=TensorProto.INT64)
    gather = helper.make_node("Gather", ["image", "i"], ["y"])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [4])
    interpreter = load(onnxmodel.model(helper.make_graph([indices, gather], "g", [x], [y])).SerializeToString())
    with pytest.raises(ModelUnavailable, match=r"^The model cannot be run: .*indices"):
        interpreter.run(np.full(4, 99, np.float32).tobytes())


def test_a_delegate_of_tflite_is_refused() -> None:
    wanted = Wanted(delegates=(Delegate("libedgetpu.so.1"),))
    with pytest.raises(
        ModelUnavailable, match=r"libedgetpu\.so\.1 is TensorFlow Lite's, which ONNX Runtime cannot"
    ):
        load(onnxmodel.classifier(), wanted)


def test_where_the_package_is_missing_what_to_install_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ModelUnavailable, match=r'onnxruntime: .* \(pip install "mlserverless\[onnx\]"\)'):
        load(onnxmodel.classifier())


def test_sessions_on_threads_do_not_mix() -> None:
    model, wrong = onnxmodel.classifier(), list[int]()
    alone = load(model)
    wanted = {seed: alone.run(image(seed=seed).tobytes()) for seed in range(20)}

    def work() -> None:
        mine = load(model)
        wrong.extend(seed for seed, answer in wanted.items() if mine.run(image(seed=seed).tobytes()) != answer)

    in_threads(4, work)
    assert wrong == []


MUTANTS = """
import json, random, sys
from mlserverless.engines import onnx
from mlserverless.errors import ModelUnavailable
data = sys.stdin.buffer.read()
load, dice, ends = onnx.engine().load, random.Random(5), {"refused": 0, "loaded": 0}
for number in range(240):
    mutant = bytearray(data)
    if number % 4 == 0:
        del mutant[dice.randrange(len(mutant)):]
    else:
        for _ in range((1, 2, 8)[number % 3]):
            mutant[dice.randrange(len(mutant))] ^= 1 << dice.randrange(8)
    print(number, file=sys.stderr, flush=True)
    try:
        interpreter = load(bytes(mutant), 1)
        interpreter.run(bytes(interpreter.inputs[0].bytes))
        ends["loaded"] += 1
    except (ModelUnavailable, ValueError):
        ends["refused"] += 1
print(json.dumps(ends))
"""


def test_corrupt_models_are_refused_quietly_and_do_not_kill_the_process() -> None:
    done = subprocess.run(
        [sys.executable, "-c", MUTANTS],
        input=onnxmodel.classifier(also="int64"),
        capture_output=True,
        check=False,
        timeout=300,
    )
    lines = done.stderr.decode(errors="replace").splitlines()
    assert done.returncode == 0, f"died at mutant {lines[-1:]}"
    assert lines == [str(number) for number in range(240)], "it wrote into the log"
    ends = json.loads(done.stdout)
    assert ends["refused"] > 100
    assert ends["loaded"] > 10


TOLD = """
import json, os
from mlserverless import Predictor
from PIL import Image
Predictor(concurrency=1, threads=1).predict(Image.new("RGB", (8, 8)))
print(json.dumps(os.environ["ORT_DISABLE_TELEMETRY"]))
"""


def test_it_tells_its_makers_nothing(tmp_path: Path) -> None:
    """Its builds for Linux would keep an identifier of the machine and a database of what to send."""
    model, home = tmp_path / "model", tmp_path / "home"
    model.mkdir()
    home.mkdir()
    (model / "model.onnx").write_bytes(onnxmodel.classifier())
    (model / "model.toml").write_text('file = "model.onnx"\n[input]\nrange = "raw"\n')
    assert run(TOLD, tmp_path, HOME=str(home), MLSERVERLESS_MODEL=str(model)) == "1"
    assert [*home.rglob("*")] == []


def test_who_wants_its_telemetry_keeps_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORT_DISABLE_TELEMETRY", "0")
    onnx.engine()
    assert os.environ["ORT_DISABLE_TELEMETRY"] == "0"


def test_nothing_is_written_to_the_log() -> None:
    code = (
        "import sys; from mlserverless.engines import onnx; "
        "i = onnx.engine().load(sys.stdin.buffer.read(), 2); i.run(bytes(576))"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], input=onnxmodel.classifier(), capture_output=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_the_engine_has_the_errors_of_every_status() -> None:
    found = {kind.__name__ for kind in onnx._errors(__import__("onnxruntime"))}
    assert {
        "Fail",
        "InvalidArgument",
        "InvalidGraph",
        "InvalidProtobuf",
        "NotImplemented",
        "RuntimeException",
    } <= found
