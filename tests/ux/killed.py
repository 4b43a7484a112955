"""`mlserverless batch` killed at random moments, and gone on with: is anything lost, or there twice?

A process group is sent SIGKILL, and the same command started again. Between two of its runs the ceiling is
measured: as many processes as it has, which predict the same bytes from memory in a loop and do nothing else.
The last run is left alone, and its memory is watched.
"""

import http.client
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from statistics import median
from typing import Any, NamedTuple

from PIL import Image

from helpers.figures import Figure, Scale
from mlserverless import Predictor
from ux.killed_origin import is_gone

PHOTOS = Path(__file__).parents[2] / "examples" / "photos"
ORIGIN = Path(__file__).with_name("killed_origin.py")
MODEL, SIDE = "dogs-vs-cats", 240
# Of the whole form and the short one, which is measured in seconds, beside whatever else the machine does.
LEAST_RATE, MOST_GROWTH = (0.9, 0.8), (1.05, 1.15)
STEADY = 100  # photos that are sent before a run's rate is taken
LEAST_S = 2.0  # of a run, for its rate to count
TICK = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
CEILING = """
import sys, time
from pathlib import Path
from mlserverless import Predictor
predictor = Predictor(sys.argv[1], threads=1, concurrency=1)
photos = [path.read_bytes() for path in sorted(Path(sys.argv[2]).glob("*.jpg"))]
for photo in photos:
    predictor.predict(photo)
print("ready", flush=True)
made = 0
for line in sys.stdin:
    first, cpu, begin = made, time.process_time(), time.perf_counter()
    while time.perf_counter() - begin < float(line):
        predictor.predict(photos[made % len(photos)]).to_dict()
        made += 1
    print(made - first, time.perf_counter() - begin, time.process_time() - cpu, flush=True)
"""


Mark = tuple[float, int, float, float]  # what a Stretch is the difference of


class Rate(NamedTuple):
    """Photos a second, and a second of CPU."""

    wall: float
    cpu: float


class Stretch(NamedTuple):
    """What a run did between two moments: seconds, photos sent, CPU seconds of its own and of the origin."""

    seconds: float
    photos: int
    cpu: float
    origin: float


def measure(scale: Scale) -> list[Figure]:
    """Return three figures: nothing lost or twice, the rate beside the ceiling, the memory."""
    with tempfile.TemporaryDirectory() as folder:
        return _Killed(Path(folder), scale).figures()


class _Killed:
    def __init__(self, folder: Path, scale: Scale) -> None:
        self._folder, self._scale, self._chance = folder, scale, Random(8)
        self._total, self._kills = scale.of(100_000, 1500), scale.of(20, 4)
        self._out, self._list = folder / "results.jsonl", folder / "urls.txt"
        self._workers = len(os.sched_getaffinity(0))
        photos = folder / "photos"
        photos.mkdir()
        for path in sorted(PHOTOS.glob("*.*g")):
            image = Image.open(path).convert("RGB")
            image.thumbnail((SIDE, SIDE))
            image.save(photos / f"{path.stem}.jpg", "JPEG", quality=85)
        self._photos = photos

    def figures(self) -> list[Figure]:
        begin = time.monotonic()
        with self._origin() as port:
            self._port = port
            self._list.write_text("".join(f"http://127.0.0.1:{port}/{n}.jpg\n" for n in range(self._total)))
            pairs: list[tuple[Stretch, Rate]] = []
            kills = 0
            while kills < self._kills and not self._out.exists():
                stretch, killed = self._run_and_kill()
                kills += killed
                rate = self._ceiling(self._scale.of(6, 2))
                if stretch is not None:
                    pairs.append((stretch, rate))
            memory, stretch, code = self._run_to_the_end()
            if stretch is not None:
                pairs.append((stretch, self._ceiling(self._scale.of(30, 4))))
            stats = self._stats()
        found = {**self._judged(), "kills": kills, "exit code": code, "failures at first": stats["failed"]}
        found["photos sent again after a kill"] = stats["sent"] - self._total + found["gone"]
        found["seconds"] = round(time.monotonic() - begin)
        if found["rows"] != self._total:
            found["said"] = (self._folder / "stderr").read_text()[-2000:]
        return [self._nothing_lost(found), self._rate(pairs), self._memory(memory)]

    def _nothing_lost(self, found: dict[str, Any]) -> Figure:
        told = f"{found['kills']} kills: {found['lost']} lost, {found['twice']} twice, {found['wrong']} wrong"
        told += f" of {found['rows']:,}, {found['tried again']:,} tried again, {found['gone']} problems"
        held = found["kills"] >= self._kills and not any(found[name] for name in ("lost", "twice", "wrong"))
        held = held and found["exit code"] == 1 and found["tried again"] > 0 and found["gone"] > 0
        bar = f"≥ {self._kills} kills of {self._total:,} URLs: 0 lost, 0 twice, 0 wrong"
        return Figure("batch: kill -9 of all its processes at random moments", bar, told, held, found)

    def _rate(self, pairs: list[tuple[Stretch, Rate]]) -> Figure:
        cores = self._workers
        wall = [stretch.photos / (stretch.seconds - stretch.origin / cores) / rate.wall for stretch, rate in pairs]
        cpu = [stretch.photos / stretch.cpu / rate.cpu for stretch, rate in pairs]
        clock, second = median(wall or [0.0]), median(cpu or [0.0])
        # By the clock idle cores are seen; by the CPU second, what others do beside it is not taken for the
        # ceiling's fault: three processes get more of a busy machine than two.
        share = second if self._scale.short else min(clock, second)
        least = LEAST_RATE[self._scale.short]
        details = {
            "median, by the clock, without the origin's CPU": round(clock, 3),
            "median, by the CPU second": round(second, 3),
            "photos a second": round(median(s.photos / s.seconds for s, _ in pairs), 1) if pairs else 0,
            "ceiling": round(median(rate.wall for _, rate in pairs), 1) if pairs else 0,
            "stretches": [{**s._asdict(), "share": round(w, 3)} for (s, _), w in zip(pairs, wall, strict=True)],
            "processes": cores,
        }
        told = f"{clock:.3f} by the clock, {second:.3f} by the CPU second, {details['photos a second']} a second"
        bar = f"≥ {least} × as many processes predicting from memory"
        return Figure("batch: rate beside the machine's CPU-bound ceiling", bar, told, share >= least, details)

    def _memory(self, memory: list[int]) -> Figure:
        settled = memory[len(memory) // 10 :]  # the first tenth loads models and fills buffers
        third = max(1, len(settled) // 3)
        first, last = max(settled[:third], default=0), max(settled[-third:], default=0)
        most = MOST_GROWTH[self._scale.short]
        growth = last / first if first else float("inf")
        told = f"{growth:.3f} ({first >> 20} MB, {last >> 20} MB)"
        details = {"MB, now and then": [value >> 20 for value in memory[:: max(1, len(memory) // 60)]]}
        return Figure(
            "batch: peak memory of all processes, last third beside first",
            f"≤ {most:g} ×",
            told,
            growth <= most,
            details,
        )

    @contextmanager
    def _origin(self) -> Iterator[int]:
        words = [sys.executable, str(ORIGIN), str(self._photos)]
        with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            try:
                yield int(process.stdout.readline())
            finally:
                process.kill()

    def _start(self) -> "subprocess.Popen[bytes]":
        words = [sys.executable, "-m", "mlserverless", "batch", str(self._list), "--out", str(self._out)]
        words += ["--model", MODEL, "--allow-private-addresses", "--quiet"]
        errors = (self._folder / "stderr").open("wb")
        with errors:
            return subprocess.Popen(words, stderr=errors, stdout=subprocess.DEVNULL, start_new_session=True)

    def _run_and_kill(self) -> tuple[Stretch | None, bool]:
        longest = self._scale.of(24, 4)
        process = self._start()
        ends = time.monotonic() + self._chance.uniform(0, longest)
        before = self._stats()["sent"]
        marked: Mark | None = None
        while (now := time.monotonic()) < ends and process.poll() is None:
            time.sleep(min(0.1, ends - now))
            if marked is None and self._stats()["sent"] - before >= STEADY:
                marked = self._mark(process)
        there = self._mark(process)
        killed = process.poll() is None
        if killed:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return _between([marked, there]) if marked is not None and killed else None, killed

    def _mark(self, process: "subprocess.Popen[bytes]") -> Mark:
        stats = self._stats()
        cpu = sum(_cpu(pid) for pid in _group(process.pid))
        return time.monotonic(), stats["sent"], cpu, stats["cpu"]

    def _ceiling(self, seconds: float) -> Rate:
        words = [sys.executable, "-c", CEILING, MODEL, str(self._photos), str(seconds)]
        pipe = subprocess.PIPE
        found = [subprocess.Popen(words, stdin=pipe, stdout=pipe, text=True) for _ in range(self._workers)]
        for process in found:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in found:  # at the same time
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
        told = [process.communicate()[0] for process in found]
        rates = [tuple(map(float, out.split())) for out in told]
        return Rate(sum(wall for wall, _ in rates), sum(cpu for _, cpu in rates) / len(rates))

    def _run_to_the_end(self) -> tuple[list[int], Stretch | None, int]:
        process, memory, marks = self._start(), list[int](), list[Mark]()
        before = self._stats()["sent"]
        while process.poll() is None:
            if len(group := _group(process.pid)) > self._workers:
                memory.append(sum(_resident(pid) for pid in group))
                mark = self._mark(process)
                if mark[1] - before >= STEADY and len(_group(process.pid)) > self._workers:
                    marks = [*marks[:1], mark]
            time.sleep(self._scale.of(20, 2) / 20)
        return memory, _between(marks), process.returncode

    def _stats(self) -> dict[str, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        try:
            connection.request("GET", "/stats")
            return dict(json.loads(connection.getresponse().read()))
        finally:
            connection.close()

    def _judged(self) -> dict[str, Any]:
        expected = self._expected()
        seen, wrong, again, gone = set[int](), list[int](), 0, 0
        lines = (self._out if self._out.exists() else self._out.with_name("results.jsonl.part")).read_bytes()
        rows = [json.loads(line) for line in lines.splitlines()]
        for place, row in enumerate(rows):
            index = row["index"]
            seen.add(index)
            again += row["attempts"] > 1
            told = {name: row[name] for name in ("model", "sha256", "predictions") if name in row}
            right = expected[index % len(expected)]
            if is_gone(index):
                gone += 1
                told, right = row.get("problem", {}).get("code"), "source-not-found"
            if told != right or row["source"] != f"http://127.0.0.1:{self._port}/{index}.jpg" or index != place:
                wrong.append(index)
        return {
            "rows": len(rows),
            "lost": self._total - len(seen),
            "twice": len(rows) - len(seen),
            "wrong": len(wrong),
            "wrong ones": wrong[:20],
            "tried again": again,
            "gone": gone,
        }

    def _expected(self) -> list[dict[str, Any]]:
        predictor = Predictor(MODEL, threads=1, concurrency=1)
        photos = [path.read_bytes() for path in sorted(self._photos.glob("*.jpg"))]
        return [predictor.predict(photo).to_dict() for photo in photos]


def _between(marks: list[Mark]) -> Stretch | None:
    """Return what was done between two moments, where there was time enough for a rate."""
    if len(marks) < 2 or marks[1][0] - marks[0][0] < LEAST_S:
        return None
    return Stretch(*(late - early for early, late in zip(*marks, strict=True)))


def _group(leader: int) -> list[int]:
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                if os.getpgid(int(name)) == leader:
                    found.append(int(name))
            except ProcessLookupError:
                continue
    return found


def _cpu(pid: int) -> float:
    try:
        words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(words[11]) + int(words[12])) / TICK


def _resident(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE
    except OSError:
        return 0
