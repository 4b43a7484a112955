"""Reads a platform's log lines by what the platform's own packages make of them: whatever is not theirs raises."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from aws_lambda_powertools.metrics.provider.cloudwatch_emf.cloudwatch import AmazonCloudWatchEMFProvider
from google.logging.type.http_request_pb2 import HttpRequest
from google.logging.type.log_severity_pb2 import LogSeverity
from google.protobuf.json_format import ParseDict
from google.protobuf.timestamp_pb2 import Timestamp

LAMBDA_LEVELS = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")
# What Cloud Logging takes out of the payload (Google Cloud, "Structured logging", special fields).
GOOGLE = {"severity", "message", "time", "httpRequest"}


def found(printed: str, request_id: str) -> list[tuple[str, dict[str, Any]]]:
    """Return the lines about a request among all that was ``printed``, each with what stands before it."""
    return [one for one in _lines(printed) if one[1]["request_id"] == request_id]


def events(printed: str) -> list[tuple[str, dict[str, Any]]]:
    """Return the lines about events, as :func:`found` does."""
    return [one for one in _lines(printed) if one[1]["trigger"] != "http"]


def _lines(printed: str) -> list[tuple[str, dict[str, Any]]]:
    told = []
    for row in printed.splitlines():
        before, brace, rest = row.partition("{")
        if brace and '"request_id"' in rest and '"trigger"' in rest:
            told.append((before, json.loads(brace + rest)))
    return told


def recent(moment: datetime) -> bool:
    """Return whether ``moment``, in UTC, is of the last minutes."""
    return moment.tzinfo is not None and abs(datetime.now(UTC) - moment) < timedelta(minutes=5)


def check_lambda(line: dict[str, Any]) -> None:
    """Check what Lambda wants of a line in its JSON format: an RFC 3339 timestamp, a level that it knows."""
    assert line["level"] in LAMBDA_LEVELS, line["level"]
    assert line["timestamp"].endswith("Z")
    assert recent(datetime.fromisoformat(line["timestamp"])), line["timestamp"]
    assert isinstance(line["message"], str)
    assert isinstance(line["requestId"], str)


def check_emf(line: dict[str, Any]) -> dict[str, float]:
    """Check the metrics in ``line`` against what AWS's own library makes of the same; return their values.

    Powertools checks names, units and values as it takes them, and serialises what CloudWatch reads.
    """
    told = line["_aws"]
    assert set(told) == {"Timestamp", "CloudWatchMetrics"}
    assert recent(datetime.fromtimestamp(told["Timestamp"] / 1000, UTC))
    (directive,) = told["CloudWatchMetrics"]
    provider = AmazonCloudWatchEMFProvider(namespace=directive["Namespace"], service="")
    values: dict[str, float] = {}
    for metric in directive["Metrics"]:
        value = line[metric["Name"]]
        for one in value if isinstance(value, list) else [value]:
            provider.add_metric(metric["Name"], metric["Unit"], one)
            values[metric["Name"]] = values.get(metric["Name"], 0.0) + one
    first, *more = directive["Dimensions"]
    for name in first:
        provider.add_dimension(name, line[name])
    for names in more:
        provider.add_dimensions(**{name: line[name] for name in names})
    theirs: Any = provider.serialize_metric_set()
    assert theirs["_aws"]["CloudWatchMetrics"] == told["CloudWatchMetrics"], (theirs["_aws"], told)
    for name in values:
        assert theirs[name] == line[name] or theirs[name] == [line[name]], name
    return values


def check_google(line: dict[str, Any]) -> None:
    """Check the fields that Cloud Logging makes a LogEntry's own of: they parse as its protobuf messages."""
    LogSeverity.Value(line["severity"])
    Timestamp().FromJsonString(line["time"])
    assert recent(datetime.fromisoformat(line["time"]))
    assert isinstance(line["message"], str)
    if "httpRequest" in line:
        request = ParseDict(line["httpRequest"], HttpRequest())  # refuses fields that are none of its
        assert request.latency.ToTimedelta() > timedelta(0)
        assert "?" not in request.request_url
    labels = line.get("logging.googleapis.com/labels", {})
    assert all(isinstance(value, str) for value in labels.values())
    assert isinstance(line.get("logging.googleapis.com/trace_sampled", False), bool)


def check_plain(line: dict[str, Any]) -> None:
    """Check a line for no cloud's viewer in particular: a severity, a time, a message."""
    assert line["severity"] in ("DEBUG", "INFO", "WARNING", "ERROR")
    assert recent(datetime.fromisoformat(line["time"])), line["time"]
    assert isinstance(line["message"], str)
