"""Fresh processes in turn, A B C A B C …, since the machine's speed drifts; medians, and ratios run by run."""

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).parent
ROOT = HERE.parent
SUBJECTS = HERE / "subjects"
BUNDLED = ROOT / "models" / "efficientnet-lite0"
MODEL = ROOT / ".cache" / "bench" / "model"  # made by ``model``
PHOTOS = ROOT / "examples" / "photos"
EMPTY = ROOT / ".cache" / "bench" / "empty"  # where they run: no pyproject.toml is read there, as in no function
WARM_UPS = 2  # they write bytecode, as a deployed package has it, and fill the page cache


def model() -> Path:
    """Return the folder of the bundled model, told to stretch images as the floors and the write-ups do.

    Everything measured does the same to an image then, and must give the same answer.
    """
    MODEL.mkdir(parents=True, exist_ok=True)
    for name in ("model.tflite", "labels.txt"):
        put(MODEL / name, (BUNDLED / name).read_bytes())
    lines = (BUNDLED / "model.toml").read_text().splitlines()
    kept = [line for line in lines if line.partition("=")[0].strip() not in ("fit", "crop", "resize")]
    at = kept.index("[input]") + 1
    kept[at:at] = ['resize = "bilinear"', 'fit = "stretch"']
    put(MODEL / "model.toml", ("\n".join(kept) + "\n").encode())
    return MODEL


def put(path: Path, data: bytes) -> None:
    """Write ``data`` to ``path`` unless it is there; in one step, since another run may have it mapped."""
    if not path.is_file() or path.read_bytes() != data:
        beside = path.with_suffix(f".{os.getpid()}")
        beside.write_bytes(data)
        beside.chmod(0o444)  # as a deployed package has its files
        beside.replace(path)


class Command(NamedTuple):
    """What a fresh process runs; ``env`` is added to PATH and HOME, which is all that it has otherwise."""

    argv: Sequence[str]
    env: Mapping[str, str] = {}


def environment(added: Mapping[str, str]) -> dict[str, str]:
    """Return the whole environment of a process that is measured: PATH, HOME, and what is ``added``."""
    return {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ} | dict(added)


class Run(NamedTuple):
    """One run: seconds to the first line of its output, and to its end; CPU seconds; peak memory in MiB."""

    wall: float
    ended: float
    cpu: float
    peak_mb: float
    said: str


class Failed(Exception):
    """A command ended with an error, or said what it should not. The text shows its own words."""


class Launcher:
    """The small process that starts the others."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def run(self, command: Command) -> Run:
        """Run ``command`` to its end; raise Failed where it ends with an error."""
        EMPTY.mkdir(parents=True, exist_ok=True)
        asked = {"argv": list(command.argv), "env": environment(command.env), "cwd": str(EMPTY)}
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        if answer["code"]:
            told = answer["told"].strip().splitlines()[-12:]
            raise Failed(f"{' '.join(command.argv)} ended with {answer['code']}: " + "\n".join(told))
        fields = {name: answer[name] for name in ("wall", "ended", "cpu", "peak_mb")}
        return Run(**fields, said=answer["said"].strip())


@contextmanager
def launcher() -> Iterator[Launcher]:
    """Yield a launcher, which ends with the block."""
    with subprocess.Popen(
        [sys.executable, "-I", "-S", str(HERE / "launch.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield Launcher(process)
        assert process.stdin is not None
        process.stdin.close()


def interleave(
    commands: Mapping[str, Command], runs: int, *, accept: Callable[[str, Run], bool] | None = None
) -> dict[str, list[Run]]:
    """Return ``runs`` runs of each command, in turn; raise Failed where ``accept(name, run)`` says no."""
    found: dict[str, list[Run]] = {name: [] for name in commands}
    with launcher() as started:
        for turn in range(runs + WARM_UPS):
            for name, command in commands.items():
                run = started.run(command)
                if accept is not None and not accept(name, run):
                    raise Failed(f"{name} said {run.said!r}, which is not the answer")
                if turn >= WARM_UPS:
                    found[name].append(run)
    return found


class Ratio(NamedTuple):
    """The median of the ratios run by run, the least and the greatest."""

    median: float
    least: float
    most: float

    def __str__(self) -> str:
        return f"{self.median:.2f} × ({self.least:.2f}–{self.most:.2f})"


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> Ratio:
    """Return how often ``theirs`` goes into ``ours``, run by run."""
    each = [a / b for a, b in zip(ours, theirs, strict=True)]
    return Ratio(statistics.median(each), min(each), max(each))


def ratio_of(runs: Mapping[str, Sequence[Run]], ours: str, theirs: str, what: str = "wall") -> Ratio:
    """Return the ratio of two commands' ``wall``, ``cpu``, ``peak_mb`` or ``ended``."""
    return ratio([getattr(r, what) for r in runs[ours]], [getattr(r, what) for r in runs[theirs]])


def summary(values: Sequence[float]) -> dict[str, float]:
    """Return median, min and max, as the JSON file has them."""
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}
