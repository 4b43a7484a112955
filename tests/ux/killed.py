"""`mlserverless batch` killed at random moments, and gone on with: is anything lost, or there twice?

A process group is sent SIGKILL, and the same command started again. The kills end when half the photos are sent,
however fast the machine is. The last run is not killed: its memory is watched, and every few seconds it is
stopped (SIGSTOP) for a turn of the ceiling, as many processes as it has, which predict the same bytes from memory
in a loop and do nothing else. How fast a machine is changes by the minute, between two neighbouring turns it does
not.
"""

import http.client
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
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
STEADY = 100  # photos that are sent before the last run's rate is taken
MOST_OF_A_TURN = 400  # photos, in the short form: a fast machine has several turns too
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


Ceiling = Callable[[float], tuple[float, int, float]]


class Turn(NamedTuple):
    """What the batch did in a turn, and the ceiling in the next: seconds, photos, CPU seconds.

    ``origin``: the CPU seconds of the origin, which shares the cores with the batch.
    """

    seconds: float
    photos: int
    cpu: float
    origin: float
    ceiling_seconds: float
    ceiling_photos: int
    ceiling_cpu: float


def measure(scale: Scale) -> list[Figure]:
    """Return three figures: nothing lost or twice, the rate beside the ceiling, the memory."""
    with tempfile.TemporaryDirectory() as folder:
        return _Killed(Path(folder), scale).figures()


class _Killed:
    def __init__(self, folder: Path, scale: Scale) -> None:
        self._folder, self._scale, self._chance = folder, scale, Random(8)
        self._total, self._kills = scale.of(100_000, 3000), scale.of(20, 4)
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
            kills = 0
            while kills < self._kills and not self._out.exists():
                kills += self._run_and_kill(self._total // 2 * (kills + 1) // self._kills)
            with self._ceiling() as ceiling:
                memory, turns, code = self._run_to_the_end(ceiling)
            stats = self._stats()
        found = {**self._judged(), "kills": kills, "exit code": code, "failures at first": stats["failed"]}
        found["photos sent again after a kill"] = stats["sent"] - self._total + found["gone"]
        found["seconds"] = round(time.monotonic() - begin)
        if found["rows"] != self._total:
            found["said"] = (self._folder / "stderr").read_text()[-2000:]
        return [self._nothing_lost(found), self._rate(turns), self._memory(memory)]

    def _nothing_lost(self, found: dict[str, Any]) -> Figure:
        told = f"{found['kills']} kills: {found['lost']} lost, {found['twice']} twice, {found['wrong']} wrong"
        told += f" of {found['rows']:,}, {found['tried again']:,} tried again, {found['gone']} problems"
        held = found["kills"] >= self._kills and not any(found[name] for name in ("lost", "twice", "wrong"))
        held = held and found["exit code"] == 1 and found["tried again"] > 0 and found["gone"] > 0
        bar = f"≥ {self._kills} kills of {self._total:,} URLs: 0 lost, 0 twice, 0 wrong"
        return Figure("batch: kill -9 of all its processes at random moments", bar, told, held, found)

    def _rate(self, turns: list[Turn]) -> Figure:
        least, name = LEAST_RATE[self._scale.short], "batch: rate beside the machine's CPU-bound ceiling"
        bar = f"≥ {least} × as many processes predicting from memory"
        if not turns:
            return Figure(name, bar, "no turn was whole")
        sums = Turn(*map(sum, zip(*turns, strict=True)))
        ceiling = sums.ceiling_photos / sums.ceiling_seconds
        clock = sums.photos / (sums.seconds - sums.origin / self._workers) / ceiling
        second = sums.photos / sums.cpu / (sums.ceiling_photos / sums.ceiling_cpu)
        # By the clock idle cores are seen. By the CPU second what others do meanwhile counts for nothing: of a
        # busy machine three processes get more than two.
        share = second if self._scale.short else min(clock, second)
        told = f"{clock:.3f} by the clock without the origin's CPU, {second:.3f} by the CPU second"
        told += f" ({sums.photos / sums.seconds:.0f} of {ceiling:.0f} a second)"
        details = {"turns": len(turns), "processes": self._workers, **sums._asdict()}
        return Figure(name, bar, told, share >= least, details)

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

    def _run_and_kill(self, most: int) -> bool:
        # At a random moment, or before it when ``most`` photos were sent since the first run.
        process = self._start()
        end = time.monotonic() + self._chance.uniform(0, self._scale.of(24, 4))
        while (left := end - time.monotonic()) > 0 and process.poll() is None and self._stats()["sent"] < most:
            time.sleep(min(0.1, left))
        if killed := process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return killed

    @contextmanager
    def _ceiling(self) -> Iterator[Ceiling]:
        """Lend what has all the processes predict for some seconds, and returns seconds, photos, CPU seconds."""
        words = [sys.executable, "-c", CEILING, MODEL, str(self._photos)]
        pipe = subprocess.PIPE
        found = [subprocess.Popen(words, stdin=pipe, stdout=pipe, text=True) for _ in range(self._workers)]

        def told(process: "subprocess.Popen[str]") -> str:
            assert process.stdout is not None
            return process.stdout.readline()

        def take(seconds: float) -> tuple[float, int, float]:
            for process in found:  # at the same time
                assert process.stdin is not None
                process.stdin.write(f"{seconds}\n")
                process.stdin.flush()
            each = [tuple(map(float, told(process).split())) for process in found]
            photos, took, cpu = (sum(values) for values in zip(*each, strict=True))
            return took / len(each), int(photos), cpu

        try:
            assert [told(process) for process in found] == ["ready\n"] * len(found)
            yield take
        finally:
            for process in found:
                process.kill()
                process.communicate()

    def _run_to_the_end(self, ceiling: Ceiling) -> tuple[list[int], list[Turn], int]:
        process, memory, turns = self._start(), list[int](), list[Turn]()
        before, seconds = self._stats()["sent"], self._scale.of(40, 15) / 10
        try:
            while process.poll() is None:
                if self._stats()["sent"] - before < STEADY:
                    time.sleep(0.05)
                    continue
                begin = self._mark(process)
                most = begin[1] + self._scale.of(self._total, MOST_OF_A_TURN)
                until = begin[0] + seconds
                while (
                    (left := until - time.monotonic()) > 0
                    and process.poll() is None
                    and self._stats()["sent"] < most
                ):
                    time.sleep(min(left, self._scale.of(10, 1) / 10))
                    if len(group := _group(process.pid)) > self._workers:
                        memory.append(sum(_resident(pid) for pid in group))
                if process.poll() is not None or len(_group(process.pid)) <= self._workers:
                    continue
                os.killpg(process.pid, signal.SIGSTOP)
                end = self._mark(process)
                alone = ceiling(seconds / 2)
                os.killpg(process.pid, signal.SIGCONT)
                turns.append(Turn(*(late - early for early, late in zip(begin, end, strict=True)), *alone))
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        return memory, turns, process.returncode

    def _mark(self, process: "subprocess.Popen[bytes]") -> tuple[float, int, float, float]:
        stats = self._stats()
        cpu = sum(_cpu(pid) for pid in _group(process.pid))
        return time.monotonic(), stats["sent"], cpu, stats["cpu"]

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
