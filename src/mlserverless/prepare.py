"""An opened image -> an upright image of the model's size and channels."""

from typing import TYPE_CHECKING, Any

from mlserverless.fitting import Placement, Plan, placement, plan
from mlserverless.formats import guarded, open_image
from mlserverless.model_toml import FIT, Input
from mlserverless.modes import SIDEWAYS, colour, fill, in_mode, turned
from mlserverless.named_tuple import NamedTuple

if TYPE_CHECKING:
    from PIL.Image import Image

    from mlserverless.floats import Planes
    from mlserverless.target import Target

# PIL.Image.Resampling
RESAMPLING = {"nearest": 0, "lanczos": 1, "bilinear": 2, "bicubic": 3, "box": 4, "hamming": 5}
MODES = {"gray": "L", "rgb": "RGB", "bgr": "RGB", "rgba": "RGBA"}  # channels -> of an image in Pillow
EVEN = 1e-6  # pixels by which the middle of what is kept may be off the middle of the image
BETWEEN = 1 << 23  # pixels that may stand between resizing across and down
DECODES = ("fast", "whole", "exact")


class Prepared(NamedTuple):
    """What :func:`mlserverless.preprocess.tensor_bytes` takes, and which part of the upright source it is of."""

    pixels: "bytes | Planes"
    placement: Placement


def prepare_input(
    image: "Image", target: "Target", wanted: Input, *, background: str = "drop", decode: str = "exact"
) -> Prepared:
    """Return the pixels of an opened ``image``, upright and fitted to ``target`` as the model has ``wanted`` it.

    Pillow's resizer gives 8 bits a channel, interleaved; others planes in floating point. ``background`` and
    ``decode`` as for :func:`prepare_image`. Raises UndecodableImage for truncated or corrupt data.
    """
    size = target.width, target.height
    mode = MODES[target.channels]
    with guarded():
        if wanted.resizer == "pillow":
            made, placed = _fitted(image, size, wanted, mode, background, decode)
            return Prepared((made if made.mode == mode else made.convert(mode)).tobytes(), placed)
        upright = _upright(image, mode, background)
    from mlserverless import resampling  # only a model with such a resizer pays for it

    chosen = plan(upright.size, size, wanted)
    pixels = resampling.resized(upright, chosen, size, wanted, fill(background, mode))
    return Prepared(pixels, placement(upright.size, size, chosen))


def prepare_image(
    img: "Image | bytes",
    target_size: tuple[int, int],
    *,
    resize: str = "nearest",
    fit: str = "stretch",
    crop: float = 1.0,
    background: str = "drop",
    decode: str = "exact",
) -> "Image":
    """Return ``img`` as an upright RGB image of ``target_size``, (width, height) in pixels.

    ``resize`` is nearest, bilinear, bicubic, lanczos, box or hamming; ``fit`` is stretch (the aspect ratio gives
    way), crop (the middle is kept; ``crop`` is the share of it, 0.875 for most ImageNet models), cut (the same in
    whole pixels), pad (bars of the background are added) or centre (not resized: cut, or bars added).
    Transparency is laid on ``background``; ``drop`` ignores it, as ``convert("RGB")`` does.
    ``decode="fast"`` lets a JPEG be decoded at a fraction of its size, at least twice the target; it and "whole"
    turn what is not upright after it was resized; for nearest neither is done, since it would pick other pixels.
    Raises UndecodableImage for truncated or corrupt data, ValueError for an argument that is not one of these.
    """
    for name, value, accepted in (("resize", resize, RESAMPLING), ("fit", fit, FIT), ("decode", decode, DECODES)):
        if value not in accepted:
            raise ValueError(f"{name} is {value!r}; accepted are {', '.join(accepted)}")
    colour(background)
    image = open_image(img) if isinstance(img, bytes) else img
    with guarded():
        wanted = Input(resize=resize, fit=fit, crop=crop)
        made, _ = _fitted(image, target_size, wanted, "RGB", background, decode)
        return made if made.mode == "RGB" else made.convert("RGB")


def _fitted(
    image: "Image", target: tuple[int, int], wanted: Input, mode: str, background: str, decode: str
) -> "tuple[Image, Placement]":
    # Of ``mode``, or L where that says the same of a grey image.
    turn = turned(image)
    size = image.size[::-1] if turn in SIDEWAYS else image.size
    chosen = plan(size, target, wanted)
    left, top, right, bottom = chosen.box
    # What is turned last must look the same from each side, and what is not resized stays as it is.
    even = abs(left + right - size[0]) + abs(top + bottom - size[1]) < EVEN and not _strip(chosen)
    fast, drafted = decode != "exact" and wanted.resize != "nearest" and wanted.fit != "centre", None
    if fast and decode == "fast":
        side = 2 * max(*target, wanted.side)  # of the longer side: the image may have to be turned yet
        drafted = image.draft(image.mode, (side, side))
    # A fraction of a size is rounded up, so the picture ends within the last pixel.
    had = drafted[1][2:] if drafted else image.size
    image = in_mode(image, mode, background)
    if turn is not None and not (fast and even):
        image, had = image.transpose(turn), (had[::-1] if turn in SIDEWAYS else had)  # type: ignore[arg-type]
        turn = None
    across, down = ((had[::-1] if turn in SIDEWAYS else had)[i] / size[i] for i in (0, 1))
    box = left * across, top * down, right * across, bottom * down
    image, at = _part(image, chosen, box, target, RESAMPLING[wanted.resize], turn)
    if image.size != target:
        image = _pad(image if image.mode == mode else image.convert(mode), target, at, fill(background, mode))
    return image, placement(size, target, chosen)


def _upright(image: "Image", mode: str, background: str) -> "Image":
    turn = turned(image)
    image = in_mode(image, mode, background)
    image = image if turn is None else image.transpose(turn)  # type: ignore[arg-type]  # the enum is of ints
    return image if image.mode == mode else image.convert(mode)


def _resize(
    image: "Image", size: tuple[int, int], resample: Any, box: tuple[float, ...], turn: int | None
) -> "Image":
    # ``size`` and ``box`` are of the upright image. What is decoded fast is turned last, when it is small: the
    # same picture, give or take a rounding, without a second copy of the whole.
    if turn in SIDEWAYS:
        size = size[::-1]
        box = box[1], box[0], box[3], box[2]
    left, top, right, bottom = box
    if size[0] * (bottom - top) > BETWEEN:  # Pillow resizes across, then down: not for a strip of many rows
        image = image.resize((image.width, size[1]), resample, (0, top, image.width, bottom))
        top, bottom = 0, size[1]
    if image.size != size or (left, top, right, bottom) != (0, 0, *size):
        image = image.resize(size, resample, (left, top, right, bottom))
    return image if turn is None else image.transpose(turn)  # type: ignore[arg-type]  # the enum is of ints


def _strip(chosen: Plan) -> bool:
    # Resized whole it would be too large: of 1 × 60,000 pixels torchvision makes 256 × 15 million.
    return chosen.size[0] * chosen.size[1] > BETWEEN


def _part(
    image: "Image", chosen: Plan, box: tuple[float, ...], target: tuple[int, int], resample: Any, turn: int | None
) -> "tuple[Image, tuple[int, int]]":
    # ``box`` resized to what ``chosen`` says, without what lies outside the target, and where that begins in it.
    size, (x, y) = chosen.size, chosen.at
    left, top = max(0, -x), max(0, -y)
    right, bottom = min(size[0], left + target[0]), min(size[1], top + target[1])
    if (right - left, bottom - top) == size:
        return _resize(image, size, resample, box, turn), (x, y)
    if _strip(chosen):
        across, down = (box[2] - box[0]) / size[0], (box[3] - box[1]) / size[1]
        box = box[0] + left * across, box[1] + top * down, box[0] + right * across, box[1] + bottom * down
        image = _resize(image, (right - left, bottom - top), resample, box, turn)
    else:
        image = _resize(image, size, resample, box, turn).crop((left, top, right, bottom))
    return image, (max(0, x), max(0, y))


def _pad(image: "Image", size: tuple[int, int], at: tuple[int, int], fill: Any) -> "Image":
    from PIL import Image

    canvas = Image.new(image.mode, size, fill)
    canvas.paste(image, at)
    return canvas
