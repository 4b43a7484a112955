"""Write docs/explanation/performance.md and its pictures from what .cache/bench holds."""

import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import venvs
from benchmarks.children import HERE, ROOT

PAGE = ROOT / "docs" / "explanation" / "performance.md"
PICTURES = ROOT / "docs" / "pictures"
ABOUT = {
    "cold": "Process start to first answer, beside floors and peers",
    "far": "Process start to first answer with an origin 100 ms away",
    "stages": "Where the time of a warm 12 MP answer goes",
    "servers": "Answers a second and memory of HTTP servers",
    "load": "Latency against load, and memory over the minutes",
    "megapixels": "Milliseconds against an image's megapixels",
    "batches": "Milliseconds against the number of URLs",
    "threads": "Answers a second, and the slowest, against threads",
    "models": "Milliseconds against a model's size",
}
# Part -> its heading, what is done, its pictures.
SECTIONS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "cold": (
        "Cold",
        "Fresh processes in turn, each asked for one photo on a loopback origin; the time is from the start of "
        "the process to the answer on its output. The *numpy floor* is a raw socket, Pillow, numpy and LiteRT's "
        "Python interpreter; the *lean floor* a raw socket, Pillow and LiteRT's C interface. Neither checks "
        "anything.",
        ("cold", "far"),
    ),
    "entry": (
        "Before the first request",
        "The imports of `adapters/aws`, and Lambda's real runtime client under a Runtime API on this machine.",
        (),
    ),
    "warm": (
        "Warm",
        "One process, one thread an invoke, call by call in turn. *Bare* is an open connection, Pillow with "
        "`draft`, one resize and one invoke through the C interface, with no checks. The *write-up* is `urlopen`, "
        "a full decode, numpy and the Python interpreter; its nearest pixels are the cheapest resize there is.",
        ("stages",),
    ),
    "batches": (
        "Batches",
        "Sixteen URLs of an origin that answers each 50 ms late. One invoke of many images is not what this "
        "does: it gains next to nothing.",
        ("batches",),
    ),
    "threads": (
        "Threads",
        "One predictor asked by several threads; every answer is compared with the right one.",
        ("threads",),
    ),
    "calls": (
        "What a request passes through",
        "Our own functions between an adapter's entry and the invoke, counted by the profiler in one warm "
        "request. Nothing may work twice on the same thing; what asks for the time does so anew.",
        (),
    ),
    "peers": (
        "Peers",
        "Each in a virtual environment of its own, with the same weights and photos over HTTP.",
        (),
    ),
    "servers": ("Servers", "Eight clients over HTTP that check every answer.", ("servers",)),
    "load": (
        "Under load",
        "Requests come at moments that chance sets, whether earlier ones are answered or not.",
        ("load",),
    ),
    "scaling": ("How it grows", "Shown, without a bar.", ("megapixels", "models")),
}
INTRO = """# How fast it is

`make bench` measures this project beside bare floors and beside peers, prints these tables, draws these pictures,
writes this page, and ends with an error where a figure falls short of its bar. This page is its output: do not
edit it.

**Read the ratios.** Both sides of each were measured in turn in the same run, A B A B …, and the ratio is the
median of the ratios run by run, with the least and the greatest in brackets. Milliseconds are of one machine at
one time: another has others, and the same one may be half as fast an hour later. A floor is what no answer can do
without, written as plainly as it can be; it refuses nothing, so a ratio above 1 is what the checks cost.
"""
AGAIN = """## Measure it again

```console
make bench                             # all of it; leave the machine alone meanwhile
make bench PARTS="cold warm"           # some of it; the page keeps the rest
make bench PARTS="--short --no-page"   # every part with a few runs, to see that all of it works
```

Each part's raw numbers are in `.cache/bench/PART.json`. Peers need the package registries, once.
"""


def write(cache: Path, parts: Sequence[str], page: Path = PAGE, pictures: Path = PICTURES) -> None:
    """Write the page and draw the pictures of the ``parts`` that ``cache`` holds; the others are named.

    Raises venvs.Unavailable, after the page is written with the pictures there are, where they cannot be drawn.
    """
    found = {part: json.loads(path.read_text()) for part in parts if (path := cache / f"{part}.json").is_file()}
    missing = ""
    try:
        _draw(cache, pictures)
    except venvs.Unavailable as error:
        missing = str(error)
    page.write_text(text(found, parts, pictures), encoding="utf-8")
    if missing:
        raise venvs.Unavailable(missing)


def text(found: Mapping[str, Any], parts: Sequence[str], pictures: Path = PICTURES) -> str:
    """Return the page for ``found``, what each part's file says; ``pictures`` is the folder that holds them."""
    blocks = [INTRO, _machines(found)]
    blocks += [_section(part, found[part], pictures) for part in parts if part in found]
    if left_out := [f"`{part}`" for part in parts if part not in found]:
        blocks.append(f"Not measured yet: {', '.join(left_out)}.\n")
    return "\n".join([*blocks, AGAIN])


def _draw(cache: Path, pictures: Path) -> None:
    argv = [str(venvs.python("plots")), str(HERE / "plots.py"), str(cache.resolve()), str(pictures)]
    done = subprocess.run(argv, capture_output=True, text=True)
    if done.returncode:
        raise venvs.Unavailable(f"the plots failed: {done.stderr.strip().splitlines()[-1]}")


def _machines(found: Mapping[str, Any]) -> str:
    told = dict.fromkeys(
        f"{each['machine']['date']}, {each['machine']['cores']} cores, Python {each['machine']['python']}"
        for each in found.values()
    )
    short = [f"`{part}`" for part, each in found.items() if each["short"]]
    warned = f" Too few runs to rely on, from `--short`: {', '.join(short)}." if short else ""
    return "\n".join([*_wrapped(f"Measured: {'; '.join(told)}.{warned}"), ""])


def _section(part: str, told: Mapping[str, Any], pictures: Path) -> str:
    heading, about, names = SECTIONS.get(part, (part.capitalize(), "", ()))
    lines = [f"## {heading}", "", *_wrapped(about), "", "| figure | bar | measured | held |", "|---|---|---|---|"]
    for figure in told["figures"]:
        held = "not measured" if figure["skipped"] else _held(figure)
        cells = figure["name"], figure["bar"], figure["measured"] or figure["skipped"], held
        lines.append("| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |")
    lines.append("")
    for name in names:
        if (pictures / f"bench-{name}.svg").is_file():
            lines += [f"![{ABOUT[name]}](../pictures/bench-{name}.svg)", ""]
    return "\n".join(lines)


def _held(figure: Mapping[str, Any]) -> str:
    if figure["bar"] == "shown":
        return "–"
    return "yes" if figure["held"] else "**no**"


def _wrapped(about: str) -> list[str]:
    lines, line = [], ""
    for word in about.split():
        if len(line) + len(word) > 114:
            lines, line = [*lines, line], ""
        line = f"{line} {word}".strip()
    return [*lines, line]
