"""Draw docs/pictures/package.svg: what a package holds and what was left out of it, by size.

Usage: python docs/pictures/package.py [BUILD.json]    BUILD.json: what `mlserverless build aws` wrote; its
sums are then kept in package.json. The test suite checks that the picture is the one this draws.
"""

import json
import sys
from pathlib import Path
from typing import Any

from drawing import box, picture, text, wide

HERE = Path(__file__).parent
DATA, PICTURE = HERE / "package.json", HERE / "package.svg"
WIDTH, HEIGHT, TOP, GAP = 1080, 440, 46, 28
NAMED = 2_000_000  # bytes, above which a tile has its name in it
COLOURS = ("blue", "green", "orange", "violet", "blue", "green")
Area = tuple[float, float, float, float]


def kept(build: dict[str, Any]) -> dict[str, Any]:
    """Return of a build.json what is drawn."""
    names = ("target", "zipped", "proof", "contents", "dropped_bytes")
    return {name: build[name] for name in names}


def draw() -> str:
    """Return the picture as SVG: one treemap of all that pip installs, in it what is packed."""
    data = json.loads(DATA.read_text(encoding="utf-8"))
    inside, left = _joined(data["contents"]), sorted(data["dropped_bytes"].items(), key=lambda one: -one[1])
    packed, dropped = sum(size for _, size in inside), sum(size for _, size in left)
    width = WIDTH - 32 - GAP
    here = round(width * packed / (packed + dropped))
    parts = [
        text(16, 30, f"PACKED: {packed / 1e6:.0f} MB, {data['zipped'] / 1e6:.0f} MB AS A ZIP", "head"),
        text(16 + here + GAP, 30, f"LEFT OUT: {dropped / 1e6:.0f} MB OF WHAT PIP INSTALLS, AND WHY", "head"),
    ]
    for i, ((name, size), area) in enumerate(
        zip(inside, squarified(inside, (16, TOP, here, HEIGHT)), strict=True)
    ):
        parts += _tile(name, size, area, COLOURS[i % len(COLOURS)])
    for (name, size), area in zip(
        left, squarified(left, (16 + here + GAP, TOP, width - here, HEIGHT)), strict=True
    ):
        parts += _tile(name, size, area, "grey")
    small = [f"{name} {size / 1e6:.1f} MB" for name, size in (*inside, *left) if 500_000 < size < NAMED]
    parts.append(text(16, TOP + HEIGHT + 24, f"The small ones: {'; '.join(small)}; and crumbs.", "tiny"))
    parts.append(text(16, TOP + HEIGHT + 42, f"{data['target']}; proof: {data['proof']}", "tiny"))
    title = f"What a package for AWS Lambda holds, {packed / 1e6:.0f} MB, and the {dropped / 1e6:.0f} MB left out"
    return picture(title, WIDTH, TOP + HEIGHT + 54, parts)


def _joined(contents: dict[str, int]) -> list[tuple[str, int]]:
    """Return what is packed, the largest first; a package's own libraries with it, crumbs together."""
    found: dict[str, int] = {}
    for name, size in contents.items():
        called = {"pillow": "PIL"}.get(name, "the model" if name.startswith("model ") else name)
        found[called if size > 400_000 else "the rest"] = (
            found.get(called if size > 400_000 else "the rest", 0) + size
        )
    return sorted(found.items(), key=lambda one: -one[1])


def squarified(items: list[tuple[str, int]], area: Area) -> list[Area]:
    """Return a rectangle within ``area`` (x, y, width, height) for each of ``items``, the largest first.

    The squarified treemap of Bruls, Huizing and van Wijk: a row is filled while that makes its tiles squarer.
    """
    x, y, width, height = map(float, area)
    scale = width * height / sum(size for _, size in items)
    rest, done = [size * scale for _, size in items], list[Area]()
    while rest:
        short, row = min(width, height), list[float]()
        while rest and (not row or _worst([*row, rest[0]], short) <= _worst(row, short)):
            row.append(rest.pop(0))
        thick, at = sum(row) / short, 0.0
        for each in row:
            long = each / thick
            done.append((x, y + at, thick, long) if width >= height else (x + at, y, long, thick))
            at += long
        if width >= height:
            x, width = x + thick, width - thick
        else:
            y, height = y + thick, height - thick
    return done


def _worst(row: list[float], side: float) -> float:
    thick = sum(row) / side
    return max(max(thick / (one / thick), (one / thick) / thick) for one in row)


def _tile(name: str, size: int, area: Area, colour: str) -> list[str]:
    x, y, width, height = area
    parts = [box(round(x + 1.5, 1), round(y + 1.5, 1), round(width - 3, 1), round(height - 3, 1), colour, 4)]
    told = f"{size / 1e6:.1f} MB"
    lines = _fitted(name, width - 16)
    if size >= NAMED:
        parts += [text(round(x + 10, 1), round(y + 22 + 16 * i, 1), line, "small") for i, line in enumerate(lines)]
        parts.append(text(round(x + 10, 1), round(y + 22 + 16 * len(lines), 1), told, "name"))
    return parts


def _fitted(words: str, width: float) -> list[str]:
    lines = [""]
    for word in words.split():
        if lines[-1] and wide(f"{lines[-1]} {word}", 14) > width:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines


if __name__ == "__main__":
    if len(sys.argv) > 1:
        recorded = kept(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
        DATA.write_text(json.dumps(recorded, indent=2) + "\n", encoding="utf-8")
    PICTURE.write_text(draw(), encoding="utf-8")
