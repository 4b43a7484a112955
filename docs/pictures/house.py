"""Draw docs/pictures/house.svg: which module may import which, as the import contract in pyproject.toml has it.

Usage: python docs/pictures/house.py    (the test suite checks that the picture is the one this draws)
"""

import tomllib
from pathlib import Path

from drawing import box, picture, text, wide

ROOT = Path(__file__).parents[2]
# The first module of a floor's group -> the group's name, what it may be said to be, its colour.
GROUPS = {
    "cli": ("Tools", "on your machine; none of it reaches a function", "grey"),
    "adapters": ("Doors", "each cloud's triggers, HTTP, events", "orange"),
    "predictor": ("A prediction", "from a URL to labels; knows no cloud", "blue"),
    "net": ("Foundations", "settings, addresses, types, errors", "green"),
}
WIDTH, LEFT, RIGHT, ROW, ROOF = 1080, 236, 996, 31, 70


def floors() -> list[list[str]]:
    """Return the modules, floor by floor from the top."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    layers = next(one["layers"] for one in contracts["contracts"] if one["type"] == "layers")
    return [[name.strip() for name in layer.replace(":", "|").split("|")] for layer in layers]


def draw() -> str:
    """Return the picture as SVG."""
    parts: list[str] = []
    y, colour = ROOF + 14.0, "grey"
    begun: list[tuple[float, str, str]] = []
    for names in floors():
        for name in names:
            if name in GROUPS:
                told, means, colour = GROUPS[name]
                y += 12 if begun else 0
                begun.append((y, told, means))
        parts += _floor(y, names, colour)
        y += ROW
    bottom = y + 4
    ends = [top for top, *_ in begun[1:]] + [bottom + 8]
    for (top, told, means), end in zip(begun, ends, strict=True):
        parts += [
            text(32, top + 17, told, "name"),
            *(text(32, top + 35 + 15 * i, line, "small") for i, line in enumerate(_folded(means))),
        ]
        if end < bottom:
            parts.append(f'<path class="line" d="M17 {end - 9:g} H{RIGHT + 10}"/>')
    roof = f'<path class="path" d="M4 {ROOF} L{WIDTH / 2} 12 L{WIDTH - 4} {ROOF} Z"/>'
    walls = f'<path class="path" d="M16 {ROOF} V{bottom:g} H{WIDTH - 16} V{ROOF}"/>'
    down = f'<path class="way" d="M{RIGHT + 28} {ROOF + 18} V{bottom - 10:g}"/>'
    middle = (ROOF + bottom) / 2
    label = (
        f'<g transform="rotate(90 {RIGHT + 40} {middle:g})">'
        + text(RIGHT + 40, middle, "who imports whom: downwards only", "small", "middle")
        + "</g>"
    )
    title = "The house: every module on its floor; imports go down only"
    name = text(WIDTH / 2, ROOF - 18, "mlserverless", "name", "middle")
    return picture(title, WIDTH, bottom + 14, [roof, name, walls, down, label, *parts])


def _floor(y: float, names: list[str], colour: str) -> list[str]:
    """Return a floor's rooms, side by side over its whole width."""
    parts, x = [], float(LEFT)
    needed = [wide(name, 13) + 22 for name in names]
    stretch = (RIGHT - LEFT - 6 * (len(names) - 1)) / sum(needed)
    for name, least in zip(names, needed, strict=True):
        width = least * stretch
        parts.append(box(round(x, 1), y, round(width, 1), ROW - 6, colour, 5))
        parts.append(text(round(x + width / 2, 1), y + 17, name, "mono", "middle"))
        x += width + 6
    return parts


def _folded(words: str, most: int = 28) -> list[str]:
    lines = [""]
    for word in words.split():
        if len(lines[-1]) + len(word) > most:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines


if __name__ == "__main__":
    Path(__file__).with_suffix(".svg").write_text(draw(), encoding="utf-8")
