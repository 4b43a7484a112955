"""How much memory and time one call takes, in this process."""

import gc
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

MB = 1 << 20
STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


class Cost(NamedTuple):
    """What a call took; ``bytes`` is what the resident memory reached above where it stood before."""

    seconds: float
    bytes: int


def unmeasurable() -> str:
    """Return why memory cannot be measured here, or ""."""
    try:
        CLEAR.write_text("5")
    except OSError as error:
        return f"the peak of the resident memory cannot be reset here ({error.strerror or error})"
    return ""


def cost(call: Callable[[], Any], *, memory: bool = True) -> tuple[Any, Cost]:
    """Return what ``call`` returned and what it took; without ``memory`` (see :func:`unmeasurable`) 0 bytes."""
    gc.collect()
    if memory:
        CLEAR.write_text("5")  # sets the peak (VmHWM) back to what is resident now
    before, start = _field("VmRSS") if memory else 0, time.perf_counter()
    result = call()
    spent = time.perf_counter() - start
    return result, Cost(spent, max(0, _field("VmHWM") - before) if memory else 0)


def _field(name: str) -> int:
    for line in STATUS.read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise OSError(f"{STATUS} has no {name}")
