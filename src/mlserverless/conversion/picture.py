"""Original beside converted as a picture: size, latency, agreement; a row each for it and the engines."""

from collections.abc import Sequence

from mlserverless.conversion.report import Report, size
from mlserverless.measure.svg import alone, label, picture, tag

WIDTH, NAMES, GAP = 760, 130, 24
ROW, BAR, HEAD = 26, 14, 40
Rows = Sequence[tuple[str, float, str]]


def draw(report: Report) -> str:
    """Return the SVG file's text."""
    ran = report.runs
    names = ["original", *(one.engine for one in ran)]
    sizes = [report.original_bytes, *(report.converted_bytes for _ in ran)]
    took = [report.original_milliseconds, *(one.milliseconds for one in ran)]
    panels: list[tuple[str, Rows]] = [
        ("size", [(name, count, size(count)) for name, count in zip(names, sizes, strict=True)]),
        ("median of a run", [(name, ms, f"{ms:.1f} ms") for name, ms in zip(names, took, strict=True)]),
    ]
    if all(one.agreement == one.agreement for one in ran):
        same = [("original", 0.0, ""), *((one.engine, one.agreement, f"{one.agreement:.1%}") for one in ran)]
        panels.append((f"same best class, {report.pictures} pictures", same))
    drawn = [label(NAMES - 8, _top(row) + 11, name, text_anchor="end") for row, name in enumerate(names)]
    wide = (WIDTH - NAMES - GAP * (len(panels) - 1)) / len(panels)
    for place, (title, rows) in enumerate(panels):
        drawn += _panel(NAMES + place * (wide + GAP), wide, title, rows)
    told = "; ".join(
        f"{title}: {', '.join(f'{name} {text}' for name, _, text in rows if text)}" for title, rows in panels
    )
    title = f"{report.source} converted, {report.quantize}"
    return alone(picture("conversion", WIDTH, HEAD + ROW * len(names) + 8, title, f"{told}.", *drawn))


def _top(row: int) -> float:
    return HEAD + ROW * row + (ROW - BAR) / 2


def _panel(left: float, wide: float, title: str, rows: Rows) -> list[str]:
    most = max(value for _, value, _ in rows) or 1.0
    room = wide - 76  # for the number behind the longest bar
    drawn = [label(left, HEAD - 16, title)]
    for row, (_, value, text) in enumerate(rows):
        long = room * value / most
        if text:
            drawn.append(tag("rect", x=left, y=_top(row), width=max(1.0, long), height=BAR, rx=2, class_="bar"))
            drawn.append(label(left + max(1.0, long) + 6, _top(row) + 11, text))
    return drawn
