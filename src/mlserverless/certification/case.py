"""What the stages of one reference have in common."""

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from mlserverless.certification.arrays import Array
from mlserverless.certification.reference import Reference
from mlserverless.certification.search import Search
from mlserverless.certification.served import Served


class Case:
    """A served model, a notebook's reference, and the ``sources`` that are resized: files, or RGB pixels."""

    def __init__(self, served: Served, reference: Reference, sources: tuple[bytes | Array, ...]) -> None:
        self.served, self.reference, self.sources = served, reference, sources

    @cached_property
    def search(self) -> Search:
        """The search over ways to make pixels of the sources."""
        return Search(self.served, self.sources)

    def untouched(self, pixels: list[Array], images: Sequence[int]) -> bool:
        """Whether ``pixels`` at the model's size, of the sources ``images``, are those of the sources as decoded.

        Then nothing was rounded on the way that a notebook may round otherwise: nothing was resized, no colours
        were made grey, nothing was laid on a ground.
        """
        clear = self.search.clear
        pairs = zip(images, pixels, strict=True)
        return all(i not in clear and self._as_decoded(self.sources[i], one) for i, one in pairs)

    def _as_decoded(self, source: bytes | Array, pixels: Array) -> bool:
        sides = self.served.opened(source).size
        if sorted(sides) != sorted(pixels.shape[:2]):  # told without decoding it
            return False
        whole = self.served.upright(source)
        return whole.shape[:2] == pixels.shape[:2] and np.array_equal(
            whole, np.broadcast_to(pixels[..., :3], whole.shape)
        )
