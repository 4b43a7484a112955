"""Which part of an image a model sees, and how large: the arithmetic of fits and crops, as the libraries do it.

Every size here is of the upright image, (width, height) in pixels.
"""

from typing import TYPE_CHECKING

from mlserverless.named_tuple import NamedTuple
from mlserverless.single import f32

if TYPE_CHECKING:
    from mlserverless.model_toml import Input

Size = tuple[int, int]
Box = tuple[float, float, float, float]


class Plan(NamedTuple):
    """``box``, (left, top, right, bottom) of the source, is made ``size``, which begins at ``at`` in the target.

    Where ``at`` is negative, what lies outside is cut off; where it is positive, a bar is added.
    """

    box: Box
    size: Size
    at: tuple[int, int] = (0, 0)


class Placement(NamedTuple):
    """What a model sees of the upright source, in shares of its width and height: 0, 0, 1, 1 is all of it.

    A point (x, y) of the model's, in 0…1 of its input, is (left + x × width, top + y × height) in the source. Bars
    are outside 0…1.
    """

    left: float
    top: float
    width: float
    height: float


def plan(size: Size, target: Size, wanted: "Input") -> Plan:
    """Return how an image of ``size`` fits ``target`` as ``wanted`` says: its fit, crop, side and resizer."""
    whole = (0, 0, *size)
    if wanted.fit == "crop":
        if wanted.side:
            return _torchvision(size, target, wanted.side)
        return Plan(_middle(size, target, wanted.crop), target)
    if wanted.fit == "cut":
        return Plan(_whole_pixels(size, target), target)
    if wanted.fit == "pad":
        return _padded(size, target, wanted.resizer)
    if wanted.fit == "centre":
        # tf.image.resize_with_crop_or_pad: of an odd rest the larger half is after the image.
        at = [
            (wide - had) // 2 if had < wide else -((had - wide) // 2)
            for had, wide in zip(size, target, strict=True)
        ]
        return Plan(whole, size, (at[0], at[1]))
    return Plan(whole if wanted.crop == 1 else _central(size, wanted.crop), target)


def placement(size: Size, target: Size, plan: Plan) -> Placement:
    """Return what of an image of ``size`` the model sees whose input is ``target``."""
    left, top, right, bottom = plan.box
    across, down = (right - left) / plan.size[0], (bottom - top) / plan.size[1]
    return Placement(
        (left - plan.at[0] * across) / size[0],
        (top - plan.at[1] * down) / size[1],
        target[0] * across / size[0],
        target[1] * down / size[1],
    )


def _middle(size: Size, target: Size, share: float) -> Box:
    width, height = size
    scale = share * min(width / target[0], height / target[1])
    kept = target[0] * scale, target[1] * scale
    left, top = (width - kept[0]) / 2, (height - kept[1]) / 2
    return left, top, left + kept[0], top + kept[1]


def _whole_pixels(size: Size, target: Size) -> Box:
    # keras.utils.load_img(keep_aspect_ratio=True), keras.preprocessing.image.smart_resize
    width = min(size[0], size[1] * target[0] // target[1]) or 1
    height = min(size[1], size[0] * target[1] // target[0]) or 1
    left, top = (size[0] - width) // 2, (size[1] - height) // 2
    return left, top, left + width, top + height


def _central(size: Size, share: float) -> Box:
    # tf.image.central_crop
    left, top = int((size[0] - size[0] * share) / 2), int((size[1] - size[1] * share) / 2)
    return left, top, size[0] - left, size[1] - top


def _torchvision(size: Size, target: Size, side: int) -> Plan:
    # torchvision.transforms.Resize(side), which truncates the longer side, then CenterCrop(target), which rounds
    # halves to even where it cuts and adds the larger bar after the image where it pads.
    short = min(size)
    resized = (side, side * size[1] // short) if size[0] <= size[1] else (side * size[0] // short, side)
    at = [
        (wanted - had) // 2 if had < wanted else -round((had - wanted) / 2)
        for had, wanted in zip(resized, target, strict=True)
    ]
    return Plan((0, 0, *size), resized, (at[0], at[1]))


def _padded(size: Size, target: Size, resizer: str) -> Plan:
    ratio = min(target[0] / size[0], target[1] / size[1])
    if resizer == "tensorflow":  # tf.image.resize_with_pad, in float32
        return _resize_with_pad(size, target)
    inner = max(1, round(size[0] * ratio)), max(1, round(size[1] * ratio))
    return Plan((0, 0, *size), inner, ((target[0] - inner[0]) // 2, (target[1] - inner[1]) // 2))


def _resize_with_pad(size: Size, target: Size) -> Plan:
    ratio = max(f32(size[0] / target[0]), f32(size[1] / target[1]))
    exact = f32(size[0] / ratio), f32(size[1] / ratio)
    at = int(f32(f32(target[0] - exact[0]) / 2)), int(f32(f32(target[1] - exact[1]) / 2))
    return Plan((0, 0, *size), (max(1, int(exact[0])), max(1, int(exact[1]))), (max(0, at[0]), max(0, at[1])))
