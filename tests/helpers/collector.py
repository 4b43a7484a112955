"""An OpenTelemetry collector on 127.0.0.1: OTLP over HTTP, decoded by opentelemetry-proto's own classes."""

import gzip
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

KINDS = {"/v1/traces": ExportTraceServiceRequest, "/v1/metrics": ExportMetricsServiceRequest}


class Collector:
    """Keeps what is sent to it; ``hangs``: it takes a request and never answers. Also a context manager."""

    def __init__(self, *, hangs: bool = False) -> None:
        self.requests: list[Any] = []
        self.raw = b""
        self._stopped = threading.Event()
        kept = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                body = gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body
                if hangs:
                    kept._stopped.wait(30)
                request = KINDS[self.path]()
                request.ParseFromString(body)
                kept.raw += body
                kept.requests.append(request)
                self.send_response(200)
                self.send_header("Content-Type", "application/x-protobuf")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def __enter__(self) -> "Collector":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def spans(self, trace_id: str, seconds: float = 0.0) -> list[tuple[Any, dict[str, Any]]]:
        """Return the spans of a trace with their resources' attributes, awaiting the first for ``seconds``."""
        return self._await(seconds, lambda: self._spans(trace_id))

    def metrics(self, wanted: set[str], seconds: float = 0.0) -> dict[str, Any]:
        """Return the metrics by name, the last of each, awaiting those ``wanted`` for ``seconds``."""
        self._await(seconds, lambda: wanted <= self._metrics().keys())
        return self._metrics()

    def _spans(self, trace_id: str) -> list[tuple[Any, dict[str, Any]]]:
        return [
            (span, attributes(resource.resource))
            for request in self._of(ExportTraceServiceRequest)
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
            if span.trace_id.hex() == trace_id
        ]

    def _metrics(self) -> dict[str, Any]:
        return {
            metric.name: metric
            for request in self._of(ExportMetricsServiceRequest)
            for resource in request.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }

    def _of(self, kind: Any) -> list[Any]:
        return [request for request in list(self.requests) if isinstance(request, kind)]

    @staticmethod
    def _await(seconds: float, find: Any) -> Any:
        end = time.monotonic() + seconds
        while not (found := find()) and time.monotonic() < end:
            time.sleep(0.02)
        return found


def attributes(holder: Any) -> dict[str, Any]:
    """Return the attributes of a span, a resource or a data point."""
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in holder.attributes}
