"""The real runtimes, started together, asked alike, and all that their processes print."""

import http.client
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from helpers.runtimes import REASONS, start
from mlserverless.local.runtime import Runtime

PARALLEL = 3  # requests at a time that each runtime answers without one waiting for another
SECONDS = 60  # until a runtime that says nothing counts as one that does not answer


class Answer(NamedTuple):
    """What a runtime's client gets; status 0 where that is nothing."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


def missing(clouds: tuple[str, ...]) -> dict[str, str]:
    """Return why some of ``clouds`` cannot run here."""
    told = {cloud: REASONS[cloud]() for cloud in clouds}
    return {cloud: reason for cloud, reason in told.items() if reason}


@contextmanager
def running(clouds: tuple[str, ...], settings: dict[str, str]) -> Iterator[dict[str, Runtime]]:
    """Run ``clouds``, those that can run here, for the ``with`` block; they start at the same time."""
    here = [cloud for cloud in clouds if REASONS[cloud]() is None]
    with ExitStack() as stack, ThreadPoolExecutor(len(here) or 1) as starting:
        begun = {cloud: starting.submit(start, cloud, settings, sandboxes=PARALLEL) for cloud in here}
        failures = []
        for future in begun.values():
            if error := future.exception():
                failures.append(error)
            else:
                stack.callback(future.result().close)
        for failure in failures:
            raise failure
        yield {cloud: future.result() for cloud, future in begun.items()}


def ask(
    runtime: Runtime, method: str, path: str, headers: dict[str, str], body: bytes = b"", request_id: str = ""
) -> Answer:
    """Return what ``runtime`` answers; whatever goes wrong on the way is an answer with the status 0."""
    host = urlsplit(runtime.url)
    connection = http.client.HTTPConnection(host.hostname or "", host.port, timeout=SECONDS)
    try:
        connection.request(method, path, body or None, {**headers, "X-Request-Id": request_id or "security-1"})
        answer = connection.getresponse()
        return Answer(answer.status, tuple(answer.getheaders()), answer.read())
    except (OSError, http.client.HTTPException) as error:
        return Answer(0, (), repr(error).encode())
    finally:
        connection.close()


@contextmanager
def printed() -> Iterator[Callable[[], str]]:
    """Collect what this process and those it starts write to stdout and stderr; the function returns it so far."""
    with tempfile.TemporaryFile() as file:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        failed = ""
        kept = [(number, os.dup(number)) for number in (1, 2)]

        def so_far() -> str:
            for stream in (sys.stdout, sys.stderr):
                stream.flush()
            return Path(f"/dev/fd/{file.fileno()}").read_text(errors="replace")

        try:
            for number, _ in kept:
                os.dup2(file.fileno(), number)
            yield so_far
        except BaseException:
            failed = so_far()[-4000:]
            raise
        finally:
            for stream in (sys.stdout, sys.stderr):
                stream.flush()
            for number, before in kept:
                os.dup2(before, number)
                os.close(before)
            print(failed, end="", file=sys.stderr)
