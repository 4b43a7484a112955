"""Process start to first answer, against two floors without any check, and against an origin that is far away."""

import sys
from collections.abc import Callable
from urllib.parse import urlsplit

from benchmarks import origins
from benchmarks.children import PHOTOS, SUBJECTS, Command, Run, interleave, model, ratio_of, summary
from helpers.figures import Figure, Scale

PHOTO = "rocket.jpg"
FAR = 0.1  # seconds
FLOORS = ("numpy floor", "lean floor")
ONE_THREAD = "mlserverless, one thread"  # as the floors run their invoke


def commands(origin: str) -> dict[str, Command]:
    """Return the floors and this project, each asked for the photo at ``origin``."""
    folder, where = model(), urlsplit(origin)
    raw = (str(folder / "model.tflite"), str(where.hostname), str(where.port), f"/{PHOTO}")
    ours = {
        "MLSERVERLESS_MODEL": str(folder),
        "MLSERVERLESS_ALLOW_PRIVATE_ADDRESSES": "true",
    }
    return {
        "numpy floor": Command((sys.executable, str(SUBJECTS / "numpy_floor.py"), *raw)),
        "lean floor": Command((sys.executable, str(SUBJECTS / "lean_floor.py"), *raw)),
        ONE_THREAD: Command(
            (sys.executable, str(SUBJECTS / "ours.py"), str(folder), f"{origin}/{PHOTO}"),
            {**ours, "MLSERVERLESS_THREADS": "1"},
        ),
        "mlserverless": Command(
            (sys.executable, str(SUBJECTS / "ours.py"), str(folder), f"{origin}/{PHOTO}"), ours
        ),
    }


def same_answer() -> Callable[[str, Run], bool]:
    """Return a check that every run says the class that the first one said."""
    first: list[str] = []

    def accept(_: str, run: Run) -> bool:
        first.append(run.said)
        return run.said.isdigit() and run.said == first[0]

    return accept


def measure(scale: Scale) -> list[Figure]:
    """Return the figures of the cold path."""
    count = scale.of(30, 5)
    with origins.served(PHOTOS) as origin:
        near = interleave(commands(origin), count, accept=same_answer())
    with origins.served(PHOTOS, FAR) as origin:
        asked = {name: command for name, command in commands(origin).items() if name != "numpy floor"}
        far = interleave(asked, scale.of(20, 3), accept=same_answer())
    found = []
    for floor, bar in zip(FLOORS, (0.65, 1.20), strict=True):
        against = ratio_of(near, "mlserverless", floor)
        found.append(
            Figure(
                f"cold, process start to first answer, near origin, against the {floor}",
                f"≤ {bar:.2f} ×",
                _told(near, "mlserverless", floor),
                against.median <= bar,
                {"seconds": {name: summary([r.wall for r in runs]) for name, runs in near.items()}},
            )
        )
    found.append(
        Figure(
            "the same with one thread, as the floor has",
            "shown",
            _told(near, ONE_THREAD, "lean floor"),
            True,
        )
    )
    against = ratio_of(far, "mlserverless", "lean floor")
    found.append(
        Figure(
            f"the same, origin {1000 * FAR:.0f} ms away, against the lean floor in sequence",
            "≤ 0.80 ×",
            _told(far, "mlserverless", "lean floor"),
            against.median <= 0.80,
            {"seconds": {name: summary([r.wall for r in runs]) for name, runs in far.items()}},
        )
    )
    for floor, bar in zip(FLOORS, (0.75, 1.15), strict=True):
        against = ratio_of(near, "mlserverless", floor, "peak_mb")
        peaks = {name: summary([r.peak_mb for r in runs]) for name, runs in near.items()}
        found.append(
            Figure(
                f"peak memory to the first answer, against the {floor}",
                f"≤ {bar:.2f} ×",
                f"{against}, {peaks['mlserverless']['median']:.1f} against {peaks[floor]['median']:.1f} MiB",
                against.median <= bar,
                {"peak_mb": peaks},
            )
        )
    return found


def _told(runs: dict[str, list[Run]], ours: str, theirs: str) -> str:
    seconds = {name: summary([run.wall for run in runs[name]])["median"] for name in (ours, theirs)}
    return (
        f"{ratio_of(runs, ours, theirs)}, medians {1000 * seconds[ours]:.0f} against "
        f"{1000 * seconds[theirs]:.0f} ms of {len(runs[ours])} runs"
    )
