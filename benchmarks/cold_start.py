"""Process start to first answer, side by side: this project, a lean floor without any check, the usual write-up.

Fresh processes in turn, A B C A B C …, on one photo from a loopback server; medians, and the ratios of each to the
others run by run, since the machine's speed drifts. Bytecode is written first, as a deployed bundle has it.
Usage: python benchmarks/cold_start.py [RUNS]
"""

import functools
import http.server
import json
import os
import resource
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent
MODEL = ROOT / "models" / "efficientnet-lite0"
PHOTO = "rocket.jpg"


class Origin(http.server.SimpleHTTPRequestHandler):
    """The photos, without a log."""

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def once(command: list[str], environment: dict[str, str]) -> tuple[float, float, str]:
    """Run ``command`` and return its wall seconds, CPU seconds and what it printed."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begun = time.perf_counter()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    wall = time.perf_counter() - begun
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, done.stdout.strip()


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Origin, directory=str(ROOT / "examples" / "photos"))
    )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    port, subjects = server.server_port, HERE / "subjects"
    file, url = str(MODEL / "model.tflite"), f"http://127.0.0.1:{port}/{PHOTO}"
    commands = {
        "lean floor": [str(subjects / "lean_floor.py"), file, "127.0.0.1", str(port), f"/{PHOTO}"],
        "mlserverless": [str(subjects / "ours.py"), str(MODEL), url],
        "write-up": [str(subjects / "write_up.py"), file, url],
    }
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    environment = {**kept, "MLSERVERLESS_MODEL": str(MODEL), "MLSERVERLESS_ALLOW_PRIVATE_ADDRESSES": "true"}
    wall: dict[str, list[float]] = {name: [] for name in commands}
    cpu: dict[str, list[float]] = {name: [] for name in commands}
    for turn in range(runs + 2):  # the first two write bytecode and fill the page cache
        for name, command in commands.items():
            seconds, used, said = once([sys.executable, *command], environment)
            if not said.isdigit():
                raise SystemExit(f"{name} printed {said!r} instead of a class")
            if turn >= 2:
                wall[name].append(seconds)
                cpu[name].append(used)
    rows = {
        name: {
            "median_s": statistics.median(wall[name]),
            "min_s": min(wall[name]),
            "max_s": max(wall[name]),
            "cpu_median_s": statistics.median(cpu[name]),
            "times_the_floor": statistics.median(
                a / b for a, b in zip(wall[name], wall["lean floor"], strict=True)
            ),
            "times_the_write_up": statistics.median(
                a / b for a, b in zip(wall[name], wall["write-up"], strict=True)
            ),
        }
        for name in commands
    }
    machine = f"Python {sys.version.split()[0]}, {os.cpu_count()} cores"
    print(f"process start to first answer, {runs} runs in turn, {machine}")
    print(f"{'':14}{'median':>9}{'min':>9}{'max':>9}{'CPU':>9}{'x floor':>9}{'x write-up':>12}")
    for name, row in rows.items():
        print(
            f"{name:14}{row['median_s']:8.3f}s{row['min_s']:8.3f}s{row['max_s']:8.3f}s{row['cpu_median_s']:8.3f}s"
            f"{row['times_the_floor']:9.2f}{row['times_the_write_up']:12.2f}"
        )
    out = ROOT / ".cache" / "cold_start.json"
    out.parent.mkdir(exist_ok=True)
    out.write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
