"""One line a request, in the shape that each platform's log viewer reads.

The fields are the same everywhere (docs/reference/signals.md); what is around them is the platform's.
"""

import json
import time
from collections.abc import Container, Mapping, Sequence
from typing import Any

from mlserverless.signals.trace import Parent
from mlserverless.types import Prediction, Problem, spent

DEBUG, INFO, WARNING, ERROR = range(4)  # a line's level, and the place of its name in the two below
NAMES = ("DEBUG", "INFO", "WARNING", "ERROR")
LAMBDA_NAMES = ("DEBUG", "INFO", "WARN", "ERROR")
# Which platform this is: the variable that it sets, and the form of line that its log viewer reads.
PLATFORMS = (
    ("AWS_LAMBDA_FUNCTION_NAME", "aws"),
    ("FUNCTIONS_WORKER_RUNTIME", "azure"),
    ("K_SERVICE", "gcp"),
    ("KUBERNETES_SERVICE_HOST", "json"),
    ("CONTAINER_APP_NAME", "json"),
    ("ECS_CONTAINER_METADATA_URI_V4", "json"),
)
PROJECT = ("GOOGLE_CLOUD_PROJECT", "GCP_PROJECT", "GCLOUD_PROJECT")
METHODS = ("GET", "POST", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE", "CONNECT", "TRACE")
V2 = ("/v2/health/live", "/v2/health/ready")  # of the Open Inference Protocol

Fields = dict[str, Any]
Results = Sequence[Prediction | Problem]
encode = json.JSONEncoder(separators=(",", ":")).encode


def platform(environ: Mapping[str, str]) -> str:
    """Return the form of line for the platform that ``environ`` is of, "" where it is none that is known."""
    if form := next((form for name, form in PLATFORMS if name in environ), ""):
        return form
    return "json" if environ.get("SERVER_SOFTWARE", "").startswith("gunicorn") else ""


def method_of(method: str) -> str:
    """Return ``method``, or, as OpenTelemetry calls any that HTTP does not know, ``_OTHER``."""
    return method if method in METHODS else "_OTHER"


def route_of(path: str, known: Container[str]) -> str:
    """Return the route that ``path`` belongs to, with names in braces; "" for none of those that are ``known``.

    Never the path itself, which may hold anything.
    """
    if (plain := path.rstrip("/") or "/") in known:
        return plain
    if not plain.startswith("/v2/") or plain in V2:
        return plain if plain in V2 else ""
    of_model = "/v2/models/{model}" + ("/versions/{version}" if "/versions/" in plain else "")
    verb = next((verb for verb in ("/infer", "/ready") if plain.endswith(verb)), "")
    return of_model + verb if plain.startswith("/v2/models/") else ""


def describe(results: Results) -> Fields:
    """Return the fields that tell of a request's items: the model, the stages, the worst problem."""
    made = [result for result in results if isinstance(result, Prediction)]
    problems = [result for result in results if isinstance(result, Problem)]
    fields: Fields = {"items": len(results), "failed": len(problems)} if results else {}
    if problems:
        worst = max(problems, key=lambda problem: problem.status)
        fields["code"], fields["retryable"] = worst.code, worst.retryable
    if made:
        fields["model"], fields["sha256"], fields["task"] = made[0].model, made[0].sha256, made[0].task
        fields["stages"] = {name: round(milliseconds, 3) for name, milliseconds in spent(made).items()}
    return fields


def level(results: Results, status: int) -> int:
    """Return the level for a request answered with ``status``: ERROR from 500 on, WARNING from 400 on, else INFO.

    A problem of a single item of it counts like the request's own.
    """
    worst = status
    for result in results:
        if isinstance(result, Problem) and result.status > worst:
            worst = result.status
    return ERROR if worst >= 500 else WARNING if worst >= 400 else INFO


def line(
    form: str,
    of_level: int,
    fields: Fields,
    parent: Parent,
    *,
    invocation: str = "",
    xray: str = "",
    project: str = "",
) -> Fields:
    """Return the line in a platform's ``form``: aws, gcp, azure, json.

    ``invocation`` and ``xray`` are Lambda's request id and trace, ``project`` is Google's.
    """
    now = time.time()
    moment = f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(now))}.{int(now % 1 * 1000):03d}Z"
    if form == "aws":
        told = {"timestamp": moment, "level": LAMBDA_NAMES[of_level], "message": _message(fields)}
        if invocation:
            told["requestId"] = invocation
        if xray:  # by its own spelling of the id X-Ray finds the line
            told["xray_trace_id"] = xray.partition("Root=")[2].partition(";")[0]
    else:
        told = {"severity": NAMES[of_level], "time": moment, "message": _message(fields)}
        if form == "gcp":
            told |= _google(fields, parent, project)
    told.update(fields)
    if parent.trace_id:
        told["trace_id"], told["span_id"] = parent.trace_id, parent.span_id
        told["trace_flags"] = "01" if parent.sampled else "00"
    return told


def _message(fields: Fields) -> str:
    what = fields["trigger"]
    if "method" in fields:
        what = f"{fields['method']} {fields['route'] or '(no route)'} {fields['status']}"
    return f"{what} {fields['code']}" if "code" in fields else what


def _google(fields: Fields, parent: Parent, project: str) -> Fields:
    told: Fields = {}
    if parent.trace_id:
        # Google prefers the bare id; older viewers link the resource's name (Google Cloud, "Link log entries with
        # traces").
        named = f"projects/{project}/traces/{parent.trace_id}" if project else parent.trace_id
        told["logging.googleapis.com/trace"] = named
        told["logging.googleapis.com/spanId"] = parent.span_id
        told["logging.googleapis.com/trace_sampled"] = parent.sampled
    if "method" in fields:
        told["httpRequest"] = {
            "requestMethod": fields["method"],
            "requestUrl": fields["route"],
            "status": fields["status"],
            "requestSize": str(fields["bytes_in"]),
            "responseSize": str(fields["bytes_out"]),
            "latency": f"{fields['duration_ms'] / 1000:.6f}s",
        }
    told["logging.googleapis.com/labels"] = {
        name: str(fields[name]) for name in ("trigger", "model", "version") if name in fields
    }
    return told
