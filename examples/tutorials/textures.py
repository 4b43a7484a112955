"""Write a data set of photographs in the usual folders: build/textures/train/brick/001.png … test/gravel/032.png.

Brick, grass and gravel are three photos of 512 × 512 pixels under CC0 that scikit-image ships. Patches of their
left halves are learned from; those of their right halves, which no training patch touches, are the test.
"""

from importlib.resources import files
from pathlib import Path

from PIL import Image

SIDE = 32  # pixels
# Left edge, right edge, pixels from one patch to the next.
HALVES = {"train": (0, 256, SIDE), "test": (256, 512, 2 * SIDE)}

for half, (left, right, step) in HALVES.items():
    for texture in ("brick", "grass", "gravel"):
        folder = Path("build/textures", half, texture)
        folder.mkdir(parents=True, exist_ok=True)
        with files("skimage").joinpath(f"data/{texture}.png").open("rb") as file:
            photo = Image.open(file).convert("RGB")
        places = [(x, y) for y in range(0, photo.height, step) for x in range(left, right, step)]
        for number, (x, y) in enumerate(places, 1):
            photo.crop((x, y, x + SIDE, y + SIDE)).save(folder / f"{number:03}.png")
        print(f"{folder}: {len(places)} patches")
