"""Ways in which a notebook may have brought an image to the model's size, as what model.toml would say of each."""

from collections.abc import Iterable, Iterator
from typing import Any

from mlserverless import model_toml
from mlserverless.errors import ModelUnavailable
from mlserverless.model_toml import ANTIALIAS, METHODS, SMOOTHED, Input

# Shorter sides before a middle of 224 is cut out: those of torchvision's weights (256, 232, 236, 342) and timm's.
SHARES = (1.0, 0.875, 0.95, 0.965, 0.9, 0.8)  # of the middle; timm has most of them
SIDES = (256, 232, 236, 248, 288, 342)
GEOMETRY = ("resizer", "resize", "antialias", "fit", "crop", "side", "size", "layout")
PLAIN: dict[str, Any] = {"fit": "stretch", "crop": 1.0, "side": 0}


def made(base: Input, changes: dict[str, Any]) -> Input | None:
    """Return ``base`` with ``changes``, None where no model.toml may say that."""
    wanted = base._replace(preset="", **changes)
    defaults = Input()._asdict()
    given = {key: value for key, value in wanted._asdict().items() if value != defaults[key]}
    if isinstance(wanted.range, tuple):
        given["range"] = {"mean": list(wanted.range[0]), "std": list(wanted.range[1])}
    if wanted.size:
        given["size"] = list(wanted.size)
    try:
        return model_toml.read_input(given, "")
    except ModelUnavailable:
        return None


def fits(sides: tuple[int, int]) -> Iterator[dict[str, Any]]:
    """Yield every fit, as changes, for a model whose input has these ``sides``, in pixels."""
    short = min(sides)
    yield PLAIN
    for share in SHARES:
        yield {**PLAIN, "fit": "crop", "crop": share}
        yield {**PLAIN, "crop": share}  # tf.image.central_crop
    yield {**PLAIN, "fit": "cut"}
    yield {**PLAIN, "fit": "pad"}
    for side in dict.fromkeys((round(short / 0.875), short, *(s for s in SIDES if short < s <= 2 * short))):
        yield {**PLAIN, "fit": "crop", "side": side}


def crops(height: int, width: int) -> Iterator[dict[str, Any]]:
    """Yield every crop, as changes: of each shorter side up to half as long again, of each whole per cent."""
    short = min(height, width)
    yield from ({**PLAIN, "fit": "crop", "side": side} for side in range(short, short * 3 // 2 + 1))
    yield from ({**PLAIN, "fit": fit, "crop": n / 100} for fit in ("crop", "stretch") for n in range(99, 49, -1))


def methods() -> Iterator[dict[str, Any]]:
    """Yield every resizer and method, as changes, with and without antialiasing where it can do both."""
    for resizer, names in METHODS.items():
        for name in names:
            both = (True, False) if resizer in ANTIALIAS and name in SMOOTHED else (None,)
            for smooth in both:
                yield {"resizer": resizer, "resize": name, "antialias": smooth}


def shapes(base: Input) -> Iterator[dict[str, Any]]:
    """Yield other readings of the tensor's shape, where it can be read in two ways."""
    yield from ({"layout": layout} for layout in ("nhwc", "nchw") if layout != base.layout)
    if base.size and base.size[0] != base.size[1]:
        yield {"size": base.size[::-1]}


def several(base: Input, changes: Iterable[dict[str, Any]]) -> dict[Input, dict[str, Any]]:
    """Return what ``changes`` make of ``base``, each once and ``base`` not, with what they change of it."""
    found: dict[Input, dict[str, Any]] = {}
    for change in changes:
        wanted = made(base, change)
        if wanted is not None and (told := changed(base, wanted)):
            found.setdefault(wanted, told)
    return found


def changed(before: Input, after: Input) -> dict[str, Any]:
    """Return what of the geometry ``after`` says otherwise than ``before``, without what follows by itself."""
    told = {key: getattr(after, key) for key in GEOMETRY if getattr(after, key) != getattr(before, key)}
    if "antialias" in told and told["antialias"] in (None, ANTIALIAS.get(after.resizer)) and "resizer" in told:
        del told["antialias"]
    return told


def lines(changes: dict[str, Any]) -> str:
    """Return the lines of model.toml's ``[input]`` that make ``changes``."""
    return "\n".join(f"{key} = {_toml(value)}" for key, value in changes.items())


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else str(list(value) if isinstance(value, tuple) else value)
