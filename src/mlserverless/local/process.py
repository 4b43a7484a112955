"""A runtime that is an HTTP server of its own: started as a process, awaited, ended with all its children."""

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from mlserverless.local.runtime import STDERR

START_SECONDS = 60.0
STOP_SECONDS = 5.0
TRIES = 5


class ServerProcess:
    """``command`` running in ``folder``, which is to listen on ``host:port``; also a context manager.

    Returns when the port answers HTTP. Its output goes to this process's stderr. Raises RuntimeError where the
    port is taken, where it ends first, or does not listen within a minute.
    """

    def __init__(
        self, command: Sequence[str], host: str, port: int, environment: Mapping[str, str], folder: Path
    ) -> None:
        self.url = f"http://{host}:{port}"
        _check_free(host, port)
        self._process = subprocess.Popen(  # noqa: S603 - our own words
            command, cwd=folder, env=dict(environment), stdout=STDERR, start_new_session=True
        )
        try:
            self._await(host, port)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End the process and its children; those that do not stop within five seconds are killed."""
        for signum in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signum)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(STOP_SECONDS)

    def __enter__(self) -> "ServerProcess":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _await(self, host: str, port: int) -> None:
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            if (code := self._process.poll()) is not None:
                raise RuntimeError(f"the server's process ended with code {code} before it listened; see stderr")
            connection = http.client.HTTPConnection(host, port, timeout=START_SECONDS)
            try:
                connection.request("GET", "/healthz")
                connection.getresponse().read()
            except (OSError, http.client.HTTPException):
                time.sleep(0.05)
            else:
                return
            finally:
                connection.close()
        raise RuntimeError(f"the server did not listen on {host}:{port} within {START_SECONDS:.0f} s")


class PortTaken(RuntimeError):
    """Somebody listens on the port already."""


def on_free_port(start: Callable[[int], "ServerProcess"], host: str, port: int) -> "ServerProcess":
    """Start on ``port``, or where it is 0 on a free one: another one where that was taken in between."""
    for _ in range(0 if port else TRIES - 1):
        with contextlib.suppress(PortTaken):
            return start(free_port(host))
    return start(port or free_port(host))


def _check_free(host: str, port: int) -> None:
    # Whoever has the port would answer in the process's place.
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise PortTaken(f"{host}:{port} cannot be listened on: {error.strerror or error}") from error


def free_port(host: str) -> int:
    """Return a port of ``host`` that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])
