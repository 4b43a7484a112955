"""Draw docs/pictures/cold-start.svg: what a cold start is made of, one thing after another, in milliseconds.

Usage: python docs/pictures/cold_start.py [BENCH.json]    BENCH.json: what `mlserverless bench --cold --out` wrote;
its medians are then kept in cold-start.json. The test suite checks that the picture is the one this draws.
"""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from drawing import box, picture, text

HERE = Path(__file__).parent
DATA, PICTURE = HERE / "cold-start.json", HERE / "cold-start.svg"
WIDTH, LEFT, RIGHT, TOP, ROW = 1080, 210, 60, 62, 27
# What a stage is, by the beginning of its name: colour, and what it is called in the legend.
KINDS = {
    "interpreter": ("grey", "Python itself"),
    "import": ("orange", "imports"),
    "engine": ("violet", "the model"),
    "model": ("violet", "the model"),
    "": ("blue", "the request"),
}


def kept(bench: dict[str, Any]) -> dict[str, Any]:
    """Return of a bench's JSON what is drawn: the median of each stage, and what it was measured on."""
    machine = bench["machine"]
    return {
        "command": f"mlserverless bench --cold --runs {bench['cold']['total']['runs']}",
        "machine": f"{machine['system']}, {machine['cores']} cores, Python {machine['python']}",
        "measured": f"{datetime.now(UTC):%Y-%m}",
        "model": bench["model"],
        "stages": [[one["name"], round(one["ms"]["median"], 1)] for one in bench["cold"]["stages"]],
    }


def draw() -> str:
    """Return the picture as SVG."""
    data = json.loads(DATA.read_text(encoding="utf-8"))
    stages = [(name, ms) for name, ms in data["stages"] if ms >= 0.1]
    whole = sum(ms for _, ms in stages)
    scale = (WIDTH - LEFT - RIGHT) / whole
    parts, at, legend = [], 0.0, 16.0
    for colour, told in dict.fromkeys(KINDS.values()):
        share = sum(ms for name, ms in stages if _kind(name) == (colour, told))
        words = f"{told}: {share:.0f} ms"
        parts += [box(legend, 20, 14, 14, colour, 3), text(legend + 22, 32, words, "small")]
        legend += 60 + 7 * len(words)
    step = next(step for step in (5, 10, 20, 50, 100, 200, 500) if whole / step <= 12)
    bottom = TOP + ROW * len(stages)
    for tick in range(0, int(whole) + 1, step):
        x = LEFT + tick * scale
        parts += [
            f'<path class="line" d="M{x:.1f} {TOP - 6} V{bottom}"/>',
            text(round(x, 1), bottom + 18, f"{tick} ms" if tick else "0", "tiny", "middle"),
        ]
    for i, (name, ms) in enumerate(stages):
        y, x, width = TOP + ROW * i, LEFT + at * scale, max(2.0, ms * scale)
        parts += [
            text(LEFT - 14, y + 16, name, "small", "end"),
            box(round(x, 1), y + 2, round(width, 1), ROW - 7, _kind(name)[0], 4),
            text(round(x + width + 6, 1), y + 16, f"{ms:.1f}", "tiny"),
        ]
        at += ms
    told = f"{data['model']}, medians of `{data['command']}` on {data['machine']}, {data['measured']}"
    parts.append(text(16, bottom + 42, told, "tiny"))
    title = f"A cold start, stage by stage: {whole:.0f} ms from the start of Python to the first answer"
    return picture(title, WIDTH, bottom + 54, parts)


def _kind(name: str) -> tuple[str, str]:
    return next(kind for start, kind in KINDS.items() if name.startswith(start))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        measured = kept(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
        DATA.write_text(json.dumps(measured, indent=2) + "\n", encoding="utf-8")
    PICTURE.write_text(draw(), encoding="utf-8")
