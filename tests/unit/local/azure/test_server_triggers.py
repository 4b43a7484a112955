"""Every trigger in Microsoft's real Python runtime: what its function receives, and where its outputs go."""

import json
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from helpers import origin
from mlserverless.local import azure

REASON = azure.available()
pytestmark = [pytest.mark.real, pytest.mark.skipif(REASON is not None, reason=REASON or "")]

PHOTO = Path(__file__).parents[4] / "examples" / "photos" / "flower.jpg"
BLOB = "https://acc.blob.core.windows.net/images/a%20b.jpg"

# Each function writes what it received to an output queue.
APP = """
import json
from typing import List  # the worker refuses list[X]
import azure.functions as func

app = func.FunctionApp()

def tell(seen, **fields):
    seen.set(json.dumps(fields, default=str))

def out(function):
    return app.queue_output(arg_name="seen", queue_name="seen", connection="STORE")(function)

@app.blob_trigger(arg_name="blob", path="images/{name}", connection="STORE")
@out
def on_blob(blob: func.InputStream, seen: func.Out[str]):
    tell(seen, name=blob.name, length=blob.length, properties=blob.blob_properties, body=blob.read().hex())

@app.queue_trigger(arg_name="message", queue_name="q", connection="STORE")
@out
def on_queue(message: func.QueueMessage, seen: func.Out[str]):
    tell(seen, id=message.id, count=message.dequeue_count, body=message.get_body().decode())

@app.event_grid_trigger(arg_name="event")
@out
def on_grid(event: func.EventGridEvent, seen: func.Out[str]):
    tell(seen, kind=type(event).__name__, id=event.id, data=getattr(event, "data", None) or event.get_json())

@app.timer_trigger(arg_name="timer", schedule="0 0 * * * *")
@out
def on_timer(timer: func.TimerRequest, seen: func.Out[str]):
    tell(seen, next=timer.schedule_status["Next"], late=timer.past_due, schedule=timer.schedule)

def bus_message(message):
    return dict(
        body=message.get_body().decode(), id=message.message_id, number=message.sequence_number,
        count=message.delivery_count, kind=message.content_type, at=message.enqueued_time_utc,
        expires=message.expires_at_utc is not None, label=message.label, subject=message.subject,
        properties=message.application_properties, user=message.user_properties,
        lock=bool(message.lock_token), metadata=sorted(message.metadata),
    )

@app.service_bus_queue_trigger(arg_name="message", queue_name="q", connection="BUS")
@out
def on_bus(message: func.ServiceBusMessage, seen: func.Out[str]):
    tell(seen, **bus_message(message))

@app.service_bus_queue_trigger(arg_name="messages", queue_name="q", connection="BUS", cardinality="many")
@out
def on_bus_batch(messages: List[func.ServiceBusMessage], seen: func.Out[str]):
    tell(seen, messages=[bus_message(message) for message in messages])

def hub_event(event):
    return dict(
        body=event.get_body().decode(), number=event.sequence_number, offset=event.offset,
        key=event.partition_key, at=event.enqueued_time, iothub=event.iothub_metadata,
        partition=event.metadata["PartitionContext"]["PartitionId"],
    )

@app.event_hub_message_trigger(arg_name="event", event_hub_name="h", connection="HUB")
@out
def on_hub(event: func.EventHubEvent, seen: func.Out[str]):
    tell(seen, **hub_event(event))

@app.event_hub_message_trigger(arg_name="events", event_hub_name="h", connection="HUB", cardinality="many")
@out
def on_hub_batch(events: List[func.EventHubEvent], seen: func.Out[str]):
    tell(seen, events=[hub_event(event) for event in events])

@app.event_hub_message_trigger(
    arg_name="events", event_hub_name="h", connection="HUB", cardinality="many", data_type="binary"
)
@out
def on_hub_bytes(events: List[func.EventHubEvent], seen: func.Out[str]):
    tell(seen, events=[hub_event(event)["body"] for event in events])

@app.queue_trigger(arg_name="message", queue_name="q", connection="STORE")
@app.queue_output(arg_name="$return", queue_name="a", connection="STORE")
@app.queue_output(arg_name="many", queue_name="b", connection="STORE")
@app.blob_output(arg_name="raw", path="c", connection="STORE")
@app.event_hub_output(arg_name="number", event_hub_name="d", connection="HUB")
def outputs(
    message: func.QueueMessage, many: func.Out[List[str]], raw: func.Out[bytes], number: func.Out[str]
) -> str:
    many.set(["a", '{"b": 1}'])
    raw.set(message.get_body() + b"\\xff")
    return "returned"

@app.route(route="http")
@out
def http(req: func.HttpRequest, seen: func.Out[str]) -> str:
    tell(seen, nobody="reads this")
    return "done"
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[azure.AzureServer]:
    folder = tmp_path_factory.mktemp("app")
    (folder / "host.json").write_text('{"version": "2.0"}')
    (folder / "function_app.py").write_text(APP)
    with azure.start(app_dir=folder) as running:
        yield running


def seen(
    server: azure.AzureServer, name: str, given: object, metadata: dict[str, Any] | None = None
) -> dict[str, Any]:
    answer = server.invoke(name, given, metadata)
    assert answer.status == 202, answer.body
    assert ("Content-Type", "application/json") in answer.headers
    found: dict[str, Any] = json.loads(json.loads(answer.body)["outputs"]["seen"])
    return found


def test_blob_has_the_properties_it_is_given(server: azure.AzureServer) -> None:
    answer = server.invoke_blob("on_blob", b"\x00\xff", BLOB, {"ETag": '"0x8D"'})
    assert answer.status == 202, answer.body
    told = json.loads(json.loads(answer.body)["outputs"]["seen"])
    assert (told["name"], told["length"], told["body"]) == ("images/a b.jpg", 2, "00ff")
    assert told["properties"]["ETag"] == '"0x8D"'
    assert told["properties"]["ContentType"] == "application/octet-stream"


def test_queue_message(server: azure.AzureServer) -> None:
    told = seen(server, "on_queue", "hello")
    assert (told["body"], told["count"], len(told["id"])) == ("hello", 1, 36)
    told = seen(server, "on_queue", {"url": "é"}, {"Id": "7", "DequeueCount": "3"})
    assert told == {"id": "7", "count": 3, "body": '{"url": "\\u00e9"}'}


def test_event_in_either_schema(server: azure.AzureServer) -> None:
    event = {"id": "1", "topic": "t", "subject": "s", "eventType": "E", "dataVersion": "1", "data": {"a": 1}}
    event["eventTime"] = "2030-01-01T00:00:00Z"
    assert seen(server, "on_grid", event) == {"kind": "EventGridEvent", "id": "1", "data": {"a": 1}}
    cloud = {"specversion": "1.0", "id": "2", "source": "/s", "type": "T", "data": {"b": 2}}
    assert seen(server, "on_grid", json.dumps(cloud)) == {"kind": "CloudEvent", "id": "2", "data": {"b": 2}}


def test_timer(server: azure.AzureServer) -> None:
    assert seen(server, "on_timer", "")["late"] is False
    given = {"IsPastDue": True, "Schedule": {"AdjustForDST": True}}
    told = seen(server, "on_timer", given, {"Next": "2031-01-01T00:00:00Z"})
    assert told == {"next": "2031-01-01T00:00:00Z", "late": True, "schedule": {"AdjustForDST": True}}


def test_service_bus_message(server: azure.AzureServer) -> None:
    told = seen(server, "on_bus", "hello")
    assert (told["body"], told["count"], told["kind"], told["label"]) == ("hello", 1, None, None)
    assert (told["properties"], told["user"], len(told["id"])) == ({}, {}, 32)
    assert told["expires"]
    assert told["lock"]
    assert {"EnqueuedTime", "EnqueuedTimeUtc", "ExpiresAt", "UserProperties"} < set(told["metadata"])
    said = {
        "MessageId": "m",
        "SequenceNumber": 9,
        "DeliveryCount": 2,
        "ContentType": "application/json",
        "EnqueuedTimeUtc": "2030-01-01T00:00:00",
        "ApplicationProperties": {"a": 1},
        "Subject": "s",
    }
    told = seen(server, "on_bus", {"url": "u"}, said)
    assert (told["body"], told["id"], told["number"], told["count"]) == ('{"url": "u"}', "m", 9, 2)
    assert (told["kind"], told["at"]) == ("application/json", "2030-01-01 00:00:00")
    assert (told["label"], told["subject"], told["properties"], told["user"]) == ("s", "s", {"a": 1}, {"a": 1})


def test_service_bus_batch(server: azure.AzureServer) -> None:
    said = {"MessageId": ["a", "b"], "DeliveryCount": [1, 4], "ApplicationProperties": [{}, {"x": 1}]}
    first, second = seen(server, "on_bus_batch", ["one", "two"], said)["messages"]
    assert (first["body"], first["id"], first["count"]) == ("one", "a", 1)
    assert (second["body"], second["id"], second["count"], second["user"]) == ("two", "b", 4, {"x": 1})
    assert second["number"] == first["number"] + 1
    assert second["kind"] is None


def test_event_hub_event(server: azure.AzureServer) -> None:
    said = {"SequenceNumber": 7, "Offset": "3696", "PartitionKey": "k", "EnqueuedTimeUtc": "2030-01-01T00:00:00Z"}
    told = seen(server, "on_hub", "hello", {**said, "SystemProperties": {"iothub-connection-device-id": "d"}})
    assert told == {
        "body": "hello",
        "number": 7,
        "offset": "3696",
        "key": "k",
        "at": "2030-01-01 00:00:00+00:00",
        "iothub": {"connection-device-id": "d"},
        "partition": "0",
    }


def test_event_hub_batch(server: azure.AzureServer) -> None:
    said = {"SequenceNumber": [7, 8], "Offset": [0, 100], "PartitionContext": {"PartitionId": "3"}}
    first, second = seen(server, "on_hub_batch", ["one", {"two": 2}], said)["events"]
    assert (first["body"], first["number"], first["offset"], first["key"]) == ("one", 7, 0, None)
    assert (second["body"], second["number"], second["offset"]) == ('{"two": 2}', 8, 100)
    assert {first["partition"], second["partition"]} == {"3"}
    (alone,) = seen(server, "on_hub_batch", "alone")["events"]
    assert alone["body"] == "alone"
    assert seen(server, "on_hub_bytes", ["é", ""])["events"] == ["é", ""]


def test_outputs_come_back(server: azure.AzureServer) -> None:
    answer = server.invoke("outputs", "x")
    assert (answer.status, json.loads(answer.body)) == (
        202,
        {"outputs": {"many": ["a", '{"b": 1}'], "raw": {"base64": "eP8="}, "$return": "returned"}},
    )


def test_output_of_an_http_function_is_no_part_of_its_answer(server: azure.AzureServer) -> None:
    connection = HTTPConnection(urlsplit(server.url).netloc, timeout=60)
    try:
        connection.request("GET", "/api/http")
        answer = connection.getresponse()
        assert (answer.status, answer.read()) == (200, b"done")
    finally:
        connection.close()
    assert server.invoke("http", "x").body == b"http has an HTTP trigger: ask its own route\n"


@pytest.mark.parametrize(
    ("name", "given", "metadata", "said"),
    [
        ("on_grid", "text", None, b"the input must be an event"),
        ("on_hub_batch", ["a", "b"], {"Offset": ["1"]}, b'"metadata" has 1 of Offset'),
    ],
)
def test_request_that_cannot_be_one_is_400(
    server: azure.AzureServer, name: str, given: object, metadata: dict[str, Any] | None, said: bytes
) -> None:
    answer = server.invoke(name, given, metadata)
    assert (answer.status, answer.body[: len(said)]) == (400, said)


OURS = """
import azure.functions as func
from mlserverless.adapters import azure

app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)
for name in ("http", "blob", "queue", "event_grid", "service_bus", "event_hub", "timer"):
    app.register_functions(getattr(azure, name))
"""


@pytest.fixture
def ours(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Iterator[azure.AzureServer]:
    (tmp_path / "host.json").write_text('{"version": "2.0", "extensions": {"http": {"routePrefix": ""}}}')
    (tmp_path / "function_app.py").write_text(OURS)
    settings = {"MLSERVERLESS_SINK": "queue:", "MLSERVERLESS_ALLOW_PRIVATE_ADDRESSES": "true"}
    with azure.start(app_dir=tmp_path, environment=settings) as running:
        yield running


def test_our_own_functions_load_and_their_results_reach_the_queue(
    ours: azure.AzureServer, capfd: pytest.CaptureFixture[str]
) -> None:
    listed = capfd.readouterr().err
    names = ["predict", "image_created", "message_queued", "event_published", "message_received"]
    assert [x for x in (*names, "events_streamed", "scheduled") if f"  {x}: " not in listed] == []
    reply = origin.response(PHOTO.read_bytes(), Content_Type="image/jpeg")
    with origin.serving({"/flower.jpg": reply}) as served:
        url = served.url("/flower.jpg")
        answers = [
            ours.invoke("message_queued", {"url": url}),
            ours.invoke("message_received", url, {"MessageId": "m"}),
            ours.invoke("events_streamed", [{"url": url}], {"SequenceNumber": [7]}),
            ours.invoke("event_published", {"id": "1", "eventType": "Image", "data": {"url": url}}),
            ours.invoke_blob("image_created", PHOTO.read_bytes(), BLOB, {"ETag": "0x8D"}),
        ]
    for answer in answers:
        assert answer.status == 202, answer.body
        (line,) = json.loads(answer.body)["outputs"]["results"]
        assert '"label":"daisy"' in line
    warmed = ours.invoke("scheduled", "")
    assert (warmed.status, warmed.body) == (202, b"")
