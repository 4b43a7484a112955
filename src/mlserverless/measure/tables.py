"""What was measured, on a terminal."""

from collections.abc import Iterator, Sequence
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from mlserverless.measure.cold import Cold
from mlserverless.measure.report import Report
from mlserverless.measure.spread import Spread, Stage
from mlserverless.measure.sweep import Row, Sweep
from mlserverless.measure.warm import Warm

WIDTH = 18  # letters of a bar
STYLE = "cyan"


def render(report: Report) -> Any:
    """Return what :class:`rich.console.Console` prints of the ``report``."""
    machine = report.machine
    where = f"{machine.system}, {machine.cores} cores, Python {machine.python}"
    parts: list[Any] = [Text(f"{report.model} through {report.entry}; {where}", style="bold")]
    parts += [Text(note, style="yellow") for note in report.notes]
    if report.cold:
        parts += _cold(report.cold, report.image)
    if report.warm:
        parts += _warm(report.warm)
    if report.sweep:
        parts += _sweep(report.sweep)
    return Group(*parts)


def milliseconds(value: float) -> str:
    """Return milliseconds with as many digits as tell something."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 0.05 else "0"


def megabytes(size: float) -> str:
    """Return bytes as megabytes (10⁶ bytes)."""
    return f"{size / 1e6:.1f} MB"


def _range(ms: Spread) -> str:
    return f"{milliseconds(ms.low)}–{milliseconds(ms.high)}"


def _steps(title: str, parts: Sequence[Stage], whole: Spread, last: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for name in ("stage", "median ms", "p95", "", "share", "least–most"):
        table.add_column(name, justify="left" if name in ("stage", "") else "right", no_wrap=True)
    end = max(whole.median, sum(part.ms.median for part in parts)) or 1.0
    for part, begin in _placed(parts):
        ms = part.ms
        drawn = Text(bar(begin / end, ms.median / end), style=STYLE)
        share = f"{100 * ms.median / end:.0f} %"
        table.add_row(part.name, milliseconds(ms.median), milliseconds(ms.p95), drawn, share, _range(ms))
    table.add_row(last, milliseconds(whole.median), milliseconds(whole.p95), "", "", _range(whole), style="bold")
    return table


def bar(begin: float, share: float) -> str:
    """Return a bar as long as ``share`` (0 to 1) of the longest, which begins at ``begin`` (0 to 1) of it."""
    whole, eighths = divmod(max(1, round(share * WIDTH * 8)), 8)
    drawn = "█" * whole + " ▏▎▍▌▋▊▉"[eighths].strip()
    return " " * min(round(begin * WIDTH), WIDTH - len(drawn)) + drawn


def _placed(parts: Sequence[Stage]) -> Iterator[tuple[Stage, float]]:
    begin = 0.0
    for part in parts:
        yield part, begin
        begin += part.ms.median


def _cold(cold: Cold, image: str) -> list[Any]:
    title = f"\nCold start, {cold.total.runs} fresh processes, {image}"
    alone = _steps(title, cold.phases, cold.total, "to the first answer")
    apart = _steps("\nWhat it is made of, one thing after another", cold.stages, cold.sequence, "in sequence")
    told = (
        f"{cold.at_once}; CPU {cold.cpu.median:.0f} ms; "
        f"peak memory {megabytes(cold.peak.high)}; {cold.modules} modules, {megabytes(cold.module_bytes)}"
    )
    imports = Table(
        title="\nThe dearest imports", title_justify="left", title_style="bold", box=None, pad_edge=False
    )
    for name in ("module", "own ms", "with what it imports"):
        imports.add_column(name, justify="left" if name == "module" else "right")
    for one in cold.imports:
        imports.add_row(one.module, f"{one.own_ms:.1f}", f"{one.whole_ms:.1f}")
    return [alone, apart, Text(told), imports]


def _warm(warm: Warm) -> list[Any]:
    parts: list[Any] = []
    for image in warm.images:
        title = f"\nWarm, {image.total.runs} requests, {image.image} ({megabytes(image.size)})"
        parts.append(_steps(title, image.stages, image.total, "whole request"))
    rates = ", ".join(f"{rate:.0f} with {n} thread{'s' if n > 1 else ''}" for n, rate in warm.throughput)
    parts.append(Text(f"answers a second, first image: {rates}; peak memory {megabytes(warm.peak)}"))
    return parts


def _sweep(sweep: Sweep) -> list[Any]:
    table = Table(title=f"\nMemory sweep, {sweep.provider}", title_justify="left", title_style="bold")
    unit = f"{sweep.prices.currency}/10⁶"
    for name in ("memory", "vCPU", "cold ms", "warm ms", "p95", unit, "peak", ""):
        table.add_column(name, justify="right")
    for index, row in enumerate(sweep.rows):
        best = index == sweep.best
        table.add_row(*_row(row, index in sweep.front, best), style="bold green" if best else "")
    prices = sweep.prices
    source = f"Prices: {prices.source}, {prices.region}, {prices.checked}. Free tiers and cold starts not counted."
    return [table, *map(Text, sweep.notes), Text(source), Text(sweep.advice, style="bold")]


def _row(row: Row, front: bool, best: bool) -> list[str]:
    named = [f"{row.size.mb:,} MB", f"{row.size.vcpu:.2f}"]
    if row.cold is None or row.warm is None:
        return [*named, "", "", "", "", "", row.told]
    mark = "advised" if best else "" if front else "not worth it"
    times = [milliseconds(value) for value in (row.cold.median, row.warm.median, row.warm.p95)]
    return [*named, *times, f"{row.million:.2f}", megabytes(row.peak), mark]
