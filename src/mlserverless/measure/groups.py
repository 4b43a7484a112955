"""Linux control groups, version 1 and 2: a process gets the share of CPU and the memory that a function has."""

import contextlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

MOUNT, OWN = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")
# A longer one would let a short request finish before it is held back, which a provider's scheduler does not.
PERIOD_US = 20_000
LEAST_QUOTA_US = 1000  # the kernel's
MEGABYTE = 2**20  # as the providers count
TRIES = 100


class Unavailable(RuntimeError):
    """Limits cannot be set here; the text says why, and what to do."""


class Base(NamedTuple):
    """Where groups can be made: the hierarchy's ``version``, the folders of its ``cpu`` and ``memory``."""

    version: int
    cpu: Path
    memory: Path


class Group(NamedTuple):
    """A group with limits: the folders to join, the file and the text of its CPU quota, its count of kills."""

    folders: tuple[str, ...]
    quota: Path
    oom: Path

    def oom_kills(self) -> int:
        """Return how many of its processes were killed because the memory was used up."""
        for line in self.oom.read_text().splitlines():
            name, _, count = line.partition(" ")
            if name == "oom_kill":
                return int(count)
        return 0


def find(mount: Path = MOUNT, own: Path = OWN) -> Base:
    """Return where this process may make groups; raise Unavailable, with what to do, where it may not."""
    if (mount / "cgroup.controllers").is_file():
        base = Base(2, mount, mount)
        _delegate(mount)
    elif (mount / "memory").is_dir() and (mount / "cpu").exists():
        base = Base(1, _inside(mount / "cpu", own, "cpu"), _inside(mount / "memory", own, "memory"))
    else:
        raise Unavailable(
            f"--memory-sweep holds processes to a function's CPU and memory by Linux control groups, and {mount} "
            "has none with cpu and memory. Run it on Linux, as root; in a container, with --privileged."
        )
    for folder in (base.cpu, base.memory):
        if not os.access(folder, os.W_OK) or _read_only(folder):
            raise Unavailable(_not_writable(folder))
    return base


@contextmanager
def limited(base: Base, mb: int, vcpu: float) -> Iterator[Group]:
    """Make a group of so many MB of memory and so many vCPUs, for the ``with`` block; it is removed after it.

    Raises Unavailable where the kernel refuses.
    """
    name = f"mlserverless-bench-{os.getpid()}"
    folders = tuple(dict.fromkeys((base.cpu / name, base.memory / name)))
    try:
        try:
            for folder in folders:
                folder.mkdir(exist_ok=True)
            group = _limit(base, base.cpu / name, base.memory / name, mb, vcpu)
        except OSError as error:
            raise Unavailable(_not_writable(base.memory, error)) from error
        yield group
    finally:
        for folder in folders:
            _remove(folder)


def quota_text(version: int, vcpu: float) -> str:
    """Return what is written into a group's quota file for so many vCPUs."""
    quota = max(LEAST_QUOTA_US, round(vcpu * PERIOD_US))
    return f"{quota} {PERIOD_US}" if version == 2 else str(quota)


def _limit(base: Base, cpu: Path, memory: Path, mb: int, vcpu: float) -> Group:
    bound, text = str(mb * MEGABYTE), quota_text(base.version, vcpu)
    if base.version == 2:
        _write(memory / "memory.max", bound)
        _write(memory / "memory.swap.max", "0", may_lack=True)
        _write(cpu / "cpu.max", text)
        return Group((str(cpu),), cpu / "cpu.max", memory / "memory.events")
    _write(memory / "memory.limit_in_bytes", bound)
    _write(memory / "memory.memsw.limit_in_bytes", bound, may_lack=True)  # with swap; a kernel may not count it
    _write(cpu / "cpu.cfs_period_us", str(PERIOD_US))
    _write(cpu / "cpu.cfs_quota_us", text)
    return Group((str(cpu), str(memory)), cpu / "cpu.cfs_quota_us", memory / "memory.oom_control")


def _write(file: Path, text: str, *, may_lack: bool = False) -> None:
    if may_lack and not file.exists():
        return
    with open(file, "w", encoding="ascii") as stream:
        stream.write(text)


def _delegate(mount: Path) -> None:
    # At the top of a hierarchy processes and groups may stand side by side; below it they may not.
    enabled = mount / "cgroup.subtree_control"
    try:
        if not {"cpu", "memory"} <= set(enabled.read_text().split()):
            _write(enabled, "+cpu +memory")
    except OSError as error:
        raise Unavailable(_not_writable(mount, error)) from error


def _inside(top: Path, own: Path, controller: str) -> Path:
    # Below this process's own group, whose limits then hold as well; a container may not see it by its name.
    with contextlib.suppress(OSError):
        for line in own.read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if controller in controllers.split(",") and (found := top / path.lstrip("/")).is_dir():
                return found
    return top


def _remove(folder: Path) -> None:
    for _ in range(TRIES):  # a process that has just ended may still be counted
        try:
            folder.rmdir()
        except FileNotFoundError:
            return
        except OSError:
            time.sleep(0.02)
        else:
            return


def _read_only(folder: Path) -> bool:
    return bool(os.statvfs(folder).f_flag & os.ST_RDONLY)


def _not_writable(folder: Path, error: OSError | None = None) -> str:
    why = f" ({error.strerror})" if error else ""
    return (
        f"--memory-sweep makes control groups below {folder}, which this user may not{why}. Run it as root "
        "(sudo -E); in a container, with --privileged and --cgroupns=host."
    )
