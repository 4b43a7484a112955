"""CloudWatch's metrics in the line, checked by what AWS's own library makes of the same."""

import json
from typing import Any

import pytest

from helpers import loglines
from helpers.services import PREDICTION, FakeService
from helpers.web import JSON, URL, ask
from mlserverless.errors import Overloaded, UndecodableImage
from mlserverless.signals import emf, lines


def told(answer: Any = PREDICTION, body: bytes = URL, path: str = "/predict", **settings: Any) -> dict[str, Any]:
    service = FakeService(answer, **{"telemetry": "emf", **settings})
    ask(service, "POST", path, "", JSON, body)
    line: dict[str, Any] = json.loads(service.lines[-1])
    return line


def test_a_line_is_a_metric_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "classify")
    line = told()
    loglines.check_lambda(line)
    values = loglines.check_emf(line)
    assert values == {
        "Duration": line["duration_ms"],
        "Download": 1.25,
        "Invoke": 2.5,
        "Items": 1,
        "Errors": 0,
        "ColdStart": 1,
    }
    assert line["FunctionName"] == "classify"
    assert line["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [["FunctionName"], ["FunctionName", "model"]]


def test_every_metric_has_a_unit_and_there_are_few() -> None:
    assert len(emf.UNITS) <= 100  # CloudWatch's limit, as 30 dimensions are
    line = told() | {"init_ms": 120}
    emf.add(line, (PREDICTION,), {})
    assert {metric["Name"] for metric in line["_aws"]["CloudWatchMetrics"][0]["Metrics"]} == set(emf.UNITS)


@pytest.mark.parametrize(("error", "errors"), [(Overloaded("busy"), 1), (UndecodableImage("cut"), 0)])
def test_an_error_is_what_the_caller_is_not_to_blame_for(error: Exception, errors: int) -> None:
    line = told(error)
    values = loglines.check_emf(line)
    assert (values["Errors"], values["Items"]) == (errors, 1)
    assert "Invoke" not in values
    assert line["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [["FunctionName"]]


def test_of_a_batch_each_value_is_told() -> None:
    body = json.dumps({"urls": ["https://x.example/1"] * 3}).encode()
    line = told(body=body)
    assert line["Invoke"] == [2.5, 2.5, 2.5]
    assert loglines.check_emf(line)["Items"] == 3


def test_a_metric_has_a_hundred_values_at_most() -> None:
    line: lines.Fields = {"duration_ms": 1.0, "cold": False}
    emf.add(line, (PREDICTION,) * 150, {"K_SERVICE": "s"})
    assert len(line["Invoke"]) == 100
    assert line["FunctionName"] == "s"


def test_it_is_written_whatever_the_level_and_the_form() -> None:
    for settings in ({"log_level": "error"}, {"request_log": "off"}, {"request_log": "gcp"}):
        loglines.check_emf(told(**settings))


def test_a_probe_is_no_metric() -> None:
    service = FakeService(telemetry="emf")
    ask(service, "GET", "/healthz")
    assert "_aws" not in service.lines[0]
