"""One server's turn: started, asked by eight clients, watched, ended."""

import os
import statistics
from typing import NamedTuple

from benchmarks import photos
from benchmarks.children import Failed
from benchmarks.serving import tree
from benchmarks.serving.server import Server, Subject

CLIENTS = 8
LARGE, LARGE_CLASS = 12, "967"  # megapixels, as a phone sends them, and the photo's class


class Turn(NamedTuple):
    """One server, started once and asked for some seconds.

    ``throughput`` is of correct answers, ``large`` the same of photos of 12 MP (0 where they were not sent),
    ``cpu_ms`` the CPU of all its processes for one of them; ``cold`` are the seconds of its starts to a first
    right answer, ``others`` the share of the machine that other processes than it and the client took.
    """

    throughput: float
    large: float
    wrong: int
    errors: int
    p50: float
    p95: float
    cpu_ms: float
    memory_mb: float
    cold: list[float]
    client_cpu: float
    others: float
    told: dict[str, int]


def turn(subject: Subject, seconds: float, *, large: bool) -> Turn:
    """Start ``subject`` twice, and ask it for ``seconds``, and again with large photos if that is wanted.

    Raises Failed where it does not start, or does not answer all of the large ones rightly.
    """
    with Server(subject) as started:
        cold = [started.cold]
    with Server(subject) as server:
        cold.append(server.cold)
        server.ask(min(2.0, seconds / 2), clients=CLIENTS)
        cpu, machine = tree.cpu_seconds(server.pid), tree.machine_seconds()
        with tree.Watch(server.pid) as watch:
            found = server.ask(seconds, clients=CLIENTS)
        cpu, machine = tree.cpu_seconds(server.pid) - cpu, tree.machine_seconds() - machine
        memory = max(mb for _, mb in watch.samples)
        large_ones = _large(server, seconds / 2) if large else 0.0
    latencies = sorted(found["latencies"]) or [0.0]
    return Turn(
        throughput=found["correct"] / found["seconds"],
        large=large_ones,
        wrong=found["wrong"],
        errors=found["errors"] + found["lost"],
        p50=statistics.median(latencies),
        p95=latencies[int(0.95 * len(latencies))],
        cpu_ms=1000 * cpu / max(1, found["correct"]),
        memory_mb=memory,
        cold=cold,
        client_cpu=found["cpu"] / found["seconds"],
        others=max(0.0, machine - cpu - found["cpu"]) / found["seconds"] / (os.cpu_count() or 1),
        told=found["told"],
    )


def _large(server: Server, seconds: float) -> float:
    wanted = {photos.photo(LARGE): LARGE_CLASS}
    server.ask(seconds / 4, clients=CLIENTS, wanted=wanted)
    found = server.ask(seconds, clients=CLIENTS, wanted=wanted)
    if found["correct"] < found["sent"]:
        bad = found["sent"] - found["correct"]
        raise Failed(f"{server.subject.name} failed {bad} of {found['sent']} large photos: {found['told']}")
    return float(found["correct"] / found["seconds"])
