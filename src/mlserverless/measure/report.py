"""All that was measured, as one record, and as JSON."""

import os
import platform
from typing import Any, NamedTuple

import mlserverless
from mlserverless.measure.budget import Verdict
from mlserverless.measure.cold import Cold
from mlserverless.measure.sweep import Sweep
from mlserverless.measure.warm import Warm, cores

FORMAT = 1
BUSY = 0.5  # running processes a core from which on figures are not to be trusted


class Machine(NamedTuple):
    """Where it was measured; ``load`` is the number of processes that ran just before, over a minute."""

    system: str
    python: str
    cores: int
    load: float


class Report(NamedTuple):
    """What was measured of a ``model`` through an ``entry`` ("Predictor" or an adapter's module)."""

    model: str
    entry: str
    image: str
    machine: Machine
    cold: Cold | None = None
    warm: Warm | None = None
    sweep: Sweep | None = None
    verdict: Verdict | None = None

    @property
    def notes(self) -> tuple[str, ...]:
        """What whoever reads the figures has to know."""
        machine = self.machine
        if machine.load > BUSY * machine.cores:
            many = f"{machine.load:.1f} processes ran on {machine.cores} cores before it began"
            return (f"The machine was busy ({many}): figures are too high and vary.",)
        return ()


def machine() -> Machine:
    """Return this machine."""
    try:
        load = os.getloadavg()[0]
    except OSError:
        load = 0.0
    return Machine(f"{platform.system()} {platform.machine()}", platform.python_version(), cores(), load)


def to_dict(report: Report) -> dict[str, Any]:
    """Return ``report`` for JSON: milliseconds, bytes, and the fields' own names."""
    body: dict[str, Any] = _plain(report)
    return {"format": FORMAT, "mlserverless": mlserverless.__version__, "unit": "ms", **body}


def _plain(value: Any) -> Any:
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return {name: _plain(part) for name, part in value._asdict().items()}
    if isinstance(value, tuple | list):
        return [_plain(part) for part in value]
    return round(value, 6) if isinstance(value, float) else value
