"""Pictures whose right pixels are known: every orientation, every kind of pixel, every format.

The right pixels are written down as the formats' specifications have them; none is taken from our code or from
what Pillow decodes. Only encoding is Pillow's, and by hand where it cannot encode a kind.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from helpers.figures import Figure, Scale
from mlserverless.errors import MlserverlessError
from mlserverless.formats import PLUGINS, open_image
from mlserverless.prepare import prepare_image
from security import goldencases

NAME = "EXIF 8/8, CMYK, 16-bit, palette + transparency, grey + alpha, 1-bit"
BAR = "golden values hold"
Rows = list[list[tuple[int, int, int]]]


class Case(NamedTuple):
    """An encoded picture, and its pixels at its own size; ``off`` is how far lossy coding may take them."""

    name: str
    data: bytes
    wanted: Rows
    background: str = "white"
    off: int = 0


def seen(case: Case, decode: str) -> Rows:
    """Return the pixels that the model would see, at the size of the picture."""
    size = len(case.wanted[0]), len(case.wanted)
    image = prepare_image(
        open_image(case.data, formats=tuple(PLUGINS)),
        size,
        resize="bilinear",
        fit="crop",
        background=case.background,
        decode=decode,
    )
    data = image.tobytes()
    flat = [(data[at], data[at + 1], data[at + 2]) for at in range(0, len(data), 3)]
    return [flat[row * size[0] : (row + 1) * size[0]] for row in range(size[1])]


def wrong(case: Case) -> str:
    """Return how ``case`` differs from what it should be, or ""."""
    for decode in ("fast", "exact"):
        try:
            found = seen(case, decode)
        except MlserverlessError as error:
            return f"{error.code}: {error}"
        for y, (row, right) in enumerate(zip(found, case.wanted, strict=True)):
            for x, (pixel, wanted) in enumerate(zip(row, right, strict=True)):
                if max(abs(a - b) for a, b in zip(pixel, wanted, strict=True)) > case.off:
                    return f"{decode}: {pixel} at {x}, {y}, not {wanted}"
    return ""


def measure(scale: Scale) -> list[Figure]:
    """Measure the one figure; the shortened form leaves nothing out."""
    makers: tuple[Callable[[], list[tuple[Any, ...]]], ...] = goldencases.MAKERS
    cases = [Case(*given) for make in makers for given in make()]
    failed = {case.name: found for case in cases if (found := wrong(case))}
    details = {"wrong": failed, "cases": [case.name for case in cases]}
    return [Figure(NAME, BAR, f"{len(cases) - len(failed)} of {len(cases)}", not failed, details)]
