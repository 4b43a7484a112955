"""Eight clients over HTTP on this machine's cores: ours as deployed, and the servers people choose instead."""

import statistics
import sys
from collections.abc import Callable, Mapping
from typing import Any

from benchmarks import venvs
from benchmarks.children import Failed, ratio, summary
from benchmarks.serving import subjects
from benchmarks.serving.server import Server, Subject
from benchmarks.serving.turn import CLIENTS, LARGE, Turn, turn
from helpers.figures import Figure, Scale, skip

OURS, OURS_GOOGLE, LITSERVE = "mlserverless, gunicorn", "mlserverless, functions-framework", "LitServe, 2 workers"
WRITE_UP = "write-up, functions-framework"
ALL: dict[str, Callable[[], Subject]] = {
    OURS: subjects.container,
    OURS_GOOGLE: subjects.google,
    **subjects.PEERS,
}


def measure(scale: Scale) -> list[Figure]:
    """Return the figures of the servers."""
    usable, missing = _usable()
    found: dict[str, list[Turn]] = {name: [] for name in usable}
    for _ in range(scale.of(3, 1)):
        for name in list(found):
            try:
                found[name].append(turn(usable[name], scale.of(12, 3), large=name in (OURS, LITSERVE)))
            except Failed as error:
                missing[name] = str(error)
                del found[name]
            else:
                print(f"  {name}: {_line(found[name][-1:])}", file=sys.stderr, flush=True)
    if OURS not in found or OURS_GOOGLE not in found:
        return [Figure("our servers", "they answer", _reason(missing.get(OURS) or missing[OURS_GOOGLE]))]
    notes = {name: subject.note for name, subject in usable.items()}
    details = {**_details(found), "notes": notes, "missing": missing, "clients": CLIENTS}
    peers = [_against(name, found, missing) for name in subjects.PEERS]
    return [*_bars(found, missing, details), *peers]


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


def _details(found: Mapping[str, list[Turn]]) -> dict[str, Any]:
    columns = ("throughput", "p50", "p95", "cpu_ms", "memory_mb", "client_cpu", "others")
    rows: dict[str, Any] = {
        column: {name: summary([getattr(each, column) for each in turns]) for name, turns in found.items()}
        for column in columns
    }
    rows["cold"] = {name: summary(_colds(turns)) for name, turns in found.items()}
    rows["large"] = {
        name: summary([each.large for each in found[name]]) for name in (OURS, LITSERVE) if name in found
    }
    for column in ("wrong", "errors"):
        rows[column] = {name: sum(getattr(each, column) for each in turns) for name, turns in found.items()}
    rows["told"] = {name: turns[-1].told for name, turns in found.items() if turns[-1].told}
    return rows


def _bars(found: Mapping[str, list[Turn]], missing: Mapping[str, str], details: dict[str, Any]) -> list[Figure]:
    throughput = f"{CLIENTS} clients over HTTP, correct answers a second, against LitServe with 2 workers"
    memory = "the same, peak memory of all its processes"
    bars = throughput, "≥ 1.30 ×, 0 wrong, 0 errors"
    bars_memory, bars_large = (memory, "≤ 0.50 ×"), (f"the same, photos of {LARGE} MP, a second", "≥ 2 ×")
    ours = found[OURS]
    if LITSERVE not in found:
        return [skip(name, bar, _reason(missing[LITSERVE])) for name, bar in (bars, bars_memory, bars_large)]
    faster, less, large = (_ratio(found, OURS, LITSERVE, what) for what in ("throughput", "memory_mb", "large"))
    return [
        Figure(
            *bars,
            f"{faster}, {_median(ours, 'throughput'):.0f} against {_median(found[LITSERVE], 'throughput'):.0f} "
            f"a second, {_bad(ours)}{_busy(found)}",
            faster.median >= 1.3 and not _count(ours),
            details,
        ),
        Figure(
            *bars_memory,
            f"{less}, {_median(ours, 'memory_mb'):.0f} against {_median(found[LITSERVE], 'memory_mb'):.0f} MiB",
            less.median <= 0.5,
        ),
        Figure(
            *bars_large,
            f"{large}, {_median(ours, 'large'):.1f} against {_median(found[LITSERVE], 'large'):.1f} a second",
            large.median >= 2,
        ),
    ]


def _against(name: str, found: Mapping[str, list[Turn]], missing: Mapping[str, str]) -> Figure:
    ours = OURS_GOOGLE if name == WRITE_UP else OURS
    told = f"{ours} against {name}: correct answers a second, CPU for one, start to first answer"
    bar = "> 1 ×, < 1 ×, < 1 ×"
    if name not in found:
        return skip(told, bar, _reason(missing[name]))
    faster, cpu = _ratio(found, ours, name, "throughput"), _ratio(found, ours, name, "cpu_ms")
    cold = statistics.median(_colds(found[ours])) / statistics.median(_colds(found[name]))
    held = faster.median > 1 and cpu.median < 1 and cold < 1 and not _count(found[ours])
    measured = f"{faster.median:.2f} ×, {cpu.median:.2f} ×, {cold:.2f} ×; {_line(found[name])}"
    return Figure(told, bar, measured, held)


def _line(turns: list[Turn]) -> str:
    cold = statistics.median(_colds(turns))
    return (
        f"it has {_median(turns, 'throughput'):.0f} a second, {_bad(turns)}, p95 {_median(turns, 'p95'):.0f} ms, "
        f"{_median(turns, 'cpu_ms'):.1f} ms of CPU, {_median(turns, 'memory_mb'):.0f} MiB, {cold:.2f} s cold"
    )


def _ratio(found: Mapping[str, list[Turn]], ours: str, theirs: str, what: str) -> Any:
    pairs = zip(found[ours], found[theirs], strict=False)
    both = [(getattr(a, what), getattr(b, what) or float("inf")) for a, b in pairs]
    return ratio([a for a, _ in both], [b for _, b in both])


def _median(turns: list[Turn], what: str) -> float:
    return float(statistics.median(getattr(each, what) for each in turns))


def _colds(turns: list[Turn]) -> list[float]:
    return [seconds for each in turns for seconds in each.cold]


def _bad(turns: list[Turn]) -> str:
    return f"{sum(each.wrong for each in turns)} wrong, {sum(each.errors for each in turns):,} errors"


def _count(turns: list[Turn]) -> int:
    return sum(each.wrong + each.errors for each in turns)


def _reason(error: str) -> str:
    lines = error.strip().splitlines()
    return lines[0][:200] if len(lines) == 1 else f"{lines[0][:160]} … {lines[-1][:160]}"


def _busy(found: Mapping[str, list[Turn]]) -> str:
    others = max(each.others for turns in found.values() for each in turns)
    return f" (other processes took up to {100 * others:.0f} % of the CPU meanwhile)" if others > 0.05 else ""
