"""Small files that would become large: each is refused before it does, or decoded in little."""

import time
from typing import NamedTuple

from helpers.figures import Figure, Scale
from mlserverless.formats import PLUGINS
from security import bombshapes
from security.memory import MB, unmeasurable
from security.worker import Outcome, Worker

BAR = "refused ≤ 50 ms, ≤ 32 MB above baseline"
SECONDS, BYTES = 0.05, 32 * MB
TIMES = 3  # the best of: a busy machine is not the bomb's doing
AGAIN, PAUSE_S = 6, 5.0  # at most, and between: a shared machine has slow minutes
FORMATS = tuple(PLUGINS)


class Result(NamedTuple):
    """A bomb and what became of it."""

    name: str
    wanted: str
    size: int
    outcome: Outcome

    @property
    def wrong(self) -> str:
        """What is not as it should be, or ""."""
        said, seconds, taken = self.outcome
        found = [f"{said}, not {self.wanted}"] if said != self.wanted else []
        found += [f"{seconds * 1000:.0f} ms"] if seconds > SECONDS else []
        found += [f"{taken / MB:.0f} MB"] if taken > BYTES else []
        return ", ".join(found)


def measure(scale: Scale) -> list[Figure]:
    """Measure the one figure; the shortened form leaves nothing out."""
    worker = Worker("ignore")
    results = []
    for name, wanted, data in bombshapes.bombs():
        outcome = worker.prepare(data, FORMATS, TIMES)
        for _ in range(AGAIN):
            if outcome.seconds <= SECONDS:
                break
            worker.close()
            time.sleep(PAUSE_S)
            worker = Worker("ignore")
            again = worker.prepare(data, FORMATS, TIMES)
            outcome = again._replace(
                seconds=min(outcome.seconds, again.seconds), bytes=max(outcome.bytes, again.bytes)
            )
        results.append(Result(name, wanted, len(data), outcome))
    worker.close()
    wrong = {result.name: result.wrong for result in results if result.wrong}
    slowest = max(results, key=lambda result: result.outcome.seconds)
    fattest = max(results, key=lambda result: result.outcome.bytes)
    reason = unmeasurable()
    memory = (
        f"memory not measured: {reason}" if reason else f"{fattest.outcome.bytes / MB:.1f} MB ({fattest.name})"
    )
    measured = (
        f"{len(results) - len(wrong)} of {len(results)}; at most {slowest.outcome.seconds * 1000:.0f} ms, {memory}"
    )
    details = {
        "wrong": wrong,
        "slowest": slowest.name,
        "bombs": {
            name: f"{size:,} bytes: {said} in {seconds * 1000:.1f} ms, {taken / MB:.1f} MB"
            for name, _, size, (said, seconds, taken) in results
        },
    }
    formats = len({name.split()[0] for name, *_ in results})
    return [Figure(f"bombs, {formats} formats, {len(results)} shapes", BAR, measured, not wrong, details)]
