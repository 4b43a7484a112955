"""Traces and metrics as a collector gets them, decoded by OpenTelemetry's own messages."""

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from helpers.collector import Collector, attributes
from helpers.services import FakeService
from helpers.web import JSON, URL, ask
from mlserverless.adapters.aws.events import SnsNotification
from mlserverless.deadline import Deadline
from mlserverless.errors import Overloaded, UndecodableImage
from mlserverless.serving import Redeliver
from mlserverless.signals import otel

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
HEADERS = {**JSON, "traceparent": f"00-{TRACE}-{SPAN}-01"}
SNS = {"Records": [{"EventSource": "aws:sns", "Sns": {"Message": "https://x.example/a", "MessageId": "m"}}]}


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    with Collector() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "classify")
        monkeypatch.setenv("AWS_REGION", "eu-central-1")
        yield collector


@pytest.fixture(autouse=True)
def _closed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """End the threads of every telemetry that a test opens."""
    opened: list[otel.OpenTelemetry] = []
    made = otel.OpenTelemetry.__init__

    def keep(self: otel.OpenTelemetry, *given: Any) -> None:
        made(self, *given)
        opened.append(self)

    monkeypatch.setattr(otel.OpenTelemetry, "__init__", keep)
    yield
    for one in opened:
        one._traces.shutdown()
        one._metrics.shutdown(timeout_millis=1000)


def point(metric: Any) -> tuple[dict[str, Any], float]:
    """Return the attributes of a metric's only point, and its count or its sum."""
    held = getattr(metric, metric.WhichOneof("data"))
    (only,) = held.data_points
    return attributes(only), only.count if metric.WhichOneof("data") == "histogram" else only.as_int


def test_a_request_is_a_span_with_a_child_a_stage(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(otel, "place", ["arn:aws:x"])
    service = FakeService(telemetry="otel")
    before = time.time_ns()
    ask(service, "POST", "/predict", "", HEADERS, URL)
    (server, resource), *stages = sorted(
        collector.spans(TRACE), key=lambda one: one[0].parent_span_id.hex() != SPAN
    )
    assert (server.name, server.kind) == ("POST /predict", 2)
    assert server.parent_span_id.hex() == SPAN
    assert before - 10**9 < server.start_time_unix_nano < server.end_time_unix_nano < time.time_ns() + 10**9
    told = attributes(server)
    assert told == {
        "faas.trigger": "http",
        "faas.invocation_id": "platform-id",
        "faas.coldstart": True,
        "cloud.resource_id": "arn:aws:x",
        "mlserverless.model": "fake",
        "mlserverless.model.sha256": "0" * 64,
        "mlserverless.items": 1,
        "http.request.method": "POST",
        "http.route": "/predict",
        "http.response.status_code": 200,
        "http.request.body.size": len(URL),
        "http.response.body.size": 187,
        "url.path": "/predict",
        "url.scheme": "http",
    }
    assert resource["service.name"] == resource["faas.name"] == "classify"
    assert resource["cloud.platform"] == "aws_lambda"
    assert {span.parent_span_id for span, _ in stages} == {server.span_id}
    spans = {span.name: span.end_time_unix_nano - span.start_time_unix_nano for span, _ in stages}
    assert spans == {"download": pytest.approx(1.25e6, abs=2000), "invoke": pytest.approx(2.5e6, abs=2000)}


def test_the_function_is_measured_in_the_conventions_names(collector: Collector) -> None:
    service = FakeService(telemetry="otel")
    service.warm_up()
    ask(service, "POST", "/predict", "", HEADERS, URL)
    metrics = collector.metrics(set())
    http = {"faas.trigger": "http"}
    assert point(metrics["faas.invocations"]) == (http, 1)
    assert point(metrics["faas.coldstarts"]) == (http, 1)
    assert point(metrics["faas.invoke_duration"]) == (http, 1)
    assert point(metrics["faas.init_duration"]) == (http, 1)
    told, count = point(metrics["http.server.request.duration"])
    assert count == 1
    assert told == {
        "http.request.method": "POST",
        "http.route": "/predict",
        "http.response.status_code": 200,
        "url.scheme": "http",
    }
    assert metrics["http.server.request.duration"].unit == "s"
    assert "faas.errors" not in metrics


@pytest.mark.parametrize(("error", "failed"), [(Overloaded("busy"), True), (UndecodableImage("cut"), False)])
def test_what_the_caller_is_to_blame_for_is_no_error(collector: Collector, error: Exception, failed: bool) -> None:
    ask(FakeService(error, telemetry="otel"), "POST", "/predict", "", HEADERS, URL)
    ((span, _),) = collector.spans(TRACE)
    assert (span.status.code == 2) is failed
    assert attributes(span)["error.type"] == error.code  # type: ignore[attr-defined]
    assert ("faas.errors" in collector.metrics(set())) is failed


def test_an_event_consumes(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(
        "_X_AMZN_TRACE_ID", "Root=1-4bf92f35-77b34da6a3ce929d0e0e4736;Parent=00f067aa0ba902b7;Sampled=1"
    )
    service = FakeService(telemetry="otel")
    SnsNotification(service).handle(SNS, "invocation", Deadline())
    (span,) = [span for span, _ in collector.spans(TRACE) if span.parent_span_id.hex() == SPAN]
    assert (span.name, span.kind) == ("pubsub", 5)
    assert attributes(span)["faas.invocation_id"] == "invocation"
    with pytest.raises(Redeliver):
        SnsNotification(FakeService(Overloaded("busy"), telemetry="otel")).handle(SNS, "i", Deadline())
    assert point(collector.metrics({"faas.errors"})["faas.errors"])[1] == 1


def test_what_is_asked_of_others_belongs_to_the_span(collector: Collector) -> None:
    service = FakeService(telemetry="otel")
    ask(service, "POST", "/predict", "", HEADERS, URL)
    server = next(span for span, _ in collector.spans(TRACE) if span.parent_span_id.hex() == SPAN)
    assert service.requests[0].trace == f"00-{TRACE}-{server.span_id.hex()}-01"


def test_without_a_caller_it_is_a_trace_of_its_own(collector: Collector) -> None:
    ask(FakeService(telemetry="otel"), "POST", "/predict", "", JSON, URL)
    (request,) = [one for one in collector.requests if hasattr(one, "resource_spans")]
    spans = request.resource_spans[0].scope_spans[0].spans
    assert len({span.trace_id for span in spans}) == 1
    assert any(not span.parent_span_id for span in spans)


def test_a_caller_that_does_not_keep_its_trace_is_followed(collector: Collector) -> None:
    service = FakeService(telemetry="otel")
    ask(service, "POST", "/predict", "", {**JSON, "traceparent": f"00-{TRACE}-{SPAN}-00"}, URL)
    assert not collector.spans(TRACE)
    assert service.requests[0].trace.endswith("-00")


def test_the_log_is_of_the_span(collector: Collector) -> None:
    service = FakeService(telemetry="otel")
    ask(service, "POST", "/predict", "", HEADERS, URL)
    server = next(span for span, _ in collector.spans(TRACE) if span.parent_span_id.hex() == SPAN)
    line = json.loads(service.lines[0])
    assert (line["trace_id"], line["span_id"]) == (TRACE, server.span_id.hex())


def test_the_stages_of_few_items_are_told(collector: Collector) -> None:
    body = json.dumps({"urls": ["https://x.example/1"] * 20}).encode()
    ask(FakeService(telemetry="otel", max_batch=20), "POST", "/predict", "", HEADERS, body)
    assert len(collector.spans(TRACE)) == 1 + 2 * otel.MOST_TRACED


def test_a_collector_that_hangs_is_waited_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(otel, "FLUSH_S", 0.3)
    with Collector(hangs=True) as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "3")
        monkeypatch.setenv("K_SERVICE", "classify")
        service = FakeService(telemetry="otel")
        taken = []
        for _ in range(3):
            start = time.monotonic()
            assert ask(service, "POST", "/predict", "", HEADERS, URL).status == 200
            taken.append(time.monotonic() - start)
    assert 0.25 < taken[0] < 2.5
    assert max(taken[1:]) < 0.25


def test_a_container_is_not_frozen_and_waits_for_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    with Collector() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
        service = FakeService(telemetry="otel")
        ask(service, "POST", "/predict", "", HEADERS, URL)
        assert not collector.requests
        ((_, resource), *_) = collector.spans(TRACE, 5)
        assert resource["service.name"] == "mlserverless"
        assert not [name for name in resource if name.startswith(("faas.", "cloud."))]


@pytest.mark.parametrize(
    ("variables", "kinds"),
    [
        ({"OTEL_TRACES_EXPORTER": "none"}, {"resource_metrics"}),
        ({"OTEL_METRICS_EXPORTER": "none"}, {"resource_spans"}),
        ({"OTEL_SDK_DISABLED": "true"}, set()),
    ],
)
def test_the_standard_variables_hold(
    collector: Collector, variables: dict[str, str], kinds: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    ask(FakeService(telemetry="otel"), "POST", "/predict", "", HEADERS, URL)
    assert {field.name for one in collector.requests for field, _ in one.ListFields()} == kinds


def test_the_names_that_variables_give_come_first(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SERVICE_NAME", "mine")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "cloud.region=there,team=vision")
    ask(FakeService(telemetry="otel"), "POST", "/predict", "", HEADERS, URL)
    ((_, resource), *_) = collector.spans(TRACE)
    assert (resource["service.name"], resource["cloud.region"], resource["team"]) == ("mine", "there", "vision")
    assert resource["faas.name"] == "classify"


def test_requests_side_by_side_are_all_sent(collector: Collector) -> None:
    service = FakeService(telemetry="otel")
    ids = [f"{number:032x}" for number in range(1, 9)]

    def one(trace_id: str) -> None:
        ask(service, "POST", "/predict", "", {**JSON, "traceparent": f"00-{trace_id}-{SPAN}-01"}, URL)
        assert collector.spans(trace_id), "it answered before its spans were sent"

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(one, ids))
