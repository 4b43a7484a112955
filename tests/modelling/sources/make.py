"""Run in a converter's environment: write what is converted, and the pictures. Usage: make.py WHAT FOLDER.

WHAT is keras (lite0.keras), onnx (lite0.onnx, exported by PyTorch), or crops (calibrate/ and images/).
"""

import sys
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

HERE = Path(__file__).resolve()
SIDE = 224  # pixels
# Photos of things, animals and people: what a classifier of ImageNet is for.
PHOTOS = {
    "skimage": (
        *("data/chelsea.png", "data/coffee.png", "data/rocket.jpg", "data/astronaut.png"),
        *("data/motorcycle_left.png", "data/motorcycle_right.png", "data/camera.png"),
    ),
    "sklearn": ("datasets/images/china.jpg", "datasets/images/flower.jpg"),
}
CROPS = 30  # of each photo: 270
LEAST = 0.7  # of the shorter side, that a crop is wide


def keras(folder: Path) -> None:
    """Write EfficientNet-Lite0 as `make rebuild-models` builds it."""
    sys.path.insert(0, str(HERE.parents[3] / "models" / "rebuild"))
    from classifiers import build_lite0
    from weights import load_weights

    build_lite0(load_weights()).save(folder / "lite0.keras")


def onnx(folder: Path) -> None:
    """Write what torch.onnx makes of the same network in PyTorch."""
    import torch
    from lite0 import lite0

    torch.onnx.export(
        lite0(),
        (torch.zeros(1, 3, SIDE, SIDE),),
        str(folder / "lite0.onnx"),
        input_names=["image"],
        output_names=["probabilities"],
        dynamo=True,
        external_data=False,
    )


def crops(folder: Path) -> None:
    """Write the 120 crops that calibrate the bundled model, and others, of which none is among these."""
    sys.path.insert(0, str(HERE.parents[3] / "models" / "rebuild"))
    from PIL import Image

    for name, pictures in (("calibrate", calibrating()), ("images", comparing())):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number, picture in enumerate(pictures):
            Image.fromarray(picture).save(folder / name / f"{number:03}.png")


def calibrating() -> list:  # of pixels, uint8 (224, 224, 3)
    """Return the crops of models/rebuild/convert.py, which needs TensorFlow to be imported."""
    from convert import calibration_crops

    return list(calibration_crops(SIDE))


def comparing() -> Iterator:
    """Return random squares of the nine photos, about half of them mirrored."""
    import numpy as np
    from PIL import Image

    generator = np.random.default_rng(7)
    for path in (files(package) / name for package, names in PHOTOS.items() for name in names):
        with path.open("rb") as file:
            photo = Image.open(file).convert("RGB")
        for _ in range(CROPS):
            side = min(photo.size) * generator.uniform(LEAST, 1)
            left, top = (generator.uniform(0, size - side) for size in photo.size)
            box = (left, top, left + side, top + side)
            square = photo.resize((SIDE, SIDE), Image.Resampling.BICUBIC, box=box)
            yield np.asarray(
                square.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if generator.random() < 0.5 else square
            )


if __name__ == "__main__":
    {"keras": keras, "onnx": onnx, "crops": crops}[sys.argv[1]](Path(sys.argv[2]))
