"""The line of each platform: the same fields, what is around them read by the platform's own packages."""

import json
from typing import Any

import pytest

from helpers import loglines
from helpers.services import PREDICTION
from mlserverless.signals import lines
from mlserverless.signals.trace import NONE, Parent
from mlserverless.types import Prediction, Problem

PARENT = Parent("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", True)
GONE = Problem(422, "source-error", "Source", "https://x.example/?sig=secret", False)
BUSY = Problem(503, "overloaded", "Overloaded", "busy", True)
FIELDS: dict[str, Any] = {
    "request_id": "id",
    "trigger": "http",
    "method": "POST",
    "route": "/predict",
    "status": 200,
    "bytes_in": 10,
    "bytes_out": 20,
    "items": 1,
    "failed": 0,
    "model": "fake",
    "duration_ms": 12.345,
    "cold": True,
    "version": "1.2.3",
}


def line(form: str, level: int = lines.INFO, parent: Parent = PARENT, **told: Any) -> dict[str, Any]:
    made = lines.line(form, level, {**FIELDS, **told.pop("fields", {})}, parent, **told)
    text = lines.encode(made)
    assert "\n" not in text
    read: dict[str, Any] = json.loads(text)
    return read


@pytest.mark.parametrize(
    ("environ", "form"),
    [
        ({}, ""),
        ({"AWS_LAMBDA_FUNCTION_NAME": "f", "K_SERVICE": "x"}, "aws"),
        ({"FUNCTIONS_WORKER_RUNTIME": "python"}, "azure"),
        ({"K_SERVICE": "s", "SERVER_SOFTWARE": "gunicorn/23"}, "gcp"),
        ({"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, "json"),
        ({"CONTAINER_APP_NAME": "a"}, "json"),
        ({"ECS_CONTAINER_METADATA_URI_V4": "http://169.254.170.2/v4"}, "json"),
        ({"SERVER_SOFTWARE": "gunicorn/23.0.0"}, "json"),
        ({"SERVER_SOFTWARE": "other/1"}, ""),
    ],
)
def test_the_platform_is_told_by_its_own_variables(environ: dict[str, str], form: str) -> None:
    assert lines.platform(environ) == form


@pytest.mark.parametrize("form", ["aws", "gcp", "azure", "json"])
def test_every_form_has_every_field_and_the_trace(form: str) -> None:
    told = line(form)
    assert FIELDS.items() <= told.items()
    assert (told["trace_id"], told["span_id"], told["trace_flags"]) == (PARENT.trace_id, PARENT.span_id, "01")
    assert told["message"] == "POST /predict 200"


@pytest.mark.parametrize("form", ["aws", "gcp", "azure", "json"])
def test_without_a_trace_no_form_has_one(form: str) -> None:
    assert not [name for name in line(form, parent=NONE) if "trace" in name or "span" in name]


def test_lambda_reads_its_line() -> None:
    told = line("aws", lines.WARNING, invocation="3b1c", xray="Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1")
    loglines.check_lambda(told)
    assert (told["level"], told["requestId"]) == ("WARN", "3b1c")
    assert told["xray_trace_id"] == "1-5759e988-bd862e3fe1be46a994272793"
    assert "requestId" not in line("aws")
    assert "xray_trace_id" not in line("aws")


def test_cloud_logging_reads_its_line() -> None:
    told = line("gcp", lines.ERROR, project="mine")
    loglines.check_google(told)
    assert told["severity"] == "ERROR"
    assert told["logging.googleapis.com/trace"] == f"projects/mine/traces/{PARENT.trace_id}"
    assert told["logging.googleapis.com/spanId"] == PARENT.span_id
    assert told["logging.googleapis.com/trace_sampled"] is True
    assert told["httpRequest"] == {
        "requestMethod": "POST",
        "requestUrl": "/predict",
        "status": 200,
        "requestSize": "10",
        "responseSize": "20",
        "latency": "0.012345s",
    }
    assert told["logging.googleapis.com/labels"] == {"trigger": "http", "model": "fake", "version": "1.2.3"}
    assert line("gcp")["logging.googleapis.com/trace"] == PARENT.trace_id


@pytest.mark.parametrize("form", ["aws", "gcp", "azure", "json"])
def test_an_event_has_no_http_in_its_line(form: str) -> None:
    event = {"request_id": "id", "trigger": "pubsub", "code": "overloaded", "duration_ms": 1.0, "cold": False}
    told = lines.line(form, lines.WARNING, event, NONE)
    assert told["message"] == "pubsub overloaded"
    assert "httpRequest" not in told
    if form == "gcp":
        loglines.check_google(told)


@pytest.mark.parametrize("form", ["azure", "json"])
def test_the_plain_forms_have_a_severity_and_a_time(form: str) -> None:
    loglines.check_plain(line(form, lines.DEBUG))
    assert line(form, lines.WARNING)["severity"] == "WARNING"


def test_items_are_described_without_what_they_show() -> None:
    more = PREDICTION._replace(timings=(("download", 1.0), ("open", 0.5), ("open", 0.25)))
    told = lines.describe((PREDICTION, GONE, more, BUSY))
    assert told == {
        "items": 4,
        "failed": 2,
        "code": "overloaded",  # the worst of them
        "retryable": True,
        "model": "fake",
        "sha256": "0" * 64,
        "task": "classify",
        "stages": {"download": 2.25, "invoke": 2.5, "open": 0.75},
    }
    assert lines.describe(()) == {}


@pytest.mark.parametrize(
    ("results", "status", "level"),
    [
        ((), 200, lines.INFO),
        ((PREDICTION,), 200, lines.INFO),
        ((), 404, lines.WARNING),
        ((GONE,), 200, lines.WARNING),
        ((GONE, PREDICTION, BUSY), 200, lines.ERROR),
        ((), 500, lines.ERROR),
        ((BUSY,), 0, lines.ERROR),
    ],
)
def test_the_level_is_that_of_the_worst(
    results: tuple[Prediction | Problem, ...], status: int, level: int
) -> None:
    assert lines.level(results, status) == level


KNOWN = ("/", "/predict", "/healthz", "/v2")


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/", "/"),
        ("/predict/", "/predict"),
        ("/predict/x", ""),
        ("/https://x.example/?sig=secret", ""),
        ("/v2", "/v2"),
        ("/v2/", "/v2"),
        ("/v2/health/live", "/v2/health/live"),
        ("/v2/health/ready/", "/v2/health/ready"),
        ("/v2/models/mine", "/v2/models/{model}"),
        ("/v2/models/mine/infer", "/v2/models/{model}/infer"),
        ("/v2/models/a/b/versions/3/ready", "/v2/models/{model}/versions/{version}/ready"),
        ("/v2/secret", ""),
    ],
)
def test_a_route_is_told_and_never_the_path(path: str, route: str) -> None:
    assert lines.route_of(path, KNOWN) == route


def test_a_method_that_is_none_is_not_repeated() -> None:
    assert [lines.method_of(name) for name in ("GET", "PATCH", "get", "S3CRET")] == [
        "GET",
        "PATCH",
        *["_OTHER"] * 2,
    ]
