"""kill -9 of the runtimes at random moments: does every event have its result, and no more than one?

Events are uploaded objects that a queue tells of. While the platform's stand-in delivers them to the real runtime,
the runtime's process is killed; what was not acknowledged is delivered again. In the end every event must have one
result, and no result may have been written a second time.
"""

import io
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random
from threading import Event, Lock, Thread
from typing import Any

from PIL import Image

from delivery import pollers
from helpers.figures import Figure, Scale, skip
from mlserverless.local import aws, azure, gcp
from real import stores
from real.queues import Delivery
from security.started import printed

NAME = "kill -9 at random moments, real runtimes and stores"
LONGEST_PAUSE_S = 0.4
STOCK, BATCH = 20, 10  # events that are published when none is due; messages of a batch, at most
KILLS_S, DRAIN_S = 100.0, 20.0  # a cloud's, at most: six minutes in all
CLOUDS: tuple[tuple[type[pollers.Cloud], int, int, Callable[[], str | None]], ...] = (
    (pollers.Lambda, 120, 12, aws.available),
    (pollers.Azure, 50, 4, lambda: azure.available() or stores.npm_missing()),
    (pollers.Google, 50, 4, gcp.available),
)


def measure(scale: Scale) -> list[Figure]:
    """Return the sum, and a figure for each cloud."""
    figures: list[Figure] = []
    told: list[dict[str, Any]] = []
    least = sum(scale.of(whole, short) for _, whole, short, _ in CLOUDS)
    bar = f"≥ {min(least, 200)} kills, 0 lost, 0 duplicate results"
    for seed, (cloud, whole, short, missing) in enumerate(CLOUDS):
        wanted = scale.of(whole, short)
        name, own = f"{NAME}, {cloud.name}", f"≥ {wanted} kills, 0 lost, 0 duplicate results"
        if (reason := missing()) is not None:
            figures.append(skip(name, own, reason))
            continue
        with tempfile.TemporaryDirectory() as folder, printed():  # the runtimes tell of every start
            found = _Kills(cloud(Path(folder)), Random(seed)).run(wanted)
        told.append(found)
        figures.append(Figure(name, own, _line(found), _held(found, wanted), found))
    if len(told) < len(CLOUDS):
        return [*figures, skip(NAME, bar, "a cloud's runtime or store is not here: see its own figure")]
    numbers = ("kills", "events", "lost", "duplicates", "wrong")
    total = {number: sum(found[number] for found in told) for number in numbers}
    total["moments"] = dict(sum((Counter(found["moments"]) for found in told), Counter()))
    return [Figure(NAME, bar, _line(total), _held(total, min(least, 200)), total), *figures]


def _held(found: dict[str, Any], wanted: int) -> bool:
    return found["kills"] >= wanted and not any(found[name] for name in ("lost", "duplicates", "wrong"))


def _line(found: dict[str, Any]) -> str:
    moments = ", ".join(f"{number} {moment}" for moment, number in sorted(found["moments"].items()))
    wrong = f", {found['wrong']} problems" if found["wrong"] else ""
    told = f"{found['kills']} kills: {found['lost']} lost, {found['duplicates']} duplicates{wrong}"
    return f"{told} of {found['events']} events ({moments})"


def _moment(written: int, struck: int) -> str:
    """Say where a kill fell, by how many of the events it struck had their results by then."""
    if not written:
        return "before any was written"
    return "between write and acknowledgement" if written == struck else "in the middle"


def _image() -> bytes:
    image = Image.radial_gradient("L").resize((224, 224)).convert("RGB")
    out = io.BytesIO()
    image.save(out, "JPEG")
    return out.getvalue()


class _Kills:
    def __init__(self, cloud: pollers.Cloud, chance: Random) -> None:
        self._cloud, self._chance, self._image = cloud, chance, _image()
        self._events: set[str] = set()
        self._lock = Lock()
        self._under_way = 0
        self._rounds = 0
        self._struck: list[tuple[int, list[str]]] = []  # which round's kill left what unacknowledged
        self._failures: list[str] = []
        self._first: dict[str, tuple[int, list[str]]] = {}  # a result: the round it was first seen in, and as
        self._written_again: set[str] = set()

    def run(self, wanted: int) -> dict[str, Any]:
        """Kill the runtime ``wanted`` times, deliver what is left, and return what became of the events."""
        began = time.monotonic()
        try:
            while len(self._struck) < wanted and time.monotonic() - began < KILLS_S:
                self._round()
            killing = time.monotonic() - began
            left = self._drain()
            return {
                **self._result(),
                "undelivered": left,
                "seconds killing": round(killing, 1),
                "seconds": round(time.monotonic() - began, 1),
            }
        finally:
            self._cloud.close()

    def _round(self) -> None:
        """Deliver, kill after a random pause, and see what was written."""
        self._cloud.start()
        self._rounds += 1
        stop, struck = Event(), list[str]()
        batch = self._chance.randint(1, BATCH)
        threads = [Thread(target=self._deliver, args=(stop, struck, batch)) for _ in range(self._cloud.at_once)]
        for thread in threads:
            thread.start()
        time.sleep(self._chance.uniform(0, LONGEST_PAUSE_S))
        end = time.monotonic() + pollers.FIND_S
        while not self._under_way and time.monotonic() < end:
            time.sleep(self._chance.uniform(0, 0.01))
        stop.set()
        killed = self._cloud.kill()
        for thread in threads:
            thread.join()
        self._cloud.stopped()
        if killed and struck:  # else it fell between two invocations, which is not counted
            self._struck.append((self._rounds, struck))
        self._look()

    def _deliver(self, stop: Event, struck: list[str], batch: int) -> None:
        while not stop.is_set():
            try:
                if (delivery := self._one(batch)) is None:
                    self._publish()
                    continue
            except Exception as error:  # noqa: BLE001 - told in the figure's details; the kills come up short
                self._failures.append(repr(error))
                return
            if not delivery.failed:
                continue
            if not stop.is_set():
                self._failures.append(str(delivery.answer))
            elif not isinstance(delivery.answer, ConnectionRefusedError):  # else it came after the kill
                struck += [self._cloud.source(text) for text in delivery.texts]

    def _one(self, batch: int) -> Delivery | None:
        with self._lock:
            self._under_way += 1
        try:
            return self._cloud.deliver(batch)
        finally:
            with self._lock:
                self._under_way -= 1

    def _publish(self) -> None:
        with self._lock:
            names = [f"photo {len(self._events) + number}.jpg" for number in range(STOCK)]
            self._events |= {self._cloud.publish(name, self._image) for name in names}

    def _look(self) -> None:
        for name, marks in self._cloud.store.versions("results").items():
            _, before = self._first.setdefault(name, (self._rounds, marks))
            if marks != before or len(marks) > 1:
                self._written_again.add(name)

    def _drain(self) -> int:
        self._cloud.start()
        end = time.monotonic() + DRAIN_S
        while (left := self._cloud.left()) and time.monotonic() < end:
            if self._one(BATCH) is None:
                time.sleep(0.05)
        self._look()
        return left

    def _result(self) -> dict[str, Any]:
        records = self._cloud.store.records("results")
        results = Counter(record["source"] for record in records.values())
        seen = {record["source"]: self._first[name][0] for name, record in records.items() if name in self._first}
        moments: Counter[str] = Counter()
        for number, struck in self._struck:
            written = sum(seen.get(source, number + 1) <= number for source in struck)
            moments[_moment(written, len(struck))] += 1
        return {
            "cloud": self._cloud.name,
            "kills": len(self._struck),
            "events": len(self._events),
            "lost": len(self._events - set(results)),
            "duplicates": sum(number - 1 for number in results.values()) + len(self._written_again),
            "wrong": sum("predictions" not in record for record in records.values()),
            "moments": dict(moments),
            "not of ours": sorted(set(results) - self._events),
            "failures between": self._failures[:20],
        }
