"""Azure's own request, response and blob objects, through the adapter's classes and its registered functions."""

import json
import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import azure.functions as func
import pytest
from azure.functions.eventgrid import EventGridEventInConverter
from azure.functions.meta import Datum

from helpers import child
from helpers.harness import INVOCATION_ID
from helpers.services import WIRE, FakeService
from mlserverless.adapters import azure
from mlserverless.adapters.azure import Blob, BlobCreated, FunctionHttp, events, limits
from mlserverless.deadline import Deadline
from mlserverless.errors import Overloaded, UndecodableImage
from mlserverless.serving import Redeliver

ROOT = Path(__file__).parents[2]
PHOTO = (ROOT / "examples" / "photos" / "flower.jpg").read_bytes()
CONTEXT: Any = SimpleNamespace(invocation_id=INVOCATION_ID)
BLOB_URI = "https://account.blob.core.windows.net/images/a%20b/c%C3%A9.jpg"


def event(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((ROOT / "tests" / "events" / "azure" / f"{name}.json").read_text())
    return loaded


def http_request(**changes: Any) -> func.HttpRequest:
    given = {**event("http_request"), **changes}
    return func.HttpRequest(**{**given, "body": given["body"].encode()})


def test_a_request_is_read_whole_but_for_its_function_key() -> None:
    """The host has checked the key by then, and it is none of the options."""
    request = FunctionHttp(FakeService()).read(http_request())
    assert (request.method, request.path, request.query) == ("POST", "/predict", "top_k=2")
    assert request.headers["content-type"] == "application/json"
    assert request.body == b'{"url": "https://example.com/cat.jpg"}'


@pytest.mark.parametrize(
    ("query", "left"),
    [
        ("code=a%3D%3D", ""),
        ("top_k=1&code=a==&clientId=default", "top_k=1"),
        ("url=https://x.example/?code=1", "url=https://x.example/?code=1"),
        ("barcode=1&Code=2", "barcode=1&Code=2"),
        ("", ""),
    ],
)
def test_only_a_function_key_is_taken_out_of_the_query(query: str, left: str) -> None:
    url = f"https://photos.azurewebsites.net/predict?{query}"
    assert FunctionHttp(FakeService()).read(http_request(url=url)).query == left


@pytest.mark.parametrize(
    ("url", "route", "path"),
    [
        ("https://photos.azurewebsites.net/", {}, "/"),
        ("https://photos.azurewebsites.net/caf%C3%A9?x=1", {"path": "café"}, "/café"),
        ("https://photos.azurewebsites.net/api/model", {"path": "model"}, "/model"),
        ("https://photos.azurewebsites.net/api/", {}, "/"),
    ],
)
def test_the_path_is_what_the_route_matched_below_the_apps_prefix(
    url: str, route: dict[str, str], path: str
) -> None:
    assert FunctionHttp(FakeService()).read(http_request(url=url, route_params=route)).path == path


def test_a_request_is_answered() -> None:
    service = FakeService()
    answer = FunctionHttp(service)(http_request(), INVOCATION_ID)
    assert (answer.status_code, json.loads(answer.get_body())) == (200, WIRE)
    assert answer.headers["Content-Type"] == "application/json", "no charset added"
    assert answer.headers["X-Request-Id"] == INVOCATION_ID
    (request,) = service.requests
    assert (request.url, request.options.top_k) == ("https://example.com/cat.jpg", 2)


def test_http_is_answered_before_azures_load_balancer_gives_up() -> None:
    """Which it does after 230 s."""
    service = FakeService()
    FunctionHttp(service)(http_request(), INVOCATION_ID)
    assert 200 < service.fake.left[0] < 230


def stream(name: str = "blob_trigger", data: bytes = PHOTO, **changes: Any) -> func.blob.InputStream:
    return func.blob.InputStream(data=data, **{**event(name), **changes})


def test_a_blob_is_classified_from_the_bytes_that_azure_brings() -> None:
    service = FakeService()
    with mock.patch.object(azure, "_blob", BlobCreated(service)):
        azure.image_created(stream(), CONTEXT)
    (request,) = service.requests
    assert (request.id, request.image, request.url) == (INVOCATION_ID, PHOTO, BLOB_URI)
    (line,) = map(json.loads, service.lines)
    told = {name: line[name] for name in ("source", "request_id", "version", "predictions")}
    assert told == {
        "source": BLOB_URI,
        "request_id": INVOCATION_ID,
        "version": "0x8D7E7A4B1D2F3C0",
        "predictions": WIRE["predictions"],
    }


def test_a_signature_in_the_blobs_address_is_not_recorded() -> None:
    service = FakeService()
    BlobCreated(service)(Blob(PHOTO, f"{BLOB_URI}?sv=2024&sig=secret", "id"))
    assert json.loads(service.lines[0])["source"] == BLOB_URI


@pytest.mark.parametrize("uri", [None, ""])
def test_a_blob_without_an_address_goes_by_its_name(uri: str | None) -> None:
    service = FakeService()
    with mock.patch.object(azure, "_blob", BlobCreated(service)):
        azure.image_created(stream(uri=uri), CONTEXT)
    assert service.requests[0].url == "images/a b/cé.jpg"


def test_a_blob_that_fails_is_recorded_and_handed_back() -> None:
    service = FakeService(UndecodableImage("The image is truncated."))
    with (
        mock.patch.object(azure, "_blob", BlobCreated(service)),
        pytest.raises(Redeliver, match=r"cat\.jpg: undecodable-image: The image is truncated\."),
    ):
        azure.image_created(stream(uri="https://account.blob.core.windows.net/images/cat.jpg"), CONTEXT)
    assert json.loads(service.lines[0])["problem"]["instance"] == INVOCATION_ID


def test_results_are_logged_because_azure_loses_what_is_printed(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    azure.service.log.put("key", {"source": "https://x.example/100%25.jpg"}, Deadline())
    (logged,) = caplog.records
    assert (logged.name, logged.levelno) == ("mlserverless.results", logging.INFO)
    assert json.loads(logged.getMessage())["source"] == "https://x.example/100%25.jpg"
    assert capsys.readouterr().out == ""


def functions(*blueprints: Any) -> dict[str, dict[str, Any]]:
    """Return each function's bindings, as the host indexes them."""
    app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)
    for blueprint in blueprints:
        app.register_functions(blueprint)
    return {
        function.get_function_name(): json.loads(function.get_function_json())["bindings"][0]
        for function in app.get_functions()
    }


def test_the_functions_are_registered_as_the_host_reads_them() -> None:
    indexed = functions(azure.http, azure.blob)
    assert set(indexed) == {"predict", "image_created"}
    http, blob = indexed["predict"], indexed["image_created"]
    assert (http["type"], http["route"]) == ("httpTrigger", "{*path}"), "every path is the web app's"
    assert {"GET", "POST", "PUT", "HEAD"} <= set(http["methods"]), "a wrong method is answered by the web app, too"
    assert (blob["type"], blob["path"], blob["connection"]) == (
        "blobTrigger",
        "images/{name}",
        "AzureWebJobsStorage",
    )
    assert blob["name"] == "event"


def test_one_trigger_can_be_taken_without_the_other() -> None:
    assert set(functions(azure.http)) == {"predict"}
    assert set(functions(azure.blob)) == {"image_created"}


def test_the_deploy_folders_entry_answers_a_url_without_numpy(photo: str) -> None:
    code = f"""
import json
from types import SimpleNamespace
import azure.functions as func
from azure.functions.eventgrid import EventGridEventInConverter
from azure.functions.meta import Datum
from function_app import app
found = {{function.get_function_name(): function for function in app.get_functions()}}
body = json.dumps({{"url": {photo!r}, "top_k": 1}}).encode()
request = func.HttpRequest("POST", "https://x.example/predict", headers={{}}, body=body)
predict = found["predict"].get_user_function()
answer = sorted(found), json.loads(predict(request, SimpleNamespace(invocation_id="i")).get_body())
{child.TELL}"""
    told = child.run(code, ROOT / "adapters" / "azure", MLSERVERLESS_ALLOW_PRIVATE_ADDRESSES="true")
    names, prediction = told["answer"]
    assert names == ["image_created", "predict"]
    assert prediction["predictions"][0]["label"] == "daisy"
    assert told["heavy"] == []


def test_the_blobs_place_is_the_deployments_to_set() -> None:
    code = f"""
import json
from function_app import app
bindings = [json.loads(function.get_function_json())["bindings"][0] for function in app.get_functions()]
answer = [[b["path"], b["connection"]] for b in bindings if b["type"] == "blobTrigger"]
{child.TELL}"""
    told = child.run(
        code,
        ROOT / "adapters" / "azure",
        MLSERVERLESS_BLOB_PATH="inbox/{name}.jpg",
        MLSERVERLESS_BLOB_CONNECTION="PhotosStorage",
    )
    assert told["answer"] == [["inbox/{name}.jpg", "PhotosStorage"]]


@pytest.mark.parametrize(("count", "seconds"), [(None, 1), (1, 1), (2, 2), (4, 8), (6, 30), (100, 30)])
def test_a_service_bus_message_is_held_before_it_is_handed_back(
    count: int | None, seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would come back at once, and is dead-lettered after ten times: within a second of a store's outage."""
    held: list[float] = []
    monkeypatch.setattr(events, "sleep", held.append)
    received = SimpleNamespace(
        message_id="1", sequence_number=7, delivery_count=count, get_body=lambda: b'{"url": "https://x.example/1"}'
    )
    azure.ServiceBusMessage(FakeService())(received)  # type: ignore[arg-type]
    assert held == []
    with pytest.raises(Redeliver):
        azure.ServiceBusMessage(FakeService(Overloaded("busy")))(received)  # type: ignore[arg-type]
    assert held == [seconds]


def test_a_service_bus_message_is_not_held_beyond_the_functions_time(monkeypatch: pytest.MonkeyPatch) -> None:
    held: list[float] = []
    monkeypatch.setattr(events, "sleep", held.append)
    monkeypatch.setattr(limits, "LIMIT_S", 2.0)
    received = SimpleNamespace(message_id="1", sequence_number=7, delivery_count=9, get_body=lambda: b"s3://b/1")
    with pytest.raises(Redeliver):
        azure.ServiceBusMessage(FakeService(Overloaded("busy")))(received)  # type: ignore[arg-type]
    assert 0 < held[0] <= 1.5


def test_the_same_number_in_two_partitions_is_two_events() -> None:
    """An event hub counts within a partition."""

    def one(partition: str, hub: str = "photos") -> Any:
        told = {"PartitionContext": {"PartitionId": partition, "EventHubName": hub}}
        return SimpleNamespace(
            metadata=told, sequence_number=0, offset="0", get_body=lambda: b"https://x.example/1"
        )

    service = FakeService()
    azure.EventHubBatch(service)([one("0"), one("1"), one("0", "others")])
    assert len({request.version for request in service.requests}) == 3
    assert len({json.loads(line)["key"] for line in service.lines}) == 3


def test_an_event_grid_events_base64_is_its_data() -> None:
    encoded = "aHR0cHM6Ly94LmV4YW1wbGUvMQ=="
    told = {"specversion": "1.0", "id": "1", "source": "s", "type": "x", "data_base64": encoded}
    service = FakeService()
    azure.EventGridEvent(service)(
        EventGridEventInConverter.decode(Datum(json.dumps(told), "json"), trigger_metadata={})
    )
    assert [request.url for request in service.requests] == ["https://x.example/1"]


def test_a_blob_of_which_azure_tells_nothing_has_a_version_of_its_own() -> None:
    """Or the answer for what overwrites it would never be recorded."""
    service = FakeService()
    with mock.patch.object(azure, "_blob", BlobCreated(service)):
        for name in ("first", "second"):
            azure.image_created(stream(blob_properties=None), SimpleNamespace(invocation_id=name))
    assert [request.version for request in service.requests] == ["first", "second"]
