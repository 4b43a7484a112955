"""OpenTelemetry: a span a request with a child a stage, and metrics, in the conventions for functions and HTTP.

Where they go is told by the standard variables alone (OTEL_EXPORTER_OTLP_ENDPOINT and its like; OTLP over HTTP).
"""

import os
import threading
import time
from typing import Any

from opentelemetry import trace as api
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from mlserverless.signals import Call, cloud, place
from mlserverless.signals.lines import Fields, Results
from mlserverless.signals.trace import Parent
from mlserverless.types import Prediction

FLUSH_S = 2.0  # what an answer waits for the collector at most, where the process is frozen after it
FROZEN = ("aws", "azure", "gcp")
MOST_TRACED = 16  # items of a batch whose stages get spans
# Seconds: the conventions' own for http.server.request.duration, and on to a cold start's.
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 30.0)


class OpenTelemetry:
    """Traces and measures requests, with providers of its own: the global ones stay the application's."""

    def __init__(self, platform: str, version: str) -> None:
        told = cloud.attributes(platform, os.environ)
        told = {"service.name": told.get("faas.name", "mlserverless"), "service.version": version, **told}
        set_by_variables = OTELResourceDetector().detect().attributes
        resource = Resource.create({name: value for name, value in told.items() if name not in set_by_variables})
        self._frozen = platform in FROZEN
        self._flushing: threading.Thread | None = None
        self._began, self._lock = 0.0, threading.Lock()
        self._traces = TracerProvider(resource=resource)
        if _wanted("TRACES"):
            self._traces.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        readers = [PeriodicExportingMetricReader(OTLPMetricExporter())] if _wanted("METRICS") else []
        self._metrics = MeterProvider(readers, resource)
        self._tracer = self._traces.get_tracer("mlserverless", version)
        meter = self._metrics.get_meter("mlserverless", version)
        self._invocations = meter.create_counter("faas.invocations", "{invocation}", "Successful invocations.")
        self._errors = meter.create_counter("faas.errors", "{error}", "Invocation errors.")
        self._cold = meter.create_counter("faas.coldstarts", "{coldstart}", "Invocation cold starts.")
        self._duration, self._init, self._http = (
            meter.create_histogram(name, "s", told, explicit_bucket_boundaries_advisory=BUCKETS)
            for name, told in (
                ("faas.invoke_duration", "Duration of the function's logic."),
                ("faas.init_duration", "Duration of the function's initialization."),
                ("http.server.request.duration", "Duration of HTTP server requests."),
            )
        )

    def begin(self, call: Call) -> tuple[Parent, api.Span]:
        """Start the request's span; what the request asks of others has it for a parent."""
        kind = api.SpanKind.CONSUMER if call.trigger == "pubsub" else api.SpanKind.SERVER
        span = self._tracer.start_span(
            call.trigger, _context(call.parent), kind, {"faas.trigger": call.trigger}, start_time=_ns(call.started)
        )
        mine = span.get_span_context()
        parent = Parent(f"{mine.trace_id:032x}", f"{mine.span_id:016x}", mine.trace_flags.sampled)
        return parent, span

    def end(self, call: Call, kept: api.Span, fields: Fields, results: Results) -> None:
        """End the request's span, and count it; where the process may be frozen now, wait until both are sent."""
        seconds, failed = fields["duration_ms"] / 1000, _failed(fields, results)
        kept.set_attributes(_attributes(call, fields))
        if "method" in fields:
            kept.update_name(f"{fields['method']} {fields['route']}".rstrip())
        if failed:
            kept.set_status(api.StatusCode.ERROR, fields.get("code"))
        for result in results[:MOST_TRACED]:
            if isinstance(result, Prediction):
                self._stages(kept, call.started, result)
        kept.end(_ns(call.started + seconds))
        trigger = {"faas.trigger": call.trigger}
        (self._errors if failed else self._invocations).add(1, trigger)
        self._duration.record(seconds, trigger)
        if fields["cold"]:
            self._cold.add(1, trigger)
        if "init_ms" in fields:
            self._init.record(fields["init_ms"] / 1000, trigger)
        if "method" in fields:
            named = ("http.request.method", "http.route", "http.response.status_code", "url.scheme", "error.type")
            told = _attributes(call, fields)
            self._http.record(seconds, {name: told[name] for name in named if name in told})
        if self._frozen:
            self.flush()

    def flush(self) -> None:
        """Send what there is, waiting FLUSH_S at most, and not at all for a collector that hangs since before."""
        entered = time.monotonic()
        while True:
            with self._lock:
                if self._flushing is None or not self._flushing.is_alive():
                    self._began = time.monotonic()
                    self._flushing = threading.Thread(target=self._flush, name="mlserverless-otel", daemon=True)
                    self._flushing.start()
                sending, began = self._flushing, self._began
            sending.join(max(0.0, min(entered, began) + FLUSH_S - time.monotonic()))
            if sending.is_alive() or began >= entered:  # one that began before may lack what this request left
                return

    def _flush(self) -> None:
        self._traces.force_flush()
        self._metrics.force_flush()

    def _stages(self, span: api.Span, started: float, made: Prediction) -> None:
        # Only their durations are known: they are laid out one after the other, as they were.
        at = started
        for name, milliseconds in made.timings:
            child = self._tracer.start_span(name, api.set_span_in_context(span), start_time=_ns(at))
            at += milliseconds / 1000
            child.end(_ns(at))


def _attributes(call: Call, fields: Fields) -> dict[str, Any]:
    told: dict[str, Any] = {
        "faas.invocation_id": call.invocation or fields["request_id"],
        "faas.coldstart": fields["cold"],
        "cloud.resource_id": place[0],
        "error.type": fields.get("code"),
        "mlserverless.model": fields.get("model"),
        "mlserverless.model.sha256": fields.get("sha256"),
        "mlserverless.items": fields.get("items"),
    }
    if "method" in fields:
        told |= {
            "http.request.method": fields["method"],
            "http.route": fields["route"],
            "http.response.status_code": fields["status"],
            "http.request.body.size": fields["bytes_in"],
            "http.response.body.size": fields["bytes_out"],
            "url.path": fields["route"],  # never the path as it came, which may hold anything
            "url.scheme": call.scheme,
        }
    return {name: value for name, value in told.items() if value not in ("", None)}


def _failed(fields: Fields, results: Results) -> bool:
    if "status" in fields:
        return bool(fields["status"] >= 500)
    return any(not isinstance(result, Prediction) for result in results)


def _context(parent: Parent) -> Any:
    if not parent.span_id:
        return None
    flags = api.TraceFlags(api.TraceFlags.SAMPLED if parent.sampled else api.TraceFlags.DEFAULT)
    told = api.SpanContext(int(parent.trace_id, 16), int(parent.span_id, 16), is_remote=True, trace_flags=flags)
    return api.set_span_in_context(api.NonRecordingSpan(told))


def _ns(seconds: float) -> int:
    return int(seconds * 1e9)


def _wanted(signal: str) -> bool:
    disabled = os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true"
    return not disabled and os.environ.get(f"OTEL_{signal}_EXPORTER", "otlp") != "none"


def open_telemetry(platform: str, version: str) -> OpenTelemetry:
    """Return the telemetry of a function on ``platform`` by this ``version`` of the package."""
    return OpenTelemetry(platform, version)
