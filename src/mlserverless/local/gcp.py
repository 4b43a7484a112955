"""``serve --on gcp``: a Cloud Run function in Google's own functions-framework, on this machine."""

import importlib.util
import sys
from collections.abc import Mapping
from pathlib import Path

from mlserverless.local import deploy
from mlserverless.local.process import ServerProcess, on_free_port
from mlserverless.local.runtime import child_environment


def available() -> str | None:
    """Return why the framework cannot run here, or None where it can."""
    if importlib.util.find_spec("functions_framework") is None:
        return 'functions-framework is not installed: pip install "mlserverless[gcp]"'
    return None


def start(
    *,
    app_dir: Path | None = None,
    target: str = "predict",
    host: str = "127.0.0.1",
    port: int = 0,
    environment: Mapping[str, str] | None = None,
) -> ServerProcess:
    """Serve the function ``target`` of ``app_dir``'s main.py (default: this project's) on ``host:port`` (0: any).

    A CloudEvent function takes its event as the platform posts it. Raises RuntimeError where it cannot run.
    """
    if (reason := available()) is not None:
        raise RuntimeError(reason)
    source = (app_dir or deploy.folder("gcp")).resolve()

    def on(port: int) -> ServerProcess:
        command = [sys.executable, "-m", "functions_framework", "--source", str(source / "main.py")]
        command += ["--target", target, "--host", host, "--port", str(port)]
        platform = {"K_SERVICE": target, "FUNCTION_TARGET": target, "PORT": str(port)}
        return ServerProcess(command, host, port, child_environment({**platform, **(environment or {})}), source)

    return on_free_port(on, host, port)
