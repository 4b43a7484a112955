"""Lambda's sandboxes: real ``awslambdaric`` processes, started at need, killed at the deadline, then replaced."""

import contextlib
import os
import queue
import signal
import subprocess
import threading
import time
import uuid

from mlserverless.local.aws.function import Function, Invocation, exited, timed_out
from mlserverless.local.aws.runtime_api import Report, RuntimeApi
from mlserverless.local.runtime import STDERR

_INIT_LIMIT_S = 10.0  # Lambda's own limit of the init phase; what is above it counts against the timeout


class Sandboxes:
    """Up to ``count`` sandboxes of ``function``; a call beyond them waits until one is free.

    A sandbox starts at the first event that finds none idle; the one used last is used first, as on Lambda.
    """

    def __init__(self, function: Function, count: int) -> None:
        self._function = function
        self._free = threading.Semaphore(count)
        self._lock = threading.Lock()
        self._idle: list[_Sandbox] = []
        self._all: set[_Sandbox] = set()
        self._closed = False

    def invoke(self, event: bytes) -> Invocation:
        """Run the function once with ``event``; raise RuntimeError after :meth:`close`."""
        with self._free:
            sandbox = self._take()
            try:
                return sandbox.invoke(event)
            finally:
                self._give_back(sandbox)

    def close(self) -> None:
        """Kill every sandbox; an invocation under way ends as a crashed one."""
        with self._lock:
            self._closed = True
            sandboxes = list(self._all)
        for sandbox in sandboxes:
            sandbox.close()

    def _take(self) -> "_Sandbox":
        with self._lock:
            if self._closed:
                raise RuntimeError("this Lambda server is closed")
            while self._idle:
                sandbox = self._idle.pop()
                if sandbox.alive:
                    return sandbox
                self._drop(sandbox)
            sandbox = _Sandbox(self._function)
            self._all.add(sandbox)
            return sandbox

    def _give_back(self, sandbox: "_Sandbox") -> None:
        with self._lock:
            if sandbox.alive:
                self._idle.append(sandbox)
            else:
                self._drop(sandbox)

    def _drop(self, sandbox: "_Sandbox") -> None:
        self._all.discard(sandbox)
        sandbox.close()


class _Sandbox:
    """One process from its start to its end."""

    def __init__(self, function: Function) -> None:
        self._function = function
        self._api = RuntimeApi()
        self._warm = False
        self.alive = True
        self._started = time.perf_counter()
        self._process = subprocess.Popen(  # noqa: S603 - our own words and the handler's name
            function.command,
            cwd=function.app_dir,
            env={**function.variables(), "AWS_LAMBDA_RUNTIME_API": self._api.address},
            stdin=subprocess.DEVNULL,
            stdout=STDERR,
            start_new_session=True,
        )
        threading.Thread(target=self._watch, name="sandbox", daemon=True).start()

    def _watch(self) -> None:
        code = self._process.wait()
        self.alive = False
        self._api.reports.put(Report("exit", time.perf_counter(), code=code))

    def invoke(self, event: bytes) -> Invocation:
        """Run the function once; afterwards the process asks for the next event, or is not alive."""
        request_id, timeout_s = str(uuid.uuid4()), self._function.timeout_s
        init_ms = None
        if not self._warm:
            first, begun = self._next_report(_INIT_LIMIT_S + timeout_s), self._started
            if first is not None and first.kind == "snapshot":
                begun = time.perf_counter()  # what came before happens once, when the version is published
                self._api.restore()
                first = self._next_report(_INIT_LIMIT_S)
            init_ms = _ms_between(begun, first)
            if first is None or first.kind != "ready":
                return Invocation(self._failure(first, request_id), True, init_ms, 0.0)
            self._warm = True
        begun = time.perf_counter()
        self._api.send(event, request_id, time.time() + timeout_s, self._function.arn)
        report = self._next_report(timeout_s)
        duration_ms = _ms_between(begun, report)
        if report is None or report.kind == "exit":
            return Invocation(self._failure(report, request_id), True, init_ms, duration_ms)
        if self._next_report(max(0.0, begun + timeout_s - time.perf_counter())) is None:
            self.close()  # it answered and asks for no more: the answer stands
        return Invocation(report.body, report.kind == "error", init_ms, duration_ms)

    def _next_report(self, seconds: float) -> Report | None:
        try:
            return self._api.reports.get(timeout=seconds)
        except queue.Empty:
            return None

    def _failure(self, report: Report | None, request_id: str) -> bytes:
        self.close()
        if report is None:
            return timed_out(request_id, self._function.timeout_s)
        return exited(request_id, report.code) if report.kind == "exit" else report.body

    def close(self) -> None:
        """Kill the process with all it started, and stop its server; a second call does nothing."""
        self.alive = False
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._api.close()


def _ms_between(begun: float, report: Report | None) -> float:
    return ((report.at if report else time.perf_counter()) - begun) * 1000
