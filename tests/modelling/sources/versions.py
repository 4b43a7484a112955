"""Run in TensorFlow's environment: operators' versions, as TFLiteConverter writes them and as we do, as JSON.

A model of the layers that image classifiers are made of, quantised in each way by both.
"""

import json
import os
import sys
from collections import defaultdict

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import keras
import numpy as np
import tensorflow as tf

from mlserverless.conversion.quantise import quantised
from mlserverless.inspection import graph

LAYERS = keras.layers
SIDE = 32


def network() -> keras.Model:
    """Return a network with many kinds of layers, and random weights."""
    keras.utils.set_random_seed(0)
    image = keras.Input((SIDE, SIDE, 3), batch_size=1)
    x = LAYERS.Conv2D(16, 3, activation="relu6", padding="same")(image)
    x = LAYERS.DepthwiseConv2D(3, padding="same")(x)
    x = LAYERS.BatchNormalization()(x)
    y = LAYERS.Conv2D(16, 1, activation="hard_swish")(x)
    x = LAYERS.Add()([x, y])
    x = LAYERS.Concatenate()([LAYERS.MaxPooling2D()(x), LAYERS.AveragePooling2D(2)(x)])
    x = LAYERS.Multiply()([x, LAYERS.Activation("sigmoid")(x)])
    x = LAYERS.Subtract()([x, LAYERS.Activation("tanh")(x)])
    x = LAYERS.ZeroPadding2D()(x)
    x = LAYERS.LeakyReLU()(LAYERS.Conv2D(64, 3, strides=2)(x))
    x = LAYERS.UpSampling2D(interpolation="bilinear")(x)
    x = LAYERS.UpSampling2D(interpolation="nearest")(x)
    x = LAYERS.Conv2DTranspose(16, 3, strides=2)(x)
    x = LAYERS.Permute((2, 1, 3))(x)
    x = LAYERS.Cropping2D(2)(x)
    x = LAYERS.GlobalAveragePooling2D()(x)
    x = LAYERS.Dense(96, activation="relu")(x)
    x = LAYERS.Dense(32)(x)
    return keras.Model(image, LAYERS.Softmax()(x))


def converted(function, model, how: str, samples: list) -> bytes:  # a concrete function
    """Return what TFLiteConverter makes of it."""
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function], model)
    converter.experimental_lower_to_saved_model = False
    if how != "none":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if how == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if how == "int8":
        converter.representative_dataset = lambda: ([sample] for sample in samples)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8
    return bytes(converter.convert())


def versions(data: bytes) -> dict[str, int]:
    """Return the highest version of each operator that has to do with 8 or 16 bits."""
    found, whole = defaultdict(int), graph.read(data).subgraphs[0]
    for step in whole.operators:
        if any(whole.tensors[i].dtype in ("int8", "float16") for i in (*step.inputs, *step.outputs) if i >= 0):
            found[step.name] = max(found[step.name], step.version)
    return dict(found)


def main() -> None:
    """Print them."""
    model = network()
    spec = tf.TensorSpec((1, SIDE, SIDE, 3), tf.float32)
    function = tf.function(lambda image: model(image, training=False)).get_concrete_function(spec)
    generator = np.random.default_rng(0)
    samples = [generator.uniform(-1, 1, (1, SIDE, SIDE, 3)).astype(np.float32) for _ in range(8)]
    floats = converted(function, model, "none", samples)
    found = {}
    for how in ("float16", "dynamic", "int8"):
        ours = quantised(floats, how, samples, dense_by_unit=True)
        found[how] = [versions(converted(function, model, how, samples)), versions(ours)]
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
