"""Delegates, with a small one that is compiled here: it ran, it was given its options, its failures are told."""

import logging
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from helpers import delegated
from mlserverless.engines import Interpreter, Wanted, delegates, order, select
from mlserverless.errors import ModelUnavailable
from mlserverless.model import load as load_model
from mlserverless.model_toml import Delegate, read_delegates
from mlserverless.predictor import Predictor

MODEL = delegated.negated()
X = np.array([1, 2, 3, 4], np.float32)
ENGINES = ("litert-python", "tflite-runtime")
WAY_OUT = (
    "To run without it, on the CPU, remove it from [[delegates]] in model.toml, or set required = false there to "
    "run without it only where it cannot be had. See docs/how-to/use-a-delegate.md."
)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(delegated.compiled(tmp_path_factory.mktemp("delegate")))


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    if request.param == "tflite-runtime":
        pytest.importorskip("tflite_runtime")
    return str(request.param)


def load(engine: str, *wanted: Delegate) -> Interpreter:
    return select(engine).load(MODEL, 1, Wanted(delegates=wanted))


def answer(interpreter: Interpreter) -> list[float]:
    return [float(x) for x in np.frombuffer(interpreter.run(X.tobytes())[0], np.float32)]


def test_without_a_delegate_the_model_negates(engine: str) -> None:
    assert answer(load(engine)) == [-1, -2, -3, -4]


@pytest.mark.parametrize("factor", ["3", "0.5"])
def test_a_delegate_runs_its_part_of_the_model_with_its_options(engine: str, library: str, factor: str) -> None:
    interpreter = load(engine, Delegate(library, (("factor", factor),)))
    assert answer(interpreter) == [float(x) * float(factor) for x in X]
    assert answer(interpreter) == [float(x) * float(factor) for x in X]


def test_two_interpreters_have_a_delegate_each(engine: str, library: str) -> None:
    two, three = (load(engine, Delegate(library, (("factor", factor),))) for factor in ("2", "3"))
    assert (answer(two), answer(three), answer(two)) == ([2, 4, 6, 8], [3, 6, 9, 12], [2, 4, 6, 8])


def test_what_fails_while_it_runs_is_told(engine: str, library: str) -> None:
    interpreter = load(engine, Delegate(library, (("fail", "invoke"),)))
    with pytest.raises(ModelUnavailable, match=r"^The model cannot be run: the test's delegate was asked to fail"):
        answer(interpreter)


def told(engine: str, *wanted: Delegate) -> str:
    with pytest.raises(ModelUnavailable) as caught:
        load(engine, *wanted)
    return str(caught.value)


def test_a_library_that_is_not_there_is_told_with_its_options_and_the_way_out(engine: str) -> None:
    options = (("device", "usb:0"), ("fast", "true"))
    assert told(engine, Delegate("libnot-there.so.1", options)) == (
        "The delegate libnot-there.so.1 (options: device = usb:0, fast = true) cannot be loaded: "
        f"libnot-there.so.1: cannot open shared object file: No such file or directory. {WAY_OUT}"
    )


def test_a_library_that_is_no_delegate_is_told(engine: str) -> None:
    found = told(engine, Delegate("libm.so.6"))
    assert found.startswith("The delegate libm.so.6 (no options) cannot be loaded: ")
    assert "undefined symbol: tflite_plugin_create_delegate" in found


@pytest.mark.parametrize(
    ("options", "reason"),
    [((("fail", "create"),), "found no device"), ((("speed", "9"),), "there is no option speed")],
)
def test_what_the_delegate_says_of_itself_is_told(
    engine: str, library: str, options: tuple[tuple[str, str], ...], reason: str
) -> None:
    found = told(engine, Delegate(library, options))
    assert reason in found
    assert found.endswith(WAY_OUT)


def test_a_delegate_that_does_not_take_the_model_is_told(engine: str, library: str) -> None:
    found = told(engine, Delegate(library, (("fail", "prepare"),)))
    assert "(options: fail = prepare) cannot take the model: " in found
    assert "the test's delegate does not like this model" in found
    assert found.endswith(WAY_OUT)


@pytest.mark.parametrize("fail", ["create", "prepare", ""])
def test_one_that_is_not_required_leaves_the_model_to_the_cpu_with_one_warning(
    engine: str, library: str, fail: str, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    where = f"{tmp_path}/libmine.so"  # another in each case, since each is warned of once in a process
    if fail:  # else it is not there
        shutil.copyfile(library, where)
    spare = Delegate(where, (("fail", fail),) if fail else (), required=False)
    with caplog.at_level(logging.WARNING, "mlserverless"):
        assert answer(load(engine, spare)) == [-1, -2, -3, -4]
        assert answer(load(engine, spare)) == [-1, -2, -3, -4]
    messages = [record.getMessage() for record in caplog.records if "delegate" in record.getMessage()]
    assert len(messages) == 1, "a pool has several interpreters"
    assert where in messages[0]
    assert messages[0].endswith("It is not required: the model runs without it, on the CPU.")


def test_one_that_is_required_beside_one_that_is_not_is_an_error_still(engine: str, library: str) -> None:
    spare = Delegate("libnot-there-at-all.so", required=False)
    assert "cannot take the model" in told(engine, Delegate(library, (("fail", "prepare"),)), spare)
    assert answer(load(engine, Delegate(library, (("factor", "2"),)), spare)) == [2, 4, 6, 8]


def test_nothing_else_is_written_to_the_log() -> None:
    code = """
import sys
from mlserverless.engines import Wanted, select
from mlserverless.errors import ModelUnavailable
from mlserverless.model_toml import Delegate
for name in ("libnot-there.so", "libm.so.6"):
    try:
        select("litert-python").load(sys.stdin.buffer.read(), 1, Wanted(delegates=(Delegate(name),)))
    except ModelUnavailable as error:
        pass
"""
    done = subprocess.run([sys.executable, "-c", code], input=MODEL, capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b""), (
        "a half made Delegate complains when it goes"
    )


def test_litert_itself_takes_no_delegates_and_is_passed_over() -> None:
    wanted = Wanted(delegates=(Delegate("libx.so"),))
    assert order(MODEL, wanted)[0] == "litert-python"
    with pytest.raises(
        ModelUnavailable, match="The engine litert cannot run this model with delegates; litert-python"
    ):
        select("litert", order(MODEL, wanted))


def test_a_library_in_the_models_folder_is_meant_before_the_systems(tmp_path: Path, library: str) -> None:
    (tmp_path / "model.toml").write_text(
        '[[delegates]]\nlibrary = "libmine.so"\noptions = { factor = 2, fast = true }\n'
        '[[delegates]]\nlibrary = "libmissing.so"\nrequired = false\n'
    )
    (tmp_path / "model.tflite").write_bytes(MODEL)
    (tmp_path / "libmine.so").write_bytes(Path(library).read_bytes())
    mine, missing = load_model(str(tmp_path)).delegates
    assert mine == Delegate(str(tmp_path / "libmine.so"), (("factor", "2"), ("fast", "true")), required=True)
    assert missing == Delegate("libmissing.so", (), required=False)


def test_a_path_is_one_from_the_models_folder() -> None:
    one, other = read_delegates(
        [{"library": "lib/libx.so"}, {"library": "/opt/lib/liby.so"}], "/models/m/model.tflite"
    )
    assert (one.library, other.library) == ("/models/m/lib/libx.so", "/opt/lib/liby.so")


def test_required_is_true_or_false() -> None:
    with pytest.raises(ModelUnavailable, match=r"delegates\.required is 'no'; accepted is true or false"):
        read_delegates([{"library": "libx.so", "required": "no"}], "model.tflite")


@pytest.mark.parametrize(("options", "factor"), [("", 1), ("options = { factor = 2 }", 2)])
def test_a_model_folder_with_a_delegate_answers_with_it(
    tmp_path: Path, library: str, options: str, factor: int
) -> None:
    (tmp_path / "model.tflite").write_bytes(delegated.negated((1, 2, 2, 3)))
    (tmp_path / "libmine.so").write_bytes(Path(library).read_bytes())
    (tmp_path / "model.toml").write_text(
        f'task = "raw"\n[input]\nrange = "raw"\n[[delegates]]\nlibrary = "libmine.so"\n{options}\n'
    )
    predictor = Predictor(str(tmp_path))
    told = predictor.predict(Image.new("RGB", (2, 2), (10, 20, 30))).to_dict()
    assert predictor.load().engine == "litert-python"
    assert list(told["outputs"][0]["data"]) == [10 * factor, 20 * factor, 30 * factor] * 4


def test_tensorflow_keeps_its_loader_elsewhere(library: str) -> None:
    given: list[object] = []
    module = SimpleNamespace(
        experimental=SimpleNamespace(load_delegate=lambda *told: given.append(told) or "made")
    )
    assert delegates.load(module, [Delegate(library, (("factor", "2"),))]) == ["made"]
    assert given == [(library, {"factor": "2"})]
