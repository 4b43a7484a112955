"""What a function pays before its first request, and what that first request pays beyond a warm one.

The entry is imported beside ``import PIL.Image, ctypes``, which no answer can do without; so that nothing hides
behind a lazy import, the entry with all that a first request adds is measured, too.
"""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from statistics import median
from typing import Any

from benchmarks import launches, origins
from benchmarks.children import PHOTOS, SUBJECTS, Command, interleave, launcher, model, ratio_of, summary
from helpers.figures import Figure, Scale

ENTRY, BARE = ("mlserverless.adapters.aws",), ("PIL.Image", "ctypes")
# The plugins of the accepted formats, which an image that is opened brings.
PLUGINS = ("PIL.JpegImagePlugin", "PIL.PngImagePlugin", "PIL.WebPImagePlugin")
BAR, FIRST_BAR = 1.40, 1.3
PHOTO = "rocket.jpg"
SHOWN = 25  # modules of the table of self times


def measure(scale: Scale) -> list[Figure]:
    """Return the figures of the entry and of a first request."""
    with origins.served(PHOTOS) as origin:
        added = _added(f"{origin}/{PHOTO}")
        return [*_imports(scale, added), launches.measure(scale, f"{origin}/{PHOTO}", FIRST_BAR)]


def _imports(scale: Scale, added: list[str]) -> list[Figure]:
    whole = (*ENTRY, *added)
    subjects = {
        "entry": ENTRY,
        "bare": BARE,
        "entry and first request": whole,
        "bare and plugins": BARE + PLUGINS,
        "nothing": (),
    }
    runs = interleave({name: _command(modules) for name, modules in subjects.items()}, scale.of(31, 5))
    details = {
        "seconds": {name: summary([run.ended for run in each]) for name, each in runs.items()},
        "added_by_first_request": added,
        "self_ms": _self_times(whole, scale.of(5, 1)),
    }
    entry = ratio_of(runs, "entry", "bare", "ended")
    first = ratio_of(runs, "entry and first request", "bare", "ended")
    plugins = ratio_of(runs, "entry and first request", "bare and plugins", "ended")

    def milliseconds(name: str) -> float:
        return 1000 * median(run.ended for run in runs[name])

    start = milliseconds("nothing")
    alone = (milliseconds("entry") - start) / (milliseconds("bare") - start)

    return [
        Figure(
            "import of the function's whole entry, against import PIL.Image, ctypes",
            f"≤ {BAR:.2f} ×",
            f"{entry}, medians {milliseconds('entry'):.0f} against {milliseconds('bare'):.0f} ms of "
            f"{len(runs['entry'])} fresh processes; {alone:.2f} × without the {start:.0f} ms of Python's start",
            entry.median <= BAR,
            details,
        ),
        Figure(
            f"the entry and all {len(added)} modules that a first http request adds, against the same with the "
            "plugins of the formats, which Pillow needs",
            f"≤ {BAR:.2f} ×",
            f"{plugins}, {milliseconds('entry and first request'):.0f} against "
            f"{milliseconds('bare and plugins'):.0f} ms; {first.median:.2f} × where those are left out",
            plugins.median <= BAR,
            details,
        ),
    ]


def _command(modules: Sequence[str], *options: str) -> Command:
    environment = {"MLSERVERLESS_MODEL": str(model()), "MLSERVERLESS_ALLOW_PRIVATE_ADDRESSES": "true"}
    return Command((sys.executable, *options, str(SUBJECTS / "imports.py"), *modules), environment)


def _added(url: str) -> list[str]:
    """Return the modules that a first http request imports beyond the entry, in the order in which it does."""
    argv = (sys.executable, str(SUBJECTS / "first_request.py"), url)
    with launcher() as started:
        said = started.run(Command(argv, _command(()).env)).said
    found: list[str] = json.loads(said)["added"]
    return found


def _self_times(modules: Sequence[str], runs: int) -> list[dict[str, Any]]:
    """Return the modules with the greatest median time of their own, by -X importtime, of ``runs`` processes."""
    found: dict[str, list[float]] = {}
    command = _command(modules, "-X", "importtime")
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    for _ in range(runs):
        done = subprocess.run(
            command.argv, env={**kept, **command.env}, cwd=model(), capture_output=True, text=True, check=True
        )
        for line in done.stderr.splitlines():
            words = line.removeprefix("import time:").split("|")
            if len(words) == 3 and words[0].strip().isdigit():
                found.setdefault(words[2].strip(), []).append(int(words[0]) / 1000)
    times = {name: median(each) for name, each in found.items()}
    first = sorted(times, key=times.__getitem__, reverse=True)[:SHOWN]
    return [{"module": name, "ms": round(times[name], 3)} for name in first]
