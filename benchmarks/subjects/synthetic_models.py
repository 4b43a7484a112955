"""Write models of growing size as .tflite with seeded random weights: they cost what real ones do. Usage: FOLDER

Keras' MobileNetV2 at several widths and ResNet50, float32, 224 × 224, 1,000 classes.
"""

import os
import sys
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import keras
import tensorflow as tf

MODELS = {
    "mobilenet-v2-0.35": lambda one: keras.applications.MobileNetV2(input_tensor=one, alpha=0.35, weights=None),
    "mobilenet-v2-1.0": lambda one: keras.applications.MobileNetV2(input_tensor=one, alpha=1.0, weights=None),
    "mobilenet-v2-1.4": lambda one: keras.applications.MobileNetV2(input_tensor=one, alpha=1.4, weights=None),
    "resnet50": lambda one: keras.applications.ResNet50(input_tensor=one, weights=None),
}
for name, make in MODELS.items():
    folder = Path(sys.argv[1]) / name
    if (folder / "model.toml").is_file():
        continue
    keras.utils.set_random_seed(1)
    folder.mkdir(parents=True, exist_ok=True)
    converter = tf.lite.TFLiteConverter.from_keras_model(make(keras.Input(batch_shape=(1, 224, 224, 3))))
    (folder / "model.tflite").write_bytes(converter.convert())
    (folder / "model.toml").write_text(f'name = "{name}"\n[input]\nrange = "signed"\nresize = "bilinear"\n')
