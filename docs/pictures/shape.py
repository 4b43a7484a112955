"""Draw docs/pictures/shape.svg: the way of one request, from a cloud's trigger to a prediction.

Usage: python docs/pictures/shape.py    (the test suite checks that the picture is the one this draws)
"""

from html import escape
from pathlib import Path

SOURCES = (
    ("AWS Lambda", "HTTP · S3 · SQS · SNS · Kinesis · timers", "#d9822b"),
    ("Azure Functions", "HTTP · Blob · queues · Event Grid · timers", "#2b7bd9"),
    ("Google Cloud", "HTTP · Storage · Pub/Sub · timers", "#2e9e5b"),
    ("any container", "HTTP · CloudEvents · timers", "#7a6ad8"),
    ("here", "Python · command line", "#8a8f98"),
)
STAGES = (
    ("download", "URL → bytes", "guarded, capped, timed"),
    ("prepare", "bytes → RGB image", "limits, upright, resized"),
    ("preprocess", "image → tensor", "exact, by table"),
    ("interpret", "tensor → scores", "a pool, never shared"),
    ("choose", "scores → labels", "top k, allow, deny"),
)
WIDTH, ROW, TOP = 1080, 58, 56
STYLE = """
  text { font: 14px system-ui, sans-serif; fill: #1f2328 }
  .small { font-size: 12px; fill: #59636e }
  .head { font-size: 12px; letter-spacing: .08em; fill: #59636e }
  .name { font-weight: 600 }
  .box { fill: #ffffff; stroke: #d1d9e0 }
  .seam { fill: #f6f8fa; stroke: #d1d9e0 }
  .way { stroke: #8c959f; stroke-width: 1.6; fill: none; marker-end: url(#tip) }
  #tip path { fill: #8c959f }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 }
    .small, .head { fill: #9198a1 }
    .box { fill: #151b23; stroke: #3d444d }
    .seam { fill: #0d1117; stroke: #3d444d }
  }
"""


def text(x: float, y: float, words: str, kind: str = "", anchor: str = "start") -> str:
    """Return a line of text at ``x``, ``y``."""
    return f'<text x="{x}" y="{y}" class="{kind}" text-anchor="{anchor}">{escape(words)}</text>'


def box(x: float, y: float, width: float, height: float, kind: str = "box") -> str:
    """Return a rounded rectangle."""
    return f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="8" class="{kind}"/>'


def draw() -> str:
    """Return the picture as SVG."""
    height = TOP + ROW * len(SOURCES) + 20
    middle = TOP + ROW * len(SOURCES) / 2 - 5
    title = "The same predict(url) behind every cloud's triggers: five stages from a URL to labels"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{title}">',
        f"<title>{title}</title><style>{STYLE}</style>",
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
        'orient="auto"><path d="M0 0 8 4 0 8z"/></marker></defs>',
        text(16, 34, "TRIGGERS, THROUGH THIN ADAPTERS", "head"),
        text(404, 34, "ONE SEAM", "head"),
        text(620, 34, "FIVE STAGES, NO CLOUD IN THEM", "head"),
    ]
    for i, (name, triggers, colour) in enumerate(SOURCES):
        y = TOP + ROW * i
        parts += [
            box(16, y, 296, 48),
            f'<rect x="16" y="{y}" width="6" height="48" rx="3" fill="{colour}"/>',
            text(36, y + 21, name, "name"),
            text(36, y + 39, triggers, "small"),
            f'<path class="way" d="M312 {y + 24} C 352 {y + 24} 356 {middle} 396 {middle}"/>',
        ]
    parts += [
        box(404, middle - 50, 152, 100, "seam"),
        text(480, middle - 16, "answer(request)", "name", "middle"),
        text(480, middle + 6, "prediction", "small", "middle"),
        text(480, middle + 24, "or problem (RFC 9457)", "small", "middle"),
        text(480, middle + 76, "events: recorded in a sink", "small", "middle"),
        text(480, middle + 94, "before they are acknowledged", "small", "middle"),
        f'<path class="way" d="M556 {middle} C 584 {middle} 584 {TOP + 24} 612 {TOP + 24}"/>',
    ]
    for i, (name, does, how) in enumerate(STAGES):
        y = TOP + ROW * i
        parts += [
            box(620, y, 444, 48),
            text(640, y + 29, name, "name"),
            text(744, y + 29, does),
            text(1048, y + 29, how, "small", "end"),
        ]
        if i:
            parts.append(f'<path class="way" d="M680 {y - 10} V {y - 1}"/>')
    return "\n".join([*parts, "</svg>"]) + "\n"


if __name__ == "__main__":
    Path(__file__).with_suffix(".svg").write_text(draw(), encoding="utf-8")
