"""A batch that others answer: Lithops on this machine, each cloud's real runtime, an endpoint that misbehaves.

Each time what comes of it is compared with what this machine's own engine gives: the rows of the result file, byte
by byte, without the number of attempts.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from helpers.figures import Figure, Scale, skip
from helpers.runtimes import REASONS, start
from helpers.unruly import Unruly
from real.origin import PHOTOS, Origin

CLOUDS = ("aws", "azure", "gcp", "wsgi")
SETTINGS = {"MLSERVERLESS_ALLOW_PRIVATE_ADDRESSES": "true", "MLSERVERLESS_LOG_LEVEL": "error"}
# Of each ten images: predictions, what fails for good, and what is answered at the second asking.
PATHS = (
    *("coffee.png", "chelsea.png", "rocket.jpg", "flower.jpg", "elsewhere", "coffee.png", "flower.jpg"),
    *("status-404", "text", "truncated.jpg"),
)
BOUND = 6  # requests at a time, where they are counted


def measure(scale: Scale) -> list[Figure]:
    """Return the figures."""
    origin = Origin()
    try:
        with TemporaryDirectory() as folder:
            here = Here(Path(folder), origin.url)
            return [lithops(here, scale), *endpoints(here, scale), misbehaving(here, scale)]
    finally:
        origin.close()


class Here:
    """A folder with lists of URLs, and what this machine's own engine says of them."""

    def __init__(self, folder: Path, origin: str) -> None:
        self.folder, self._origin = folder, origin

    def urls(self, number: int) -> Path:
        """Return a list of so many URLs, no two alike."""
        path = self.folder / f"{number}.txt"
        path.write_text("".join(f"{self._origin}/{PATHS[i % len(PATHS)]}?n={i}\n" for i in range(number)))
        return path

    def expected(self, source: Path) -> list[bytes]:
        """Return the rows that this machine's own engine makes of ``source``."""
        out = self.folder / f"local-{source.stem}.jsonl"
        if not out.exists():
            self.batch(source, out)
        return rows(out)

    def batch(self, source: Path, out: Path, *more: str, **environment: str) -> float:
        """Run the command; return the seconds it took, raise RuntimeError where it did not end as it should."""
        began = time.monotonic()
        done = subprocess.run(
            self.words(source, out, *more),
            env=self.environment(**environment),
            capture_output=True,
            text=True,
            timeout=1800,
            check=False,
        )
        if done.returncode not in (0, 1) or not out.exists():  # 1: some images are problems, as they should be
            raise RuntimeError(f"{' '.join(more)} ended with {done.returncode}: {done.stderr[-2000:]}")
        return time.monotonic() - began

    def words(self, source: Path, out: Path, *more: str) -> list[str]:
        """Return the command line."""
        return [sys.executable, "-m", "mlserverless", "batch", str(source), "--out", str(out), "--quiet", *more]

    def environment(self, **more: str) -> dict[str, str]:
        """Return the environment: Lithops has a home and a temporary folder of its own."""
        for name in ("home", "tmp"):
            (self.folder / name).mkdir(exist_ok=True)
        own = {"HOME": str(self.folder / "home"), "TMPDIR": str(self.folder / "tmp")}
        return {**os.environ, **SETTINGS, **own, **more}


def rows(path: Path) -> list[bytes]:
    """Return the lines of a result file without their attempts."""

    def told(line: bytes) -> bytes:
        row: dict[str, Any] = json.loads(line)
        del row["attempts"]
        return json.dumps(row, ensure_ascii=False).encode(errors="backslashreplace")

    return [told(line) for line in path.read_bytes().splitlines()]


def compared(name: str, expected: list[bytes], got: list[bytes], seconds: float, **details: Any) -> Figure:
    """Return the figure of two results that are to be the same."""
    same = sum(one == other for one, other in zip(expected, got, strict=False))
    kinds = Counter(json.loads(line).get("problem", {}).get("code", "classified") for line in got)
    details |= {"rows": len(got), "seconds": round(seconds, 1), "what": dict(kinds)}
    held = len(expected) == len(got) == same > 0
    return Figure(name, "the same rows as local", f"{same:,} of {len(expected):,}", held, details)


def lithops(here: Here, scale: Scale) -> Figure:
    """Compare the engine lithops, on its executor for this machine."""
    source, out = here.urls(scale.of(1000, 60)), here.folder / "lithops.jsonl"
    config = json.dumps({"lithops": {"backend": "localhost", "storage": "localhost"}})
    seconds = here.batch(
        source, out, "--engine", "lithops", "--chunk", str(scale.of(50, 20)), LITHOPS_CONFIG=config
    )
    left = [path.name for path in (here.folder / "home").iterdir()]
    return compared("batch --engine lithops, localhost", here.expected(source), rows(out), seconds, home=left)


def endpoints(here: Here, scale: Scale) -> list[Figure]:
    """Compare each cloud's real runtime, asked for URLs and sent the bytes of files."""
    found, source = [], here.urls(scale.of(1000, 60))
    for cloud in CLOUDS:
        name = f"batch --endpoint, {cloud}"
        if (reason := REASONS[cloud]()) is not None:
            found.append(skip(name, "the same rows as local", reason))
            continue
        runtime = start(cloud, SETTINGS, sandboxes=2)
        try:
            seconds, got, expected = 0.0, list[bytes](), list[bytes]()
            for what in (source, PHOTOS):
                out = here.folder / f"{cloud}-{what.stem}.jsonl"
                seconds += here.batch(what, out, "--endpoint", runtime.url)
                got += rows(out)
                expected += here.expected(what)
        finally:
            runtime.close()
        found.append(compared(name, expected, got, seconds))
    return found


def misbehaving(here: Here, scale: Scale) -> Figure:
    """Ask an endpoint that is busy, resets and is slow at random; the command is killed once on the way."""
    source, out = here.urls(scale.of(1000, 100)), here.folder / "misbehaving.jsonl"
    more = ("--concurrency", str(BOUND), "--per-request", "2")
    runtime = start("wsgi", SETTINGS)
    unruly = Unruly(runtime.url, random.Random(8))
    try:
        began = time.monotonic()
        killed = killed_once(here, source, out, lambda: unruly.answered >= 10, "--endpoint", unruly.url, *more)
        unruly.forget()
        here.batch(source, out, "--endpoint", unruly.url, *more)
        seconds = time.monotonic() - began
    finally:
        unruly.close()
        runtime.close()
    expected, got = here.expected(source), rows(out)
    indexes = [json.loads(line)["index"] for line in got]
    lost, twice = len(set(range(len(expected))) - set(indexes)), len(indexes) - len(set(indexes))
    same = sum(one == other for one, other in zip(expected, got, strict=False))
    told = (
        f"{lost} lost, {twice} twice, {same:,} of {len(expected):,} as local; {unruly.most} at a time; "
        f"{unruly.early} of {unruly.asked_to_wait} waits too short"
    )
    held = expected == got and not lost and not twice and unruly.most <= BOUND and not unruly.early
    held = held and killed and all(unruly.told[what] for what in ("429", "503", "reset", "slow"))
    details = {
        **unruly.told,
        "at_a_time": unruly.most,
        "on_its_way_s": round(unruly.on_its_way_s, 3),
        "kept_when_killed": killed,
        "seconds": round(seconds, 1),
    }
    bar = f"0 lost, 0 twice, all as local, at most {BOUND} at a time, Retry-After kept"
    return Figure("batch --endpoint, misbehaving", bar, told, held, details)


def killed_once(here: Here, source: Path, out: Path, when: Callable[[], bool], *more: str) -> int:
    """Run the command, kill it as soon as it is time, and return how many rows it has left behind."""
    child = subprocess.Popen(
        here.words(source, out, *more), env=here.environment(), stderr=subprocess.DEVNULL, start_new_session=True
    )
    end = time.monotonic() + 60
    while not when() and child.poll() is None and time.monotonic() < end:
        time.sleep(0.01)
    os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    part = out.with_name(out.name + ".part")
    return part.read_bytes().count(b"\n") if part.exists() else 0
