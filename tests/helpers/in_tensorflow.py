"""Run in the environment of requirements/models/tensorflow.txt: what the frameworks' modules make of small models.

Prints a JSON object: a case's name, and the largest difference between the original and its .tflite file, or
the error.
"""

import os
import tempfile
from pathlib import Path
from typing import Any

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import keras
import numpy as np
import tensorflow as tf

from helpers import onnxmodel
from helpers.cases import tell
from mlserverless.conversion.frameworks import Asked, open_source
from mlserverless.conversion.source import recognise

SHAPE = (1, 12, 10, 3)
LAYERS = keras.layers
PLACE = Path(tempfile.mkdtemp())


def network(*, side: Any = SHAPE[1:3], inputs: int = 1) -> keras.Model:
    keras.utils.set_random_seed(1)
    images = [keras.Input((*side, 3), name=f"image{number}") for number in range(inputs)]
    x = LAYERS.Conv2D(8, 3, padding="same", activation="relu6")(LAYERS.Add()(images) if inputs > 1 else images[0])
    x = LAYERS.BatchNormalization()(x)
    return keras.Model(images, LAYERS.Dense(4, activation="softmax")(LAYERS.GlobalAveragePooling2D()(x)))


MODEL = network()


class Module(tf.Module):
    """A variable and a call."""

    def __init__(self) -> None:
        super().__init__()
        self.weights = tf.Variable(np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32))

    @tf.function(input_signature=[tf.TensorSpec((None, *SHAPE[1:]), tf.float32)])
    def __call__(self, image: Any) -> Any:
        return {
            "b": tf.nn.softmax(tf.reduce_mean(image, (1, 2)) @ self.weights),
            "a": tf.reduce_max(image, (1, 2)),
        }


@tf.function
def function(image: Any) -> Any:
    return tf.reduce_mean(MODEL(image, training=False), axis=1, keepdims=True)


@tf.function
def unsupported(image: Any) -> Any:
    return tf.raw_ops.Unbatch(
        batched_tensor=image, batch_index=tf.zeros((1, 3), tf.int64), id=tf.constant(0, tf.int64), timeout_micros=1
    )


def saved(name: str) -> Path:
    path = PLACE / name
    if name.startswith("saved"):
        MODEL.export(path, verbose=False)
    else:
        MODEL.save(path)
    return path


def written(name: str, data: bytes) -> Path:
    (PLACE / name).write_bytes(data)
    return PLACE / name


def perceptron() -> Any:
    from sklearn.neural_network import MLPClassifier

    random = np.random.default_rng(2)
    return MLPClassifier((9,), max_iter=60, random_state=0).fit(random.random((60, 16)), np.repeat([0, 1, 2], 20))


def regression() -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression().fit(np.random.default_rng(2).random((60, 16)), np.repeat([0, 1, 2], 20))


def difference(source: Any, **asked: Any) -> float:
    """Return the largest difference between the original and its .tflite file, on one input."""
    original = open_source(recognise(source), Asked(**asked))
    array = np.random.default_rng(3).random(original.input.shape, np.float32)
    wanted = original.run(array)
    data = original.tflite(Path(tempfile.mkdtemp(dir=PLACE)), [array])
    served = open_source(recognise(written("made.tflite", data)), Asked())
    if served.input.shape != array.shape:  # onnx2tf moves the channels to the end
        array = np.ascontiguousarray(array.transpose(0, 2, 3, 1))
    given = served.run(array)
    assert [one.shape for one in given] == [one.shape for one in wanted]
    return max(float(np.abs(one - other).max()) for one, other in zip(given, wanted, strict=True))


def told(source: Any, **asked: Any) -> list[Any]:
    """Return what is known of the source: its framework, shape, parameters' bytes."""
    found = open_source(recognise(source), Asked(**asked))
    return [found.framework.split()[0], list(found.input.shape), found.input.name, found.weight]


CASES = {
    "keras": lambda: difference(saved("a.keras")),
    "h5": lambda: difference(saved("a.h5")),
    "saved model": lambda: difference(saved("saved")),
    "keras, told": lambda: told(MODEL),
    "saved model, told": lambda: told(PLACE / "saved"),
    "open sides": lambda: difference(network(side=(None, None)), size=(8, 6)),
    "open sides, not said": lambda: difference(network(side=(None, None))),
    "two inputs": lambda: difference(network(inputs=2)),
    "module": lambda: difference(Module()),
    "function": lambda: difference(function, shape=SHAPE),
    "function without a shape": lambda: difference(function),
    "damaged file": lambda: difference(written("b.keras", b"nonsense")),
    "damaged folder": lambda: difference(damaged()),
    "no such signature": lambda: difference(PLACE / "saved", signature="gone"),
    "an operator that TFLite lacks": lambda: difference(unsupported, shape=SHAPE),
    "to onnx": lambda: open_source(recognise(MODEL), Asked()).onnx(PLACE),
    "onnx": lambda: difference(written("a.onnx", onnxmodel.classifier((1, 3, 8, 6)))),
    "open onnx": lambda: difference(written("b.onnx", onnxmodel.classifier(("n", 3, 8, 6), batch="n"))),
    "scikit-learn": lambda: difference(perceptron()),
    "an operator that onnx2tf lacks": lambda: difference(regression()),
}


def damaged() -> Path:
    (PLACE / "broken").mkdir()
    (PLACE / "broken" / "saved_model.pb").write_bytes(b"nonsense")
    return PLACE / "broken"


if __name__ == "__main__":
    tell(CASES)
