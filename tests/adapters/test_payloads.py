"""Each recorded payload, as its service sends it, asks for what a reader of it would say."""

import json
from pathlib import Path
from typing import Any

import pytest

from helpers.harness.aws import Context
from helpers.harness.wsgi import call, environ
from helpers.services import PREDICTION, FakeService
from helpers.shapes import EVENTS, payload
from mlserverless.adapters.aws import make_handler
from mlserverless.adapters.wsgi import Wsgi
from mlserverless.events import message
from mlserverless.recording import Redeliver
from mlserverless.types import Request

Asked = list[tuple[str, str, str]]  # url, version, pin
ETAG, TEXT = "0123456789abcdef0123456789abcdef", "https://example.com/cat.jpg"
OBJECT: Asked = [("s3://photos/a b/cé.jpg", ETAG, "etag")]
BUS: Asked = [("s3://photos/a b/cé+1%20.jpg", "IYV3p45BT0ac8hjHg1houSdS1a.Mro8e", "version")]
SQS, SNS = "19dd0b57-b21e-4ac1-bd88-01bbb068cb78", "dc1e94d9-56c5-5e96-808d-cc7f68faa162"
GCS: Asked = [("gs://photos/a b/cé.jpg", "1587627537231057", "version")]
PUSH, CE = "1215011316659232", "/cameras/left#A234-1234-1234"


def said(requests: list[Request]) -> Asked:
    return [(request.url or "", request.version, request.pin) for request in requests]


HTTP = ("alb", "alb_multi_value", "rest_api", "rest_api_custom_domain", "http_api_payload_1")
AWS: dict[str, Asked] = {
    "s3_put": OBJECT,
    "s3_multipart": [("s3://photos/a b/cé.jpg", "d41d8cd98f00b204e9800998ecf8427e-2", "etag")],
    "s3_put_two": [*OBJECT, ("s3://photos/cat.jpg", ETAG, "etag")],
    "s3_put_versioned": [("s3://photos/cat.jpg", "096fKKXTRTtl3on89fVO.nfljtsv6qko", "version")],
    "s3_delete": [],
    "s3_test_event": [],
    "eventbridge_s3_created": BUS,
    "eventbridge_s3_unversioned": [(BUS[0][0], "b1946ac92492d2347c6235b4d2611184", "etag")],
    "eventbridge_s3_deleted": [],
    "eventbridge_custom": [(TEXT, "6a7e8feb-b491-4cf7-a9f1-bf3703467718", "")],
    "sqs_url": [(TEXT, SQS, "")],
    "sqs_bare_url": [(TEXT, SQS, "")],
    "sqs_urls": [("https://example.com/1.jpg", SQS, ""), ("s3://photos/2.jpg", SQS, "")],
    "sqs_s3": OBJECT,
    "sqs_s3_test_event": [],
    "sqs_sns": [(TEXT, SNS, "")],
    "sqs_s3_in_sns": OBJECT,
    "sqs_eventbridge": BUS,
    "sqs_fifo": [(TEXT, SQS, "")],
    "sqs_batch": [("https://example.com/1.jpg", SQS, ""), *OBJECT],
    "sns_url": [(TEXT, SNS, "")],
    "sns_s3": OBJECT,
    "kinesis": [(TEXT, "49590338271490256608559692538361571095921575989136634880", "")],
}


@pytest.mark.parametrize("name", AWS)
def test_lambdas_events(name: str) -> None:
    service = FakeService()
    reply = make_handler(service)(payload(f"aws/{name}"), Context())
    assert said(service.requests) == AWS[name]
    if "batchItemFailures" in reply:
        failed = len(payload(f"aws/{name}")["Records"]) - max(1, len(AWS[name])) if "urls" not in name else 0
        assert len(reply["batchItemFailures"]) == (1 if name in ("sqs_batch", "kinesis") else failed)


@pytest.mark.parametrize("name", ["sqs", "sns_text"])
def test_a_message_that_says_nothing_is_not_lost(name: str) -> None:
    service = FakeService()
    handler = make_handler(service)
    if name == "sqs":
        assert handler(payload("aws/sqs"), Context()) == {"batchItemFailures": [{"itemIdentifier": SQS}]}
    else:
        with pytest.raises(Redeliver, match="neither a URL nor JSON"):
            handler(payload("aws/sns_text"), Context())
    assert json.loads(service.lines[0])["problem"]["code"] == "invalid-request"


@pytest.mark.parametrize("name", HTTP)
def test_lambdas_requests(name: str) -> None:
    service = FakeService()
    reply = make_handler(service)(payload(f"aws/{name}"), Context())
    (request,) = service.requests
    assert (reply["statusCode"], request.url, request.options.top_k) == (200, TEXT, 2)
    if name != "http_api_payload_1":
        assert request.options.labels_deny == ("café", "b")
    assert ("multiValueHeaders" in reply) == (name == "alb_multi_value")


def test_a_load_balancer_asks_for_health() -> None:
    reply = make_handler(FakeService())(payload("aws/alb_health_check"), Context())
    assert (reply["statusCode"], reply["statusDescription"]) == (200, "200 OK")


@pytest.mark.parametrize("name", ["eventbridge_schedule", "scheduler", "warmup_plugin", "lambda_warmer"])
def test_what_keeps_a_function_warm_classifies_nothing(name: str) -> None:
    service = FakeService()
    assert make_handler(service)(payload(f"aws/{name}"), Context()) == {"warm": True}
    assert (service.requests, service.fake.warmed) == ([], 1)


HTTP_EVENTS: dict[str, Asked] = {
    "gcp/storage_finalized": GCS,
    "gcp/storage_deleted": [],
    "gcp/pubsub_url": [(TEXT, PUSH, "")],
    "gcp/pubsub_storage": GCS,
    "gcp/push_url": [(TEXT, PUSH, "")],
    "gcp/push_bare_url": [(TEXT, PUSH, "")],
    "gcp/push_storage": GCS,
    "gcp/push_storage_no_payload": GCS,
    "gcp/push_storage_deleted": [],
    "gcp/push_attributes_only": [],
    "gcp/push_attributes_url": [(TEXT, PUSH, "")],
    "gcp/audit_log": [("gs://photos/a b/cé.jpg", "-z2m1xd3ec", "")],
    "gcp/background_storage": GCS,
    "gcp/background_storage_flat": GCS,
    "gcp/background_storage_delete": [],
    "gcp/background_pubsub": [(TEXT, "1144231683168617", "")],
    "cloudevents/binary": [(TEXT, CE, "")],
    "cloudevents/binary_text": [(TEXT, CE, "")],
    "cloudevents/structured": [(TEXT, CE, "")],
    "cloudevents/structured_base64": [(TEXT, CE, "")],
    "cloudevents/batch": [("https://example.com/1.jpg", "/cameras/left#1", "")],
    "cloudevents/no_type": [],
    "cloudevents/knative_ping": [],
    "cloudevents/s3_object_created": BUS,
    "azure/event_grid_cloud_event": [
        ("https://account.blob.core.windows.net/images/a%20b/c%C3%A9.jpg", "0x8D4BCC2E4835CD0", "")
    ],
    "azure/event_grid_blob_created": [
        ("https://account.blob.core.windows.net/images/a%20b/c%C3%A9.jpg", "0x8D4BCC2E4835CD0", "")
    ],
    "azure/event_grid_blob_deleted": [],
    "azure/event_grid_custom": [(TEXT, "831e1650-001e-001b-66ab-eeb76e069631", "")],
}
REFUSED = ("cloudevents/no_type", "cloudevents/batch")


def posted(path: str) -> tuple[str, dict[str, str], bytes]:
    """Return a payload as the request that carries it."""
    given = payload(path)
    if "headers" in given and "body" in given:
        return "/events", given["headers"], given["body"].encode()
    kind = "application/cloudevents+json" if "specversion" in given else "application/json"
    body = [given] if "eventType" in given and "topic" in given else given
    return "/events", {"content-type": kind}, json.dumps(body).encode()


@pytest.mark.parametrize("path", HTTP_EVENTS)
def test_events_over_http(path: str) -> None:
    service = FakeService()
    target, headers, body = posted(path)
    answer = call(Wsgi(service), environ("POST", target, headers, body))
    assert said(service.requests) == HTTP_EVENTS[path]
    assert answer.status == (400 if path in REFUSED else 204)


def test_a_push_with_nothing_in_it_does_not_loop_for_ever() -> None:
    """Without a dead-letter topic nobody would ever take it: the log has to do. With one it is handed back."""
    for path, status in (("push_attributes_only", 204), ("push_attributes_only_counted", 400)):
        service = FakeService()
        answer = call(Wsgi(service), environ("POST", *posted(f"gcp/{path}")))
        assert answer.status == status
        assert "has no data" in json.loads(service.lines[0])["problem"]["detail"]


def test_event_grid_confirms_a_subscription() -> None:
    body = json.dumps(payload("azure/event_grid_validation")).encode()
    answer = call(Wsgi(FakeService()), environ("POST", "/events", {"content-type": "application/json"}, body))
    assert (answer.status, json.loads(answer.body)) == (
        200,
        {"validationResponse": "512d38b6-c7b8-40c8-89fe-f46f9e9622b6"},
    )


@pytest.mark.parametrize("path", ["gcp/scheduler_pubsub", "gcp/scheduler_http"])
def test_a_schedulers_call_warms_up(path: str) -> None:
    service = FakeService()
    _, headers, body = posted(path)
    answer = call(Wsgi(service), environ("POST", "/schedule", headers, body))
    assert (answer.status, service.fake.warmed, service.requests) == (204, 1, [])


@pytest.mark.parametrize("name", ["queue_message", "queue_event_grid", "service_bus_message"])
def test_azures_messages(name: str) -> None:
    (found,) = message.read(payload(f"azure/{name}")["body"], "id")
    assert isinstance(found, Request)
    assert (found.url or "").startswith("https://")


def test_every_payload_is_in_a_test() -> None:
    """One that nothing reads would be a promise that nothing keeps."""
    texts = [path.read_text(encoding="utf-8") for path in Path(__file__).parents[1].rglob("*.py")]
    held = "\n".join(texts)
    left: list[Any] = [path for path in EVENTS.rglob("*.json") if f"{path.stem}" not in held]
    assert left == []
    assert PREDICTION
