"""From an image to the model's input: the stages decode, resize and input, each from the one before."""

from functools import cached_property

from mlserverless.certification import arrangement, decoding, feeding, resizing
from mlserverless.certification.arrays import Array
from mlserverless.certification.case import Case
from mlserverless.certification.findings import EQUAL, Found
from mlserverless.certification.reference import Reference
from mlserverless.certification.served import Served


class Inputs:
    """The stages decode, resize and input of one reference."""

    def __init__(self, served: Served, reference: Reference, tolerances: dict[str, float]) -> None:
        self.served, self.reference, self.tolerances = served, reference, tolerances

    @cached_property
    def decode(self) -> Found:
        """What the notebook decoded."""
        return decoding.compared(self.served, self.reference, self.tolerances.get("decode", 0.0))

    @cached_property
    def resize(self) -> Found:
        """What the notebook resized, from its decoded pixels where it has those."""
        return resizing.compared(self.case, self.tolerances.get("resize", 1.0))

    @cached_property
    def input(self) -> Found:
        """The tensor that the notebook feeds, from its resized pixels where it has those."""
        return feeding.compared(self.case, self._given(), self.tolerances.get("input"))

    @cached_property
    def case(self) -> Case:
        """What is resized here: the notebook's decoded pixels, if right but for the decoder, else the files."""
        decoded = self.reference.decoded
        usable = all(pixels.ndim == 3 and pixels.shape[2] == 3 and pixels.dtype == "uint8" for pixels in decoded)
        stage, findings = self.decode
        right = stage.verdict == EQUAL or {one.cause for one in findings} == {"decoder"}
        own = bool(decoded) and usable and right and not stage.note
        return Case(self.served, self.reference, decoded if own else self.reference.images)

    def _given(self) -> list[Array]:
        # The notebook's own resized pixels, where they are what is fed here, give or take a level.
        if not self.reference.resized:
            return []
        stage, _ = self.resize
        theirs = arrangement.all_views(self.reference.resized, self.served.target).get(arrangement.NATURAL)
        return theirs if stage.verdict == EQUAL and not stage.note and theirs else []
