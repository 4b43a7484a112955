"""The plots of a report: a waterfall, bars, a strip of every run, cost against latency."""

from collections.abc import Sequence

from mlserverless.measure.spread import Spread, Stage, spread
from mlserverless.measure.svg import label, line, number, picture, tag, ticks
from mlserverless.measure.sweep import Sweep

WIDTH, LEFT, RIGHT = 760, 170, 70  # of a plot, its names' column, what is kept free for the numbers
ROW, AXIS = 24, 34
BAR = 14


def waterfall(ident: str, title: str, stages: Sequence[Stage]) -> str:
    """Return what follows what: one row a stage, from the median moment it begins to that it ends."""
    ends, begin = [], 0.0
    for stage in stages:
        begin += stage.ms.median
        ends.append(begin)
    marks = ticks(begin)
    drawn = _frame(marks, len(stages))
    for index, (stage, end) in enumerate(zip(stages, ends, strict=True)):
        left, right = _x(end - stage.ms.median, marks), _x(end, marks)
        drawn += _row(index, stage.name, left, right, f"{stage.ms.median:.1f}")
    told = _told(stages, f"In sequence they take {begin:.0f} ms.")
    return picture(ident, WIDTH, ROW * len(stages) + AXIS, title, told, *drawn)


def bars(ident: str, title: str, stages: Sequence[Stage]) -> str:
    """Return one bar a stage, as long as its median, with a whisker up to its 95th percentile."""
    marks = ticks(max(stage.ms.p95 for stage in stages))
    drawn = _frame(marks, len(stages))
    for index, stage in enumerate(stages):
        left, right, far = _x(0, marks), _x(stage.ms.median, marks), _x(stage.ms.p95, marks)
        middle = ROW * index + ROW / 2
        drawn += _row(index, stage.name, left, right, f"{stage.ms.median:.1f}", max(far, right))
        drawn += [line(right, middle, far, middle, "whisker"), line(far, middle - 4, far, middle + 4, "whisker")]
    return picture(
        ident, WIDTH, ROW * len(stages) + AXIS, title, _told(stages, "Whiskers: 95th percentile."), *drawn
    )


def strip(ident: str, title: str, values: Sequence[float], limit: float = 0.0) -> str:
    """Return a dot for every run, a line at their median, and a dashed one at ``limit`` (0: none)."""
    of = spread(values)
    marks = ticks(max(of.high, limit))
    height = 3 * ROW
    drawn = _frame(marks, 3)
    # Apart from each other by their number, not by chance: the same runs are the same picture.
    drawn += [
        tag("circle", cx=_x(value, marks), cy=12.0 + 48.0 * (index * 7 % 11) / 10, r=4, class_="dot")
        for index, value in enumerate(values)
    ]
    drawn.append(line(_x(of.median, marks), 4, _x(of.median, marks), height - 4, "median"))
    drawn += [label(LEFT - 8, 28, "each run", text_anchor="end"), label(LEFT - 8, 46, "line: median", **_aside)]
    if limit:
        drawn.append(line(_x(limit, marks), 0, _x(limit, marks), height, "limit"))
        drawn.append(label(LEFT - 8, 64, "dashed: budget", **_aside))
    return picture(ident, WIDTH, height + AXIS, title, _spread_told(of, limit), *drawn)


def curve(ident: str, sweep: Sweep) -> str:
    """Return cost (across) against the warm median (up), one dot a size, the advised one in another colour."""
    fit = [(row.size.mb, row.million, row.warm.median, i) for i, row in enumerate(sweep.rows) if row.warm]
    across = ticks(max((cost for _, cost, _, _ in fit), default=1.0))
    up = ticks(max([took for _, _, took, _ in fit] + [sweep.target]))
    height, floor, left, right = 350, 300, 60, WIDTH - 80

    def x(cost: float) -> float:
        return left + (right - left) * cost / across[-1]

    def y(took: float) -> float:
        return floor - (floor - 36) * took / up[-1]

    drawn = [line(left, y(mark), right, y(mark), "grid") for mark in up]
    drawn += [label(left - 8, y(mark) + 4, number(mark), text_anchor="end", class_="muted") for mark in up]
    drawn += [label(x(mark), floor + 18, number(mark), text_anchor="middle", class_="muted") for mark in across]
    unit = f"{sweep.prices.currency} for a million requests"
    drawn += [label((left + right) / 2, height - 8, unit, text_anchor="middle"), label(4, 14, "warm median, ms")]
    if sweep.target:
        drawn.append(line(left, y(sweep.target), right, y(sweep.target), "limit"))
    drawn.append(tag("polyline", points=" ".join(f"{x(c):.1f},{y(t):.1f}" for _, c, t, _ in fit), class_="way"))
    places: list[tuple[float, float]] = []
    for mb, cost, took, index in fit:
        best = index == sweep.best
        drawn.append(tag("circle", cx=x(cost), cy=y(took), r=8 if best else 5, class_="best" if best else "bar"))
        at = x(cost) + 11, y(took) - 9
        while any(abs(at[0] - one[0]) < 64 and abs(at[1] - one[1]) < 14 for one in places):
            at = at[0], at[1] - 15  # above what stands there
        places.append(at)
        drawn.append(label(*at, f"{mb:,} MB"))
    sizes = "; ".join(f"{mb:,} MB: {took:.0f} ms, {cost:.2f}" for mb, cost, took, _ in fit)
    told = f"{sweep.advice} {sizes or 'No size is large enough'}."
    return picture(ident, WIDTH, height, f"Cost and latency of each size, {sweep.provider}", told, *drawn)


_aside: dict[str, str] = {"text_anchor": "end", "class_": "muted"}


def _x(ms: float, marks: Sequence[float]) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * ms / marks[-1]


def _frame(marks: Sequence[float], rows: int) -> list[str]:
    floor = ROW * rows
    drawn = [line(_x(mark, marks), 0, _x(mark, marks), floor + 4, "grid") for mark in marks]
    drawn += [
        label(_x(mark, marks), floor + 18, number(mark), text_anchor="middle", class_="muted") for mark in marks
    ]
    return [*drawn, label(WIDTH - 4, floor + 18, "ms", text_anchor="end", class_="muted")]


def _row(index: int, name: str, left: float, right: float, value: str, free: float = 0.0) -> list[str]:
    top = ROW * index + (ROW - BAR) / 2
    return [
        label(LEFT - 8, top + 11, name, text_anchor="end"),
        tag("rect", x=left, y=top, width=max(1.0, right - left), height=BAR, rx=2, class_="bar"),
        label((free or right) + 6, top + 11, value),
    ]


def _told(stages: Sequence[Stage], last: str) -> str:
    return "; ".join(f"{stage.name} {stage.ms.median:.1f} ms" for stage in stages) + f". {last}"


def _spread_told(of: Spread, limit: float) -> str:
    told = f"{of.runs} runs from {of.low:.0f} to {of.high:.0f} ms, their median {of.median:.0f} ms."
    return f"{told} The budget is {limit:g} ms." if limit else told
