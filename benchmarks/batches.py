"""Sixteen images behind an origin 50 ms away, as one batch and one after another; and batched invokes."""

import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from time import process_time
from typing import Any, NamedTuple

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from benchmarks import origins, photos, turns
from benchmarks.children import MODEL, PHOTOS, model, ratio, summary
from helpers.figures import Figure, Scale
from mlserverless import Predictor
from mlserverless.adapters.aws import make_handler
from mlserverless.serving import Service
from mlserverless.web.app import WebApp
from mlserverless.web.http import HttpRequest

FAR, SIZE, BAR = 0.05, 16, 8.0  # seconds, images, times as fast
INVOKED = (8, 16)
Answer = tuple[int, ...]  # the classes of a batch, in order


class Context:
    """What Lambda hands to a handler beside the event."""

    aws_request_id = "bench"

    @staticmethod
    def get_remaining_time_in_millis() -> int:
        """Return five minutes."""
        return 300_000


class Ways(NamedTuple):
    """The ways to have the same images classified; each returns their classes in order."""

    single: Callable[[Sequence[str]], Answer]
    http: Callable[[Sequence[str]], Answer]
    queue: Callable[[Sequence[str]], Answer]


@contextmanager
def ways() -> Iterator[Ways]:
    """Yield them around one predictor, warm."""
    predictor = Predictor(model(), allow_private_addresses=True, top_k=1)
    predictor.warm_up()
    written: list[str] = []
    service = Service(lambda: predictor, write=written.append)
    app, handler = WebApp(service), make_handler(service)

    def single(urls: Sequence[str]) -> Answer:
        return tuple(predictor.predict(url).predictions[0].index for url in urls)

    def http(urls: Sequence[str]) -> Answer:
        body = json.dumps({"urls": list(urls)}).encode()
        answer = app(HttpRequest("POST", "/predict", "", {"content-type": "application/json"}, body))
        return tuple(each["predictions"][0]["index"] for each in json.loads(answer.body)["results"])

    def queue(urls: Sequence[str]) -> Answer:
        written.clear()
        records = [
            {"messageId": str(at), "eventSource": "aws:sqs", "body": json.dumps({"url": url})}
            for at, url in enumerate(urls)
        ]
        reply = handler({"Records": records}, Context())
        assert reply == {"batchItemFailures": []}, reply
        kept = {told["request_id"]: told for told in map(json.loads, written)}
        return tuple(kept[str(at)]["predictions"][0]["index"] for at in range(len(urls)))

    yield Ways(single, http, queue)


def urls(origin: str, folder: Path, count: int) -> list[str]:
    """Return ``count`` URLs of the photos in ``folder``, each another one."""
    names = sorted(path.name for path in folder.iterdir() if path.suffix in (".jpg", ".png"))
    return [f"{origin}/{names[at % len(names)]}?{at}" for at in range(count)]


def measure(scale: Scale) -> list[Figure]:
    """Return the figures of batches."""
    small = f"thumbnails of {photos.THUMBNAIL} pixels"
    return [
        *_batches(small, photos.thumbnails(), scale, held=True),
        *_batches("the bundled photos, half of them PNG", PHOTOS, scale, held=False),
        _invokes(scale),
    ]


def _batches(what: str, folder: Path, scale: Scale, *, held: bool) -> list[Figure]:
    # What is read from afar comes at once; what is left to do is a core's share of the work for each image.
    with origins.served(folder, FAR) as origin, ways() as each:
        asked = urls(origin, folder, SIZE)
        begun, before = process_time(), len(asked)
        each.single(asked)
        work = (process_time() - begun) / before
        spent = turns.interleave(
            {
                "one after another": partial(each.single, asked),
                "HTTP batch": partial(each.http, asked),
                "queue's batch": partial(each.queue, asked),
            },
            scale.of(15, 3),
        )
    cores = os.cpu_count() or 1
    least = 1000 * (FAR + SIZE * work / cores)
    found = []
    for name in ("HTTP batch", "queue's batch"):
        faster = ratio(spent["one after another"], spent[name])
        found.append(
            Figure(
                f"{SIZE} URLs, origin {1000 * FAR:.0f} ms away, one after another against one {name}: {what}",
                f"≥ {BAR:.0f} ×" if held else "shown",
                f"{faster}, {median(spent['one after another']):.0f} against {median(spent[name]):.0f} ms; "
                f"{1000 * work:.1f} ms of CPU an image, so that {cores} cores take at least {least:.0f} ms",
                not held or faster.median >= BAR,
                {"milliseconds": {who: summary(values) for who, values in spent.items()}, "cpu_s": work},
            )
        )
    return found


def _invokes(scale: Scale) -> Figure:
    """Return what one invoke of many images costs against as many invokes of one."""
    path, drawn = str(MODEL / "model.tflite"), np.random.default_rng(1)
    images = drawn.integers(0, 256, (max(INVOKED), 224, 224, 3), dtype=np.uint8)
    ratios: dict[str, Any] = {}
    for threads in (1, 2):
        one = _interpreter(path, 1, threads)
        for size in INVOKED:
            many = _interpreter(path, size, threads)
            spent = turns.interleave(
                {
                    "singles": partial(_run, *one, [images[at : at + 1] for at in range(size)]),
                    "batched": partial(_run, *many, [images[:size]]),
                },
                scale.of(15, 3),
            )
            share = ratio(spent["batched"], spent["singles"])
            milliseconds = {who: summary(values) for who, values in spent.items()}
            ratios[f"{size} images, {threads} threads"] = {"ratio": share._asdict(), "milliseconds": milliseconds}
    told = ", ".join(f"{each['ratio']['median']:.2f} × for {name}" for name, each in ratios.items())
    return Figure(
        "one invoke of a resized model against single invokes, Python interpreter", "shown", told, True, ratios
    )


def _interpreter(path: str, size: int, threads: int) -> tuple[Interpreter, int, int]:
    interpreter = Interpreter(model_path=path, num_threads=threads)
    taken = interpreter.get_input_details()[0]["index"]
    if size > 1:
        interpreter.resize_tensor_input(taken, [size, 224, 224, 3])
    interpreter.allocate_tensors()
    return interpreter, taken, interpreter.get_output_details()[0]["index"]


def _run(interpreter: Interpreter, taken: int, given: int, images: list[Any]) -> Answer:
    classes: list[int] = []
    for image in images:
        interpreter.set_tensor(taken, image)
        interpreter.invoke()
        classes += map(int, interpreter.get_tensor(given).argmax(1))
    return tuple(classes)
