"""What is told of each request: one structured line in the log, and, where asked for, metrics and traces.

This module is on every function's path. CloudWatch's metrics, Prometheus' and OpenTelemetry have a module each,
imported where the setting ``telemetry`` names them.
"""

import os
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from mlserverless.config import Settings
from mlserverless.logs import log
from mlserverless.named_tuple import NamedTuple
from mlserverless.signals import lines, trace
from mlserverless.signals.lines import Fields, Results

XRAY = "_X_AMZN_TRACE_ID"  # set by Lambda's runtime for each invocation

PROBES = ("/healthz", "/readyz", *lines.V2)

Tell = Callable[[int, str], None]  # a level, one of lines.NAMES' places, and a line
place = [""]  # what the cloud calls this function, where its adapter is told


class Call(NamedTuple):
    """One request or event on its way: what brought it, when it began, the trace that it belongs to.

    ``trigger`` is one of OpenTelemetry's: http, pubsub, datasource, timer, other. ``invocation`` is the platform's
    id of it. ``started`` is in seconds since the epoch, ``begun`` on ``perf_counter``'s clock. ``scheme`` is the
    one that HTTP came by, ``xray`` what Lambda says of the trace.
    """

    trigger: str
    invocation: str
    started: float
    begun: float
    parent: trace.Parent
    scheme: str = "http"
    xray: str = ""
    kept: tuple[Any, ...] = ()  # what each module of the telemetry keeps of it


NOTHING = Call("", "", 0.0, 0.0, trace.NONE)  # where nothing is told


class Telemetry(Protocol):
    """Metrics or traces beside the log."""

    def begin(self, call: Call) -> tuple[trace.Parent, Any]:
        """Return the parent of what ``call`` asks of others, and what :meth:`end` wants back."""

    def end(self, call: Call, kept: Any, fields: Fields, results: Results) -> None:
        """Take what came of ``call``."""


class Signals:
    """Tells of each request what ``settings`` ask for: :meth:`begin`, then :meth:`end`.

    ``tell`` writes a line; ``engine`` says which engine runs the model of a name. ``first`` holds the milliseconds
    that the process took to be ready (None: not known) until its first request has been answered. Raises
    ConfigError where the settings ask for what is not installed.
    """

    def __init__(
        self,
        settings: Settings,
        tell: Tell,
        engine: Callable[[str], str],
        first: list[float | None],
        version: str,
    ) -> None:
        self._tell, self._engine, self._first, self._version = tell, engine, first, version
        here = self.platform = lines.platform(os.environ)
        self._project = next((os.environ[name] for name in lines.PROJECT if os.environ.get(name)), "")
        self.form = here if settings.request_log == "auto" else settings.request_log.replace("off", "")
        self._least = lines.NAMES.index(settings.log_level.upper())
        self._emf = "emf" in settings.telemetry
        if self._emf:  # the line is the metric: it is written whatever the log's form and level are
            self.form, self._least = self.form or "aws", lines.DEBUG
        self.others: dict[str, Telemetry] = {}
        for name in settings.telemetry:
            if name != "emf":
                from mlserverless.signals import others

                self.others[name] = others.made(name, here, version)

    def begin(self, trigger: str, headers: Mapping[str, str], invocation: str = "") -> Call:
        """Return a call that begins now. ``headers``, by lower-case names, may tell its trace. It never raises."""
        if not (self.form or self.others):
            return NOTHING
        xray = os.environ.get(XRAY, "") if self.platform == "aws" else ""
        parent = trace.parent(headers, xray)
        scheme = "https" if headers.get("x-forwarded-proto") == "https" else "http"
        call = Call(trigger, invocation, time.time(), time.perf_counter(), parent, scheme, xray)
        try:
            for other in self.others.values():
                parent, mine = other.begin(call)
                call = call._replace(parent=parent, kept=(*call.kept, mine))
        except Exception as error:  # noqa: BLE001 - the boundary
            log().error("telemetry failed: %s", type(error).__name__)
        return call

    def end(self, call: Call, results: Results, request_id: str, **told: Any) -> None:
        """Tell what came of ``call``: of each item its prediction or problem, and what else is ``told``.

        It never raises: what cannot be told must not fail what was answered.
        """
        try:
            if self.form or self.others:
                self._end(call, results, {"request_id": request_id, "trigger": call.trigger, **told})
        except Exception as error:  # noqa: BLE001 - the boundary
            log().error("the signals of request %s failed: %s", request_id, type(error).__name__)

    def _end(self, call: Call, results: Results, fields: Fields) -> None:
        fields.update(lines.describe(results))
        fields["duration_ms"] = round(1000 * (time.perf_counter() - call.begun), 3)
        probe = fields.get("route") in PROBES
        fields["cold"] = False if probe else self._cold(fields)
        if (model := fields.get("model")) and (engine := self._engine(model)):
            fields["engine"] = engine
        fields["version"] = self._version
        for other, kept in zip(self.others.values(), call.kept, strict=True):
            other.end(call, kept, fields, results)
        level = lines.level(results, fields.get("status", 0))
        if probe and level == lines.INFO:
            level = lines.DEBUG
        if self.form and level >= self._least:
            line = lines.line(
                self.form,
                level,
                fields,
                call.parent,
                invocation=call.invocation,
                xray=call.xray,
                project=self._project,
            )
            if self._emf and not probe:
                from mlserverless.signals import emf

                emf.add(line, results, os.environ)
            self._tell(level, lines.encode(line))

    def _cold(self, fields: Fields) -> bool:
        try:
            init_ms = self._first.pop()  # by one of the threads that come first
        except IndexError:
            return False
        if init_ms is not None:
            fields["init_ms"] = round(init_ms)
        return True


def since_start() -> float | None:
    """Return the milliseconds since this process began, to 10 ms; None where that is not known.

    A copy that was restored from a snapshot began when the snapshot's process did, which says nothing.
    """
    if os.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE") == "snap-start":
        return None
    try:
        with open("/proc/self/stat", "rb") as file:
            ticks = int(file.read().rpartition(b")")[2].split()[19])  # starttime, proc_pid_stat(5)
        taken = time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError, AttributeError):
        return None
    return 1000 * taken if taken >= 0 else None
