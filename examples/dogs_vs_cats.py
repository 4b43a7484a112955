"""The classic write-up's five steps with the plain functions, and the same through a Predictor.

Usage: python examples/dogs_vs_cats.py [URL]   (default: a bundled photo of a cat, served from this machine)
"""

import sys

from mlserverless import Predictor, download_image, load_lite_model, prepare_image, preprocess_image
from mlserverless.model import locate
from photo_server import serve_photos

MODEL = locate("dogs-vs-cats")


def step_by_step(url: str) -> float:
    """Return P(dog) of the photo at ``url``, each step as a reader would type it."""
    interpreter, input_details, output_details = load_lite_model(f"{MODEL}/model.tflite")
    img = download_image(url, allow_private_addresses=True)
    img = prepare_image(img, target_size=(150, 150))
    x = preprocess_image(img)
    interpreter.set_tensor(input_details[0]["index"], x)
    interpreter.invoke()
    return float(interpreter.get_tensor(output_details[0]["index"])[0, 0])


def in_one_line(url: str) -> float:
    """Return the same through the product: the model folder says how its images are prepared."""
    return Predictor("dogs-vs-cats", allow_private_addresses=True).predict(url).predictions[0].score


if __name__ == "__main__":
    address = sys.argv[1] if len(sys.argv) > 1 else serve_photos() + "chelsea.png"
    print("step by step:", round(step_by_step(address), 3))
    print("in one line: ", round(in_one_line(address), 3))
