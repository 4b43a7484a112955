"""Whether a JPEG that is decoded at a fraction of its size gets the class that the whole one gets.

Beside it stands the model's own unsteadiness: how often its answer changes when of the very same pixels one in a
hundred is changed by one step of 255. No two decoders agree more often than that.
"""

import random
from collections.abc import Sequence
from io import BytesIO
from typing import NamedTuple

from PIL import Image

from benchmarks import bare, photos
from benchmarks.children import model
from helpers.figures import Figure, Scale
from mlserverless import Predictor

COUNT, SEED, LEAST_AREA = 1_020, 7, 0.5
SIDES = (900, 2400)  # pixels of the shorter side: from 4 × 224 up, so that each is decoded at a half or less
BAR = 0.995
NOISE = 100  # one value in so many is changed, by one step
LEADS = (0, 1, 2, 4, 8)  # steps of 1/256, the model's own


class Crop(NamedTuple):
    """One crop: whether it keeps its class, fast and with noise; how far the winner leads, in steps of 1/256.

    ``again``: two classes were so near that it was decoded whole after all.
    """

    fast: bool
    noisy: bool
    lead: int
    again: bool


def measure(scale: Scale) -> list[Figure]:
    """Return the share of crops that keep their class."""
    found = _crops(scale.of(COUNT, 24))
    kept, steady = _share([crop.fast for crop in found]), _share([crop.noisy for crop in found])
    again = _share([crop.again for crop in found])
    clear = {lead: [crop.fast for crop in found if crop.lead > lead] for lead in LEADS}
    clearly = {lead: (len(same), _share(same)) for lead, same in clear.items() if same}
    lost = sorted(crop.lead for crop in found if not crop.fast)
    details = {
        "crops": len(found),
        "fast": kept,
        "noise": steady,
        "decoded_again": again,
        "leads_where_it_differs": lost,
        "clear": [{"lead_above": lead, "crops": n, "fast": share} for lead, (n, share) in clearly.items()],
    }
    return [
        Figure(
            f"top-1 of a fast decode equal to a full one's, {len(found):,} crops of {SIDES[0]} pixels and more",
            f"≥ {BAR:.1%}",
            f"{kept:.2%}; {again:.1%} are decoded whole after all, since two classes were nearly equal",
            kept >= BAR,
            details,
        ),
        Figure(
            f"the same answer when one value in {NOISE} of the full decode changes by 1/255",
            "shown",
            f"{steady:.2%}: what the model itself can hold on these crops",
            True,
            details,
        ),
    ]


def _crops(count: int) -> list[Crop]:
    folder = model()
    fast, exact = Predictor(folder, top_k=2), Predictor(folder, top_k=2, decode="exact")
    drawn, found = random.Random(SEED), []
    for data in photos.crops(count, SEED, least=LEAST_AREA, sides=SIDES):
        first, second = exact.predict(data).predictions
        with Image.open(BytesIO(data)) as image:
            small = image.resize((bare.SIDE, bare.SIDE), Image.Resampling.BILINEAR)
        noisy = Image.frombytes("RGB", small.size, _noise(small.tobytes(), drawn))
        told = fast.predict(data)
        found.append(
            Crop(
                told.predictions[0].index == first.index,
                exact.predict(noisy).predictions[0].index == first.index,
                round(256 * (first.score - second.score)),
                [name for name, _ in told.timings].count("prepare") > 1,
            )
        )
    return found


def _noise(pixels: bytes, drawn: random.Random) -> bytes:
    changed = bytearray(pixels)
    for at in drawn.sample(range(len(changed)), len(changed) // NOISE):
        changed[at] += 1 if changed[at] < 128 else -1
    return bytes(changed)


def _share(same: Sequence[bool]) -> float:
    return sum(same) / len(same)
