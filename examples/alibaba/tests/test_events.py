"""What the suite does not ask: the payloads as they come, and what OSS and the role have of their own."""

import json
import os
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest
from mlserverless.config import Settings
from mlserverless.errors import InvalidRequest
from mlserverless.predictor import Predictor
from mlserverless.serving import Redeliver, Service
from mlserverless.types import Request

from harness import ID, payload
from mlserverless_alibaba import EventBridge, FcHttp, OssNotification, cloud_event, make_handler, oss_record
from mlserverless_alibaba.local import context


def test_a_get_as_it_comes() -> None:
    request = FcHttp(Service()).read(payload("http_get"))
    assert (request.method, request.path, request.body) == ("GET", "/predict", b"")
    wanted = "url=https%3A%2F%2Fimages.example.com%2Fa+cat.jpg&top_k=1&labels_allow=daisy%2Ctulip"
    assert request.query == wanted
    assert request.headers["x-request-id"] == "order-1"


def test_a_post_as_it_comes() -> None:
    request = FcHttp(Service()).read(payload("http_post"))
    assert (request.method, request.path, request.query) == ("POST", "/café", "")
    assert request.body == b"\xff\xd8\xff\xe0"
    assert request.headers == {"content-type": "image/jpeg", "accept": "application/json,text/plain"}


@pytest.mark.parametrize("broken", [{"body": 5}, {"isBase64Encoded": True, "body": "?"}, {"headers": [1]}])
def test_a_request_that_is_none_is_refused(broken: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest, match="format v1"):
        FcHttp(Service()).read({**payload("http_post"), **broken})


def test_an_object_of_oss_is_one_of_s3_pinned_by_its_etag() -> None:
    (record,) = payload("oss_put")["events"]
    url, tag = "s3://images/in/ein Gänseblümchen+1.jpg", "688A7BF4F233DC9C88A80BF985AB7329"
    assert oss_record(record, "name") == [Request("58F9FF2D3DF792092E12044C", url=url, version=tag, pin="etag")]
    del record["oss"]["object"]["eTag"], record["responseElements"]
    assert oss_record(record, "name") == [Request("name", url=url, version="name")]


@pytest.mark.parametrize(
    ("name", "asks"),
    [
        ("ObjectCreated:PutObject", True),
        ("ObjectCreated:CompleteMultipartUpload", True),
        ("ObjectReplication:ObjectCreated", True),
        ("ObjectCreated:InitiateMultipartUpload", False),
        ("ObjectCreated:UploadPart", False),
        ("ObjectCreated:UploadPartCopy", False),
        ("ObjectRemoved:DeleteObject", False),
        ("ObjectReplication:ObjectRemoved", False),
    ],
)
def test_only_a_whole_new_object_asks_for_anything(name: str, asks: bool) -> None:
    (record,) = payload("oss_put")["events"]
    assert bool(oss_record({**record, "eventName": name}, "name")) is asks
    event = payload("eventbridge_oss")
    event["type"], event["data"]["eventName"] = f"oss:{name}", name
    assert bool(cloud_event(event, "name")) is asks


@pytest.mark.parametrize("record", [5, None, {}, {"oss": []}, {"oss": {"bucket": {"name": "b"}, "object": {}}}])
def test_a_record_that_cannot_be_read_is_a_problem_for_itself(record: Any) -> None:
    (found,) = oss_record(record, "name")
    assert isinstance(found, InvalidRequest)
    (good,) = payload("oss_put")["events"]
    split = OssNotification(Service()).split(("id", {"events": [record, good]}))
    assert [type(part.found) for part in split] == [InvalidRequest, Request]


@pytest.mark.parametrize("name", ["eventbridge_custom", "mns_queue", "kafka"])
def test_what_the_bus_and_its_queues_carry(name: str) -> None:
    given = payload(name)
    (part,) = EventBridge(Service()).split(("invocation", given))
    event = given[0] if isinstance(given, list) else given
    assert isinstance(part.found, Request)
    assert (part.found.id, part.found.version) == (event["id"], f"{event['source']}#{event['id']}")
    assert part.found.url == "https://images.example.com/cat.jpg"


def test_a_timer_warms_up() -> None:
    predictor = mock.create_autospec(Predictor, instance=True, settings=Settings())
    handler = make_handler(Service(lambda: predictor))
    assert handler(json.dumps(payload("timer")).encode(), context(ID)) == {"warm": True}
    predictor.warm_up.assert_called_once_with()


@pytest.mark.parametrize("event", [b"", b"hello", b"5", b'{"events": [5]}', b"\xff"])
def test_what_is_no_event_fails(event: bytes) -> None:
    with pytest.raises(Redeliver, match="invalid-request"):
        make_handler(Service())(event, context(ID))


def test_without_a_trigger_that_accepts_it_says_which_there_are() -> None:
    with pytest.raises(InvalidRequest, match="OssNotification"):
        make_handler(Service(), [OssNotification])(b"{}", context(ID))


def test_the_role_reads_oss() -> None:
    role = {"ACCESS_KEY_ID": "id", "ACCESS_KEY_SECRET": "secret", "SECURITY_TOKEN": "token"}
    given = {f"ALIBABA_CLOUD_{name}": value for name, value in role.items()} | {"FC_REGION": "cn-hangzhou"}
    with mock.patch.dict(os.environ, given, clear=True):
        make_handler(Service())
        assert os.environ["AWS_ACCESS_KEY_ID"] == "id"
        assert os.environ["AWS_SECRET_ACCESS_KEY"] == "secret"
        assert os.environ["AWS_SESSION_TOKEN"] == "token"
        assert os.environ["AWS_REGION"] == "cn-hangzhou"
    with mock.patch.dict(os.environ, {**given, "AWS_ACCESS_KEY_ID": "own"}, clear=True):
        make_handler(Service())
        assert "AWS_SESSION_TOKEN" not in os.environ, "two credentials are never mixed"


def test_the_deadline_is_the_functions() -> None:
    seen: list[float] = []

    class Spy:
        def __init__(self, service: Service) -> None: ...

        accepts = staticmethod(bool)

        def handle(self, *given: Any) -> None:
            seen.append(given[-1].remaining())

    given = SimpleNamespace(request_id=ID, function=SimpleNamespace(timeout="30"))
    triggers: list[Any] = [Spy]
    make_handler(Service(), triggers)(b"5", given)
    assert 29 < seen[0] <= 29.5
