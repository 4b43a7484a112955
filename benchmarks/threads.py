"""Two threads through one predictor against one thread, and against a lock around every answer."""

import threading
import time
from collections.abc import Callable
from statistics import median

from benchmarks import photos
from benchmarks.children import model, ratio, summary
from helpers.figures import Figure, Scale
from mlserverless import Predictor

ONE_BAR, LOCK_BAR = 1.8, 1.7
EACH = 16  # images a thread and round


class Wrong:
    """How many answers were not the right ones."""

    count = 0


def measure(scale: Scale) -> list[Figure]:
    """Return the figures of two threads."""
    sources = [path.read_bytes() for path in (*photos.bundled(), photos.photo(1))]
    pooled = Predictor(model(), threads=1, concurrency=2)
    default = Predictor(model(), concurrency=2)
    right: list[object] = [pooled.predict(source).to_dict() for source in sources]
    lock = threading.Lock()

    def locked(source: bytes) -> object:
        with lock:
            return pooled.predict(source).to_dict()

    def free(source: bytes) -> object:
        return pooled.predict(source).to_dict()

    def as_set(source: bytes) -> object:
        return default.predict(source).to_dict()

    subjects: dict[str, tuple[int, Callable[[bytes], object]]] = {
        "one thread": (1, free),
        "two threads": (2, free),
        "two threads, one lock": (2, locked),
        "one thread, default settings": (1, as_set),
        "two threads, default settings": (2, as_set),
    }
    rates: dict[str, list[float]] = {name: [] for name in subjects}
    for turn in range(scale.of(21, 3) + 1):
        for name, (count, answer) in subjects.items():
            rate = _rate(count, answer, sources, right)
            if turn:  # the first loads the second interpreter
                rates[name].append(rate)
    details = {"answers_per_second": {name: summary(values) for name, values in rates.items()}}
    against_one = ratio(rates["two threads"], rates["one thread"])
    against_lock = ratio(rates["two threads"], rates["two threads, one lock"])
    alone = ratio(rates["two threads, default settings"], rates["one thread, default settings"])
    told = f"{median(rates['two threads']):.0f} answers a second, {Wrong.count} wrong"
    return [
        Figure(
            "2 threads through one predictor against one thread",
            f"≥ {ONE_BAR} ×",
            f"{against_one}, {told}",
            against_one.median >= ONE_BAR and not Wrong.count,
            details,
        ),
        Figure(
            "2 threads through one predictor against a global lock",
            f"≥ {LOCK_BAR} ×",
            f"{against_lock}, {told}",
            against_lock.median >= LOCK_BAR and not Wrong.count,
            details,
        ),
        Figure(
            "the same with default settings, where who is alone has all cores",
            "shown",
            f"{alone}, {median(rates['two threads, default settings']):.0f} answers a second",
            not Wrong.count,
            details,
        ),
    ]


def _rate(count: int, answer: Callable[[bytes], object], sources: list[bytes], right: list[object]) -> float:
    """Return the answers a second of ``count`` threads; each begins with another photo."""
    ready = threading.Barrier(count + 1)

    def work(first: int) -> None:
        ready.wait()
        for at in range(first, first + EACH):
            try:
                found = answer(sources[at % len(sources)])
            except Exception:  # noqa: BLE001 - a thread that ends early would make the rate look better
                found = None
            if found != right[at % len(sources)]:
                Wrong.count += 1

    workers = [threading.Thread(target=work, args=(number * len(sources) // count,)) for number in range(count)]
    for worker in workers:
        worker.start()
    ready.wait()
    start = time.perf_counter()
    for worker in workers:
        worker.join()
    return count * EACH / (time.perf_counter() - start)
