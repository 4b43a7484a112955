"""The tutorials, from training to three runtimes: their pages' commands, typed into a shell as a reader does."""

import os
import re
import shutil
import tempfile
import time
from pathlib import Path

from helpers import pages
from helpers.figures import Figure, Scale, skip
from mlserverless.local.azure.python import interpreter
from mlserverless.local.process import free_port

ROOT = Path(__file__).parents[2]
MINUTES = 10  # that each may take, on two cores
LEAST_IMAGES = 50  # that each runtime is asked for
LARGEST = 1e-4  # difference of a score; the tolerance of examples/tutorials/agree.py
CLOUDS = {"aws", "azure", "gcp"}
# Page -> the environments that it is followed in, at the top of the checkout.
TUTORIALS = {
    "keras": (".venv-tensorflow", ".venv", ".venv-azure"),
    "pytorch": (".venv-torch", ".venv", ".venv-azure"),
    "scikit-learn": (".venv", ".venv-azure"),
}
SHORT = ("scikit-learn",)  # in the shortened form: the others need a framework of 2 GB each
AGREED = re.compile(r"^(\w+) +(\d+) of (\d+) first classes as in the notebook, scores within (\S+)$", re.M)
RIGHT = re.compile(r"([\d.]+%) of (\d+) .*right$", re.M)


def measure(scale: Scale, names: tuple[str, ...] = ()) -> list[Figure]:
    """Follow the tutorials called ``names``: by default all, in the shortened form those of SHORT."""
    return [one for name in names or (SHORT if scale.short else TUTORIALS) for one in _figures(name)]


def _figures(name: str) -> list[Figure]:
    same = f"{name} tutorial: answers of three runtimes that are the notebook's"
    same_bar = f"all, ≥ {LEAST_IMAGES} each, scores ≤ {LARGEST:g}"
    told = f"{name} tutorial: certified, and all as its page shows"
    told_bar = f"every line, ≤ {MINUTES} min"
    if reason := lacking(name):
        return [skip(same, same_bar, reason), skip(told, told_bar, reason)]
    start = time.monotonic()
    done = _typed(name)
    minutes = (time.monotonic() - start) / 60

    printed = "\n".join(one.printed for one in done)
    answers = [(cloud, int(ours), int(of), float(gap)) for cloud, ours, of, gap in AGREED.findall(printed)]
    wrong = [f"{one.command.text}: {one.code}\n{one.printed}" for one in done if one.code != one.command.code]
    missing = [line for one in done for line in (one.command.shown if one.code is None else one.missing)]
    details = {"answers": answers, "wrong": wrong, "missing": missing, "minutes": round(minutes, 2)}
    return [
        Figure(same, same_bar, *_agreement(answers), details=details),
        Figure(told, told_bar, *_shown(done, len(answers) // len(CLOUDS), wrong, missing, minutes)),
    ]


def _agreement(answers: list[tuple[str, int, int, float]]) -> tuple[str, bool]:
    """Return what is to be told of ``answers`` (cloud, equal, of, largest difference), and whether all agree."""
    equal, asked = sum(one[1] for one in answers), sum(one[2] for one in answers)
    largest = max((one[3] for one in answers), default=float("nan"))
    enough = {cloud for cloud, _, of, _ in answers if of >= LEAST_IMAGES} == CLOUDS
    return (
        f"{equal} of {asked}, largest difference {largest:.0e}",
        enough and equal == asked and largest <= LARGEST,
    )


def _shown(
    done: list[pages.Done], models: int, wrong: list[str], missing: list[str], minutes: float
) -> tuple[str, bool]:
    """Return what is to be told of the commands, and whether they did what the page says in the time there is."""
    share, of = next(iter(RIGHT.findall("\n".join(one.printed for one in done))), ("nothing", "0"))
    certified = sum("Certified:" in one.printed and one.code == 0 for one in done)
    lines = sum(len(one.command.shown) for one in done)
    measured = (
        f"{certified} of {models} certified; {lines - len(missing)} of {lines} lines; {minutes:.1f} min; "
        f"the notebook has {share} of {of} right"
    )
    return measured, not wrong and not missing and certified == models > 0 and minutes <= MINUTES


def lacking(name: str) -> str | None:
    """Return which environment of a tutorial is not there, or cannot run Azure's runtime; None where all can."""
    for venv in TUTORIALS[name]:
        if not (ROOT / venv / "bin/python").exists():
            return f"{venv} is not there: make {venv}/.ready"
    return interpreter(str(ROOT / ".venv-azure/bin/python")).reason


def _typed(name: str) -> list[pages.Done]:
    page = (ROOT / f"docs/tutorials/{name}.md").read_text(encoding="utf-8")
    environment = {key: os.environ[key] for key in ("HOME", "LANG", "PATH", "TMPDIR") if key in os.environ}
    with tempfile.TemporaryDirectory() as folder:
        # As a checkout, but with copies of the scripts, so that nothing made before helps, and nothing is left.
        for linked in (*TUTORIALS[name], "models"):
            (Path(folder) / linked).symlink_to(ROOT / linked)
        unwanted = shutil.ignore_patterns("build", "__pycache__")
        shutil.copytree(ROOT / "examples/tutorials", Path(folder) / "examples/tutorials", ignore=unwanted)
        port = str(free_port("127.0.0.1"))  # the one of `serve` may be taken
        return pages.typed(page.replace("8080", port), Path(folder), environment)
