"""Run a slow gate unless nothing that it tests has changed since it last passed.

Usage: gate.py NAME -- COMMAND…   or   gate.py --summary
A gate's key is a hash of every file that git tracks or would track, the Python version and the switch that makes a
missing part a failure. What a run printed as skipped is kept with its pass and told again in the summary.
"""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

CACHE = Path(".cache/gates")


def key() -> str:
    """Return the hash of everything a gate could depend on."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], capture_output=True, check=True
    )
    digest = hashlib.sha256(f"{sys.version} {os.environ.get('MLSERVERLESS_GATES', '')}".encode())
    for name in sorted(listed.stdout.split(b"\0")):
        path = Path(os.fsdecode(name))
        if name and path.is_file() and path.suffix != ".md":
            digest.update(name + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]


def run(name: str, command: list[str]) -> int:
    """Run ``command`` unless it has passed on these very files, and return its exit code."""
    CACHE.mkdir(parents=True, exist_ok=True)
    record = CACHE / f"{name}-{key()}"
    if record.is_file():
        print(f"{name}: passed before on the same files, not run again")
        return 0
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    skipped = []
    for line in process.stdout:
        print(line, end="", flush=True)
        if line.startswith("SKIPPED"):
            skipped.append(line)
    if process.wait() == 0:
        for old in CACHE.glob(f"{name}-*"):
            old.unlink()
        record.write_text("".join(skipped))
    return process.returncode


def summary() -> int:
    """Print each gate with what it left out and why."""
    for record in sorted(CACHE.glob("*")):
        skipped = record.read_text().splitlines()
        print(f"{record.name.rpartition('-')[0]}: passed" + (f", {len(skipped)} skipped:" if skipped else ""))
        for line in skipped:
            print(f"  {line}")
    return 0


if __name__ == "__main__":
    arguments = sys.argv[1:]
    if arguments == ["--summary"]:
        sys.exit(summary())
    if len(arguments) < 3 or arguments[1] != "--":
        sys.exit(__doc__)
    sys.exit(run(arguments[0], arguments[2:]))
