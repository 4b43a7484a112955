"""Many threads through one Predictor: no error, and no answer that one thread alone would not have given."""

import threading
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image

from helpers.images import encode, gradient
from mlserverless.engines import tflite
from mlserverless.predictor import Predictor

THREADS = 64


def pictures(photos: Path) -> list[bytes]:
    """Return small encoded images that the model tells apart: six photos, and four patterns."""
    small = [Image.open(path).convert("RGB").resize((96, 96)) for path in sorted(photos.glob("*.[jp][pn]g"))]
    patterns = [gradient(64 + 16 * number, 64) for number in range(4)]
    return [encode(image, ("JPEG", "PNG")[i % 2]) for i, image in enumerate(small + patterns)]


def run(ready: Predictor, images: list[bytes], total: int) -> tuple[Counter[str], int]:
    """Predict ``total`` times from 64 threads; return what went wrong, and how many interpreters there were."""
    wanted = [ready.predict(image, top_k=1000).to_dict() for image in images]
    assert len({str(answer) for answer in wanted}) == len(images)
    start, wrong, done = threading.Barrier(THREADS), Counter[str](), Counter[int]()
    lock = threading.Lock()

    def work(thread: int) -> None:
        start.wait(60)
        for number in range(total // THREADS):
            which = (thread + number) % len(images)
            try:
                right = ready.predict(images[which], top_k=1000, timeout=300).to_dict() == wanted[which]
            except Exception as error:  # noqa: BLE001 - whatever it is, it is counted
                with lock:
                    wrong[repr(error)] += 1
                continue
            with lock:
                done[which] += 1
                if not right:
                    wrong["another answer"] += 1

    threads = [threading.Thread(target=work, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(600)
        assert not thread.is_alive()
    assert done.total() + wrong.total() - wrong["another answer"] == total
    return +wrong, ready.load().pool.made


@pytest.mark.slow
@pytest.mark.parametrize(
    ("engine", "total"), [("litert", 8000), ("litert-python", 2048), ("tflite-runtime", 2048)]
)
def test_answers_are_those_of_one_thread(models: Path, photos: Path, engine: str, total: int) -> None:
    if engine != "litert":
        try:
            tflite.interpreter_module(engine)
        except ImportError as error:
            pytest.skip(f"{engine} is not installed here: {error}")
    model = models / ("dogs-vs-cats" if engine == "litert-python" else "efficientnet-lite0")
    ready = Predictor(model, engine=engine, threads=1, concurrency=4)
    wrong, made = run(ready, pictures(photos), total)
    assert wrong == Counter()
    assert 1 <= made <= 4
