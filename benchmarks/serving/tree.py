"""A server's processes together: which they are, their CPU seconds, their memory."""

import contextlib
import os
import threading
import time
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


def _stats() -> dict[int, list[str]]:
    """Return every process's fields of /proc/PID/stat from the third on (proc(5))."""
    found = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError):
                found[int(entry)] = Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()
    return found


def members(root: int) -> dict[int, list[str]]:
    """Return the processes of the session that ``root`` leads, and all their children, with their fields."""
    stats = _stats()
    found = {pid for pid, fields in stats.items() if pid == root or int(fields[3]) == root}
    while more := {pid for pid, fields in stats.items() if int(fields[1]) in found} - found:
        found |= more
    return {pid: stats[pid] for pid in found if stats[pid][0] != "Z"}


def cpu_seconds(root: int) -> float:
    """Return the CPU seconds of all processes, with those of children that have ended."""
    return sum(sum(map(int, fields[11:15])) for fields in members(root).values()) / TICKS


def memory_mb(root: int) -> float:
    """Return the proportional set size (PSS) of all processes in MiB: shared pages are counted once."""
    total = 0
    for pid in members(root):
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1])
    return total / 1024


def machine_seconds() -> float:
    """Return the CPU seconds that all of the machine's processes and its kernel have taken."""
    fields = list(map(int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]))
    return (sum(fields) - fields[3] - fields[4]) / TICKS  # without idle and iowait


class Watch:
    """Samples the memory every ``interval`` seconds, as ``(seconds since the start, MiB)``, within the block."""

    def __init__(self, root: int, interval: float = 0.5) -> None:
        self._root, self._interval = root, interval
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.samples: list[tuple[float, float]] = []

    def _watch(self) -> None:
        start = time.monotonic()
        while not self._done.wait(self._interval):
            self.samples.append((time.monotonic() - start, memory_mb(self._root)))

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()
