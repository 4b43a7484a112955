"""The load curve of our two servers to saturation and past it, then ten minutes at 80 % of it.

Requests come at moments that chance sets, whether earlier ones are answered or not (benchmarks/serving/client.py
says why the client is our own); wrk, a closed loop, has a look at the point of saturation as well.
"""

import os
import statistics
import sys
from typing import Any

from benchmarks import venvs
from benchmarks.children import Failed
from benchmarks.serving import subjects, tree, wrk
from benchmarks.serving.server import Server, Subject
from helpers.figures import Figure, Scale

CLIENTS = 16
SHARES = (0.2, 0.4, 0.6, 0.8, 0.9, 1.0, 1.1)  # of the answers a second at saturation
STEADY = 0.8


def measure(scale: Scale) -> list[Figure]:
    """Return the figures of each server."""
    found = []
    for make in subjects.OURS:
        subject = make()
        try:
            found += _server(subject, scale)
        except Failed as error:
            found.append(Figure(f"load, {subject.name}", "it answers", str(error)[:300]))
    return found


def _server(subject: Subject, scale: Scale) -> list[Figure]:
    with Server(subject) as server:
        server.ask(scale.of(3, 1), clients=CLIENTS)
        full = _counted(server.ask(scale.of(8, 2), clients=CLIENTS))
        other = _by_wrk(server, scale.of(6, 2))
        rates = [share * full["achieved"] for share in SHARES]
        curve = [_counted(server.ask(scale.of(8, 2), rate=rate), rate) for rate in rates]
        print(f"  {subject.name}: saturated at {full['achieved']:.0f} a second", file=sys.stderr, flush=True)
        seconds, rate = scale.of(600, 10), STEADY * full["achieved"]
        cpu, machine = tree.cpu_seconds(server.pid), tree.machine_seconds()
        with tree.Watch(server.pid, scale.of(10, 1) / 10) as watch:
            steady = _counted(server.ask(seconds, rate=rate), rate)
        cpu, machine = tree.cpu_seconds(server.pid) - cpu, tree.machine_seconds() - machine
    others = max(0.0, machine - cpu - steady["client_seconds"]) / seconds / (os.cpu_count() or 1)
    steady |= {"cpu_ms": 1000 * cpu / max(1, steady["correct"]), "others": others}
    details = {
        "server": subject.name,
        "saturation": full,
        "wrk": other,
        "curve": curve,
        "steady": steady,
        "memory_mb": [(round(at, 1), round(mb, 1)) for at, mb in watch.samples],
    }
    return [_curve(subject.name, details), *_steady(subject.name, details, seconds)]


def _counted(found: dict[str, Any], rate: float = 0) -> dict[str, Any]:
    # One point: the rate offered (0 in the closed loop) and achieved, in correct answers a second.
    latencies = sorted(found["latencies"]) or [0.0]
    names = ("sent", "correct", "wrong", "errors", "lost", "reconnects", "told")
    return {
        "rate": rate,
        "achieved": found["correct"] / found["seconds"],
        **{
            f"p{share}": latencies[min(len(latencies) - 1, len(latencies) * share // 100)]
            for share in (50, 95, 99)
        },
        **{name: found[name] for name in names},
        "client_seconds": found["cpu"],
        "client_cpu": found["cpu"] / found["seconds"],
    }


def _by_wrk(server: Server, seconds: int) -> dict[str, Any]:
    try:
        return {"achieved": wrk.saturation(server, CLIENTS, seconds)}
    except venvs.Unavailable as error:
        return {"missing": str(error)}
    except Failed as error:
        return {"failed": str(error)[:300]}


def _curve(name: str, details: dict[str, Any]) -> Figure:
    points = [details["saturation"], *details["curve"]]
    bad = {what: sum(point[what] for point in points) for what in ("wrong", "errors", "lost")}
    at = {round(point["rate"] / details["saturation"]["achieved"], 1): point for point in details["curve"]}
    other = details["wrk"]
    checked = f"{other['achieved']:.0f} by wrk" if "achieved" in other else " ".join(other.values())
    return Figure(
        f"load from 20 to 110 % of saturation, {name}",
        "0 wrong, 0 lost, 0 5xx",
        f"{details['saturation']['achieved']:.0f} a second at saturation ({checked}); p50 and p99 "
        f"{_tails(at[0.4])} at 40 %, {_tails(at[0.8])} at 80 %; {bad['wrong']} wrong, {bad['lost']} lost, "
        f"{bad['errors']} errors",
        not any(bad.values()) and "failed" not in other,
        details,
    )


def _tails(point: dict[str, Any]) -> str:
    return f"{point['p50']:.0f} and {point['p99']:.0f} ms"


def _steady(name: str, details: dict[str, Any], seconds: int) -> list[Figure]:
    steady, samples = details["steady"], details["memory_mb"]
    told = f"{seconds // 60} minutes" if seconds >= 120 else f"{seconds} s"
    bad = [steady[what] for what in ("wrong", "errors", "lost")]
    # Of ten minutes the second and the last; of less the second and the last tenth.
    part = seconds / 10
    early = statistics.median(mb for at, mb in samples if part <= at < 2 * part)
    late = statistics.median(mb for at, mb in samples if at >= samples[-1][0] - part)
    growth = late / early - 1
    return [
        Figure(
            f"{told} at 80 % of saturation, {name}",
            "0 wrong, 0 lost, 0 5xx",
            f"{steady['sent']:,} requests at {steady['rate']:.0f} a second: {steady['wrong']} wrong, "
            f"{steady['lost']} lost, {steady['errors']} errors; p50 and p99 {_tails(steady)}; "
            f"{steady['cpu_ms']:.1f} ms of CPU for one, the client's {100 * steady['client_cpu']:.0f} % of a core",
            not any(bad) and steady["sent"] == steady["correct"],
        ),
        Figure(
            "the same, memory of all its processes, median of the last tenth against the second",
            "< 5 % growth",
            f"{100 * growth:+.1f} %, {early:.1f} to {late:.1f} MiB",
            growth < 0.05,
        ),
    ]
