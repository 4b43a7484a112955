"""Images and containers without a daemon: buildah and podman, on a store of images of this checkout's own."""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

STORE = Path(".cache/images").resolve()  # as tools/base_image.py has it
NEEDED = ("buildah", "podman", "runc", "mmdebstrap")
RUN = f"mlserverless-{uuid.uuid4().hex[:12]}"  # what this process starts bears it, and is removed by it
MEMORY_MB = 1024
# A sandbox as tight as a platform's: nothing can be written but /tmp, no right is left or can be gained.
TIGHT = ("--read-only", "--tmpfs=/tmp:size=512m", f"--memory={MEMORY_MB}m", "--cpus=1", "--cap-drop=ALL")
TIGHT += ("--security-opt=no-new-privileges", "--network=host")
# For a machine without systemd and with low limits of its own.
HERE = ("--ulimit=nofile=1024:1024", "--ulimit=nproc=1024:1024", "--no-healthcheck", "--cgroup-manager=cgroupfs")
PODMAN = ("podman", "--runtime=runc", HERE[-1])


class Layers(NamedTuple):
    """Bytes of an image's layers, the base's apart: ``unpacked``, and ``packed`` as a registry keeps them."""

    unpacked: int
    packed: int
    base_unpacked: int
    base_packed: int


class Memory(NamedTuple):
    """Bytes at their most: what the control group was ``charged`` with, what its processes had ``resident``.

    A page of a file is charged to whoever read it first, and counted as resident in each process that maps it.
    """

    charged: int
    resident: int


def missing() -> str | None:
    """Return why no image can be built or run here, or None."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "images are built and run as root on Linux only"
    lacking = [name for name in NEEDED if shutil.which(name) is None]
    return f"{', '.join(lacking)} not installed: tools/ci_packages.sh does that" if lacking else None


def environment() -> dict[str, str]:
    """Return the environment for buildah and podman."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
    return {**kept, "CONTAINERS_STORAGE_CONF": str(STORE / "storage.conf"), "BUILDAH_ISOLATION": "chroot"}


def run(*command: object, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run buildah or podman; raise RuntimeError with what it said where it fails."""
    words = list(map(str, command))
    done = subprocess.run(words, env=environment(), capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if check and done.returncode:
        raise RuntimeError(f"{' '.join(words)}: {(done.stderr + done.stdout).strip()[-3000:]}")
    return done


def build(context: Path, name: str, base: str, *, file: Path | None = None, layers: bool = False) -> None:
    """Build the image ``name`` of ``context`` on ``base``; with ``layers``, what is unchanged is kept."""
    options = [
        "--format=docker",
        "--pull-never",
        f"--layers={str(layers).lower()}",
        f"--build-arg=BASE_IMAGE={base}",
    ]
    options += [f"--file={file}"] if file else []
    before, working = ids(name), _working()
    try:
        run("buildah", "bud", *options, "--tag", name, context)
    finally:
        for container in _working() - working:  # of a build that was interrupted
            run("buildah", "rm", container, check=False)
    for old in before - ids(name):
        run("podman", "rmi", old, check=False)  # refused where something else is built on it


def ids(name: str) -> set[str]:
    """Return the id of the image ``name``, none where there is none."""
    return set(run("podman", "images", "--quiet", "--no-trunc", f"--filter=reference={name}").stdout.split())


def _working() -> set[str]:
    return set(run("buildah", "containers", "--all", "--quiet").stdout.split())


def inspect(image: str) -> dict[str, Any]:
    """Return what podman tells of ``image``."""
    told: dict[str, Any] = json.loads(run("podman", "image", "inspect", image).stdout)[0]
    return told


def layers(image: str, base: str) -> Layers:
    """Return the sizes of the layers of ``image``, which is built on ``base``."""
    below = len(inspect(base)["RootFS"]["Layers"])
    history = json.loads(run("podman", "history", "--format=json", image).stdout)
    unpacked = [int(entry["size"]) for entry in reversed(history)]
    of_base = int(inspect(base)["Size"])
    with folder() as made:
        run("buildah", "push", "--quiet", "--format=oci", image, f"oci:{made}/image:it")
        blobs = made / "image" / "blobs" / "sha256"
        index = json.loads((made / "image" / "index.json").read_text())
        manifest = json.loads((blobs / index["manifests"][0]["digest"].partition(":")[2]).read_text())
        packed = [int(layer["size"]) for layer in manifest["layers"]]
    return Layers(sum(unpacked) - of_base, sum(packed[below:]), of_base, sum(packed[:below]))


def command(image: str, *options: str, words: Sequence[str] = ()) -> list[str]:
    """Return the command line that runs ``image`` in a tight sandbox, under a name of its own."""
    name = f"{RUN}-{uuid.uuid4().hex[:8]}"
    return [*PODMAN, "run", f"--name={name}", f"--label=run={RUN}", *HERE[:-1], *TIGHT, *options, image, *words]


def names() -> list[str]:
    """Return the ids of this process's containers, the newest first."""
    return run(*PODMAN, "ps", "--all", "--quiet", "--no-trunc", f"--filter=label=run={RUN}").stdout.split()


def remove_all() -> None:
    """Remove every container that this process has started, whatever it does just now."""
    with contextlib.suppress(RuntimeError):
        for container in names():
            run(*PODMAN, "rm", "--force", "--time=0", container, check=False)
    for pid in _left():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _left() -> list[int]:
    """Return the processes of containers that podman has forgotten: it was interrupted while it started them."""
    left = []
    for line in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            words = line.read_bytes().split(b"\0")
            if words[0].endswith(b"conmon") and any(word.startswith(RUN.encode()) for word in words):
                pid = int(line.parent.name)
                left += [*map(int, (line.parent / "task" / str(pid) / "children").read_text().split()), pid]
    return left


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    """Return a folder beside the images for the ``with`` block."""
    with tempfile.TemporaryDirectory(dir=STORE) as made:
        yield Path(made)


@contextlib.contextmanager
def running(image: str, *options: str, words: Sequence[str] = ()) -> Iterator[subprocess.Popen[bytes]]:
    """Run ``image`` for the ``with`` block; its output goes to this process's stderr."""
    process = subprocess.Popen(
        command(image, *options, words=words), env=environment(), stdout=2, stdin=subprocess.DEVNULL
    )
    try:
        yield process
    finally:
        process.kill()  # the client alone; what it has started by now is removed
        process.wait()
        remove_all()


def process_of(container: str) -> int:
    """Return the id of the container's first process; wait until there is one."""
    for _ in range(200):
        told = run(*PODMAN, "inspect", "--format={{.State.Pid}}", container, check=False).stdout.strip()
        if told not in ("", "0"):
            return int(told)
        time.sleep(0.02)
    raise RuntimeError(f"the container {container} has no process")


def status(pid: int) -> dict[str, str]:
    """Return what the kernel tells of a process: Uid, CapEff, NoNewPrivs, …"""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def inside(container: str, *words: str, user: str = "") -> subprocess.CompletedProcess[str]:
    """Run a command in the container, as ``user`` or the image's own."""
    return run(*PODMAN, "exec", *([f"--user={user}"] if user else []), container, *words, check=False)


def stop(container: str) -> int:
    """Tell the container to end, with its image's signal; return its exit code."""
    run(*PODMAN, "stop", "--time=10", container)
    return int(run(*PODMAN, "inspect", "--format={{.State.ExitCode}}", container).stdout)


def memory(container: str) -> Memory:
    """Return how much memory the container has taken."""
    pid = process_of(container)
    told = Path(f"/proc/{pid}/cgroup").read_text()
    if old := re.search(r"^\d+:memory:(/\S+)$", told, re.MULTILINE):
        group, name = Path(f"/sys/fs/cgroup/memory{old[1]}"), "memory.max_usage_in_bytes"
    else:
        group, name = Path("/sys/fs/cgroup" + told.partition("::")[2].strip()), "memory.peak"
    members = (group / "cgroup.procs").read_text().split()
    resident = sum(int(status(int(member))["VmHWM"].split()[0]) * 1024 for member in members)
    return Memory(int((group / name).read_text()), resident)
