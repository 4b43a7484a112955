"""How far two arrays of the same shape are apart."""

from typing import NamedTuple

import numpy as np

from mlserverless.certification.arrays import Array


class Difference(NamedTuple):
    """The largest and mean difference, the share of elements beyond the tolerance, the image that is worst."""

    largest: float
    mean: float
    share: float
    worst: int

    def to_dict(self) -> dict[str, float]:
        """Return it for JSON."""
        return {"max": self.largest, "mean": self.mean, "share": self.share, "worst_image": self.worst}


NONE = Difference(0.0, 0.0, 0.0, 0)


def between(ours: list[Array], theirs: list[Array], tolerance: float) -> Difference:
    """Return how far the arrays of each image are apart; ``ours[i]`` is of the shape of ``theirs[i]``."""
    gaps = [
        np.abs(np.asarray(a, np.float64) - np.asarray(b, np.float64)) for a, b in zip(ours, theirs, strict=True)
    ]
    peaks = [float(gap.max(initial=0.0)) for gap in gaps]
    count = sum(gap.size for gap in gaps) or 1
    return Difference(
        max(peaks, default=0.0),
        sum(float(gap.sum()) for gap in gaps) / count,
        sum(int((gap > tolerance).sum()) for gap in gaps) / count,
        peaks.index(max(peaks)) if peaks else 0,
    )
