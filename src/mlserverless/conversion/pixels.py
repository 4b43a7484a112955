"""Pictures -> what a model is fed with, by the very stages that serve: to calibrate with, and to compare with."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mlserverless import formats, prepare, preprocess
from mlserverless.conversion.problem import Misused
from mlserverless.engines import Tensor
from mlserverless.errors import ImageError, ModelUnavailable
from mlserverless.measure import photos
from mlserverless.model_toml import Input
from mlserverless.model_values import Range

CHANNELS = 3  # whose ranges may differ
MOST = 500  # pictures: ranges hardly grow after a hundred
MAX_PIXELS = 200_000_000  # of training pictures, which are the caller's own
# Of each bundled photo, the share of its shorter side that a square has, and where it begins (across, down): every
# other one is to calibrate with, the rest to compare with.
SQUARES = (
    *((1.0, 0.5, 0.5), (0.875, 0.5, 0.5), (0.9, 0.0, 0.5), (0.9, 1.0, 0.5), (0.7, 0.0, 0.0), (0.7, 1.0, 0.0)),
    *((0.7, 1.0, 1.0), (0.7, 0.0, 1.0), (0.8, 0.5, 0.0), (0.8, 0.5, 1.0), (0.7, 0.5, 0.5), (0.75, 0.4, 0.6)),
    *((0.6, 0.3, 0.3), (0.6, 0.7, 0.3), (0.6, 0.7, 0.7), (0.6, 0.3, 0.7)),
)
SIDE = 512  # pixels, of a bundled square at most
MADE = 2_000_000  # pixels of the picture that is made where no photos are bundled


def found(folder: Path) -> list[Path]:
    """Return the pictures under ``folder``, at most ``MOST``, evenly from all; raise Misused without any."""
    if not folder.is_dir():
        raise Misused(f"There is no folder {str(folder)!r}.")
    files = sorted(path for path in folder.rglob("*") if path.is_file() and _is_picture(path))
    if not files:
        raise Misused(f"There are no pictures under {folder}; read are {', '.join(formats.PLUGINS)}.")
    step = max(1.0, len(files) / MOST)
    return [files[int(i * step)] for i in range(min(len(files), MOST))]


def span(scale: Range, samples: Sequence[Any]) -> tuple[float, float]:
    """Return the least and the greatest value of pixels in the range ``scale``, and of ``samples`` beyond these.

    Not of the samples alone: pictures to come may be darker and brighter. Raw pixels end at 0 and 255, so that
    their steps are whole numbers, as which they are fed.
    """
    if scale in ("raw", ""):
        return 0.0, 255.0
    ends = [preprocess.scaled(pixel, channel, scale) for pixel in (0, 255) for channel in range(CHANNELS)]
    return min(*ends, *(float(one.min()) for one in samples)), max(*ends, *(float(one.max()) for one in samples))


def _is_picture(path: Path) -> bool:
    with path.open("rb") as file:
        return bool(formats.sniff(file.read(64)))


def bundled(folder: Path) -> list[Path]:
    """Return squares, written into ``folder``, of the checkout's photos, or without these of a made picture."""
    from PIL import Image

    shelf = photos.SHELF
    sources = sorted(path for path in shelf.glob("*") if path.suffix in (".png", ".jpg")) if shelf.is_dir() else []
    written = []
    for source in sources or [photos.made(MADE, folder)]:
        with Image.open(source) as opened:
            photo = opened.convert("RGB")
        for number, (share, across, down) in enumerate(SQUARES):
            side = min(photo.size) * share
            left, top = (photo.width - side) * across, (photo.height - side) * down
            size = min(SIDE, round(side))
            path = folder / f"{source.stem}-{number}.png"
            photo.resize((size, size), Image.Resampling.BICUBIC, (left, top, left + side, top + side)).save(
                path, compress_level=1
            )
            written.append(path)
    return written


def arrays(paths: Sequence[Path], wanted: Input, tensor: Tensor) -> list[Any]:
    """Return what each picture of ``paths`` is for a model with the input ``tensor``: arrays of its shape.

    Raises Misused where model and ``wanted`` do not fit, or a picture cannot be read.
    """
    import numpy

    try:
        target = preprocess.check(wanted, tensor)
    except ModelUnavailable as error:
        raise Misused(f"{error} On the command line these are --range, --size, --channels, --layout.") from error
    made = []
    for path in paths:
        try:
            image = formats.open_image(path.read_bytes(), formats=tuple(formats.PLUGINS), max_pixels=MAX_PIXELS)
            ready = prepare.prepare_input(image, target, wanted)
        except (ImageError, OSError) as error:
            raise Misused(f"The picture {os.fspath(path)} cannot be read: {error}") from error
        data = preprocess.tensor_bytes(ready.pixels, wanted.range, tensor, target)
        made.append(numpy.frombuffer(data, tensor.dtype).reshape(tensor.shape).copy())
    return made
