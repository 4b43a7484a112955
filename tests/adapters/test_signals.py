"""What each adapter tells the signals: the platform's id of an invocation, its trace, a level for its log."""

import json
import logging
from types import SimpleNamespace
from typing import Any
from unittest import mock

import azure.functions as func
import pytest

from helpers.harness import INVOCATION_ID
from helpers.harness.aws import Context
from helpers.services import FakeService
from mlserverless.adapters import aws, azure
from mlserverless.adapters.azure.http import FunctionHttp, traceparent
from mlserverless.errors import Overloaded
from mlserverless.serving import Redeliver
from mlserverless.signals import lines

HEADER = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
HOSTS = "00-4bf92f3577b34da6a3ce929d0e0e4736-1111111111111111-01"  # of the host, which goes on with the caller's
CONTEXT: Any = SimpleNamespace(
    invocation_id=INVOCATION_ID, trace_context=SimpleNamespace(trace_parent=HOSTS, trace_state="")
)


def told(service: FakeService) -> dict[str, Any]:
    (line,) = [line for line in map(json.loads, service.lines) if "trigger" in line]
    return dict(line)


def test_lambdas_function_is_known_by_its_arn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aws, "place", place := [""])
    service = FakeService(request_log="aws")
    context = Context()
    context.invoked_function_arn = "arn:aws:lambda:eu-central-1:1:function:f:live"  # type: ignore[attr-defined]
    aws.make_handler(service)({"url": "https://x.example/1"}, context)
    assert place == ["arn:aws:lambda:eu-central-1:1:function:f:live"]
    assert told(service)["requestId"] == INVOCATION_ID


def test_a_queues_batch_is_one_line_by_lambdas_request() -> None:
    service = FakeService(request_log="aws")
    body = json.dumps({"url": "https://x.example/1"})
    records = [{"eventSource": "aws:sqs", "messageId": name, "body": body} for name in ("a", "b", "c")]
    aws.make_handler(service)({"Records": records}, Context())
    line = told(service)
    assert (line["requestId"], line["trigger"], line["items"]) == (INVOCATION_ID, "pubsub", 3)


def test_azures_trace_is_the_hosts() -> None:
    service = FakeService(request_log="azure")
    request = func.HttpRequest(
        method="POST",
        url="https://app.azurewebsites.net/predict",
        headers={"content-type": "application/json", "traceparent": HEADER},
        route_params={"path": "predict"},
        body=b'{"url": "https://x.example/1"}',
    )
    with mock.patch.object(azure, "_http", FunctionHttp(service)):
        azure.predict(request, CONTEXT)
    line = told(service)
    assert (line["trace_id"], line["span_id"]) == (HOSTS[3:35], HOSTS[36:52])


@pytest.mark.parametrize("context", [SimpleNamespace(), SimpleNamespace(trace_context=None)])
def test_without_a_trace_of_the_hosts_there_is_none(context: Any) -> None:
    assert traceparent(context) == ""


@pytest.mark.parametrize(
    ("name", "trigger", "event"),
    [
        ("_queue", "pubsub", func.QueueMessage(body=b"https://x.example/1")),
        ("_bus", "pubsub", mock.Mock(message_id="m", get_body=lambda: b"https://x.example/1", delivery_count=1)),
        ("_blob", "datasource", azure.Blob(b"image", "https://a.blob.core.windows.net/c/1.jpg", INVOCATION_ID)),
    ],
)
def test_azures_events_are_told_by_their_invocation(name: str, trigger: str, event: Any) -> None:
    service = FakeService(request_log="azure")
    type(getattr(azure, name))(service)(event, None, CONTEXT)
    line = told(service)
    assert (line["request_id"], line["trigger"], line["items"]) == (INVOCATION_ID, trigger, 1)
    assert line["span_id"] == HOSTS[36:52]


def test_azures_event_grid_and_hubs_are_told() -> None:
    service = FakeService(request_log="azure")
    hub = mock.Mock(metadata={}, sequence_number=1, offset="0", get_body=lambda: b"https://x.example/1")
    type(azure._hub)(service)([hub, hub], None, CONTEXT)
    assert told(service)["items"] == 2
    service = FakeService(Overloaded("busy"), request_log="azure")
    grid = func.EventGridEvent(
        id="1",
        data={"url": "https://x.example/1"},
        topic="t",
        subject="s",
        event_type="mine",
        event_time=None,
        data_version="1",
    )
    with pytest.raises(Redeliver):
        type(azure._grid)(service)(grid, None, CONTEXT)
    assert told(service)["handed_back"] == 1


def test_azures_log_gets_the_level(caplog: pytest.LogCaptureFixture) -> None:
    for level in (lines.INFO, lines.WARNING, lines.ERROR):
        azure.service._tell(level, '{"100%": "s"}')
    assert [record.levelno for record in caplog.records] == [logging.INFO, logging.WARNING, logging.ERROR]
    assert {record.getMessage() for record in caplog.records} == {'{"100%": "s"}'}
    assert {record.name for record in caplog.records} == {"mlserverless.results"}
