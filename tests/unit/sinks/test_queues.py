"""Results as messages: in SQS, which moto's server plays here, and for the platform's own output."""

import json
import socket
import sys
import traceback
from collections.abc import Iterator
from typing import Any

import pytest

from helpers.s3 import moto_server
from mlserverless.deadline import Deadline
from mlserverless.errors import ConfigError, SinkError
from mlserverless.sinks.queues import LONGEST_QUEUED, LONGEST_SQS, OutputSink, SqsSink, fitting

RECORD: dict[str, Any] = {"key": "k1", "source": "s3://b/é.jpg", "predictions": []}
LINE = '{"key":"k1","source":"s3://b/\\u00e9.jpg","predictions":[]}'  # what no queue's rules for letters refuse
SECRET = "c4n4ry"
ACCOUNT = "123456789012"


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    with moto_server() as (host, port):
        yield f"http://{host}:{port}"


@pytest.fixture
def sqs(moto: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a client of the SQS that the sink's own client is led to."""
    boto3 = pytest.importorskip("boto3")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "k")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", moto)
    for name in ("AWS_REGION", "AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    boto3.DEFAULT_SESSION = None
    return boto3.client("sqs")


def url(name: str, region: str = "us-east-1") -> str:
    return f"sqs://sqs.{region}.amazonaws.com/{ACCOUNT}/{name}"


def received(sqs: Any, queue: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = sqs.receive_message(
        QueueUrl=queue, MaxNumberOfMessages=10, AttributeNames=["All"]
    ).get("Messages", [])
    return found


def test_a_record_is_a_message(sqs: Any) -> None:
    queue = sqs.create_queue(QueueName="results")["QueueUrl"]
    sink = SqsSink(url("results"))
    sink.put("k1", RECORD, Deadline(5))
    (message,) = received(sqs, queue)
    assert message["Body"] == LINE
    assert "MessageGroupId" not in message["Attributes"]


def test_a_plain_queue_has_a_redelivery_twice_under_one_key(sqs: Any) -> None:
    queue = sqs.create_queue(QueueName="twice")["QueueUrl"]
    sink = SqsSink(url("twice"))
    for _ in range(2):
        sink.put("k1", RECORD, Deadline(5))
    assert [json.loads(message["Body"])["key"] for message in received(sqs, queue)] == ["k1", "k1"]


def test_a_fifo_queue_drops_what_it_has_under_the_key(sqs: Any) -> None:
    queue = sqs.create_queue(QueueName="once.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
    sink = SqsSink(url("once.fifo"))
    for key in ("k1", "k1", "k2", "k1"):
        sink.put(key, {"key": key, "time": "each time another"}, Deadline(5))
    messages = received(sqs, queue)
    assert [json.loads(message["Body"])["key"] for message in messages] == ["k1", "k2"]
    assert [message["Attributes"]["MessageDeduplicationId"] for message in messages] == ["k1", "k2"]


def test_the_queues_region_is_the_one_in_its_url(sqs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not the function's own; outside of AWS there is none."""
    boto3 = pytest.importorskip("boto3")
    far = boto3.client("sqs", region_name="eu-west-1")
    queue = far.create_queue(QueueName="far")["QueueUrl"]
    SqsSink(url("far", "eu-west-1")).put("k1", RECORD, Deadline(5))
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    boto3.DEFAULT_SESSION = None
    SqsSink(url("far", "eu-west-1")).put("k1", RECORD, Deadline(5))
    assert len(received(far, queue)) == 2


def test_a_queue_cannot_be_asked_and_owns_nothing() -> None:
    sink = SqsSink(url("results"), client=object())
    assert sink.keeps
    assert not sink.has("k1", Deadline())
    assert not sink.owns(url("results"))


@pytest.mark.parametrize(
    "given",
    [
        "sqs://",
        "sqs://results",
        "sqs://sqs.us-east-1.amazonaws.com",
        "sqs://sqs.us-east-1.amazonaws.com/123456789012",
        "sqs://sqs.us-east-1.amazonaws.com/123456789012/",
        "sqs://sqs.us-east-1.amazonaws.com//results",
        "sqs:///123456789012/results",
        "sqs://sqs.us-east-1.amazonaws.com/123456789012/results/",
        "sqs://https://sqs.us-east-1.amazonaws.com/123456789012/results",
    ],
)
def test_a_url_of_another_form_is_a_wrong_setting(given: str) -> None:
    with pytest.raises(ConfigError, match=r"^The sink is not of the form sqs://sqs\.REGION\.amazonaws\.com/ACC"):
        SqsSink(given, client=object())


def test_without_boto3_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(ConfigError, match=r"^The sink sqs:// needs boto3: add it to the function's requirements"):
        SqsSink(url("results"))


def test_a_queue_that_is_not_there_is_told_without_secrets(sqs: Any) -> None:
    sink = SqsSink(url("no-such-queue"))
    with pytest.raises(SinkError, match=r"^The queue did not take the result \(\w+\)\.$") as caught:
        sink.put("k1", RECORD, Deadline(5))
    told = "".join(traceback.format_exception(caught.value))
    assert caught.value.retryable
    for secret in (SECRET, ACCOUNT, "no-such-queue"):
        assert secret not in told


def test_a_message_that_is_too_long_is_told(sqs: Any) -> None:
    sqs.create_queue(QueueName="short", Attributes={"MaximumMessageSize": "1024"})
    with pytest.raises(SinkError, match="The queue did not take the result"):
        SqsSink(url("short")).put("k1", {"key": "k1", "text": "x" * 2000}, Deadline(5))


def test_an_outage_is_told_without_secrets(sqs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", f"http://127.0.0.1:{port}")
    pytest.importorskip("boto3").DEFAULT_SESSION = None
    with pytest.raises(SinkError, match=r"^The queue did not take the result \(EndpointConnectionError") as at:
        SqsSink(url("results")).put("k1", RECORD, Deadline(5))
    assert SECRET not in "".join(traceback.format_exception(at.value))


# --- the platform's own output ---


def test_the_output_has_the_records_in_order() -> None:
    lines: list[str] = []
    sink = OutputSink(lines.append)
    sink.put("k1", RECORD, Deadline())
    sink.put("k2", {"key": "k2"}, Deadline())
    assert lines == [LINE, '{"key":"k2"}']


def test_a_function_without_an_output_records_nothing_and_says_so() -> None:
    with pytest.raises(SinkError, match=r"^The sink queue: needs a trigger whose function has an output queue"):
        OutputSink().put("k1", RECORD, Deadline())


def test_an_output_cannot_be_asked_and_owns_nothing() -> None:
    sink = OutputSink([].append)
    assert sink.keeps
    assert not sink.has("k1", Deadline())
    assert not sink.owns("queue:")


@pytest.mark.parametrize("name", ["predictions", "detections", "outputs"])
@pytest.mark.parametrize("longest", [LONGEST_QUEUED, LONGEST_SQS])
def test_a_result_that_no_queue_would_take_is_a_problem_there(longest: int, name: str) -> None:
    """Handed back, it would never pass: the event would end unanswered, or block its partition."""
    record = {"key": "k1", "request_id": "r", "options": {}, name: ["a" * longest]}
    line = fitting(record, longest)
    assert len(line) < 1000
    told = json.loads(line)
    assert (told["key"], told["options"], name in told) == ("k1", {}, False)
    assert "ask for fewer classes" in told["problem"]["detail"]
    assert fitting({"key": "k1"}, longest) == '{"key":"k1"}'


def test_the_output_is_given_what_fits() -> None:
    lines: list[str] = []
    OutputSink(lines.append).put("k1", {"key": "k1", "predictions": ["x" * 60_000]}, Deadline())
    assert "problem" in json.loads(lines[0])
