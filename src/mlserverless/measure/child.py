"""What runs in the measured processes. It imports nothing that a function would not, until it has answered.

``cold`` is left alone between its start and its answer. ``explain`` does the same work one thing after another
and times what it is made of. ``warm`` asks again and again.
"""

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from time import perf_counter, process_time
from typing import Any

Stages = list[tuple[str, float]]
ANSWERED = "mlserverless.measure: answered\n"  # what -X importtime tells after it is not the function's
FIRST_REQUESTS = 3  # of the warm process, not counted


def main(first_line: float, arguments: list[str]) -> None:
    """Do what ``arguments`` say: cold, explain or warm, the entry, what else it takes, and launch's two readings.

    One JSON object goes to standard output; what the function prints goes to standard error.
    """
    out = os.dup(1)
    os.dup2(2, 1)
    kind, entry, *rest, spent, started = arguments
    try:
        told = KINDS[kind](entry, rest, first_line, float(started))
        told["cpu_ms"] = 1000 * (process_time() - float(spent))
        told.update(used())
    except ImportError as error:
        told = {"problem": "import", "told": str(error)}
    except Exception as error:
        if not (code := getattr(error, "code", None)):  # what is no MlserverlessError is a fault of ours
            raise
        told = {"problem": code, "told": str(error)}
    os.write(2, ANSWERED.encode())
    import json

    with os.fdopen(out, "w") as stream:
        json.dump(told, stream)


def door(entry: str) -> tuple[Callable[[], None] | None, Callable[[str], Any], Callable[[], Any]]:
    """Import ``entry`` and return how it is warmed up (None: not), how it predicts a URL, and its predictor.

    An empty one is :class:`mlserverless.predictor.Predictor`; else it is an adapter's module.
    """
    if not entry:
        from mlserverless.predictor import Predictor

        predictor = Predictor()
        return None, predictor.predict, lambda: predictor
    from importlib import import_module  # which the engine imports as well

    module: Any = import_module(entry)
    from mlserverless.deadline import Deadline
    from mlserverless.types import Request

    service = module.service
    return module.warm_up, lambda url: service.predict(Request(url=url), Deadline()), lambda: service.predictor


def cold(entry: str, rest: list[str], first_line: float, started: float) -> dict[str, Any]:
    """Answer once, undisturbed. ``rest``: the URL, and what is written where once the init phase is over."""
    url, after_init = rest
    stages = [("interpreter start", first_line - started)]
    mark = first_line  # this module's own import is in it, too: what it imports, a function does as well
    warm_up, predict, _ = door(entry)
    mark = _add(stages, "import", mark)
    if warm_up is not None:
        warm_up()
        mark = _add(stages, "init: load, first run", mark)
    if after_init:  # the platform grants less CPU from now on
        path, _, value = after_init.rpartition("=")
        with open(path, "w") as file:
            file.write(value)
        mark = perf_counter()
    inside = predict(url).timings
    end = _add(stages, "first request", mark)
    return {"stages": _ms(stages), "total": 1000 * (end - started), "inside": inside}


def explain(entry: str, rest: list[str], first_line: float, started: float) -> dict[str, Any]:
    """Answer once, one thing after another, each part of the load timed. ``rest``: the URL."""
    stages, mark = [("interpreter start", first_line - started)], first_line
    import PIL.Image  # noqa: F401 - before ours, so that it has a line of its own

    mark = _add(stages, "import Pillow", mark)
    _, predict, predictor = door(entry)
    from mlserverless import engines, model

    parts: Stages = []
    chosen = engines.select

    def select(*given: Any) -> engines.Engine:
        found = chosen(*given)
        return found._replace(load=_timed(parts, "model: compile", found.load))

    mark = _add(stages, "import the function", mark)
    with suppress(ImportError):  # the first download imports it otherwise
        from mlserverless.net import client  # noqa: F401
    mark = _add(stages, "import http client", mark)
    engines.select = _timed(parts, "engine library", select)
    model.load = _timed(parts, "model: read, sha256", model.load)
    predictor().load()
    whole = perf_counter() - mark
    stages += [*parts, ("model: checks", max(0.0, whole - sum(seconds for _, seconds in parts)))]
    mark += whole
    timings = [(name, ms / 1000) for name, ms in predict(rest[0]).timings if name != "load"]
    end = perf_counter()
    stages += [*timings, ("rest of the request", max(0.0, end - mark - sum(s for _, s in timings)))]
    return {"stages": _ms(stages), "total": 1000 * (end - started)}


def warm(entry: str, rest: list[str], *_clocks: float) -> dict[str, Any]:
    """Ask for every URL many times, then with more and more threads. ``rest``: how often, how many, the URLs."""
    requests, most, urls = int(rest[0]), int(rest[1]), rest[2:]
    warm_up, predict, _ = door(entry)
    if warm_up is not None:
        warm_up()
    images = []
    for url in urls:
        for _ in range(FIRST_REQUESTS):
            predict(url)
        answers = []
        for _ in range(requests):
            mark = perf_counter()
            timings = predict(url).timings
            answers.append({"total": 1000 * (perf_counter() - mark), "stages": timings})
        images.append(answers)
    ways = [(threads, throughput(lambda: predict(urls[0]), threads, requests)) for threads in range(1, most + 1)]
    return {"images": images, "throughput": ways}


def throughput(ask: Callable[[], Any], threads: int, requests: int) -> float:
    """Return the answers a second of ``ask``, called ``requests`` times in all, by so many ``threads`` at once."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda _: ask(), range(2 * threads)))  # every thread's first, and every interpreter's
        mark = perf_counter()
        list(pool.map(lambda _: ask(), range(requests)))
        return requests / (perf_counter() - mark)


def used() -> dict[str, int]:
    """Return this process's peak of memory, and the modules that it has loaded: how many, and their bytes."""
    sizes = []
    for module in list(sys.modules.values()):
        for path in (getattr(module, "__cached__", None), getattr(module, "__file__", None)):
            if isinstance(path, str) and os.path.isfile(path):
                sizes.append(os.path.getsize(path))
                break
    return {"peak": peak(), "modules": len(sys.modules), "module_bytes": sum(sizes)}


def peak(status: str = "/proc/self/status") -> int:
    """Return the most memory in bytes that this program took since its ``exec``."""
    try:
        with open(status, encoding="ascii") as file:
            return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmHWM"))
    except (OSError, StopIteration):  # not Linux
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _add(stages: Stages, name: str, mark: float) -> float:
    now = perf_counter()
    stages.append((name, now - mark))
    return now


def _timed(stages: Stages, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    def call(*arguments: Any, **named: Any) -> Any:
        mark = perf_counter()
        try:
            return function(*arguments, **named)
        finally:
            _add(stages, name, mark)

    return call


def _ms(stages: Stages) -> Stages:
    return [(name, 1000 * seconds) for name, seconds in stages]


KINDS: dict[str, Callable[..., dict[str, Any]]] = {
    "cold": cold,
    "explain": explain,
    "warm": warm,
}
