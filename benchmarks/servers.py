"""Eight clients over HTTP on this machine's cores: ours as deployed, and the servers people choose instead.

Ours and another one run at the same time and are asked in turn; how long each takes to start is measured apart.
"""

import statistics
import sys
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from benchmarks import photos, venvs
from benchmarks.children import Failed, Ratio, ratio, summary
from benchmarks.serving import subjects, tree
from benchmarks.serving.ceiling import ceiling
from benchmarks.serving.server import Server, Subject
from benchmarks.serving.turn import CLIENTS, Turn, in_turn
from helpers.figures import Figure, Scale, skip

OURS, OURS_GOOGLE, LITSERVE = "mlserverless, gunicorn", "mlserverless, functions-framework", "LitServe, 2 workers"
WRITE_UP = "write-up, functions-framework"
ALL: dict[str, Callable[[], Subject]] = {
    OURS: subjects.container,
    OURS_GOOGLE: subjects.google,
    **subjects.PEERS,
}
LARGE, LARGE_CLASS = 12, "967"  # megapixels, as a phone sends them, and the photo's class


class Pair(NamedTuple):
    """Turns of ours and of another server; of both with large photos; answers a second without any server and its.

    The last two are of LitServe alone.
    """

    ours: list[Turn]
    theirs: list[Turn]
    large: tuple[list[Turn], list[Turn]] = ([], [])
    ceiling: tuple[list[float], list[float]] = ([], [])


class Found(NamedTuple):
    """All that was measured: pairs by the other server's name; starts in seconds and peak MiB by each one's.

    ``missing`` are those that cannot be had, ``failed`` those that were and failed, or beside which ours did.
    """

    pairs: dict[str, Pair]
    cold: dict[str, list[float]]
    memory: dict[str, float]
    missing: dict[str, str]
    failed: dict[str, str]

    def turns(self, name: str) -> list[Turn]:
        """Return all turns of the server ``name``."""
        own = [turn for rival, pair in self.pairs.items() if _against(rival) == name for turn in pair.ours]
        return own or self.pairs[name].theirs


def measure(scale: Scale) -> list[Figure]:
    """Return the figures of the servers."""
    usable, missing = _usable()
    if OURS not in usable or OURS_GOOGLE not in usable:
        return [Figure("our servers", "they answer", _reason(missing.get(OURS) or missing[OURS_GOOGLE]))]
    found = Found({}, {name: [] for name in usable}, {}, missing, {})
    for _ in range(scale.of(5, 1)):
        for name, subject in usable.items():
            with Server(subject) as server:
                found.cold[name].append(server.cold)
    for name in subjects.PEERS:
        if name in usable:
            try:
                _pair(found, usable, name, scale)
            except Failed as error:
                found.failed[name] = str(error)
    details = _details(found, {name: subject.note for name, subject in usable.items()})
    return [*_bars(found, details), *(_row(name, found) for name in subjects.PEERS)]


def _against(name: str) -> str:
    return OURS_GOOGLE if name == WRITE_UP else OURS


def _usable() -> tuple[dict[str, Subject], dict[str, str]]:
    # Each is started once before anything is timed, which writes its bytecode and fills the page cache.
    usable, missing = {}, {}
    for name, make in ALL.items():
        try:
            subject = make()
            with Server(subject):
                usable[name] = subject
        except (venvs.Unavailable, Failed) as error:
            missing[name] = str(error)
    return usable, missing


def _pair(found: Found, usable: Mapping[str, Subject], name: str, scale: Scale) -> None:
    mine = _against(name)
    with Server(usable[mine]) as ours, Server(usable[name]) as theirs:
        with tree.Watch(ours.pid) as own, tree.Watch(theirs.pid) as other:
            pair = Pair(*in_turn(ours, theirs, scale.of(16, 2), scale.of(2, 1)))
        if name == LITSERVE:
            wanted = {photos.photo(LARGE): LARGE_CLASS}
            pair = pair._replace(
                large=in_turn(ours, theirs, scale.of(8, 1), scale.of(3, 2), wanted),
                ceiling=ceiling(theirs, "litserve", scale.of(8, 1), scale.of(2, 1)),
            )
    found.pairs[name] = pair
    for each, watch in ((mine, own), (name, other)):
        found.memory[each] = max(found.memory.get(each, 0.0), *(mb for _, mb in watch.samples))
    print(f"  {name}: {_line(name, found)}", file=sys.stderr, flush=True)


def _details(found: Found, notes: Mapping[str, str]) -> dict[str, Any]:
    measured = {name: found.turns(name) for name in notes if name in found.memory}
    rows: dict[str, Any] = {
        column: {name: summary([getattr(each, column) for each in turns]) for name, turns in measured.items()}
        for column in ("throughput", "p50", "p95", "cpu_ms", "client_cpu", "others")
    }
    rows["memory_mb"] = {name: summary([found.memory[name]]) for name in measured}
    rows["cold"] = {name: summary(found.cold[name]) for name in measured}
    if LITSERVE in found.pairs:
        both = zip((OURS, LITSERVE), found.pairs[LITSERVE].large, strict=True)
        rows["large"] = {name: summary([turn.throughput for turn in turns]) for name, turns in both}
    for column in ("wrong", "errors"):
        rows[column] = {name: sum(getattr(each, column) for each in turns) for name, turns in measured.items()}
    rows["told"] = {name: told for name, turns in measured.items() if (told := turns[-1].told)}
    return {**rows, "notes": dict(notes), "missing": found.missing, "failed": found.failed, "clients": CLIENTS}


def _bars(found: Found, details: dict[str, Any]) -> list[Figure]:
    throughput = f"{CLIENTS} clients over HTTP, correct answers a second, against LitServe with 2 workers"
    memory = "the same, peak memory of all its processes"
    bars = throughput, "≥ 1.30 ×, 0 wrong, 0 errors"
    bars_memory, bars_large = (memory, "≤ 0.50 ×"), (f"the same, photos of {LARGE} MP, a second", "≥ 2 ×")
    if LITSERVE not in found.pairs:
        return [_unmeasured(LITSERVE, *bar, found) for bar in (bars, bars_memory, bars_large)]
    pair = found.pairs[LITSERVE]
    faster, cpu = (_ratio(pair.ours, pair.theirs, what) for what in ("throughput", "cpu_ms"))
    large = _ratio(*pair.large, "throughput")
    less = found.memory[OURS] / found.memory[LITSERVE]
    return [
        Figure(
            *bars,
            f"{faster} of {len(pair.ours)} pairs, {_median(pair.ours, 'throughput'):.0f} against "
            f"{_median(pair.theirs, 'throughput'):.0f} a second, CPU for one {cpu.median:.2f} ×, "
            f"{_bad(pair.ours)}{_busy(pair)}",
            faster.median >= 1.3 and not _count(found.turns(OURS)),
            details,
        ),
        Figure(
            *bars_memory,
            f"{less:.2f} ×, {found.memory[OURS]:.0f} against {found.memory[LITSERVE]:.0f} MiB",
            less <= 0.5,
        ),
        Figure(
            *bars_large,
            f"{large}, {_median(pair.large[0], 'throughput'):.1f} against "
            f"{_median(pair.large[1], 'throughput'):.1f} a second",
            large.median >= 2,
        ),
        Figure(
            "the same, two processes that decode, resize and invoke without any server, against LitServe",
            "shown: what no server can exceed",
            f"{ratio(*pair.ceiling)}",
            True,
        ),
    ]


def _row(name: str, found: Found) -> Figure:
    told = f"{_against(name)} against {name}: correct answers a second, CPU for one, start to first answer"
    bar = "> 1 ×, < 1 ×, < 1 ×"
    if name not in found.pairs:
        return _unmeasured(name, told, bar, found)
    pair = found.pairs[name]
    faster, cpu = (_ratio(pair.ours, pair.theirs, what) for what in ("throughput", "cpu_ms"))
    cold = statistics.median(found.cold[_against(name)]) / statistics.median(found.cold[name])
    held = faster.median > 1 and cpu.median < 1 and cold < 1 and not _count(pair.ours)
    measured = f"{faster.median:.2f} ×, {cpu.median:.2f} ×, {cold:.2f} ×; {_line(name, found)}"
    return Figure(told, bar, measured, held)


def _unmeasured(name: str, told: str, bar: str, found: Found) -> Figure:
    if error := found.failed.get(name):
        return Figure(told, bar, _reason(error))
    return skip(told, bar, _reason(found.missing[name]))


def _line(name: str, found: Found) -> str:
    turns = found.pairs[name].theirs
    return (
        f"it has {_median(turns, 'throughput'):.0f} a second, {_bad(turns)}, p95 {_median(turns, 'p95'):.0f} ms, "
        f"{_median(turns, 'cpu_ms'):.1f} ms of CPU, {found.memory[name]:.0f} MiB, "
        f"{statistics.median(found.cold[name]):.2f} s cold"
    )


def _ratio(ours: list[Turn], theirs: list[Turn], what: str) -> Ratio:
    return ratio([getattr(turn, what) for turn in ours], [getattr(turn, what) or float("inf") for turn in theirs])


def _median(turns: list[Turn], what: str) -> float:
    return float(statistics.median(getattr(each, what) for each in turns))


def _bad(turns: list[Turn]) -> str:
    return f"{sum(each.wrong for each in turns)} wrong, {sum(each.errors for each in turns):,} errors"


def _count(turns: list[Turn]) -> int:
    return sum(each.wrong + each.errors for each in turns)


def _reason(error: str) -> str:
    lines = error.strip().splitlines()
    return lines[0][:200] if len(lines) == 1 else f"{lines[0][:160]} … {lines[-1][:160]}"


def _busy(pair: Pair) -> str:
    others = statistics.median(each.others for each in (*pair.ours, *pair.theirs))
    return f" (other processes took {100 * others:.0f} % of the CPU meanwhile)" if others > 0.05 else ""
