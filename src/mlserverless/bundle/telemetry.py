"""The packages of the telemetry, which go into a function whose settings ask for it.

Their lock files stand beside the deploy folders, for every cloud, and pin what these pin of the same packages.
"""

from collections.abc import Collection, Sequence
from pathlib import Path

from mlserverless.bundle import resolve
from mlserverless.config import Settings
from mlserverless.local import deploy

# By what the setting may name: the requirements that it takes, each with where that is in a package.
TAKEN = {
    "prometheus": {"prometheus-client": "prometheus_client"},
    "otel": {
        "opentelemetry-sdk": "opentelemetry/sdk",
        "opentelemetry-exporter-otlp-proto-http": "opentelemetry/exporter/otlp/proto/http",
    },
}


def locks(project: Path, beside: Sequence[Path]) -> list[Path]:
    """Return the lock files of what the settings of ``project`` name, but for what those ``beside`` pin already.

    Raises ConfigError for a setting that is not accepted.
    """
    held = {name for lock in beside for name in resolve.versions(lock)}
    named = Settings.load({}, str(project)).telemetry
    return [lock_file(name) for name in TAKEN if name in named and lacking(name, held)]


def lock_file(name: str) -> Path:
    """Return the lock file of ``name``, one of TAKEN."""
    return deploy.folder("aws").with_name(f"requirements-{name}.txt")


def lacking(name: str, held: Collection[str]) -> list[str]:
    """Return the requirements of ``name`` that are not among those ``held``; none for what takes none."""
    return [requirement for requirement in TAKEN.get(name, ()) if requirement not in held]
