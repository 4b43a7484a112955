"""``serve --on wsgi``: the WSGI application under gunicorn, as in the container image."""

import importlib.util
import sys
from collections.abc import Mapping
from pathlib import Path

from mlserverless.local.process import ServerProcess, on_free_port
from mlserverless.local.runtime import child_environment


def available() -> str | None:
    """Return why gunicorn cannot run here, or None where it can."""
    if importlib.util.find_spec("gunicorn") is None:
        return 'gunicorn is not installed: pip install "mlserverless[wsgi]"'
    return None


def start(
    *,
    application: str = "mlserverless.adapters.wsgi:application",
    host: str = "127.0.0.1",
    port: int = 0,
    threads: int = 8,
    environment: Mapping[str, str] | None = None,
) -> ServerProcess:
    """Serve ``application`` (module:callable) with one worker and ``threads`` threads on ``host:port`` (0: any).

    Raises RuntimeError where it cannot run.
    """
    if (reason := available()) is not None:
        raise RuntimeError(reason)

    def on(port: int) -> ServerProcess:
        command = [sys.executable, "-m", "gunicorn", "--bind", f"{host}:{port}", "--threads", str(threads)]
        command += ["--limit-request-line", "8190"]  # as the image has it: a presigned URL in a query is long
        command += ["--log-level", "warning", application]
        return ServerProcess(command, host, port, child_environment(environment or {}), Path.cwd())

    return on_free_port(on, host, port)
