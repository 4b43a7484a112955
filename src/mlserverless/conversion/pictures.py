"""Which pictures a conversion takes: to calibrate with, and to compare with."""

from pathlib import Path
from typing import NamedTuple

from mlserverless.conversion import pixels
from mlserverless.conversion.plan import Plan

FEW = 20  # pictures to calibrate with, below which it is told that more are better


class Pictures(NamedTuple):
    """Files to calibrate with, and to compare with; ``own``: the first are the caller's own."""

    calibrating: list[Path]
    comparing: list[Path]
    own: bool

    def notes(self) -> list[str]:
        """Return what is to be said of a calibration with them."""
        if not self.own:
            return [
                "Calibrated with bundled photos, not with pictures like those to come: give some with "
                "--calibrate, or accuracy suffers."
            ]
        count = len(self.calibrating)
        few = f"Calibrated with {count} picture{'s' * (count != 1)}: a hundred are better."
        return [few] if count < FEW else []


def chosen(todo: Plan, scratch: Path) -> Pictures:
    """Return the pictures of ``todo``; where it names none, bundled ones, which are written to ``scratch``.

    Raises Misused for a folder without pictures.
    """
    bundled = (todo.quantize == "int8" and not todo.calibrate) or not todo.images
    own = pixels.bundled(scratch) if bundled else []
    comparing = pixels.found(todo.images) if todo.images else own[1::2]
    calibrating = pixels.found(todo.calibrate) if todo.calibrate else own[::2] or comparing
    return Pictures(calibrating, comparing, bool(todo.calibrate))
