"""How the cost grows: with the image's pixels, the batch, the threads that ask, the model. None has a bar."""

import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from functools import partial
from json import loads
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from benchmarks import batches, origins, photos, turns, venvs
from benchmarks.children import MODEL, PHOTOS, ROOT, SUBJECTS, Command, Failed, interleave, model, summary
from helpers.figures import Figure, Scale
from mlserverless import Predictor

SMALL_RUNS, LARGE_RUNS = 31, 9  # answers of each image; of those of 4 MP and more
SIZES, THREADS = (1, 2, 4, 8, 12, 16), (1, 2, 3, 4, 6, 8)
SYNTHETIC = ROOT / ".cache" / "bench" / "models"
EACH = 40  # answers of all threads together in one round


def measure(scale: Scale) -> list[Figure]:
    """Return the series that the page draws."""
    return [_megapixels(scale), _batch_sizes(scale), _threads(scale), _models(scale)]


def _megapixels(scale: Scale) -> Figure:
    predictor = Predictor(model(), max_pixels=100_000_000, max_bytes=100_000_000)
    found: dict[str, dict[str, dict[str, float]]] = {}
    for kind in ("jpg", "png"):
        for megapixels in list(photos.SIZES)[: scale.of(8, 4)]:
            data = photos.photo(megapixels, kind).read_bytes()
            predictor.predict(data)
            runs = scale.of(LARGE_RUNS if megapixels >= 4 else SMALL_RUNS, 2)
            medians = turns.stages(predictor.predict(data).timings for _ in range(runs))
            found.setdefault(kind, {})[f"{megapixels:g}"] = medians
    totals = {
        kind: [f"{sum(stages.values()):.0f}" for stages in by_size.values()] for kind, by_size in found.items()
    }
    sizes = ", ".join(found["jpg"])
    told = "; ".join(f"{kind} {', '.join(each)}" for kind, each in totals.items())
    return _shown(f"milliseconds by megapixels, {sizes}", told, {"milliseconds": found})


def _batch_sizes(scale: Scale) -> Figure:
    found: dict[str, dict[str, dict[str, dict[str, float]]]] = {}
    for name, delay in (("near", 0.0), (f"{1000 * batches.FAR:.0f} ms away", batches.FAR)):
        with origins.served(PHOTOS, delay) as origin, batches.ways() as ways:
            for size in SIZES:
                asked = batches.urls(origin, PHOTOS, size)
                spent = turns.interleave(
                    {"batch": partial(ways.http, asked), "one after another": partial(ways.single, asked)},
                    scale.of(9, 1),
                )
                by_way = {way: summary(values) for way, values in spent.items()}
                found.setdefault(name, {})[str(size)] = by_way
    told = "; ".join(
        f"{name}: " + ", ".join(f"{each['batch']['median']:.0f}" for each in by_size.values())
        for name, by_size in found.items()
    )
    sizes = ", ".join(map(str, SIZES))
    return _shown(f"milliseconds of a batch of {sizes}", told, {"milliseconds": found})


def _threads(scale: Scale) -> Figure:
    predictor = Predictor(model(), concurrency=2)
    data = (PHOTOS / "rocket.jpg").read_bytes()
    _round(predictor, data, max(THREADS), 2)
    rounds: dict[int, list[tuple[float, float]]] = {count: [] for count in THREADS}
    for _ in range(scale.of(9, 1)):
        for count in THREADS:
            rounds[count].append(_round(predictor, data, count, scale.of(EACH, 16)))
    found = {
        str(count): {"per_second": median(r for r, _ in each), "p95_ms": median(p for _, p in each)}
        for count, each in rounds.items()
    }
    told = ", ".join(
        f"{count}: {each['per_second']:.0f}/s p95 {each['p95_ms']:.0f} ms" for count, each in found.items()
    )
    return _shown("threads that ask one predictor of two interpreters", told, {"threads": found})


def _round(predictor: Predictor, data: bytes, count: int, answers: int) -> tuple[float, float]:
    """Return answers a second and the 95th percentile in milliseconds of ``count`` threads."""
    spent: list[float] = []

    def work() -> None:
        for _ in range(max(2, answers // count)):
            start = time.perf_counter()
            predictor.predict(data)
            spent.append(1000 * (time.perf_counter() - start))

    threads = [threading.Thread(target=work) for _ in range(count)]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if len(spent) != count * max(2, answers // count):
        raise Failed(f"of {count} threads some ended before their last answer")
    return len(spent) / (time.perf_counter() - start), quantiles(spent, n=20)[-1]


def _models(scale: Scale) -> Figure:
    folders = [ROOT / "models" / "dogs-vs-cats", MODEL, *_synthetic()]
    argv = (sys.executable, str(SUBJECTS / "model_size.py"))
    commands = {
        "efficientnet-lite0" if folder == MODEL else folder.name: Command(
            (*argv, str(folder), str(PHOTOS / "rocket.jpg"), str(scale.of(15, 3)))
        )
        for folder in folders
    }
    runs = interleave(commands, scale.of(7, 1))
    found: dict[str, dict[str, Any]] = {}
    for name, each in runs.items():
        said = [loads(run.said) for run in each]
        found[name] = {what: median(one[what] for one in said) for what in said[0]}
    names = ", ".join(f"{name} ({each['model_mb']:.1f} MB)" for name, each in found.items())
    told = ", ".join(f"{each['load']:.0f}/{each['first']:.0f}/{each['warm']:.0f} ms" for each in found.values())
    return _shown(f"load, first and warm answer of {names}", told, {"models": found})


def _synthetic() -> Sequence[Path]:
    # TensorFlow, which the peers need, makes models of other sizes; without it there are the bundled ones.
    try:
        python = venvs.python("tensorflow")
    except (venvs.Unavailable, FileNotFoundError) as error:
        print(f"no synthetic models: {error}", file=sys.stderr)
        return ()
    made = [str(python), str(SUBJECTS / "synthetic_models.py"), str(SYNTHETIC)]
    subprocess.run(made, check=True, capture_output=True)
    return sorted(SYNTHETIC.iterdir(), key=lambda folder: (folder / "model.tflite").stat().st_size)


def _shown(name: str, told: str, details: dict[str, Any]) -> Figure:
    return Figure(name, "shown", told, True, details)
