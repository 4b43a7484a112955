"""One line a request and an event: what is in it, when it is written, and that it harms nobody."""

import json
import os
import subprocess
import sys
import time
from typing import Any

import pytest

from helpers.services import PREDICTION, FakeService
from helpers.web import JSON, PNG, URL, ask
from mlserverless import signals
from mlserverless.adapters.aws.events import DirectInvoke, SnsNotification
from mlserverless.deadline import Deadline
from mlserverless.errors import ConfigError, Overloaded, SourceError
from mlserverless.events.schedule import Schedule, Tick
from mlserverless.events.web import HttpEvents
from mlserverless.predictor import Predictor
from mlserverless.serving import Redeliver, Service
from mlserverless.signals import others
from mlserverless.web.http import HttpRequest

HEADER = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
SNS = {
    "Records": [{"EventSource": "aws:sns", "Sns": {"Message": "https://x.example/a?sig=secret", "MessageId": "m"}}]
}


def told(service: FakeService) -> list[dict[str, Any]]:
    """Return the lines about requests, without the records of a sink."""
    return [line for line in map(json.loads, service.lines) if "trigger" in line]


def asked(*request: Any, **settings: Any) -> dict[str, Any]:
    service = FakeService(settings.pop("answer", PREDICTION), **{"request_log": "json", **settings})
    ask(service, *request)
    (line,) = told(service)
    return line


def test_a_prediction_is_told_with_its_model_its_stages_and_its_size() -> None:
    line = asked("POST", "/predict", "", {**JSON, "traceparent": HEADER}, URL)
    assert line.pop("duration_ms") > 0
    assert line.pop("time")
    assert line == {
        "severity": "INFO",
        "message": "POST /predict 200",
        "request_id": "platform-id",
        "trigger": "http",
        "method": "POST",
        "route": "/predict",
        "status": 200,
        "bytes_in": len(URL),
        "bytes_out": 187,
        "items": 1,
        "failed": 0,
        "model": "fake",
        "sha256": "0" * 64,
        "task": "classify",
        "stages": {"download": 1.25, "invoke": 2.5},
        "cold": True,
        "version": line["version"],
        "trace_id": HEADER[3:35],
        "span_id": HEADER[36:52],
        "trace_flags": "01",
    }


def test_a_problem_is_told_with_its_code() -> None:
    line = asked("POST", "/predict", "", JSON, URL, answer=Overloaded("busy"))
    assert (line["severity"], line["status"], line["code"], line["retryable"]) == (
        "ERROR",
        503,
        "overloaded",
        True,
    )
    assert "model" not in line
    line = asked("GET", "/nothing/here")
    assert (line["severity"], line["route"], line["code"]) == ("WARNING", "", "not-found")


def test_nothing_of_the_image_or_its_url_is_told() -> None:
    for answer in (PREDICTION, SourceError("https://x.example/?sig=secret")):
        body = b'{"url": "https://user:secret@x.example/secret.jpg?sig=secret"}'
        line = json.dumps(
            asked("POST", "/predict", "secret=1", {**JSON, "x-secret": "secret"}, body, answer=answer)
        )
        assert "secret" not in line
        assert "x.example" not in line
        assert "cat" not in line


def test_a_batch_is_told_in_one_line() -> None:
    def answer(request: Any) -> Any:
        return PREDICTION if request.url.endswith("1") else SourceError("gone")

    body = json.dumps({"urls": [f"https://x.example/{n}" for n in (1, 2, 3, 1)]}).encode()
    line = asked("POST", "/predict", "", JSON, body, answer=answer)
    assert (line["status"], line["items"], line["failed"], line["code"]) == (200, 4, 2, "source-error")
    assert line["stages"] == {"download": 2.5, "invoke": 5.0}


@pytest.mark.parametrize(("level", "seen"), [("debug", 3), ("info", 2), ("warning", 1), ("error", 0)])
def test_the_log_level_holds_for_the_lines(level: str, seen: int) -> None:
    service = FakeService(request_log="json", log_level=level)
    for path in ("/healthz", "/predict", "/nothing"):
        ask(service, "POST" if path == "/predict" else "GET", path, "", PNG, b"png")
    assert len(told(service)) == seen


def test_a_probe_is_no_first_request() -> None:
    service = FakeService(request_log="json", log_level="debug")
    for path in ("/healthz", "/readyz", "/v2/health/live", "/model", "/healthz", "/model"):
        ask(service, "GET", path)
    assert [line["cold"] for line in told(service)] == [False, False, False, True, False, False]
    service.resume()  # a copy of the process has a first request of its own
    ask(service, "GET", "/model")
    assert told(service)[-1]["cold"]


def test_how_long_the_start_took_is_told_once() -> None:
    service, before = FakeService(request_log="json"), signals.since_start()
    service.warm_up()
    after = signals.since_start()
    ask(service, "POST", "/predict", "", JSON, URL)
    ask(service, "POST", "/predict", "", JSON, URL)
    first, second = told(service)
    assert before is not None
    assert after is not None
    assert before - 1 <= first["init_ms"] <= after + 1, "this process is as old as that"
    assert "init_ms" not in second
    service.warm_up()  # later on it says nothing
    service.resume()
    ask(service, "POST", "/predict", "", JSON, URL)
    assert "init_ms" not in told(service)[-1]


def test_the_time_since_the_start_is_the_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    first = signals.since_start()
    time.sleep(0.05)
    second = signals.since_start()
    assert first is not None
    assert second is not None
    assert 30 < second - first < 5000
    monkeypatch.setenv("AWS_LAMBDA_INITIALIZATION_TYPE", "snap-start")
    assert signals.since_start() is None
    monkeypatch.delenv("AWS_LAMBDA_INITIALIZATION_TYPE")
    monkeypatch.setattr(os, "sysconf", lambda _: 0.001)  # it began in the future
    assert signals.since_start() is None


def test_where_nothing_asks_for_it_nothing_is_written() -> None:
    for settings in ({}, {"request_log": "off"}):
        service = FakeService(**settings)
        ask(service, "POST", "/predict", "", JSON, URL)
        assert not service.lines


def test_a_platform_that_is_known_gets_its_form(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "f")
    monkeypatch.setenv(
        "_X_AMZN_TRACE_ID", "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
    )
    service = FakeService()
    ask(service, "POST", "/predict", "", JSON, URL)
    (line,) = told(service)
    assert (line["level"], line["requestId"], line["trace_id"][:8]) == ("INFO", "platform-id", "5759e988")
    service = FakeService(request_log="off")
    ask(service, "POST", "/predict", "", JSON, URL)
    assert not service.lines


def test_while_the_settings_are_wrong_that_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("K_SERVICE", "s")
    monkeypatch.setenv("MLSERVERLESS_TOP_K", "none")
    lines: list[tuple[int, str]] = []
    service = Service(Predictor, tell=lambda level, line: lines.append((level, line)))
    ask(service, "POST", "/predict", "", JSON, URL)
    ((level, line),) = lines
    assert (level, json.loads(line)["code"], json.loads(line)["severity"]) == (3, "misconfigured", "ERROR")


def test_the_engine_is_told_of_the_model_that_it_runs() -> None:
    service = FakeService(request_log="json")
    loaded = service.fake.load()
    loaded.engine = "litert"
    service.fake.load = lambda deadline=None: loaded  # type: ignore[method-assign]
    ask(service, "POST", "/predict", "", JSON, URL)
    loaded.model.name = "another"
    ask(service, "POST", "/predict", "", JSON, URL)
    assert [line.get("engine") for line in told(service)] == ["litert", None]


class Broken:
    """Telemetry that fails where it is told to."""

    def __init__(self, at: str) -> None:
        self._at = at

    def begin(self, call: Any) -> Any:
        if self._at == "begin":
            raise RuntimeError("secret")
        return call.parent, None

    def end(self, *_: Any) -> None:
        raise RuntimeError("secret")


@pytest.mark.parametrize("at", ["begin", "end"])
def test_telemetry_that_fails_fails_no_request(at: str, caplog: pytest.LogCaptureFixture) -> None:
    service = FakeService(request_log="json")
    service.signals.others["broken"] = Broken(at)
    assert ask(service, "POST", "/predict", "", JSON, URL).status == 200
    assert "RuntimeError" in caplog.text
    assert "secret" not in caplog.text


def test_an_event_is_one_line_beside_its_records() -> None:
    service = FakeService(request_log="aws")
    SnsNotification(service).handle(SNS, "invocation", Deadline())
    (line,) = told(service)
    assert (line["requestId"], line["request_id"], line["trigger"]) == ("invocation", "invocation", "pubsub")
    assert (line["items"], line["failed"], line["handed_back"], line["model"]) == (1, 0, 0, "fake")
    assert len(service.lines) == 2


def test_an_event_that_is_handed_back_is_told() -> None:
    service = FakeService(Overloaded("busy"), request_log="aws")
    with pytest.raises(Redeliver):
        SnsNotification(service).handle(SNS, "invocation", Deadline())
    (line,) = told(service)
    assert (line["level"], line["code"], line["failed"], line["handed_back"]) == ("ERROR", "overloaded", 1, 1)


def test_a_direct_invoke_is_told_whatever_came_of_it() -> None:
    service = FakeService(request_log="aws")
    DirectInvoke(service).handle({"url": "https://x.example/1"}, "i-1", Deadline())
    DirectInvoke(service).handle({"urls": ["https://x.example/1"] * 2}, "i-2", Deadline())
    first, second = told(service)
    assert (first["trigger"], first["items"], second["items"]) == ("other", 1, 2)
    for error, code in ((Overloaded("busy"), "overloaded"), (RuntimeError("x"), "internal")):
        service = FakeService(error, request_log="aws")
        with pytest.raises(Exception, match=r"busy|inside the function"):
            DirectInvoke(service).handle({"url": "https://x.example/1"}, "i-3", Deadline())
        assert told(service)[0]["code"] == code


def test_an_event_over_http_has_the_trace_of_its_headers() -> None:
    service = FakeService(request_log="gcp")
    headers = {"content-type": "text/plain", "traceparent": HEADER}
    HttpEvents(service)(HttpRequest("POST", "/events", "", headers, b"https://x.example/1"), Deadline())
    (line,) = told(service)
    assert (line["trigger"], line["trace_id"]) == ("pubsub", HEADER[3:35])
    assert "httpRequest" not in line


def test_a_list_that_cannot_be_read_is_told() -> None:
    service = FakeService(request_log="json", schedule_source="https://127.0.0.1:1/list?sig=secret")
    with pytest.raises(SourceError):
        Schedule(service)(Tick("t", "now"), Deadline(5))
    (line,) = told(service)
    assert (line["trigger"], line["severity"], line["code"]) == ("timer", "ERROR", "source-error")
    assert "secret" not in json.dumps(line)


@pytest.mark.parametrize(("name", "package"), [("prometheus", "prometheus_client"), ("otel", "opentelemetry")])
def test_what_is_not_installed_is_said(name: str, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, f"mlserverless.signals.{name}", raising=False)
    for module in [module for module in sys.modules if module.partition(".")[0] == package]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, package, None)
    service = FakeService(telemetry=name)
    with pytest.raises(ConfigError, match=rf"mlserverless\[{name}\]"):
        _ = service.predictor
    response = ask(service, "POST", "/predict", "", JSON, URL)
    assert json.loads(response.body)["code"] == "misconfigured"


CHILD = """
import sys
sys.path.insert(0, "tests")
from helpers.services import FakeService
from helpers.web import JSON, URL, ask
ask(FakeService(request_log="aws"), "POST", "/predict", "", JSON, URL)
BEGIN = ("mlserverless.signals", "opentelemetry", "prometheus")
print(*sorted(name for name in sys.modules if name.startswith(BEGIN)))
"""


def test_what_is_off_is_not_imported() -> None:
    done = subprocess.run([sys.executable, "-c", CHILD], check=True, capture_output=True, timeout=60, text=True)
    names = ["mlserverless.signals", "mlserverless.signals.lines", "mlserverless.signals.trace"]
    assert done.stdout.splitlines()[-1].split() == names


def test_an_import_that_fails_otherwise_is_no_setting_of_anybodys(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(name: str) -> Any:
        raise ImportError("for the test", name="ssl")

    monkeypatch.setattr(others, "import_module", broken)
    with pytest.raises(ImportError, match="for the test"):
        _ = FakeService(telemetry="otel").predictor


def test_where_there_is_no_proc_nothing_is_said_of_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: Any) -> Any:
        raise FileNotFoundError

    monkeypatch.setattr(signals, "open", missing, raising=False)
    assert signals.since_start() is None
