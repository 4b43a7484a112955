"""Two servers that run side by side and are asked in turn, by eight clients, for a second or two each."""

import os
import statistics
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from benchmarks.children import Failed
from benchmarks.serving import tree
from benchmarks.serving.server import WANTED, Server

CLIENTS = 8


class Turn(NamedTuple):
    """What a server did while it was asked: ``throughput`` in correct answers a second, latencies in milliseconds.

    ``cpu_ms`` is the CPU of all its processes for one answer, ``client_cpu`` the client's share of a core,
    ``others`` the share of the machine that other processes than these two took.
    """

    throughput: float
    wrong: int
    errors: int
    p50: float
    p95: float
    cpu_ms: float
    client_cpu: float
    others: float
    told: dict[str, int]


def turn(server: Server, seconds: float, wanted: Mapping[Path, str] = WANTED) -> Turn:
    """Ask ``server`` for ``seconds``."""
    cpu, machine = tree.cpu_seconds(server.pid), tree.machine_seconds()
    found = server.ask(seconds, clients=CLIENTS, wanted=wanted)
    cpu, machine = tree.cpu_seconds(server.pid) - cpu, tree.machine_seconds() - machine
    latencies = sorted(found["latencies"]) or [0.0]
    return Turn(
        throughput=found["correct"] / found["seconds"],
        wrong=found["wrong"],
        errors=found["errors"] + found["lost"],
        p50=statistics.median(latencies),
        p95=latencies[int(0.95 * len(latencies))],
        cpu_ms=1000 * cpu / max(1, found["correct"]),
        client_cpu=found["cpu"] / found["seconds"],
        others=max(0.0, machine - cpu - found["cpu"]) / found["seconds"] / (os.cpu_count() or 1),
        told=found["told"],
    )


def in_turn(
    ours: Server, theirs: Server, turns: int, seconds: float, wanted: Mapping[Path, str] = WANTED
) -> tuple[list[Turn], list[Turn]]:
    """Return ``turns`` of each, A B B A A B …: the machine's speed drifts within seconds.

    Each has been asked before, and does nothing while the other is. Raises Failed where one that is sent other
    photos than the bundled ones does not answer all of them rightly.
    """
    found: tuple[list[Turn], list[Turn]] = [], []
    for server in (ours, theirs):
        server.ask(min(2.0, seconds), clients=CLIENTS, wanted=wanted)
    for number in range(turns):
        for which in (0, 1) if number % 2 else (1, 0):
            server = (ours, theirs)[which]
            found[which].append(one := turn(server, seconds, wanted))
            if wanted is not WANTED and (one.wrong or one.errors):
                raise Failed(f"{server.subject.name}: {one.wrong} wrong, {one.errors} errors {one.told}")
    return found
