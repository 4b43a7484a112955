"""A warm answer against what it cannot do without, and at 12 MP against what write-ups do on the same engine."""

import shutil
import statistics
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib import request

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from PIL import Image

from benchmarks import agreement, bare, origins, photos, turns
from benchmarks.children import MODEL, model, ratio, summary
from helpers.figures import Figure, Scale
from mlserverless import Predictor

THREADS = 1  # of an invoke, for the floor and for what is held against it
TYPICAL = 4  # megapixels, between a web page's photos and a phone's
LARGE = photos.SIZES[12]
SHARE, MOST_MS, FASTER, BESIDE_DRAFT = 0.03, 0.5, 2.0, 1.05


class WriteUp:
    """What write-ups do, the model loaded once: urlopen, a full decode, numpy, the Python interpreter."""

    def __init__(self, resampling: Image.Resampling) -> None:
        self._interpreter = Interpreter(model_path=str(MODEL / "model.tflite"), num_threads=THREADS)
        self._interpreter.allocate_tensors()
        self._taken = self._interpreter.get_input_details()[0]["index"]
        self._given = self._interpreter.get_output_details()[0]["index"]
        self._resampling = resampling

    def __call__(self, url: str) -> int:
        """Return the class of the image at ``url``."""
        with request.urlopen(url) as response:
            image: Image.Image = Image.open(BytesIO(response.read()))
        if image.mode != "RGB":
            image = image.convert("RGB")
        image = image.resize((bare.SIDE, bare.SIDE), self._resampling)
        self._interpreter.set_tensor(self._taken, np.array(image, dtype="uint8")[None])
        self._interpreter.invoke()
        return int(self._interpreter.get_tensor(self._given)[0].argmax())


def measure(scale: Scale) -> list[Figure]:
    """Return the figures of the warm path."""
    predictor = Predictor(model(), allow_private_addresses=True, threads=THREADS)
    floor = bare.Model(MODEL / "model.tflite", THREADS)
    with TemporaryDirectory() as folder:
        for path in (*photos.bundled(), *map(photos.photo, (2, TYPICAL, 12))):
            shutil.copy(path, folder)
        with origins.served(Path(folder)) as url:
            origin = bare.Origin(url)
            pairs = {
                path.name: {
                    "mlserverless": partial(_index, predictor, f"{url}/{path.name}"),
                    "bare": partial(bare.predict, floor, origin, f"/{path.name}"),
                }
                for path in (photos.photo(TYPICAL), photos.photo(2), *photos.bundled(), photos.photo(12))
            }
            spent = {
                name: turns.interleave(pair, scale.of(15 if "12mp" in name else 101, 5))
                for name, pair in pairs.items()
            }
            large = photos.photo(12).name
            comes = Predictor(model(), allow_private_addresses=True)  # with all cores' threads, as it comes
            against = _write_ups(partial(_index, comes, f"{url}/{large}"), f"{url}/{large}", scale.of(15, 5))
            stages = _stages(predictor, floor, origin, url, [photos.photo(2).name, large], scale)
    return [
        *(
            _overhead(name, spent[name], held=name == photos.photo(TYPICAL).name)
            for name in pairs
            if name != large
        ),
        *_at_12_mp(against, spent[large], stages),
        *agreement.measure(scale),
    ]


def _index(predictor: Predictor, url: str) -> int:
    return predictor.predict(url, top_k=1).predictions[0].index


def _write_ups(ours: Callable[[], int], url: str, runs: int) -> dict[str, list[float]]:
    # Its own resampling, the cheapest there is, picks other pixels: its answer may be another one.
    return turns.interleave(
        {
            "mlserverless": ours,
            "write-up": partial(WriteUp(Image.Resampling.NEAREST), url),
            "write-up, bilinear": partial(WriteUp(Image.Resampling.BILINEAR), url),
        },
        runs,
        same=False,
    )


def _overhead(name: str, spent: Mapping[str, Sequence[float]], *, held: bool) -> Figure:
    """Return what ours adds to the bare answer; only a typical photo is held to the bar."""
    ours, theirs = spent["mlserverless"], spent["bare"]
    added = [a - b for a, b in zip(ours, theirs, strict=True)]
    share = ratio(ours, theirs)
    median = statistics.median(added)
    return Figure(
        f"warm predict minus bare download + decode + resize + invoke, {name}",
        f"≤ {SHARE:.0%} and ≤ {MOST_MS} ms" if held else "shown",
        f"{median:+.2f} ms, {share.median - 1:+.1%} of {statistics.median(theirs):.2f} ms, {len(ours)} pairs",
        not held or (median <= MOST_MS and share.median - 1 <= SHARE),
        {"milliseconds": {who: summary(each) for who, each in spent.items()}, "added": summary(added)},
    )


def _at_12_mp(
    against: Mapping[str, Sequence[float]], bare_too: Mapping[str, Sequence[float]], stages: dict[str, Any]
) -> list[Figure]:
    ours = against["mlserverless"]
    everyone = {**bare_too, **against}
    raw = {"milliseconds_12mp": {who: summary(each) for who, each in everyone.items()}}
    faster = ratio(against["write-up"], ours)
    whole = ratio(against["write-up, bilinear"], ours)
    beside = ratio(bare_too["mlserverless"], bare_too["bare"])
    size = f"{LARGE[0]} × {LARGE[1]} JPEG, warm"
    return [
        Figure(
            f"{size}: the write-up's pipeline against predict(url), the same engine",
            f"≥ {FASTER:.0f} ×",
            f"{faster}, with bilinear resizing {whole.median:.2f} ×, medians "
            f"{statistics.median(against['write-up']):.1f} against {statistics.median(ours):.1f} ms",
            faster.median >= FASTER,
            {**raw, "stages": stages},
        ),
        Figure(
            f"{size}: predict(url) against bare draft decode + resize + invoke",
            f"≤ {BESIDE_DRAFT:.2f} ×",
            str(beside),
            beside.median <= BESIDE_DRAFT,
            raw,
        ),
    ]


def _stages(
    predictor: Predictor, floor: bare.Model, origin: bare.Origin, url: str, names: list[str], scale: Scale
) -> dict[str, Any]:
    """Return the median milliseconds of each stage, ours as a prediction tells them and the bare ones."""
    found: dict[str, Any] = {}
    for name in names:
        ours, theirs = [], []
        for _ in range(scale.of(15, 3)):
            ours.append(predictor.predict(f"{url}/{name}").timings)
            theirs.append(bare.stages(floor, origin, f"/{name}").items())
        found[name] = {"mlserverless": turns.stages(ours), "bare": turns.stages(theirs)}
    return found
