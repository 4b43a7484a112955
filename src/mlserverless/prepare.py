"""An opened image -> an upright RGB image of the model's size."""

from typing import TYPE_CHECKING, Any, Literal

from mlserverless.errors import UnsupportedMediaType
from mlserverless.formats import guarded, open_image
from mlserverless.model_toml import FIT

if TYPE_CHECKING:
    from PIL.Image import Image

RESAMPLING = {"nearest": 0, "lanczos": 1, "bilinear": 2, "bicubic": 3, "box": 4}  # PIL.Image.Resampling
ORIENTATION = 0x0112  # the Exif tag; its values and what undoes them are those of Exif 2.32, 4.6.4
UPRIGHT = {2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}  # value -> PIL.Image.Transpose
SIDEWAYS = (2, 4, 5, 6)  # of these, those that swap width and height
WIDTHS = {1: 1, 3: 2, 4: 4}  # TIFF type -> bytes: BYTE, SHORT, LONG
BAND = 1 << 18  # pixels that are converted at a time
BETWEEN = 1 << 23  # pixels that may stand between resizing across and down
DECODES = ("fast", "whole", "exact")
COLOURS = {"white": (255, 255, 255), "black": (0, 0, 0), "drop": (0, 0, 0)}


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

    ``resize`` is nearest, bilinear, bicubic, lanczos or box; ``fit`` is stretch (the aspect ratio gives way), crop
    (the middle is kept; ``crop`` is the share of it, 0.875 for most ImageNet models) or pad (bars of the
    background are added). Transparency is laid on ``background``; ``drop`` ignores it, as ``convert("RGB")`` does.
    ``decode="fast"`` lets a JPEG be decoded at a fraction of its size, at least twice the target; it and "whole"
    turn what is not upright after it was resized; for nearest neither is done, since it would pick other pixels.
    Raises UndecodableImage for truncated or corrupt data, ValueError for an argument that is not one of these.
    """
    for name, value, accepted in (("resize", resize, RESAMPLING), ("fit", fit, FIT), ("decode", decode, DECODES)):
        if value not in accepted:
            raise ValueError(f"{name} is {value!r}; accepted are {', '.join(accepted)}")
    colour = _colour(background)
    image = open_image(img) if isinstance(img, bytes) else img
    with guarded():
        fast, drafted = decode != "exact" and resize != "nearest", None
        if fast and decode == "fast":
            side = 2 * max(target_size)  # of the longer side: the image may have to be turned yet
            drafted = image.draft(image.mode, (side, side))
        turn = UPRIGHT.get(_orientation(image))
        image = _to_rgb(image, None if background == "drop" else colour)
        if not fast and turn is not None:
            image, turn = image.transpose(turn), None  # type: ignore[arg-type]  # the enum is of ints
        # A fraction of a size is rounded up, so the picture ends within the last pixel.
        size = drafted[1][2:] if drafted else image.size
        size = size[::-1] if turn in SIDEWAYS else size
        inner = _within(size, target_size) if fit == "pad" else target_size
        box = _middle(size, target_size, crop) if fit == "crop" else (0, 0, *size)
        image = _resize(image, inner, RESAMPLING[resize], box, turn)
        image = image if image.mode == "RGB" else image.convert("RGB")
        return _pad(image, target_size, colour) if fit == "pad" else image


def _orientation(image: "Image") -> int:
    # Of the first directory. Pillow would read all of its entries, whatever their length, and warn of broken ones.
    exif = image.info.get("exif")
    block = exif.removeprefix(b"Exif\0\0") if isinstance(exif, bytes) else b""
    order: Literal["little", "big"] = "little" if block[:2] == b"II" else "big"

    def number(at: int, width: int) -> int:
        return int.from_bytes(block[at : at + width], order)

    first = number(4, 4) + 2
    for entry in range(first, min(first + 12 * number(first - 2, 2), len(block)), 12):
        if number(entry, 2) == ORIENTATION:
            return number(entry + 8, WIDTHS.get(number(entry + 2, 2), 2))
    return 1


def _to_rgb(image: "Image", background: tuple[int, int, int] | None) -> "Image":
    # RGB, or L for what is grey. In bands: beside the image and its copy no other whole copy is made.
    from PIL import Image

    image.load()
    if image.mode == "F":
        raise UnsupportedMediaType("The image has floating-point pixels; accepted are 8 and 16 bits a channel.")
    keyed = "transparency" in image.info
    if image.mode in ("RGB", "L") and not keyed:
        return image
    width, height = image.size
    whole = Image.new("L" if image.mode[0] in "1I" and not keyed else "RGB", image.size)
    rows = max(1, BAND // width)
    for top in range(0, height, rows):
        band = image.crop((0, top, width, min(top + rows, height)))
        whole.paste(_band(band, background), (0, top))
    return whole


def _band(image: "Image", background: tuple[int, int, int] | None) -> "Image":
    if image.mode.startswith("I"):
        image = _to_8_bits(image)
    transparent = image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info
    if transparent:
        from PIL import Image

        if image.mode != "RGBA":  # straight to RGB, Pillow warns of transparent palettes
            image = image.convert("RGBA")
        if background is not None:
            image = Image.alpha_composite(Image.new("RGBA", image.size, (*background, 255)), image)
    return image if image.mode in ("RGB", "L") else image.convert("L" if image.mode == "1" else "RGB")


def _to_8_bits(image: "Image") -> "Image":
    # 16-bit grey, where convert() clips at 255 what it must scale, and knows no transparent value.
    wide = image.convert("I")
    grey = wide.point(lambda value: value * (1 / 257) + 0.5).convert("L")
    key = grey.info.pop("transparency", None)
    if isinstance(key, int):
        from PIL import ImageChops

        above = wide.point(lambda value: value * 1 + -key).convert("L")
        below = wide.point(lambda value: value * -1 + key).convert("L")
        grey.putalpha(ImageChops.add(above, below).point(lambda value: 255 if value else 0))
    return grey


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


def _middle(size: tuple[float, float], target: tuple[int, int], share: float) -> tuple[float, float, float, float]:
    width, height = size
    scale = share * min(width / target[0], height / target[1])
    kept = target[0] * scale, target[1] * scale
    left, top = (width - kept[0]) / 2, (height - kept[1]) / 2
    return left, top, left + kept[0], top + kept[1]


def _within(size: tuple[float, float], target: tuple[int, int]) -> tuple[int, int]:
    ratio = min(target[0] / size[0], target[1] / size[1])
    return max(1, round(size[0] * ratio)), max(1, round(size[1] * ratio))


def _pad(image: "Image", size: tuple[int, int], fill: tuple[int, int, int]) -> "Image":
    from PIL import Image

    canvas = Image.new("RGB", size, fill)
    canvas.paste(image, ((size[0] - image.width) // 2, (size[1] - image.height) // 2))
    return canvas


def _colour(background: str) -> tuple[int, int, int]:
    if background in COLOURS:
        return COLOURS[background]
    if len(background) != 7 or background[0] != "#":
        raise ValueError(f"background is {background!r}; accepted are {', '.join(COLOURS)} and #rrggbb")
    return int(background[1:3], 16), int(background[3:5], 16), int(background[5:7], 16)
