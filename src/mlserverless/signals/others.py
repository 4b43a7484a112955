"""Opens what the setting ``telemetry`` asks for beside the log: each a module with a package of its own."""

from importlib import import_module
from typing import TYPE_CHECKING

from mlserverless.errors import ConfigError

if TYPE_CHECKING:
    from mlserverless.signals import Telemetry

PACKAGES = {"prometheus": "prometheus_client", "otel": "opentelemetry"}


def made(name: str, platform: str, version: str) -> "Telemetry":
    """Return what ``name`` stands for, ``prometheus`` or ``otel``; raise ConfigError where it is not installed."""
    try:
        module = import_module(f"mlserverless.signals.{name}")
    except ImportError as error:
        if (error.name or "").partition(".")[0] != PACKAGES[name]:
            raise
        raise ConfigError(
            f"MLSERVERLESS_TELEMETRY asks for {name}, whose packages are not installed: those of the extra "
            f"mlserverless[{name}]. Add them to the function's requirements, or leave {name} out. See "
            "docs/how-to/monitor.md."
        ) from error
    telemetry: Telemetry = module.open_telemetry(platform, version)
    return telemetry
