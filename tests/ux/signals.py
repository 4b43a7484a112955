"""What one request leaves behind on each real runtime: a line, metrics, a trace, read by others' parsers."""

import json
import re
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as plain_text

from helpers import loglines
from helpers.collector import Collector, attributes
from helpers.figures import Figure, Scale, skip
from helpers.origin import Origin, response
from helpers.runtimes import REASONS, start
from mlserverless.local import gcp
from security.started import ask, printed

CLOUDS = ("aws", "azure", "gcp", "wsgi")
TELEMETRY = {"aws": "emf,otel", "azure": "otel", "gcp": "otel", "wsgi": "prometheus,otel"}
CHECKS = {
    "aws": loglines.check_lambda,
    "azure": loglines.check_plain,
    "gcp": loglines.check_google,
    "wsgi": loglines.check_plain,
}
METRICS = {"faas.invocations", "faas.coldstarts", "faas.invoke_duration", "http.server.request.duration"}
STAGES = {"download", "open", "load", "wait", "prepare", "preprocess", "invoke"}
PHOTO = Path(__file__).parents[2] / "examples" / "photos" / "coffee.png"
SECRET = "X-Amz-Signature=" + secrets.token_hex(16)
EVENT_BAR = "one line, valid by a parser nobody here wrote"
BAR = "shown, valid by a parser nobody here wrote, of the trace that was sent"
LINE_SHARE, OFF_SHARE = 0.01, 0.001  # of a prediction's CPU, the bundled model's of a photo in memory
PATH_MODULES = ("opentelemetry", "prometheus_client", "mlserverless.signals.emf")
COST = """
import os, sys, time
sys.path.insert(0, "tests")
os.environ.clear()
from helpers.services import FakeService, PREDICTION
STAGES = "download open load wait prepare preprocess invoke".split()
made = (PREDICTION._replace(timings=tuple((name, 1.234) for name in STAGES)),)
told = {}
from pathlib import Path
from mlserverless import Predictor
predictor, photo = Predictor(threads=1, concurrency=1), Path("examples/photos/flower.jpg").read_bytes()
predictor.predict(photo)
def a_prediction():
    start = time.process_time()
    predictor.predict(photo)
    return (time.process_time() - start) * 1e6
prediction = min(a_prediction() for _ in range(20))
for form in ("off", "aws", "gcp", "azure", "json"):
    signals = FakeService(request_log=form).signals
    signals._tell = lambda level, line: None
    best = 1e9
    for _ in range(60):
        start = time.thread_time()
        for _ in range(200):
            call = signals.begin("http", {"traceparent": f"00-{'a' * 32}-{'b' * 16}-01"}, "id")
            signals.end(call, made, "id", method="POST", route="/", status=200, bytes_in=1, bytes_out=2)
        best = min(best, (time.thread_time() - start) / 200 * 1e6)
    told[form] = round(best, 1)
loaded = [name for name in sys.argv[1].split(",") if name in sys.modules]
import json
prediction = max(prediction, min(a_prediction() for _ in range(20)))  # the machine's pace may have changed
print(json.dumps({"us": told, "prediction us": round(prediction), "loaded": loaded}))
"""


def measure(scale: Scale) -> list[Figure]:
    """Return a figure a runtime, and what a line costs."""
    figures = []
    for cloud in CLOUDS:
        for name, bar, check in (
            (f"signals of one request, {cloud}", BAR, _of_request),
            (f"signals of one event, {cloud}", EVENT_BAR, _of_event),
        ):
            if reason := REASONS[cloud]():
                figures.append(skip(name, bar, reason))
                continue
            try:
                told, details = check(cloud)
                figures.append(Figure(name, bar, told, True, details))
            except Exception as error:  # noqa: BLE001 - a check that breaks is a figure that falls short
                figures.append(Figure(name, bar, f"{type(error).__name__}: {str(error)[:300]}", False))
    return [*figures, _workers(), _cost()]


def _workers() -> Figure:
    """Return the figure of gunicorn's workers, which keep their numbers apart and tell them together."""
    name, bar = "Prometheus over two gunicorn workers", "each page is of both: 16 of 16 requests, one model"
    if reason := REASONS["wsgi"]():
        return skip(name, bar, reason)
    with tempfile.TemporaryDirectory() as folder, printed() as so_far:
        settings = {"MLSERVERLESS_TELEMETRY": "prometheus", "PROMETHEUS_MULTIPROC_DIR": folder}
        runtime = start("wsgi", {**settings, "GUNICORN_CMD_ARGS": "--workers 2"})
        try:
            headers, end = {"Content-Type": "image/png"}, time.monotonic() + 20
            while _kept_by(folder) < 2 and time.monotonic() < end:  # the second may begin later
                ask(runtime, "GET", "/model", {})
            with ThreadPoolExecutor(8) as pool:
                asked = [
                    pool.submit(ask, runtime, "POST", "/predict", headers, PHOTO.read_bytes()) for _ in range(16)
                ]
                good = sum(one.result().status == 200 for one in asked)
            pages = [ask(runtime, "GET", "/metrics", {}).body.decode() for _ in range(8)]
        finally:
            runtime.close()
        workers = _kept_by(folder)
        lines = so_far().count('"route":"/predict"')
    counted = {
        sum(
            sample.value
            for family in plain_text(page)
            for sample in family.samples
            if sample.name == "mlserverless_requests_total" and sample.labels["route"] == "/predict"
        )
        for page in pages
    }
    models = {page.count("\nmlserverless_model_info{") for page in pages}
    told = f"{good} good, pages tell {counted}, {models} models, of {workers} workers; {lines} lines"
    held = (good, counted, models, workers, lines) == (16, {16.0}, {1}, 2, 16)
    return Figure(name, bar, told, held, {"pages": len(pages)})


def _kept_by(folder: str) -> int:
    return len({path.name.rpartition("_")[2] for path in Path(folder).glob("counter_*.db")})


def _of_event(cloud: str) -> tuple[str, dict[str, Any]]:
    """Check what one event with a photo's URL leaves, or on Azure a blob with the photo itself."""
    trace_id = secrets.token_hex(16)
    with Collector() as collector, printed() as so_far:
        origin = Origin({f"/a.png?{SECRET}": response(PHOTO.read_bytes())})
        settings = _settings(cloud, collector)
        runtime = _at_event(settings) if cloud == "gcp" else start(cloud, settings)
        try:
            _send(cloud, runtime, origin.url(f"/a.png?{SECRET}"), f"00-{trace_id}-{'a' * 16}-01")
            end = time.monotonic() + 10
            while not (lines := loglines.events(so_far())) and time.monotonic() < end:
                time.sleep(0.05)
            spans = collector.spans(trace_id, 10) if cloud in ("gcp", "wsgi") else []
        finally:
            runtime.close()
            origin.close()
        everything = so_far() + collector.raw.decode("latin-1")
    assert len(lines) == 1, f"{len(lines)} lines about one event"
    line = lines[0][1]
    CHECKS[cloud](line)
    values = loglines.check_emf(line) if cloud == "aws" else {}
    assert (line["items"], line["failed"], line["handed_back"], line["cold"]) == (1, 0, 0, True), line
    assert line["trigger"] == ("datasource" if cloud == "azure" else "pubsub")
    assert SECRET.partition("=")[2] not in everything, "a signature is told"
    if cloud in ("gcp", "wsgi"):
        assert line["trace_id"] == trace_id
        assert "a" * 16 in {span.parent_span_id.hex() for span, _ in spans}
    return f"a line by {line['trigger']}", {"line": line, "emf": values}


def _at_event(settings: dict[str, str]) -> Any:
    return gcp.start(target="event", environment=settings)


def _send(cloud: str, runtime: Any, url: str, traceparent: str) -> None:
    if cloud == "aws":
        told = {"EventSource": "aws:sns", "Sns": {"Message": json.dumps({"url": url}), "MessageId": "m"}}
        done = runtime.invoke({"Records": [told]})
        assert not done.function_error, done.payload
    elif cloud == "azure":
        where = "https://account.blob.core.windows.net/images/coffee.png"
        answer = runtime.invoke_blob("image_created", PHOTO.read_bytes(), where)
        assert answer.status == 202, answer
    else:
        headers = {"Content-Type": "application/json", "traceparent": traceparent}
        path = "/events" if cloud == "wsgi" else "/"
        answer = ask(runtime, "POST", path, headers, json.dumps({"url": url}).encode())
        assert answer.status == 204, answer


def _cost() -> Figure:
    done = subprocess.run(
        [sys.executable, "-c", COST, ",".join(PATH_MODULES)], check=True, capture_output=True, timeout=120
    )
    told = json.loads(done.stdout)
    worst, prediction = max(told["us"].values()), told["prediction us"]
    on, off = worst / prediction, told["us"]["off"] / prediction
    return Figure(
        "what a line costs",
        f"≤ {LINE_SHARE:.0%} of a prediction's CPU, ≤ {OFF_SHARE:.1%} where it is off; no telemetry imported",
        f"{on:.2%}, {off:.3%} off ({worst} µs, {told['us']['off']} µs off); imported: {len(told['loaded'])}",
        on <= LINE_SHARE and off <= OFF_SHARE and not told["loaded"],
        told,
    )


def _settings(cloud: str, collector: Collector) -> dict[str, str]:
    return {
        "MLSERVERLESS_TELEMETRY": TELEMETRY[cloud],
        "MLSERVERLESS_ALLOW_PRIVATE_ADDRESSES": "true",
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
        "OTEL_BSP_SCHEDULE_DELAY": "100",
        "OTEL_METRIC_EXPORT_INTERVAL": "300",
        "GOOGLE_CLOUD_PROJECT": "a-project",
    }


@contextmanager
def _asked(cloud: str) -> Iterator[dict[str, Any]]:
    """Ask ``cloud`` for one prediction by URL; yield all that came of it."""
    trace_id, span_id, request_id = secrets.token_hex(16), secrets.token_hex(8), f"req-{secrets.token_hex(8)}"
    with Collector() as collector, printed() as so_far:
        origin = Origin({f"/a.png?{SECRET}": response(PHOTO.read_bytes())})
        settings = _settings(cloud, collector)
        runtime = start(cloud, settings)
        try:
            headers = {"Content-Type": "application/json", "traceparent": f"00-{trace_id}-{span_id}-01"}
            body = json.dumps({"url": origin.url(f"/a.png?{SECRET}")}).encode()
            answer = ask(runtime, "POST", "/predict", headers, body, request_id)
            assert answer.status == 200, (answer.status, answer.body)
            spans = collector.spans(trace_id, 10)
            page = [
                ask(runtime, "GET", "/metrics", {"Accept": accept})
                for accept in ("text/plain", "application/openmetrics-text")
            ]
            lines = _awaited(so_far, request_id)
            yield {
                "trace_id": trace_id,
                "span_id": span_id,
                "lines": lines,
                "spans": spans,
                "metrics": collector.metrics(METRICS, 10),
                "pages": page,
                "sent": "\n".join(origin.requests),
            }
        finally:
            runtime.close()
            origin.close()
        everything = so_far() + collector.raw.decode("latin-1") + "".join(p.body.decode("latin-1") for p in page)
    assert SECRET not in everything, "a signed URL's query is told"
    assert SECRET.partition("=")[2] not in everything, "a signature is told"


def _awaited(so_far: Any, request_id: str) -> list[tuple[str, dict[str, Any]]]:
    end = time.monotonic() + 10
    while not (lines := loglines.found(so_far(), request_id)) and time.monotonic() < end:
        time.sleep(0.05)
    return lines


def _of_request(cloud: str) -> tuple[str, dict[str, Any]]:
    with _asked(cloud) as got:
        assert len(got["lines"]) == 1, f"{len(got['lines'])} lines about one request"
        before, line = got["lines"][0]
        CHECKS[cloud](line)
        assert line["trace_id"] == got["trace_id"], "the line is of another trace"
        assert (line["status"], line["route"], line["task"], line["cold"]) == (200, "/predict", "classify", True)
        assert set(line["stages"]) == STAGES, line["stages"]
        if cloud != "wsgi":  # whose bare application is not warmed up
            assert line["init_ms"] > 0
        details: dict[str, Any] = {"line": line, "before": before}
        if cloud == "aws":
            details["emf"] = loglines.check_emf(line)
            assert line["xray_trace_id"].startswith("1-")
            assert details["emf"]["ColdStart"] == details["emf"]["Items"] == 1
        if cloud == "gcp":
            assert line["logging.googleapis.com/trace"] == f"projects/a-project/traces/{got['trace_id']}"
        if cloud == "azure":
            assert before.endswith("INFO:mlserverless.results:"), f"logged as {before!r}"
        details["trace"] = _trace(cloud, got, line)
        details["metrics"] = sorted(got["metrics"])
        assert set(got["metrics"]) >= METRICS, got["metrics"].keys()
        told = f"line, {len(details['trace']['spans'])} spans, {len(details['metrics'])} OTLP metrics"
        if cloud == "aws":
            told += f", {len(details['emf'])} EMF metrics"
        if cloud == "wsgi":
            details["prometheus"] = _scraped(got["pages"])
            told += f", {len(details['prometheus'])} Prometheus samples"
        else:
            assert all(page.status == 404 for page in got["pages"]), "there is a page of metrics"
    return told, details


def _trace(cloud: str, got: dict[str, Any], line: dict[str, Any]) -> dict[str, Any]:
    """Check the spans as OTLP's own classes read them; return them, told shortly."""
    (server, resource), *rest = sorted(got["spans"], key=lambda one: one[0].parent_span_id.hex() != got["span_id"])
    assert server.parent_span_id.hex() == got["span_id"], "its parent is not the caller's span"
    assert line["span_id"] == server.span_id.hex(), "the line is of another span"
    assert {span.parent_span_id for span, _ in rest} == {server.span_id}
    assert {span.name for span, _ in rest} == STAGES
    assert all(span.end_time_unix_nano <= server.end_time_unix_nano + 5_000_000 for span, _ in rest)
    told = attributes(server)
    assert server.name == "POST /predict"
    assert (told["faas.trigger"], told["faas.coldstart"], told["http.response.status_code"]) == ("http", True, 200)
    assert told["faas.invocation_id"]
    if cloud != "wsgi":
        assert resource["cloud.provider"] == {"aws": "aws", "azure": "azure", "gcp": "gcp"}[cloud]
        assert resource["faas.instance"]
    sent = re.findall(r"(?im)^traceparent: *(\S+)", got["sent"])
    assert sent == [f"00-{got['trace_id']}-{server.span_id.hex()}-01"], f"the image's host was told {sent}"
    spans = {
        span.name: round((span.end_time_unix_nano - span.start_time_unix_nano) / 1e6, 3)
        for span, _ in got["spans"]
    }
    return {"spans": spans, "attributes": told, "resource": resource}


def _scraped(pages: list[Any]) -> dict[str, float]:
    """Check both of the page's forms by Prometheus' own parsers; return the samples."""
    text, other = pages
    assert text.status == other.status == 200
    kinds = [dict(page.headers)["Content-Type"] for page in pages]
    assert kinds[0].startswith("text/plain"), kinds
    assert kinds[1].startswith("application/openmetrics-text"), kinds
    assert list(openmetrics(other.body.decode()))
    samples = {}
    for family in plain_text(text.body.decode()):
        for sample in family.samples:
            if not sample.name.endswith(("_bucket", "_created")):
                samples[sample.name + json.dumps(sample.labels, sort_keys=True)] = sample.value
    asked = {"code": "", "route": "/predict", "status": "200", "trigger": "http"}
    assert samples["mlserverless_requests_total" + json.dumps(asked, sort_keys=True)] == 1
    assert samples["mlserverless_cold_starts_total{}"] == 1
    assert any(name.startswith("mlserverless_model_info") for name in samples)
    return samples
