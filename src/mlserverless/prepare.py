"""An opened image -> an upright RGB image of the model's size."""

from typing import TYPE_CHECKING, Any

from mlserverless.errors import UnsupportedMediaType
from mlserverless.formats import guarded, open_image
from mlserverless.model import FIT

if TYPE_CHECKING:
    from PIL.Image import Image

RESAMPLING = {"nearest": 0, "lanczos": 1, "bilinear": 2, "bicubic": 3, "box": 4}  # PIL.Image.Resampling
ORIENTATION = 0x0112  # the Exif tag; its values and what undoes them are those of Exif 2.32, 4.6.4
UPRIGHT = {2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}  # value -> PIL.Image.Transpose
DECODES = ("fast", "exact")
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
    ``decode="fast"`` lets a JPEG be decoded at a fraction of its size, at least twice the target; for nearest it
    is not done, since there it would pick other pixels. Raises UndecodableImage for truncated or corrupt data,
    ValueError for an argument that is not one of these.
    """
    for name, value, accepted in (("resize", resize, RESAMPLING), ("fit", fit, FIT), ("decode", decode, DECODES)):
        if value not in accepted:
            raise ValueError(f"{name} is {value!r}; accepted are {', '.join(accepted)}")
    colour = _colour(background)
    image = open_image(img) if isinstance(img, bytes) else img
    with guarded():
        if decode == "fast" and resize != "nearest":
            side = 2 * max(target_size)  # of the longer side: the image may have to be turned yet
            image.draft(image.mode, (side, side))
        image = _to_rgb(_upright(image), None if background == "drop" else colour)
        if fit == "pad":
            return _pad(image, target_size, RESAMPLING[resize], colour)
        box = _middle(image.size, target_size, crop) if fit == "crop" else None
        return (
            image
            if image.size == target_size and box is None
            else image.resize(target_size, RESAMPLING[resize], box)
        )


def _upright(image: "Image") -> "Image":
    if "exif" not in image.info:
        return image
    try:
        turn = UPRIGHT.get(image.getexif().get(ORIENTATION, 1))
    except Exception:  # noqa: BLE001 - a broken Exif block does not make the picture wrong
        return image
    return image if turn is None else image.transpose(turn)  # type: ignore[arg-type]  # the enum is of ints


def _to_rgb(image: "Image", background: tuple[int, int, int] | None) -> "Image":
    if image.mode.startswith("I"):
        image = _to_8_bits(image)
    if image.mode == "F":
        raise UnsupportedMediaType("The image has floating-point pixels; accepted are 8 and 16 bits a channel.")
    transparent = image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info
    if transparent:
        from PIL import Image

        if image.mode != "RGBA":  # straight to RGB, Pillow warns of transparent palettes
            image = image.convert("RGBA")
        if background is not None:
            image = Image.alpha_composite(Image.new("RGBA", image.size, (*background, 255)), image)
    return image if image.mode == "RGB" else image.convert("RGB")


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


def _middle(size: tuple[int, int], target: tuple[int, int], share: float) -> tuple[float, float, float, float]:
    width, height = size
    scale = share * min(width / target[0], height / target[1])
    kept = target[0] * scale, target[1] * scale
    left, top = (width - kept[0]) / 2, (height - kept[1]) / 2
    return left, top, left + kept[0], top + kept[1]


def _pad(image: "Image", size: tuple[int, int], resample: Any, fill: tuple[int, int, int]) -> "Image":
    from PIL import Image

    width, height = image.size
    ratio = min(size[0] / width, size[1] / height)
    inner = max(1, round(width * ratio)), max(1, round(height * ratio))
    canvas = Image.new("RGB", size, fill)
    canvas.paste(image.resize(inner, resample), ((size[0] - inner[0]) // 2, (size[1] - inner[1]) // 2))
    return canvas


def _colour(background: str) -> tuple[int, int, int]:
    if background in COLOURS:
        return COLOURS[background]
    if len(background) != 7 or background[0] != "#":
        raise ValueError(f"background is {background!r}; accepted are {', '.join(COLOURS)} and #rrggbb")
    return int(background[1:3], 16), int(background[3:5], 16), int(background[5:7], 16)
