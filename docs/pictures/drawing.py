"""What the pictures' scripts share: a frame, text, boxes, and colours that are read in light and in dark."""

from collections.abc import Iterable
from html import escape

# Of parts of a picture, in light and in dark: fill and line.
COLOURS = {
    "blue": ("#dbeafe", "#5b8def", "#17304f"),
    "green": ("#d9f2e3", "#3fa06a", "#14382a"),
    "orange": ("#fde8cf", "#d9822b", "#452c12"),
    "violet": ("#e9e3fb", "#7a6ad8", "#2b2552"),
    "red": ("#fde0df", "#d1574f", "#47201e"),
    "grey": ("#eceff2", "#9aa3ad", "#21262d"),
}
STYLE = (
    """
  text { font: 15px system-ui, sans-serif; fill: #1f2328 }
  .small { font-size: 14px; fill: #59636e }
  .tiny { font-size: 13px; fill: #59636e }
  .head { font-size: 13px; letter-spacing: .08em; fill: #59636e }
  .name { font-weight: 600 }
  .mono { font: 13px ui-monospace, Menlo, Consolas, monospace }
  .box { fill: #ffffff; stroke: #d1d9e0 }
  .seam { fill: #f6f8fa; stroke: #d1d9e0 }
  .line { stroke: #d1d9e0; stroke-width: 1 }
  .way { stroke: #8c959f; stroke-width: 1.6; fill: none; marker-end: url(#tip) }
  .path { stroke: #8c959f; stroke-width: 1.6; fill: none }
  #tip path { fill: #8c959f }
"""
    + "".join(f"  .{name} {{ fill: {fill}; stroke: {line} }}\n" for name, (fill, line, _) in COLOURS.items())
    + """  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 }
    .small, .tiny, .head { fill: #9198a1 }
    .box { fill: #151b23; stroke: #3d444d }
    .seam { fill: #0d1117; stroke: #3d444d }
    .line { stroke: #3d444d }
"""
    + "".join(f"    .{name} {{ fill: {dark}; stroke: {line} }}\n" for name, (_, line, dark) in COLOURS.items())
    + "  }\n"
)
TIP = (
    '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
    'orient="auto"><path d="M0 0 8 4 0 8z"/></marker></defs>'
)


def text(x: float, y: float, words: str, kind: str = "", anchor: str = "start") -> str:
    """Return a line of text at ``x``, ``y``."""
    return f'<text x="{x:g}" y="{y:g}" class="{kind}" text-anchor="{anchor}">{escape(words)}</text>'


def box(x: float, y: float, width: float, height: float, kind: str = "box", radius: float = 8) -> str:
    """Return a rounded rectangle."""
    return f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="{radius:g}" class="{kind}"/>'


def picture(title: str, width: float, height: float, parts: Iterable[str]) -> str:
    """Return the whole SVG."""
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" role="img" '
        f'aria-label="{escape(title)}">'
    )
    return "\n".join([head, f"<title>{escape(title)}</title><style>{STYLE}</style>", TIP, *parts, "</svg>"]) + "\n"


def wide(words: str, size: float = 14) -> float:
    """Return about how wide ``words`` are, in pixels."""
    return sum(0.35 if letter in "iljt.,:;·'| " else 0.62 for letter in words) * size
