"""The images that are asked for: the caller's, or a small photo and one as large as a phone's."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

SHELF = Path(__file__).resolve().parents[3] / "examples" / "photos"  # of a checkout
PHOTO, MOTIF = SHELF / "rocket.jpg", SHELF / "coffee.png"
SMALL, LARGE = 2_000_000, 12_000_000  # pixels
# A photo made larger, or soft shapes, with grain: as much is to be decoded as of a phone's photo. In a process of
# its own, since Pillow and a picture of 12 megapixels are not to be in the one that starts the children.
MAKE = """
import sys
from PIL import Image
pixels, path, motif = int(sys.argv[1]), sys.argv[2], sys.argv[3]
width, height = round((pixels * 4 / 3) ** 0.5), round((pixels * 3 / 4) ** 0.5)
shown = Image.open(motif).convert("RGB") if motif else Image.radial_gradient("L").convert("RGB")
shown = shown.resize((width, height), Image.Resampling.BICUBIC)
def grain(scale):
    small = Image.effect_noise((width // scale + 1, height // scale + 1), 40)
    return small.resize((width, height), Image.Resampling.BICUBIC)
grains = Image.merge("RGB", [grain(scale) for scale in (3, 5, 9)])
Image.blend(shown, grains, 0.2 if motif else 0.35).save(path, "JPEG", quality=90)
"""


def chosen(given: Sequence[Path], folder: Path) -> list[Path]:
    """Return the files ``given``, else the default ones, of which those that have to be made go to ``folder``.

    The default ones are a photo of the checkout (without one, a made picture of 2 megapixels) and a made picture
    of 12 megapixels, which in a checkout shows something.
    """
    if given:
        return list(given)
    return [PHOTO if PHOTO.is_file() else made(SMALL, folder), made(LARGE, folder)]


def made(pixels: int, folder: Path) -> Path:
    """Return a JPEG of about so many ``pixels``, made in ``folder``."""
    path = folder / f"{pixels / 1e6:.3g}-megapixels.jpg"
    motif = str(MOTIF) if MOTIF.is_file() else ""
    command = [sys.executable, "-P", "-c", MAKE, str(pixels), str(path), motif]
    subprocess.run(command, check=True)  # noqa: S603 - our own words
    return path
