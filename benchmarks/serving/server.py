"""A server as a process with children of its own: started, awaited until it answers rightly, asked, ended."""

import base64
import contextlib
import http.client
import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.children import PHOTOS, ROOT, Failed, environment
from benchmarks.serving import tree

HOST = "127.0.0.1"
CLIENT = Path(__file__).with_name("client.py")
LOGS = ROOT / ".cache" / "bench" / "servers"
# Each photo with its class, which is told with a margin, so that a wrong answer is noticed.
WANTED = {PHOTOS / "rocket.jpg": "540", PHOTOS / "flower.jpg": "985", PHOTOS / "china.jpg": "442"}
START_SECONDS, STOP_SECONDS, POLL_SECONDS = 90.0, 8.0, 0.005


class Subject(NamedTuple):
    """A server: ``command(port)`` starts it with ``env`` in ``folder``; how it is asked and how it answers.

    ``wrap`` makes an image's bytes a body and its type; the first group of ``pattern`` is the class in the answer.
    """

    name: str
    command: Callable[[int], Sequence[str]]
    env: Mapping[str, str]
    folder: Path
    path: str
    wrap: Callable[[bytes], tuple[str, bytes]]
    pattern: str
    note: str = ""

    def requests(self, port: int, photos: Iterable[Path]) -> list[bytes]:
        """Return whole requests, one a photo."""
        found = []
        for photo in photos:
            kind, body = self.wrap(photo.read_bytes())
            head = f"POST {self.path} HTTP/1.1\r\nHost: {HOST}:{port}\r\nContent-Type: {kind}\r\n"
            found.append(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        return found


class Server:
    """``subject`` running; ``cold`` is the seconds from its process's start to its first right answer.

    Raises Failed where it ends first, or does not answer rightly within a minute and a half.
    """

    def __init__(self, subject: Subject) -> None:
        self.subject, self.port = subject, free_port()
        LOGS.mkdir(parents=True, exist_ok=True)
        self._log = LOGS / f"{subject.name.replace(' ', '-').replace(',', '')}.log"
        with self._log.open("wb") as log:
            start = time.perf_counter()
            self._process = subprocess.Popen(
                subject.command(self.port),
                cwd=subject.folder,
                env=environment(subject.env),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.pid = self._process.pid
        try:
            self._await(start + START_SECONDS)
        except BaseException:
            self.close()
            raise
        self.cold = time.perf_counter() - start

    def ask(
        self, seconds: float, *, clients: int = 0, rate: float = 0, wanted: Mapping[Path, str] = WANTED
    ) -> dict[str, Any]:
        """Return what the client counted in ``seconds``, with ``clients`` in turn or at ``rate`` a second.

        ``wanted`` are the photos that it sends in turn, each with its class.
        """
        return _client(self, wanted, {"seconds": seconds, "clients": clients, "rate": rate})

    def close(self) -> None:
        """End it with all its processes."""
        left = set(tree.members(self.pid))
        for signum in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signum)
            end = time.monotonic() + STOP_SECONDS
            while time.monotonic() < end and left & set(tree.members(self.pid)):
                self._process.poll()
                time.sleep(0.05)
        for pid in left & set(tree.members(self.pid)):  # one that left the group
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.wait()

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def told(self) -> str:
        """Return the last lines that it wrote."""
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-12:])

    def _await(self, end: float) -> None:
        photo, wanted = next(iter(WANTED.items()))
        kind, body = self.subject.wrap(photo.read_bytes())
        last = "it did not listen"
        while time.perf_counter() < end:
            if (code := self._process.poll()) is not None:
                raise Failed(f"{self.subject.name} ended with {code} before it answered: {self.told()}")
            with contextlib.suppress(OSError, http.client.HTTPException):
                status, last = _once(self.port, self.subject.path, kind, body)
                found = re.search(self.subject.pattern, last)
                if status == HTTPStatus.OK and found and found[1] == wanted:
                    return
            time.sleep(POLL_SECONDS)
        raise Failed(f"{self.subject.name} did not answer rightly: {last[-300:]}: {self.told()}")


def _once(port: int, path: str, kind: str, body: bytes) -> tuple[int, str]:
    connection = http.client.HTTPConnection(HOST, port, timeout=START_SECONDS)
    try:
        connection.request("POST", path, body, {"Content-Type": kind})
        answer = connection.getresponse()
        return answer.status, answer.read().decode("utf-8", "replace")
    finally:
        connection.close()


def _client(server: Server, wanted: Mapping[Path, str], how: dict[str, Any]) -> dict[str, Any]:
    subject = server.subject
    asked = {
        "host": HOST,
        "port": server.port,
        "wanted": list(wanted.values()),
        "pattern": subject.pattern,
        "requests": [base64.b64encode(request).decode() for request in subject.requests(server.port, wanted)],
        **how,
    }
    run = subprocess.run(
        [sys.executable, "-I", str(CLIENT)], input=json.dumps(asked), capture_output=True, text=True, check=False
    )
    if run.returncode:
        raise Failed(f"the client ended with {run.returncode}: {run.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(run.stdout)
    return found


def free_port() -> int:
    """Return a port that nothing listens on, below those that the kernel gives to connections (from 32,768)."""
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind((HOST, port))
            return port
