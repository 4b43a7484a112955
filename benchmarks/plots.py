"""Draw what the parts measured as SVG. Runs in a venv of its own, with matplotlib and nothing of this project.

Usage: CACHE FOLDER. Prints the pictures drawn; one whose part was not measured is left out.
"""

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

# Text takes the reader's own colour; the rest is legible on white and on black.
INK, GRID = "#1f2328", "#8c959f55"
OURS, OTHERS = "#d9822b", "#7d8896"
SERIES = ("#d9822b", "#2b7bd9", "#2e9e5b", "#9a6ad8", "#c2455a", "#7d8896", "#b59b22")
NAMELESS = {"Date": None, "Creator": None}  # the same bytes each time
DARK = "<style>svg{color:#1f2328}@media (prefers-color-scheme:dark){svg{color:#e6edf3}}</style>"
mpl.rcParams |= {
    "svg.hashsalt": "mlserverless",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.edgecolor": GRID,
    "axes.labelcolor": INK,
    "axes.grid": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": GRID,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
}
Parts = dict[str, list[dict[str, Any]]]  # part -> the details of its figures
Summaries = dict[str, dict[str, float]]  # name -> median, min and max


def main() -> None:
    """Draw all that can be drawn."""
    cache, folder = map(Path, sys.argv[1:3])
    parts = {
        path.stem: [figure["details"] for figure in json.loads(path.read_text())["figures"]]
        for path in sorted(cache.glob("*.json"))
    }
    for old in folder.glob("bench-*.svg"):  # no picture of what was not measured stands beside new numbers
        old.unlink()
    for name, draw in PICTURES.items():
        try:
            figure = draw(parts)
        except (KeyError, IndexError, StopIteration):  # that part was not measured
            continue
        path = folder / f"bench-{name}.svg"
        figure.savefig(path, format="svg", bbox_inches="tight", transparent=True, metadata=NAMELESS)
        text = path.read_text().replace(INK, "currentColor")
        text = re.sub(r"(<svg [^>]*>)", rf"\1{DARK}", text, count=1, flags=re.DOTALL)
        path.write_text("\n".join(line.rstrip() for line in text.splitlines()) + "\n")
        print(path)


def _first(parts: Parts, part: str, key: str) -> Any:
    return next(details[key] for details in parts[part] if key in details)


def _axes(width: float, height: float, columns: int = 1) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, [figure.add_subplot(1, columns, at + 1) for at in range(columns)]


def _logarithmic(axis: Axis) -> None:
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter("{x:g}")
    axis.set_minor_locator(NullLocator())


def _bars(axes: Axes, values: Summaries, unit: str, *, log: bool = False) -> None:
    """Draw medians as bars from the least to the most, with the range, ours in its own colour."""
    names = sorted(values, key=lambda name: values[name]["median"], reverse=True)
    medians = [values[name]["median"] for name in names]
    below = [values[name]["median"] - values[name]["min"] for name in names]
    above = [values[name]["max"] - values[name]["median"] for name in names]
    colours = [OURS if name.startswith("mlserverless") else OTHERS for name in names]
    axes.barh(names, medians, xerr=[below, above], color=colours, ecolor=INK, error_kw={"lw": 0.8, "capsize": 2})
    for name in names:
        place = values[name]["max"], name
        axes.annotate(f"{values[name]['median']:,.0f}", place, (4, 0), textcoords="offset points", va="center")
    axes.set_xlabel(unit)
    axes.grid(visible=False, axis="y")
    axes.margins(x=0.12)
    if log:
        axes.set_xscale("log")
        _logarithmic(axes.xaxis)


def _lines(axes: Axes, series: dict[str, tuple[list[float], list[float]]], x: str, y: str) -> None:
    for at, (name, (across, up)) in enumerate(series.items()):
        axes.plot(across, up, marker="o", ms=4, color=SERIES[at % len(SERIES)], label=name)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    if len(series) > 1:
        axes.legend()


def _milliseconds(values: Summaries) -> Summaries:
    return {name: {what: 1000 * each for what, each in summary.items()} for name, summary in values.items()}


def cold(parts: Parts) -> Figure:
    """Draw the cold path beside floors and, where they were measured, peers."""
    figure, (left, right) = _axes(10, 3.2, 2)
    _bars(left, _milliseconds(_first(parts, "cold", "seconds")), "ms to the first answer, beside bare floors")
    _bars(right, _first(parts, "peers", "cold"), "ms to the first answer, beside peers (logarithmic)", log=True)
    return figure


def far(parts: Parts) -> Figure:
    """Draw the cold path with an origin that is far away."""
    figure, (axes,) = _axes(7, 1.6)
    seconds = [details["seconds"] for details in parts["cold"] if "seconds" in details]
    values = next(each for each in seconds if "numpy floor" not in each)
    _bars(axes, _milliseconds(values), "ms to the first answer, origin 100 ms away")
    return figure


def stages(parts: Parts) -> Figure:
    """Draw where the time of a warm 12 MP answer goes."""
    figure, (axes,) = _axes(9, 2.4)
    by_photo = _first(parts, "warm", "stages")
    spent = by_photo[next(name for name in by_photo if "12mp" in name)]
    names = list(dict.fromkeys(stage for each in spent.values() for stage in each))
    names = [name for name in names if max(each.get(name, 0) for each in spent.values()) >= 0.1]
    left = dict.fromkeys(spent, 0.0)
    for at, name in enumerate(names):
        width = [each.get(name, 0.0) for each in spent.values()]
        axes.barh(list(spent), width, left=list(left.values()), color=SERIES[at % len(SERIES)], label=name)
        left = {who: left[who] + each.get(name, 0.0) for who, each in spent.items()}
    whole = _first(parts, "warm", "milliseconds_12mp")["write-up"]["median"]
    axes.barh(["write-up"], [whole], color=OTHERS, label="all of it")
    axes.set_xlabel("ms of a warm 12 MP JPEG")
    axes.grid(visible=False, axis="y")
    axes.legend(ncols=4, loc="upper center", bbox_to_anchor=(0.5, -0.28))
    return figure


def megapixels(parts: Parts) -> Figure:
    """Draw the cost against an image's pixels."""
    figure, (axes,) = _axes(7, 3.6)
    found = next(d["milliseconds"] for d in parts["scaling"] if "jpg" in d.get("milliseconds", ()))
    kinds = {"JPEG": found["jpg"], "PNG": found["png"]}
    series = {
        kind: ([float(size) for size in each], [sum(stages.values()) for stages in each.values()])
        for kind, each in kinds.items()
    }
    _lines(axes, series, "megapixels", "ms of a warm answer")
    axes.set(xscale="log", yscale="log")
    ticks = series["JPEG"][0]
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()
    _logarithmic(axes.yaxis)
    return figure


def batches(parts: Parts) -> Figure:
    """Draw the cost against the number of URLs."""
    figure, axes = _axes(10, 3.4, 2)
    found = next(d["milliseconds"] for d in parts["scaling"] if "near" in d.get("milliseconds", ()))
    for at, (name, sizes) in zip(axes, found.items(), strict=True):
        series = {
            way: ([int(size) for size in sizes], [each[way]["median"] for each in sizes.values()])
            for way in ("batch", "one after another")
        }
        _lines(at, series, f"URLs, origin {name}", "ms")
    return figure


def threads(parts: Parts) -> Figure:
    """Draw answers a second and the slowest of them against the threads that ask."""
    figure, (left, right) = _axes(10, 3.2, 2)
    found = _first(parts, "scaling", "threads")
    across = [float(count) for count in found]
    _lines(left, {"": (across, [each["per_second"] for each in found.values()])}, "threads", "answers a second")
    _lines(right, {"": (across, [each["p95_ms"] for each in found.values()])}, "threads", "95th percentile, ms")
    for axes in (left, right):
        axes.set_ylim(bottom=0)
    return figure


def models(parts: Parts) -> Figure:
    """Draw loading, the first and a warm answer against the model's size."""
    figure, (axes,) = _axes(8, 3.8)
    found = sorted(_first(parts, "scaling", "models").items(), key=lambda item: item[1]["model_mb"])
    across = [each["model_mb"] for _, each in found]
    words = {"load": "load", "first": "first answer", "warm": "warm answer"}
    _lines(
        axes, {told: (across, [e[what] for _, e in found]) for what, told in words.items()}, "MB of model", "ms"
    )
    axes.set(xscale="log", yscale="log")
    axes.set_xticks(across, [f"{name}\n{each['model_mb']:.1f}" for name, each in found], rotation=40, ha="right")
    axes.minorticks_off()
    _logarithmic(axes.yaxis)
    return figure


def servers(parts: Parts) -> Figure:
    """Draw correct answers a second and memory of each server."""
    figure, (left, right) = _axes(11, 2.8, 2)
    _bars(left, _first(parts, "servers", "throughput"), "correct answers a second, 8 clients")
    _bars(right, _first(parts, "servers", "memory_mb"), "MiB of all its processes (PSS)")
    return figure


def load(parts: Parts) -> Figure:
    """Draw each server's latency against the load, and its memory over the minutes at 80 %."""
    figure, (left, right) = _axes(10, 3.6, 2)
    each = [details for details in parts["load"] if "curve" in details]
    for details, colour in zip(each, SERIES, strict=False):
        across = [point["rate"] for point in details["curve"]]
        for share, style in (("p50", "-"), ("p99", "--")):
            up = [point[share] for point in details["curve"]]
            left.plot(across, up, style, marker="o", ms=3, color=colour, label=f"{details['server']}, {share}")
        minutes = [at / 60 for at, _ in details["memory_mb"]]
        right.plot(minutes, [mb for _, mb in details["memory_mb"]], color=colour, label=details["server"])
    left.set(yscale="log", xlabel="requests a second, open loop", ylabel="ms")
    _logarithmic(left.yaxis)
    right.set(xlabel="minutes at 80 % of saturation", ylabel="MiB (PSS)")
    right.set_ylim(bottom=0)
    left.legend(fontsize=8)
    right.legend(fontsize=8)
    return figure


PICTURES: dict[str, Callable[[Parts], Figure]] = {
    draw.__name__: draw for draw in (cold, far, stages, servers, load, megapixels, batches, threads, models)
}

if __name__ == "__main__":
    main()
