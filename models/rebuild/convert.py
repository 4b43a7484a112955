"""From a Keras model to a TFLite file, and the photos that calibrate its quantisation.

Two traps of the converter are worked around here; each has its comment.
"""

from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from PIL import Image
from weights import PIXEL_MEAN, PIXEL_STD, Array

# Everything photographic that scikit-image and scikit-learn carry in their wheels: faces, animals, things,
# textures, scenery, microscopy. It stands in for ImageNet, which cannot be installed by name.
_CALIBRATION_PHOTOS = {
    "skimage": (
        "data/chelsea.png",
        "data/coffee.png",
        "data/rocket.jpg",
        "data/astronaut.png",
        "data/motorcycle_left.png",
        "data/motorcycle_right.png",
        "data/camera.png",
        "data/coins.png",
        "data/grass.png",
        "data/gravel.png",
        "data/brick.png",
        "data/hubble_deep_field.jpg",
        "data/ihc.png",
        "data/retina.jpg",
        "data/page.png",
        "data/moon.png",
        "data/color.png",
        "data/clock_motion.png",
    ),
    "sklearn": ("datasets/images/china.jpg", "datasets/images/flower.jpg"),
}
_RANDOM_CROPS = 4
_IMAGENET_CROP = 0.875  # the share of the shorter side that ImageNet evaluation customarily keeps

Pixels = NDArray[np.uint8]


def calibration_crops(size: int) -> list[Pixels]:
    """Return 120 RGB crops, uint8 [size, size, 3]: of each photo two centred and four random squares.

    A random square has a side of 35 to 90 % of the shorter side of the photo, and about half of them are
    mirrored. The generator is seeded, so that the crops are the same in each run.
    """
    generator = np.random.default_rng(0)
    crops = []
    for path in (files(package) / name for package, names in _CALIBRATION_PHOTOS.items() for name in names):
        with path.open("rb") as stream:
            photo = Image.open(stream).convert("RGB")
        crops.append(_centre_square(photo, size, _IMAGENET_CROP))
        crops.append(_centre_square(photo, size, 1.0))
        crops += [_centre_square(_random_square(photo, generator), size, 1.0) for _ in range(_RANDOM_CROPS)]
    return crops


def _centre_square(photo: Image.Image, size: int, share: float) -> Pixels:
    """Scale the centred square, `share` of the shorter side wide, to size x size pixels."""
    side = min(photo.size) * share
    left, top = (photo.width - side) / 2, (photo.height - side) / 2
    box = (left, top, left + side, top + side)
    return np.asarray(photo.resize((size, size), Image.Resampling.BICUBIC, box=box))


def _random_square(photo: Image.Image, generator: np.random.Generator) -> Image.Image:
    side = int(min(photo.size) * generator.uniform(0.35, 0.9))
    left = int(generator.integers(0, photo.width - side + 1))
    top = int(generator.integers(0, photo.height - side + 1))
    square = photo.crop((left, top, left + side, top + side))
    return square.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if generator.random() < 0.5 else square


def to_uint8(model: Any, crops: list[Pixels]) -> bytes:
    """Quantise weights and activations to 8 bits: raw uint8 pixels in, uint8 probabilities out.

    The converter learns the range of every activation by running `crops` through the model. The scaling
    (pixel - 127) / 128 becomes the quantisation of the input, scale 1/128 and zero point 127, and costs
    nothing.
    """

    def representative_dataset() -> Iterator[list[Array]]:
        for crop in crops:
            yield [((crop.astype(np.float32) - PIXEL_MEAN) / PIXEL_STD)[np.newaxis]]

    converter = _converter(model)
    converter.representative_dataset = representative_dataset
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = tf.uint8
    converter.inference_output_type = tf.uint8
    return bytes(converter.convert())


def to_dynamic_range(model: Any) -> bytes:
    """Quantise the weights alone to 8 bits: input, output and activations stay float32, no calibration."""
    converter = _converter(model)
    # By default dense weights get one scale per output channel, which takes version 12 of FULLY_CONNECTED.
    # tflite-runtime 2.14 does not know that version and refuses to load the file.
    converter._experimental_disable_per_channel_quantization_for_dense_layers = True
    return bytes(converter.convert())


def _converter(model: Any) -> Any:
    # `TFLiteConverter.from_keras_model` crashes with Keras 3.15 on TensorFlow 2.21: go by a traced function.
    spec = tf.TensorSpec(model.input_shape, tf.float32, name="image")
    function = tf.function(lambda image: model(image, training=False)).get_concrete_function(spec)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function], model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    return converter
