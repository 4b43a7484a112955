"""TensorFlow, ONNX to TFLite and PyTorch, for real, in their own environments, where these have been made.

``tests/helpers/in_tensorflow.py`` and ``in_torch.py`` run there, all their cases in one process.
"""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
SAME = 1e-6  # float32 of 0…1, rounded in another order
SECONDS = 600.0


def cases(name: str) -> dict[str, Any]:
    """Return what the script ``in_<name>.py`` prints, run in its environment."""
    python = ROOT / f".venv-{name}" / "bin" / "python"
    if not python.is_file():
        pytest.skip(f"{python.parents[1].name} is not here: `make models` makes it")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT / "tests")])}
    done = subprocess.run(
        [str(python), "-m", f"helpers.in_{name}"],
        env=environment, capture_output=True, text=True, timeout=SECONDS, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.fixture(scope="module")
def tensorflow() -> dict[str, Any]:
    return cases("tensorflow")


@pytest.fixture(scope="module")
def torch() -> dict[str, Any]:
    return cases("torch")


@pytest.mark.parametrize(
    "case",
    [
        *("keras", "h5", "saved model", "open sides", "module", "function", "onnx", "open onnx", "scikit-learn"),
    ],
)
def test_tensorflow_and_onnx_to_tflite(tensorflow: dict[str, Any], case: str) -> None:
    assert tensorflow[case] < SAME


def test_what_is_known_of_keras_and_saved_models(tensorflow: dict[str, Any]) -> None:
    weights = 4 * (3 * 3 * 3 * 8 + 8 + 4 * 8 + 8 * 4 + 4)
    assert tensorflow["keras, told"] == ["Keras", [1, 12, 10, 3], "image0", weights]
    assert tensorflow["saved model, told"] == ["TensorFlow", [1, 12, 10, 3], "image0", weights]


@pytest.mark.parametrize(
    ("case", "told"),
    [
        ("open sides, not said", "Misused: Functional takes (1, -1, -1, 3): say --input-shape"),
        ("two inputs", "Misused: The Keras model has 2 inputs"),
        ("function without a shape", "Misused: Function takes an input without a shape"),
        ("damaged file", "ConversionError: Keras "),
        ("damaged folder", "ConversionError: TensorFlow cannot read "),
        ("no such signature", "Misused: "),
        ("an operator that TFLite lacks", "ConversionError: TensorFlow cannot make a TFLite model of it"),
        ("an operator that onnx2tf lacks", "ConversionError: onnx2tf cannot make a TFLite model of it"),
        ("to onnx", "Misused: TensorFlow's models become TFLite"),
    ],
)
def test_what_cannot_be_converted(tensorflow: dict[str, Any], case: str, told: str) -> None:
    assert tensorflow[case].startswith(told)


@pytest.mark.parametrize("case", ["module", "module to onnx", "function that makes it", "program"])
def test_pytorch(torch: dict[str, Any], case: str) -> None:
    assert torch[case] < SAME


def test_what_is_known_of_a_module(torch: dict[str, Any]) -> None:
    # 8 bytes: the counter of batches, an int64.
    assert torch["told"] == ["PyTorch", [1, 3, 12, 10], 4 * (3 * 3 * 3 * 8 + 8 + 4 * 8 + 8 * 4 + 4) + 8]


@pytest.mark.parametrize(
    ("case", "told"),
    [
        ("module without a shape", "Misused: Network takes an input without a shape"),
        ("program with two inputs", "Misused: "),
        ("damaged program", "ConversionError: torch.export cannot read "),
        ("one that decides", "ConversionError: litert-torch cannot make a TFLite model of it"),
        ("one that decides, to onnx", "ConversionError: torch.onnx.export cannot make an ONNX model of it"),
    ],
)
def test_what_pytorch_cannot_convert(torch: dict[str, Any], case: str, told: str) -> None:
    assert torch[case].startswith(told)
