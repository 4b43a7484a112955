"""Prometheus' metrics, for a page that it scrapes: in one process, or over gunicorn's workers.

With PROMETHEUS_MULTIPROC_DIR set before the process starts, each worker keeps its numbers in a file there, and
whichever is asked adds them all up (prometheus_client, "Multiprocess Mode (E.g. Gunicorn)").
"""

import os
import threading

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import choose_encoder

from mlserverless.signals import Call
from mlserverless.signals.lines import Fields, Results
from mlserverless.signals.trace import Parent
from mlserverless.types import Prediction

# Seconds. A warm prediction takes some hundredths, a cold one a second, a slow download several.
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class Prometheus:
    """Counts requests; :meth:`page` is what Prometheus scrapes."""

    def __init__(self) -> None:
        own = self._registry = CollectorRegistry()
        self._requests = Counter(
            "mlserverless_requests", "Requests answered.", ("trigger", "route", "status", "code"), registry=own
        )
        self._durations = Histogram(
            "mlserverless_request_duration_seconds",
            "From a request's arrival to its answer.",
            ("trigger", "route"),
            buckets=BUCKETS,
            registry=own,
        )
        self._stages = Histogram(
            "mlserverless_stage_duration_seconds",
            "What each stage of a prediction took.",
            ("stage",),
            buckets=BUCKETS,
            registry=own,
        )
        self._items = Counter("mlserverless_items", "Images answered, by problem.", ("code",), registry=own)
        self._cold = Counter("mlserverless_cold_starts", "Processes that answered a first request.", registry=own)
        self._flying = Gauge(
            "mlserverless_requests_in_flight",
            "Requests that are being answered.",
            multiprocess_mode="livesum",
            registry=own,
        )
        self._model = Gauge(
            "mlserverless_model_info",
            "The models that answer, each with the value 1.",
            ("model", "sha256", "task", "engine", "version"),
            multiprocess_mode="livemax",
            registry=own,
        )
        self._known: set[tuple[str, ...]] = set()
        self._lock = threading.Lock()

    def begin(self, call: Call) -> tuple[Parent, None]:
        """Count a request as under way."""
        self._flying.inc()
        return call.parent, None

    def end(self, call: Call, kept: None, fields: Fields, results: Results) -> None:  # noqa: ARG002 - the protocol's
        """Count a request as answered."""
        self._flying.dec()
        route = fields.get("route", "")
        self._requests.labels(call.trigger, route, str(fields.get("status", "")), fields.get("code", "")).inc()
        self._durations.labels(call.trigger, route).observe(fields["duration_ms"] / 1000)
        if fields["cold"]:
            self._cold.inc()
        for result in results:
            if isinstance(result, Prediction):
                self._items.labels("").inc()
                for stage, milliseconds in result.timings:
                    self._stages.labels(stage).observe(milliseconds / 1000)
            else:
                self._items.labels(result.code).inc()
        if "model" in fields:
            told = tuple(str(fields.get(name, "")) for name in ("model", "sha256", "task", "engine", "version"))
            with self._lock:
                if told not in self._known:
                    self._known.add(told)
                    self._model.labels(*told).set(1)

    def page(self, accept: str) -> tuple[str, bytes]:
        """Return the content type and the text for a scraper's ``accept``: OpenMetrics, or plain text."""
        encode, kind = choose_encoder(accept)
        return kind, encode(self._collected())

    def _collected(self) -> CollectorRegistry:
        if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
            return self._registry
        from prometheus_client.multiprocess import MultiProcessCollector

        together = CollectorRegistry()
        MultiProcessCollector(together)  # type: ignore[no-untyped-call]
        return together


def open_telemetry(platform: str, version: str) -> Prometheus:  # noqa: ARG001 - a page is the same everywhere
    """Return the metrics, all zero."""
    return Prometheus()
