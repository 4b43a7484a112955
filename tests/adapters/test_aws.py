"""Lambda's events as AWS sends them, through the handler."""

import json
from pathlib import Path
from typing import Any

import pytest

from helpers import child
from helpers.harness.aws import Context
from helpers.services import WIRE, FakeService
from mlserverless.adapters.aws import TRIGGERS, DirectInvoke, HttpApi, S3Notification, make_handler
from mlserverless.errors import InvalidRequest
from mlserverless.serving import Redeliver
from mlserverless.web.http import HttpResponse

ROOT = Path(__file__).parents[2]


def event(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((ROOT / "tests" / "events" / "aws" / f"{name}.json").read_text())
    return loaded


def test_a_function_url_event_becomes_a_request() -> None:
    request = HttpApi(FakeService()).read(event("function_url"))
    assert (request.method, request.path) == ("POST", "/predict")
    assert request.query == "top_k=3&labels_deny=caf%C3%A9,b"
    assert request.headers["content-type"] == "application/json"
    assert request.headers["cookie"] == "session=1; theme=dark"
    assert request.body == '{"url": "https://example.com/é.jpg"}'.encode()


def test_a_function_url_event_is_answered() -> None:
    service = FakeService()
    answer = make_handler(service)(event("function_url"), Context())
    assert (answer["statusCode"], answer["isBase64Encoded"]) == (200, False)
    assert json.loads(answer["body"]) == WIRE
    assert answer["headers"]["X-Request-Id"] == Context.aws_request_id, "Lambda's, where the caller gave none"
    (request,) = service.requests
    assert (request.url, request.options.top_k) == ("https://example.com/é.jpg", 3)
    assert request.options.labels_deny == ("café", "b")
    assert service.lines == [], "what HTTP answers is not recorded as an event's result"


def test_an_http_api_event_is_answered_without_its_stage() -> None:
    service = FakeService()
    answer = make_handler(service)(event("http_api_stage"), Context())
    assert answer["statusCode"] == 200
    assert answer["headers"]["X-Request-Id"] == "abc", "the caller's, by a header of another case"
    assert service.requests[0].image == b"\xff\xd8\xff\xe0\x00\x10"
    assert service.requests[0].options.top_k == 1


@pytest.mark.parametrize(
    ("stage", "sent", "path"),
    [
        ("prod", "/prod", "/"),
        ("prod", "/prod/", "/"),
        ("prod", "/prod/model", "/model"),
        ("prod", "/production/model", "/production/model"),
        ("prod", "/predict", "/predict"),
        ("$default", "/predict", "/predict"),
    ],
)
def test_only_a_whole_stage_is_taken_off(stage: str, sent: str, path: str) -> None:
    given = event("http_api_stage")
    given["requestContext"]["stage"], given["requestContext"]["http"]["path"] = stage, sent
    assert HttpApi(FakeService()).read(given).path == path


def test_the_decoded_path_is_read() -> None:
    """A Function URL's rawPath is encoded."""
    given = event("function_url")
    given["rawPath"], given["requestContext"]["http"]["path"] = "/caf%C3%A9%2541", "/café%41"
    assert HttpApi(FakeService()).read(given).path == "/café%41"


def test_an_event_with_neither_body_nor_headers_is_read() -> None:
    """As the console's test button sends it."""
    given = event("function_url")
    for name in ("body", "headers", "rawQueryString", "cookies", "queryStringParameters"):
        del given[name]
    answer = make_handler(FakeService())(given, Context())
    assert answer["statusCode"] == 400
    assert "has no body" in json.loads(answer["body"])["detail"]


@pytest.mark.parametrize(
    "given",
    [
        {},
        [],
        "a text",
        None,
        {"Records": []},
        {"Records": ["no record"]},
        {"Records": {}},
        {"version": "2.0"},
        {"version": "2.0", "requestContext": None},
    ],
    ids=lambda given: str(given)[:30],
)
def test_an_event_of_another_kind_is_refused_with_the_kinds_that_are_handled(given: Any) -> None:
    with pytest.raises(InvalidRequest, match=r"of no kind that is handled here: HttpApi, RestApi, Load"):
        make_handler(FakeService())(given, Context())


def test_a_trigger_of_the_users_own_comes_first() -> None:
    class Mine(DirectInvoke):
        def handle(self, event: Any, request_id: str, deadline: Any) -> Any:
            return "mine", request_id

    handler = make_handler(FakeService(), (Mine, *TRIGGERS))
    assert handler({"url": "https://x.example/"}, Context()) == ("mine", Context.aws_request_id)
    assert handler(event("s3_test_event"), Context()) == {"results": []}
    assert S3Notification in TRIGGERS


@pytest.mark.parametrize(
    "asked", [event("function_url"), event("s3_put"), {"url": "s3://a/b"}, {"urls": ["s3://a/b"]}]
)
def test_the_time_left_to_lambda_is_the_deadline(asked: Any) -> None:
    """Less half a second, to answer in."""
    service = FakeService()
    make_handler(service)(asked, Context(30_000))
    assert 29.0 <= service.fake.left[0] <= 29.5


def test_with_no_time_left_an_event_is_handed_back_and_a_request_is_given_none() -> None:
    service = FakeService()
    make_handler(service)({"url": "s3://a/b"}, Context(300))
    assert service.fake.left == [0.0]
    with pytest.raises(Redeliver, match="deadline-exceeded"):
        make_handler(service)(event("s3_put"), Context(300))
    assert len(service.requests) == 1


def test_the_deploy_folders_entry_answers_a_url_without_numpy(photo: str) -> None:
    code = f"""
import json
from app import handler, __all__
from helpers.harness.aws import Context
given = json.loads(open({str(ROOT / "tests" / "events" / "aws" / "function_url.json")!r}).read())
given["body"], given["rawQueryString"] = json.dumps({{"url": {photo!r}}}), "top_k=1"
answer = json.loads(handler(given, Context())["body"]), __all__
{child.TELL}"""
    told = child.run(
        code,
        ROOT / "adapters" / "aws",
        MLSERVERLESS_ALLOW_PRIVATE_ADDRESSES="true",
        PYTHONPATH=str(ROOT / "tests"),
    )
    prediction, names = told["answer"]
    assert names == ["handler"]
    assert prediction["predictions"][0]["label"] == "daisy"
    assert told["heavy"] == []


def test_the_entry_survives_wrong_settings_and_answers_them() -> None:
    """A crash at import would be a restart loop with no word to the caller."""
    code = f"""
from app import handler
from helpers.harness.aws import Context
try:
    answer = handler({{"url": "https://x.example/"}}, Context())
except Exception as error:
    answer = [type(error).__name__, str(error)]
{child.TELL}"""
    told = child.run(
        code, ROOT / "adapters" / "aws", MLSERVERLESS_MODEL="no-such-model", PYTHONPATH=str(ROOT / "tests")
    )
    name, text = told["answer"]
    assert name == "ModelUnavailable"
    assert "There is no model 'no-such-model'" in text


@pytest.mark.parametrize("name", ["function_url", "http_api_stage", "rest_api", "alb", "alb_multi_value"])
def test_tensors_leave_in_base64(name: str) -> None:
    """The only answers that are no text: those of the Open Inference Protocol in binary."""
    response = HttpResponse(200, (("Content-Type", "application/octet-stream"),), b"{}\xff\0")
    binding = next(trigger for trigger in TRIGGERS if trigger.accepts(event(name)))(FakeService())
    answer = binding.write(response, many=False) if name.startswith("alb") else binding.write(response)
    assert (answer["body"], answer["isBase64Encoded"]) == ("e33/AA==", True)
