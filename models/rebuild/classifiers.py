"""The two networks of this repository: the ImageNet classifier and the dog score derived from it."""

from typing import Any

import numpy as np
import tensorflow as tf
from architecture import Network
from weights import PIXEL_MEAN, PIXEL_STD, Weights

# ImageNet-1k numbers its classes so that related animals stand together: 118 dogs, 5 domestic cats.
DOG_BREEDS = range(151, 269)
CAT_BREEDS = range(281, 286)


def build_lite0(weights: Weights) -> Any:
    """EfficientNet-Lite0, from float32 [1, 224, 224, 3] to 1000 probabilities [1, 1000].

    The input holds (pixel - 127) / 128.
    """
    _restart_names()
    network = Network(weights)
    image = _image(224)
    logits = network.dense(network.features(image), "_fc", [weights["_fc.weight"].T, weights["_fc.bias"]])
    probabilities = tf.keras.layers.Softmax(name="probabilities")(logits)
    model = tf.keras.Model(image, probabilities, name="efficientnet_lite0")
    network.fill()
    return model


def build_dogs_vs_cats(weights: Weights) -> Any:
    """P(dog), given that it is a dog or a cat, from float32 [1, 150, 150, 3] to one score [1, 1].

    The input holds pixel / 255, and one affine step turns that into the (pixel - 127) / 128 of the
    backbone. A softmax over the dog and cat breeds alone shares out the probability among them, and the
    score is the sum over the dogs, written as a dense layer with weights 1 and 0.
    """
    _restart_names()
    network = Network(weights)
    breeds = [*DOG_BREEDS, *CAT_BREEDS]
    kernel, bias = weights["_fc.weight"][breeds].T, weights["_fc.bias"][breeds]
    is_dog = np.array([[breed in DOG_BREEDS] for breed in breeds], np.float32)

    scaled = _image(150)
    backbone = tf.keras.Model(scaled, network.features(scaled), name="functional")
    image = _image(150)
    x = backbone(tf.keras.layers.Rescaling(255 / PIXEL_STD, -PIXEL_MEAN / PIXEL_STD)(image))
    x = network.dense(x, "breeds", [kernel, bias], activation="softmax")
    model = tf.keras.Model(image, network.dense(x, "dog", [is_dog]), name="dogs_vs_cats")
    network.fill()
    return model


def _image(size: int) -> Any:
    return tf.keras.layers.Input((size, size, 3), batch_size=1, name="image")


def _restart_names() -> None:
    """Restart Keras's automatic layer names (`re_lu_3`).

    They end up in the converted file, whose bytes would otherwise depend on what was built before it.
    """
    tf.keras.backend.clear_session()
