"""Photos of any size, made of the bundled ones: enlarged, with seeded noise so that entropy coding has work to do.

Kept in .cache/bench/photos under a name that says what they are.
"""

import random
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

from PIL import Image

from benchmarks.children import PHOTOS, ROOT

FOLDER = ROOT / ".cache" / "bench" / "photos"
SOURCE, QUALITY, GRAIN = "coffee.png", 90, 0.04  # GRAIN: the noise's share; a 12 MP JPEG has 2 MB with it
THUMBNAIL = 320
SIZES = {0.25: (577, 433), 0.5: (816, 612), 1: (1155, 866), 2: (1632, 1224), 4: (2309, 1732), 8: (3266, 2449)}
SIZES |= {12: (4000, 3000), 24: (5657, 4243)}  # megapixels -> width, height, as cameras have them: 4 by 3


def bundled() -> list[Path]:
    """Return the bundled photos."""
    return sorted(path for path in PHOTOS.iterdir() if path.suffix in (".jpg", ".png"))


def photo(megapixels: float, kind: str = "jpg") -> Path:
    """Return a photo of ``megapixels``, one of SIZES, as jpg, png or webp; made at the first call."""
    path = FOLDER / f"{SOURCE.partition('.')[0]}-{megapixels:g}mp-q{QUALITY}.{kind}"
    if not path.is_file():
        FOLDER.mkdir(parents=True, exist_ok=True)
        with Image.open(PHOTOS / SOURCE) as source:
            image = source.convert("RGB").resize(SIZES[megapixels], Image.Resampling.LANCZOS)
        grain = Image.frombytes("L", image.size, random.Random(1).randbytes(image.width * image.height))
        image = Image.blend(image, Image.merge("RGB", [grain] * 3), GRAIN)
        begun = path.with_suffix(".part")
        image.save(begun, {"jpg": "JPEG"}.get(kind, kind.upper()), quality=QUALITY)
        begun.replace(path)
    return path


def thumbnails() -> Path:
    """Return a folder of the bundled photos as galleries show them: JPEG, 320 pixels wide."""
    folder = FOLDER / "thumbnails"
    folder.mkdir(parents=True, exist_ok=True)
    for path in bundled():
        made = folder / f"{path.stem}.jpg"
        if not made.is_file():
            with Image.open(path) as source:
                size = THUMBNAIL, round(THUMBNAIL * source.height / source.width)
                source.convert("RGB").resize(size, Image.Resampling.LANCZOS).save(made, quality=QUALITY)
    return folder


def crops(count: int, seed: int, *, least: float, sides: tuple[int, int]) -> Iterator[bytes]:
    """Yield ``count`` crops of the bundled photos as JPEG, enlarged until the shorter side is within ``sides``.

    A crop has at least the share ``least`` of its photo's area, an aspect ratio of 3:4 to 4:3, any place, and is
    mirrored half of the time, as images for training are varied.
    """
    drawn = random.Random(seed)
    images = []
    for path in bundled():
        with Image.open(path) as image:
            images.append(image.convert("RGB"))
    made = 0
    while made < count:
        image = drawn.choice(images)
        area = drawn.uniform(least, 1) * image.width * image.height
        aspect = (4 / 3) ** drawn.uniform(-1, 1)
        width, height = round((area * aspect) ** 0.5), round((area / aspect) ** 0.5)
        if width > image.width or height > image.height:
            continue
        left, top = drawn.randint(0, image.width - width), drawn.randint(0, image.height - height)
        scale = drawn.uniform(*sides) / min(width, height)
        cut = image.crop((left, top, left + width, top + height))
        if drawn.random() < 0.5:
            cut = cut.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        cut = cut.resize((round(width * scale), round(height * scale)), Image.Resampling.LANCZOS)
        out = BytesIO()
        cut.save(out, "JPEG", quality=QUALITY)
        made += 1
        yield out.getvalue()
