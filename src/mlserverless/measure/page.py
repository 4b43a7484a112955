"""The report as one HTML page: no script, nothing from elsewhere, a table beside every plot."""

from collections.abc import Iterable, Sequence
from html import escape

import mlserverless
from mlserverless.measure import plots
from mlserverless.measure.cold import Cold
from mlserverless.measure.report import Report
from mlserverless.measure.spread import Spread, Stage
from mlserverless.measure.svg import COLOURS, CSS, tag
from mlserverless.measure.sweep import Sweep
from mlserverless.measure.tables import megabytes, milliseconds
from mlserverless.measure.warm import Warm

STYLE = f"""{COLOURS}
body {{ background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto;
  max-width: 52rem; padding: 0 1rem; }}
h1 {{ font-size: 1.6rem; }} h2 {{ font-size: 1.25rem; margin-top: 2.5rem; }} h3 {{ font-size: 1rem; }}
table {{ border-collapse: collapse; font-size: .875rem; margin: .75rem 0; width: 100%; }}
caption {{ color: var(--muted); text-align: left; }}
th, td {{ border-bottom: 1px solid var(--line); padding: .2rem .5rem; text-align: right; }}
th:first-child, td:first-child {{ text-align: left; }}
.told {{ color: var(--muted); }} .good {{ color: var(--good); }} .bad {{ color: var(--bad); }}
figure {{ margin: 0; overflow-x: auto; }} figure svg {{ min-width: 34rem; }}
tr.best td {{ color: var(--good); font-weight: bold; }}
{CSS}"""
HOW = (
    "Every cold start is a process of its own, timed from its exec on one clock; two more came before and are not "
    "counted. The image is served over http by another process of this machine, so what its network would take is "
    "not in it; nor is what a provider does before it starts Python. The stages are of other processes, which did "
    "one thing after another. Memory is the kernel's peak of resident memory."
)


def render(report: Report) -> str:
    """Return the page."""
    machine = report.machine
    title = f"{report.model}: what it takes"
    versions = f"Python {machine.python}, mlserverless {mlserverless.__version__}"
    where = f"{machine.system}, {machine.cores} cores, {versions}"
    parts = [tag("h1", escape(title)), tag("p", escape(f"Through {report.entry}. {where}."), class_="told")]
    parts += [tag("p", escape(note), class_="bad") for note in report.notes]
    if report.verdict:
        parts.append(tag("p", escape(report.verdict.told), class_="good" if report.verdict.kept else "bad"))
    if report.cold:
        parts += _cold(report.cold, report.image, report.verdict.budget if report.verdict else 0.0)
    if report.warm:
        parts += _warm(report.warm)
    if report.sweep:
        parts += _sweep(report.sweep)
    parts += [tag("h2", "How it was measured"), tag("p", HOW)]
    head = tag("title", escape(title)) + f"<style>{STYLE}</style>"
    view = '<meta name="viewport" content="width=device-width, initial-scale=1">'
    top = f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">{view}{head}</head>\n'
    return top + tag("body", tag("main", "\n".join(parts))) + "\n</html>\n"


def _cold(cold: Cold, image: str, limit: float) -> list[str]:
    total = f"{cold.total.median:.0f} ms from process start to the first answer (median); {cold.at_once}."
    facts = (
        f"CPU {cold.cpu.median:.0f} ms; peak memory {megabytes(cold.peak.high)}; {cold.modules} modules, "
        f"{megabytes(cold.module_bytes)}."
    )
    runs = f"Every cold start, {image}"
    return [
        tag("h2", "Cold start"),
        tag("p", tag("strong", escape(total))),
        tag("figure", plots.strip("runs", runs, cold.totals, limit)),
        _steps(f"{cold.total.runs} processes, left alone", cold.phases, ("to the first answer", cold.total)),
        tag("h3", "What it is made of"),
        tag("figure", plots.waterfall("waterfall", "Cold start, one thing after another", cold.stages)),
        _steps("The same work in sequence", cold.stages, ("in sequence", cold.sequence)),
        _steps("The first request as the predictor tells it; parts may overlap", cold.inside),
        tag("p", escape(facts)),
        _table(
            "The dearest imports, as -X importtime tells (which makes them slower)",
            ("module", "own ms", "with what it imports, ms"),
            [(one.module, f"{one.own_ms:.1f}", f"{one.whole_ms:.1f}") for one in cold.imports],
        ),
    ]


def _warm(warm: Warm) -> list[str]:
    parts = [tag("h2", "Warm requests")]
    for index, image in enumerate(warm.images):
        title = f"{image.image}, {megabytes(image.size)}"
        parts += [
            tag("h3", escape(title)),
            tag("figure", plots.bars(f"warm-{index}", f"Warm stages, {title}", image.stages)),
            _steps(f"{image.total.runs} requests", image.stages, ("whole request", image.total)),
            tag("figure", plots.strip(f"requests-{index}", f"Every warm request, {title}", image.totals)),
        ]
    rates = [(str(threads), f"{rate:.1f}") for threads, rate in warm.throughput]
    parts.append(_table("Answers a second, first image", ("threads", "answers a second"), rates))
    return [*parts, tag("p", f"Peak memory {megabytes(warm.peak)}.")]


def _sweep(sweep: Sweep) -> list[str]:
    head = ("memory", "vCPU", "cold ms", "warm ms", "p95 ms", f"{sweep.prices.currency}/10⁶", "peak", "")
    rows: list[Sequence[str]] = []
    for index, row in enumerate(sweep.rows):
        named = f"{row.size.mb:,} MB", f"{row.size.vcpu:.2f}"
        mark = "advised" if index == sweep.best else "" if index in sweep.front else "not worth it"
        if row.cold is None or row.warm is None:
            rows.append((*named, "", "", "", "", "", row.told))
            continue
        times = (milliseconds(value) for value in (row.cold.median, row.warm.median, row.warm.p95))
        rows.append((*named, *times, f"{row.million:.2f}", megabytes(row.peak), mark))
    prices = sweep.prices
    source = tag("a", escape(prices.source), href=prices.source)
    about = escape(f" ({prices.region}), {prices.checked}. Free tiers and cold starts are not counted.")
    return [
        tag("h2", f"Memory sweep, {sweep.provider}"),
        tag("p", tag("strong", escape(sweep.advice))),
        tag("figure", plots.curve("curve", sweep)),
        _table("Every size", head, rows, sweep.best),
        *(tag("p", escape(note)) for note in sweep.notes),
        tag("p", "Prices: ", source, about, class_="told"),
    ]


def _steps(caption: str, stages: Iterable[Stage], last: tuple[str, Spread] | None = None) -> str:
    named = [(stage.name, stage.ms) for stage in stages]
    rows = [
        (name, *(milliseconds(value) for value in (ms.median, ms.p95, ms.low, ms.high)))
        for name, ms in ([*named, last] if last else named)
    ]
    return _table(caption, ("stage", "median ms", "p95", "least", "most"), rows)


def _table(caption: str, head: Sequence[str], rows: Iterable[Sequence[str]], best: int | None = None) -> str:
    body = [
        tag(
            "tr", *(tag("td", escape(cell) or "&nbsp;") for cell in row), class_="best" if index == best else "row"
        )
        for index, row in enumerate(rows)
    ]
    names = tag("tr", *(tag("th", escape(name) or "&nbsp;", scope="col") for name in head))
    return tag(
        "table", tag("caption", escape(caption)), tag("thead", names), tag("tbody", *(body or ["<tr></tr>"]))
    )
