"""Draw docs/pictures/request.svg: the way of one request through its stages, and the limit that stands at each.

Usage: python docs/pictures/request.py    (the test suite checks that the picture is the one this draws)
The limits are the settings' defaults and the platforms', as the code has them.
"""

from pathlib import Path

from drawing import box, picture, text, wide

from mlserverless import errors
from mlserverless.bundle import limits
from mlserverless.config import Settings

BY = Settings()
BODIES = " · ".join(f"{cloud} {body.value / limits.MB:g} MB" for cloud, body in limits.BODIES.items())
# Where, what happens, colour, and the limits there: what is limited, and the problem that tells of it.
STEPS = (
    ("platform", "a request reaches the function", "grey", ((f"body: {BODIES}", None),)),
    (
        "adapter",
        "the provider's event becomes an HttpRequest",
        "orange",
        (("the platform's time, less 0.5 s: the deadline", errors.DeadlineExceeded),),
    ),
    (
        "web",
        "route, request id, body: a URL and options",
        "orange",
        ((f"{BY.max_batch} URLs a request", errors.InvalidRequest),),
    ),
    (
        "answer",
        "the seam: from here on nothing knows of a cloud",
        "violet",
        ((f"{BY.queue} wait for an interpreter", errors.Overloaded),),
    ),
    (
        "download",
        "strictly parsed, resolved once, every address checked",
        "blue",
        (
            (f"public addresses, on each of {BY.max_redirects} redirects", errors.SourceBlocked),
            (f"{BY.max_bytes / 1e6:.0f} MB", errors.ImageTooLarge),
            (f"{BY.download_timeout:.0f} s for all of it", errors.SourceTimeout),
        ),
    ),
    (
        "prepare",
        "format, size, then pixels: decoded, upright, resized",
        "blue",
        (
            (", ".join(BY.formats), errors.UnsupportedMediaType),
            (f"{BY.max_pixels / 1e6:.0f} megapixels", errors.ImageTooLarge),
            ("whole and sound", errors.UndecodableImage),
        ),
    ),
    ("preprocess", "pixels become the tensor's bytes, by table", "blue", ()),
    (
        "interpret",
        "one of a pool, never shared",
        "blue",
        (("a pinned file; an engine that runs it", errors.ModelUnavailable),),
    ),
    (
        "choose",
        "scores become labels: the best, those allowed",
        "blue",
        ((f"{BY.top_k} classes, or what was asked for", None),),
    ),
    ("respond", "JSON, the same bytes in every cloud; Server-Timing", "orange", ()),
)
WIDTH, TOP, LEFT, LIMITS = 1080, 58, 84, 560


def draw() -> str:
    """Return the picture as SVG."""
    parts = [
        text(LEFT, 34, "ONE REQUEST'S WAY", "head"),
        text(LIMITS, 34, "WHAT STANDS IN IT, AND THE PROBLEM THAT TELLS OF IT", "head"),
    ]
    y, last = float(TOP), 0.0
    for number, (where, what, colour, gates) in enumerate(STEPS, 1):
        height = max(46, 30 * len(gates) + 8)
        centre = y + height / 2
        if last:
            parts.append(f'<path class="way" d="M48 {last:g} V{centre - 15:g}"/>')
        last = centre + 14
        parts += [
            f'<circle cx="48" cy="{centre:g}" r="13" class="{colour}"/>',
            text(48, centre + 5, str(number), "name", "middle"),
            box(LEFT, y, 440, height, colour),
            text(LEFT + 16, centre - 3, where, "name"),
            text(LEFT + 16, centre + 15, what, "small"),
        ]
        first = centre - 15 * len(gates)
        for i, (limit, problem) in enumerate(gates):
            parts += _gate(first + 30 * i, limit, problem)
        y += height + 14
    title = "The way of one request through ten steps, with the limit that stands at each"
    return picture(title, WIDTH, y + 2, parts)


def _gate(y: float, limit: str, problem: type[errors.MlserverlessError] | None) -> list[str]:
    middle = y + 15
    parts = [
        f'<path class="path" d="M{LEFT + 440} {middle:g} H{LIMITS - 6}"/>',
        f'<path class="red" d="M{LIMITS - 6} {y + 6:g} V{y + 24:g}" stroke-width="3"/>',
        text(LIMITS + 6, middle + 5, limit, "small"),
    ]
    if problem:
        told = f"{problem.status} {problem.code}"
        width = wide(told, 13) + 24
        parts += [
            box(WIDTH - 16 - width, y + 4, width, 22, "red", 11),
            text(WIDTH - 16 - width / 2, y + 19, told, "mono", "middle"),
        ]
    return parts


if __name__ == "__main__":
    Path(__file__).with_suffix(".svg").write_text(draw(), encoding="utf-8")
