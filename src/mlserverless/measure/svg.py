"""SVG as text: elements, an accessible picture, axes. Colours are classes: a page's CSS decides on them."""

import math
from html import escape

CSS = """
svg.plot { width: 100%; height: auto; display: block; font: 12px system-ui, sans-serif; }
svg.plot text { fill: var(--ink); }
svg.plot .muted { fill: var(--muted); }
svg.plot .bar { fill: var(--accent); }
svg.plot .soft { fill: var(--accent); fill-opacity: .35; }
svg.plot .best { fill: var(--good); }
svg.plot .dot { fill: var(--accent); fill-opacity: .6; }
svg.plot .grid { stroke: var(--line); stroke-width: 1; }
svg.plot .whisker { stroke: var(--ink); stroke-width: 1.5; }
svg.plot .median { stroke: var(--ink); stroke-width: 2; }
svg.plot .limit { stroke: var(--bad); stroke-width: 1.5; stroke-dasharray: 5 4; }
svg.plot .way { stroke: var(--accent); stroke-width: 1.5; fill: none; }
"""
NAMES = ("paper", "ink", "muted", "line", "accent", "good", "bad")
LIGHT = ("#fff", "#1b1f24", "#59636e", "#d1d9e0", "#0969da", "#1a7f37", "#c5221f")
DARK = ("#0d1117", "#e6edf3", "#9198a1", "#3d444d", "#58a6ff", "#3fb950", "#ff7b72")
_SET = [" ".join(f"--{name}: {value};" for name, value in zip(NAMES, of, strict=True)) for of in (LIGHT, DARK)]
COLOURS = (
    f":root {{ color-scheme: light dark; {_SET[0]} }}\n"
    f"@media (prefers-color-scheme: dark) {{ :root {{ {_SET[1]} }} }}\n"
)


def tag(name: str, *children: str, **attributes: object) -> str:
    """Return an element; ``children`` are markup. An attribute's ``_`` stands for ``-``, one at the end goes."""
    given = "".join(f' {_name(key)}="{escape(_text(value))}"' for key, value in attributes.items())
    return f"<{name}{given}>{''.join(children)}</{name}>" if children else f"<{name}{given}/>"


def label(x: float, y: float, words: str, **attributes: object) -> str:
    """Return the text ``words`` at a place; what it holds is escaped."""
    return tag("text", escape(words), x=x, y=y, **attributes)


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> str:
    """Return a straight line."""
    return tag("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)


def picture(ident: str, width: int, height: int, title: str, told: str, *children: str) -> str:
    """Return a picture that says what it is (``title``) and what it shows (``told``) to who cannot see it."""
    names = tag("title", escape(title), id=f"{ident}-title"), tag("desc", escape(told), id=f"{ident}-desc")
    return tag(
        "svg",
        *names,
        *children,
        class_="plot",
        viewBox=f"0 0 {width} {height}",
        role="img",
        aria_labelledby=f"{ident}-title {ident}-desc",
        xmlns="http://www.w3.org/2000/svg",
    )


def alone(markup: str) -> str:
    """Return a picture for a file of its own, with its colours in it."""
    before, mark, after = markup.partition("<title")
    return f"{before}{tag('style', COLOURS + CSS)}{mark}{after}\n"


def ticks(most: float, wanted: int = 6) -> list[float]:
    """Return round numbers from 0 up to at least ``most``, about as many as ``wanted``."""
    if most <= 0:
        return [0.0, 1.0]
    raw = most / wanted
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= raw)
    return [step * index for index in range(math.ceil(most / step - 1e-9) + 1)]


def number(value: float) -> str:
    """Return ``value`` as a plot shows it: four digits at most, no zeros at the end."""
    return f"{value:.4g}" if value < 1000 else f"{value:,.0f}"


def _name(key: str) -> str:
    return key.removesuffix("_").replace("_", "-")


def _text(value: object) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
