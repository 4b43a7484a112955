"""An image as it was decoded -> its orientation, its channels in 8 bits, and the colour that goes behind it."""

from typing import TYPE_CHECKING, Any, Literal

from mlserverless.errors import UnsupportedMediaType

if TYPE_CHECKING:
    from PIL.Image import Image

ORIENTATION = 0x0112  # the Exif tag; its values and what undoes them are those of Exif 2.32, 4.6.4
UPRIGHT = {2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}  # value -> PIL.Image.Transpose
SIDEWAYS = (2, 4, 5, 6)  # of these, those that swap width and height
WIDTHS = {1: 1, 3: 2, 4: 4}  # TIFF type -> bytes: BYTE, SHORT, LONG
BAND = 1 << 18  # pixels that are converted at a time
COLOURS = {"white": (255, 255, 255), "black": (0, 0, 0), "drop": (0, 0, 0)}


def turned(image: "Image") -> int | None:
    """Return the PIL.Image.Transpose that makes ``image`` upright, None where it is."""
    return UPRIGHT.get(_orientation(image))


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


def in_mode(image: "Image", mode: str, background: str) -> "Image":
    """Return ``image`` in ``mode``, L, RGB or RGBA, or in L where it is grey and RGB is asked for.

    Transparency is laid on ``background``, but for RGBA, where it is a channel. Raises UnsupportedMediaType.
    """
    if mode == "RGBA" and image.mode[0] not in "IF":
        return image if image.mode == "RGBA" else image.convert("RGBA")
    image = _to_rgb(image, None if background == "drop" else colour(background))
    return image if mode != "L" or image.mode == "L" else image.convert("L")


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


def fill(background: str, mode: str) -> Any:
    """Return the bars' colour in ``mode``; where transparency is dropped nothing is seen: zeros."""
    behind = colour(background)
    if mode == "L":
        from PIL import Image

        return Image.new("RGB", (1, 1), behind).convert("L").getpixel((0, 0))
    return (*behind, 0 if background == "drop" else 255) if mode == "RGBA" else behind


def colour(background: str) -> tuple[int, int, int]:
    """Return the colour that ``background`` names, (R, G, B); raise ValueError."""
    if background in COLOURS:
        return COLOURS[background]
    if len(background) != 7 or background[0] != "#":
        raise ValueError(f"background is {background!r}; accepted are {', '.join(COLOURS)} and #rrggbb")
    return int(background[1:3], 16), int(background[3:5], 16), int(background[5:7], 16)
