"""Google's requests and CloudEvents, through functions-framework and the deploy folder's main.py."""

import json
from pathlib import Path
from typing import Any
from unittest import mock

import flask
import pytest

from helpers import child
from helpers.harness.gcp import app
from helpers.services import WIRE, FakeService
from mlserverless import stores
from mlserverless.adapters import gcp
from mlserverless.errors import Overloaded, SourceNotFound
from mlserverless.predictor import Predictor
from mlserverless.serving import Service
from mlserverless.sinks.log import LogSink

ROOT = Path(__file__).parents[2]
PHOTO = (ROOT / "examples" / "photos" / "flower.jpg").read_bytes()
STRUCTURED = {"Content-Type": "application/cloudevents+json; charset=utf-8"}


def event(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((ROOT / "tests" / "events" / "gcp" / f"{name}.json").read_text())
    return loaded


def post(service: Service, given: dict[str, Any]) -> Any:
    """Post a CloudEvent in structured mode to the function ``event``."""
    with mock.patch.object(gcp, "_events", gcp.CloudEvents(service)):
        return app("event").test_client().post("/", data=json.dumps(given), headers=STRUCTURED)


def ask(service: Service, **request: Any) -> Any:
    """Post an image to the function ``predict``."""
    with mock.patch.object(gcp, "_http", gcp.CloudHttp(service)):
        return app("predict").test_client().post("/", data=b"image", content_type="image/png", **request)


def test_a_finalized_object_is_classified(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the real predictor; only the store is a stand-in."""
    read: list[str] = []

    def recorder(url: str, deadline: Any, **limits: Any) -> bytes:
        read.append(url)
        return PHOTO

    monkeypatch.setattr(stores, "read", recorder)
    lines: list[str] = []
    answer = post(Service(lambda: Predictor(top_k=1), LogSink(lines.append)), event("storage_finalized"))
    assert (answer.status_code, answer.data) == (204, b"")
    assert read == ["gs://photos/a b/cé.jpg"]
    (line,) = map(json.loads, lines)
    assert (line["source"], line["request_id"]) == ("gs://photos/a b/cé.jpg", "1096434104173400")
    assert line["predictions"][0]["label"] == "daisy"


def test_an_event_in_binary_mode_is_the_same() -> None:
    """As Eventarc sends it: the attributes are headers."""
    given, service = event("storage_finalized"), FakeService()
    data = given.pop("data")
    attributes = {f"ce-{name}": value for name, value in given.items() if value.isascii()}
    with mock.patch.object(gcp, "_events", gcp.CloudEvents(service)):
        answer = app("event").test_client().post("/", json=data, headers=attributes)
    assert answer.status_code == 204
    (request,) = service.requests
    assert (request.id, request.url) == ("1096434104173400", "gs://photos/a b/cé.jpg")
    assert (request.version, request.pin) == ("1587627537231057", "version")


def test_the_entrys_older_name_is_the_same_function() -> None:
    assert gcp.image_finalized is gcp.event


def test_a_removal_asks_for_nothing() -> None:
    service = FakeService()
    assert post(service, event("storage_deleted")).status_code == 204
    assert (service.requests, service.lines) == ([], [])


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("pubsub_message", "The message is neither a URL nor JSON"),
        ("storage_no_name", "The Cloud Storage event names no bucket and object."),
    ],
)
def test_an_event_that_says_nothing_is_refused(name: str, told: str) -> None:
    service = FakeService()
    answer = post(service, event(name))
    assert (answer.status_code, answer.json["code"]) == (400, "invalid-request"), "for the dead-letter topic"
    assert service.requests == []
    (line,) = map(json.loads, service.lines)
    assert told in line["problem"]["detail"]


@pytest.mark.parametrize(
    "data", [None, [], "photos", {"bucket": "photos", "name": ""}, {"bucket": None, "name": "x"}]
)
def test_an_event_without_an_object_is_refused(data: Any) -> None:
    service = FakeService()
    assert post(service, {**event("storage_finalized"), "data": data}).status_code == 400
    assert "names no bucket and object" in json.loads(service.lines[0])["problem"]["detail"]


def test_an_object_that_fails_is_handed_back() -> None:
    assert post(FakeService(SourceNotFound("There is no object.")), event("storage_finalized")).status_code == 400
    busy = post(FakeService(Overloaded("busy")), event("storage_finalized"))
    assert (busy.status_code, busy.json["code"]) == (503, "overloaded")


@pytest.mark.parametrize(
    ("seconds", "low", "high"),
    [
        ("60", 59.0, 59.5),
        ("1", 0.1, 0.5),
        ("", 299.0, float("inf")),  # for HTTP the setting timeout counts, 300 s by default
        ("soon", 299.0, float("inf")),
    ],
)
def test_the_functions_timeout_is_the_deadline(
    seconds: str, low: float, high: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Less half a second, to answer in."""
    monkeypatch.setenv("CLOUD_RUN_TIMEOUT_SECONDS", seconds)
    service = FakeService()
    assert ask(service).status_code == 200
    assert post(service, event("storage_finalized")).status_code == 204
    assert all(low <= left <= high for left in service.fake.left), service.fake.left


def test_an_event_without_any_time_left_is_handed_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLOUD_RUN_TIMEOUT_SECONDS", "0")
    service = FakeService()
    answer = post(service, event("storage_finalized"))
    assert (answer.status_code, answer.json["code"]) == (503, "deadline-exceeded")
    assert service.requests == []


def test_without_a_timeout_the_setting_alone_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CLOUD_RUN_TIMEOUT_SECONDS", raising=False)
    service = FakeService()
    ask(service)
    assert 299 < service.fake.left[0] <= 300


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"X-Cloud-Trace-Context": "105445aa7843bc8bf206b12000100000/1;o=1"}, "105445aa7843bc8bf206b12000100000"),
        ({"X-Cloud-Trace-Context": "105445aa/1", "X-Request-Id": "mine"}, "mine"),
        ({"X-Cloud-Trace-Context": "105445aa/1", "X-Request-Id": "not fit"}, "105445aa"),
    ],
)
def test_googles_trace_id_is_the_requests_where_the_caller_gave_none(
    headers: dict[str, str], expected: str
) -> None:
    answer = ask(FakeService(), headers=headers)
    assert (answer.json, answer.headers["X-Request-Id"]) == (WIRE, expected)


@pytest.mark.parametrize("trace", ["<script>", "x" * 129, " ", ""])
def test_a_trace_id_that_is_not_fit_is_not_repeated(trace: str) -> None:
    """Any caller can set the header."""
    assert len(ask(FakeService(), headers={"X-Cloud-Trace-Context": trace}).headers["X-Request-Id"]) == 32


def test_a_flask_request_becomes_a_request_and_back() -> None:
    binding = gcp.CloudHttp(FakeService())
    with flask.Flask("x").test_request_context(
        "/caf%C3%A9?url=a%20b&x=\u00f6", method="POST", data=b"\x00\xff", headers={"X-A": "1"}
    ):
        request = binding.read(flask.request)
    assert (request.method, request.path, request.body) == ("POST", "/café", b"\x00\xff")
    assert request.query in ("url=a%20b&x=\u00f6", "url=a%20b&x=%C3%B6")
    assert request.headers["x-a"] == "1"


def test_the_entry_points_are_plain_functions() -> None:
    """Google refuses callable instances."""
    assert type(gcp.predict) is type(gcp.image_finalized) is type(ask)


def test_the_deploy_folders_entry_answers_a_url_without_numpy(photo: str) -> None:
    code = f"""
import functions_framework
client = functions_framework.create_app("predict", "main.py").test_client()
import main
answer = client.post("/predict?top_k=1", json={{"url": {photo!r}}}).json, main.__all__
{child.TELL}"""
    told = child.run(code, ROOT / "adapters" / "gcp", MLSERVERLESS_ALLOW_PRIVATE_ADDRESSES="true")
    prediction, names = told["answer"]
    assert names == ["event", "image_finalized", "predict", "scheduled"]
    assert prediction["predictions"][0]["label"] == "daisy"
    assert told["heavy"] == []


def test_the_entry_survives_wrong_settings_and_answers_them() -> None:
    code = f"""
import functions_framework
client = functions_framework.create_app("predict", "main.py").test_client()
answer = client.get("/readyz").json
{child.TELL}"""
    told = child.run(code, ROOT / "adapters" / "gcp", MLSERVERLESS_TOP_K="many")
    assert told["answer"]["code"] == "misconfigured"
    assert "MLSERVERLESS_TOP_K is 'many'" in told["answer"]["detail"]


def scheduled(service: Service, **request: Any) -> Any:
    """Call the function ``scheduled``."""
    with mock.patch.object(gcp, "_events", gcp.CloudEvents(service)):
        return app("scheduled").test_client().open("/", **request)


def test_a_cloud_scheduler_job_warms_up() -> None:
    service = FakeService()
    given = event("scheduler_http")
    assert scheduled(service, method=given["method"], headers=given["headers"]).status_code == 204
    assert (service.fake.warmed, service.requests) == (1, [])


def test_a_probe_of_the_scheduled_function_does_nothing() -> None:
    service = FakeService()
    assert scheduled(service, method="GET").json == {"status": "ok"}
    assert service.fake.warmed == 0
