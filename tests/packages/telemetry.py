"""Packages whose settings ask for telemetry, in each provider's real runtime: what they send is there and arrives.

A collector of our own decodes the traces and metrics with OpenTelemetry's own classes, and prometheus_client reads
the page of the container.
"""

import secrets
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.request import Request, urlopen

from prometheus_client.parser import text_string_to_metric_families

from helpers.collector import Collector
from helpers.figures import Figure, Scale, skip
from mlserverless.bundle import resolve
from mlserverless.local import azure
from packages.built import package
from packages.runtimes import STARTS, unpack

NAME, BAR = "telemetry from the packed artefact", "a trace and metrics of one request at the collector"
PHOTO = Path(__file__).parents[2] / "examples" / "photos" / "coffee.png"
METRICS = {"faas.invocations", "faas.invoke_duration", "faas.coldstarts"}
SPANS = {"POST /predict", "prepare", "invoke"}
SHORT = ("azure", "container")  # whose runtime has protobuf of its own; which has a page, too


def measure(scale: Scale) -> list[Figure]:
    """Return one figure a runtime."""
    if resolve.interpreter("3.13") is None:
        return [skip(NAME, BAR, "this machine has no Python 3.13")]
    return [_figure(cloud) for cloud in STARTS if cloud in SHORT or not scale.short]


def _figure(cloud: str) -> Figure:
    name, names = f"{NAME}, {cloud}'s runtime", ["otel"]
    if cloud == "azure" and (reason := azure.available()) is not None:
        return skip(name, BAR, reason)
    with ExitStack() as stack:
        project = Path(stack.enter_context(TemporaryDirectory(prefix="project-")), "telemetry")
        project.mkdir()
        names += ["prometheus"] if cloud == "container" else []
        (project / "mlserverless.toml").write_text(f"telemetry = {names}\n".replace("'", '"'))
        made = package(cloud, project=project)
        root = unpack(made, Path(stack.enter_context(TemporaryDirectory(prefix="unpacked-"))))
        collector = stack.enter_context(Collector())
        environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "100"}
        running = STARTS[cloud](root, made, {**environment, "OTEL_METRIC_EXPORT_INTERVAL": "300"})
        stack.callback(running.close)
        trace_id = secrets.token_hex(16)
        headers = {"Content-Type": "image/png", "traceparent": f"00-{trace_id}-{'a' * 16}-01"}
        with urlopen(Request(f"{running.url}/predict", PHOTO.read_bytes(), headers), timeout=60) as answer:
            status = answer.status
        spans = {span.name for span, _ in collector.spans(trace_id, 10)}
        metrics = set(collector.metrics(METRICS, 10))
        samples = 0
        if "prometheus" in names:
            with urlopen(f"{running.url}/metrics", timeout=60) as answer:
                families = text_string_to_metric_families(answer.read().decode())
                samples = sum(len(family.samples) for family in families)
    held = status == 200 and spans >= SPANS and metrics >= METRICS and (samples > 0) == (cloud == "container")
    told = f"{status}; {len(spans)} spans, {len(metrics)} metrics" + (f", {samples} samples" if samples else "")
    size = (made.archive.stat().st_size if made.archive else made.unpacked) / 1e6
    return Figure(
        name,
        BAR,
        f"{told}; {size:.1f} MB {'zipped' if made.archive else 'unpacked'}",
        held,
        {"spans": sorted(spans), "metrics": sorted(metrics)},
    )
