"""Where a notebook saved no input: which way of making one lets the model answer what the notebook has."""

from collections.abc import Callable, Iterator

import numpy as np

from mlserverless.certification import casts, geometry, mends
from mlserverless.certification.arrays import Array
from mlserverless.certification.findings import Finding
from mlserverless.certification.search import How, Search
from mlserverless.errors import MlserverlessError
from mlserverless.model_toml import Input
from mlserverless.model_values import RANGES

BETTER = 0.2  # times as far apart as what is served: a guess has to come that near
NEAR = 0.02  # of the largest value, in the mean

Way = tuple[Input, How, list[Finding]]


def findings(search: Search, theirs: Array, answered: Callable[[Array], Array]) -> list[Finding]:
    """Return what explains ``theirs``, the notebook's values for each image, () where nothing does.

    ``answered`` makes of the model's real values what ``theirs`` are: the same, or scores.
    """
    spread = max(1e-9, float(np.abs(theirs).max()))

    def apart(wanted: Input, how: How, images: list[int]) -> float:
        try:
            tensors = [search.served.fed(search.pixels(i, wanted, how), wanted) for i in images]
        except MlserverlessError:
            return float("inf")
        values = np.stack([answered(search.served.run(tensor)) for tensor in tensors])
        return float(np.abs(values - theirs[images]).mean()) / spread

    own = apart(search.served.input, How(), search.chosen)
    gaps = [(apart(wanted, how, search.chosen), place) for place, (wanted, how, _) in enumerate(_ways(search))]
    least, place = min(gaps, default=(float("inf"), 0))
    if least > NEAR or least > BETTER * own:
        return []
    wanted, how, told = list(_ways(search))[place]
    proven = apart(wanted, how, list(range(len(search.sources)))) <= max(NEAR, least)
    return [one._replace(proven=proven) for one in told]


def _ways(search: Search) -> Iterator[Way]:
    # From the likeliest on: of two that explain it alike the first is taken.
    served, base, plain = search.served, search.served.input, How()
    target = served.target
    orders = [one for one in ("rgb", "bgr") if target.channels in ("rgb", "bgr") and one != target.channels]
    for order in orders:
        yield base._replace(channels=order), plain, [mends.ordered(order)]
    looked_at = [search.pixels(i, base, plain) for i in search.chosen]
    if all((pixels == pixels[..., :1]).all() for pixels in looked_at):  # of grey a range alone tells as much
        orders = []
    for scale in (one for one in RANGES if one != (base.range or "raw")):
        ranged = base._replace(range=scale)
        yield ranged, plain, [casts.ranged(scale, served)]  # which for caffe turns the channels, too
        for order in orders:
            yield ranged._replace(channels=order), plain, [casts.ranged(scale, served), mends.ordered(order)]
    for how in search.hows():
        yield base, how, mends.hows(how)
    changes = [*geometry.fits((target.height, target.width)), *geometry.methods(), *geometry.shapes(base)]
    for wanted, told in geometry.several(base, changes).items():
        yield wanted, plain, mends.geometries(told, base)
