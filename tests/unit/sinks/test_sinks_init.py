"""Which sink the setting opens, what every sink promises, and what becomes of an event whose sink is wrong."""

import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from helpers.s3 import use_s3_at
from helpers.services import FakePredictor
from mlserverless.config import Settings
from mlserverless.deadline import Deadline
from mlserverless.errors import ConfigError, InvalidRequest, ModelUnavailable, SinkError
from mlserverless.recording import hand_back, serve
from mlserverless.serving import Redeliver, Service
from mlserverless.sinks import Sink, open_sink
from mlserverless.sinks.bigquery import BigQuerySink
from mlserverless.sinks.log import LogSink
from mlserverless.sinks.objects import ObjectSink
from mlserverless.sinks.queues import OutputSink, SqsSink
from mlserverless.types import Outcome, Request

QUEUE = "sqs://sqs.us-east-1.amazonaws.com/1/results"
# What only the sinks that need them may bring along.
HEAVY = {"boto3", "botocore", "google", "obstore", "dataclasses", "numpy", "requests"}
OPENS = """
import sys
before = set(sys.modules)
from mlserverless.sinks import open_sink
open_sink(sys.argv[1]).put("k", {"key": "k"}, __import__("mlserverless.deadline").deadline.Deadline())
print(*sorted(name for name in set(sys.modules) - before if "." not in name))
"""


class Words:
    """A trigger whose event is a list of URLs."""

    def split(self, event: list[str]) -> Sequence[str]:
        return event

    def decode(self, item: str) -> Request:
        return Request(url=item)

    def reply(self, outcomes: Sequence[Outcome], failed: Sequence[Outcome]) -> None:
        hand_back(outcomes, failed)


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("log:", LogSink),
        ("file:///tmp/results", ObjectSink),
        ("s3://b/results", ObjectSink),
        ("gs://b/results", ObjectSink),
        ("az://c/results", ObjectSink),
        ("queue:", OutputSink),
    ],
)
def test_the_scheme_says_which_sink_it_is(url: str, kind: type) -> None:
    assert type(open_sink(url)) is kind


@pytest.mark.parametrize(
    ("url", "module", "kind"),
    [
        (QUEUE, "mlserverless.sinks.queues", SqsSink),
        ("bigquery://p.d.t", "mlserverless.sinks.bigquery", BigQuerySink),
    ],
)
def test_the_scheme_says_which_client_is_made(
    monkeypatch: pytest.MonkeyPatch, url: str, module: str, kind: type
) -> None:
    monkeypatch.setattr(f"{module}._client", lambda *_: object())
    assert type(open_sink(url)) is kind


def test_the_log_is_written_to_where_the_function_says() -> None:
    lines: list[str] = []
    open_sink("log:", lines.append).put("k", {"key": "k"}, Deadline())
    assert lines == ['{"key":"k"}']


def test_every_sink_but_the_log_keeps_work() -> None:
    kept: list[Sink] = [ObjectSink("s3://b"), OutputSink(), SqsSink(QUEUE, object()), open_sink("file:///tmp")]
    assert all(sink.keeps for sink in [*kept, BigQuerySink("bigquery://p.d.t", object())])
    assert not open_sink("log:").keeps


@pytest.mark.parametrize(
    "url", ["file:results", "bigquery://p", "sqs://q", "s3://", "gs://", "az://", "s3://b u/x", "s3://b//x"]
)
def test_a_url_that_the_setting_takes_and_the_sink_does_not_is_a_wrong_setting(url: str) -> None:
    Settings.load({}, sink=url)
    with pytest.raises(ConfigError):
        open_sink(url)


@pytest.mark.parametrize("scheme", ["log:", "file://"])
def test_the_log_and_a_folder_import_no_stores_client(tmp_path: Path, scheme: str) -> None:
    """The cold start is the product."""
    url = f"{scheme}{tmp_path}" if scheme == "file://" else scheme
    done = subprocess.run([sys.executable, "-c", OPENS, url], check=True, capture_output=True, text=True)
    assert HEAVY & set(done.stdout.split()) == set()


class Failing:
    """A sink whose write fails with what it was given."""

    keeps = True

    def __init__(self, error: Exception) -> None:
        self._error = error

    def put(self, key: str, record: dict[str, Any], deadline: Deadline) -> None:
        raise self._error

    def has(self, key: str, deadline: Deadline) -> bool:
        return False

    def owns(self, url: str) -> bool:
        return False


@pytest.mark.parametrize(
    "error", [SinkError("no"), ConfigError("no"), InvalidRequest("no"), OSError("no"), KeyError("no")]
)
def test_what_was_not_written_is_not_acknowledged_whatever_the_sink_raised(error: Exception) -> None:
    """Least of all as a problem that will never pass: that is for the item's own."""
    fake: Callable[[], Any] = FakePredictor
    with pytest.raises(Redeliver, match="1 of 1 items failed"):
        serve(Words(), ["s3://b/1"], Service(fake, Failing(error), [].append), Deadline())


@pytest.mark.parametrize("url", ["s3://", "s3://b u/x", "s3://b//x", "file:x", "sqs://q", "bigquery://p"])
def test_a_sink_that_is_wrong_hands_every_event_back(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    use_s3_at(monkeypatch, "http://127.0.0.1:9")
    lines: list[str] = []
    fake: Callable[[], Any] = lambda: FakePredictor(sink=url)  # noqa: E731
    with pytest.raises(Redeliver, match="1 of 1 items failed"):
        serve(Words(), ["s3://b/1"], Service(fake, write=lines.append), Deadline(5))


@pytest.mark.parametrize("url", [QUEUE, "bigquery://p.d.t"])
def test_a_client_that_cannot_be_made_hands_every_event_back(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """Without a region, or credentials, botocore and google-auth raise errors of their own."""

    def fail(*_: Any) -> Any:
        raise ValueError("no region")

    module = "queues" if url == QUEUE else "bigquery"
    monkeypatch.setattr(f"mlserverless.sinks.{module}._client", fail)
    fake: Callable[[], Any] = lambda: FakePredictor(sink=url)  # noqa: E731
    with pytest.raises(Redeliver, match="1 of 1 items failed"):
        serve(Words(), ["s3://b/1"], Service(fake, write=[].append), Deadline(5))


def test_a_record_does_not_wait_for_a_model_that_could_not_be_loaded() -> None:
    """A download that fails is tried by each prediction; the records beside would outlast the invocation."""

    class Missing(FakePredictor):
        loaded = None

        def load(self, deadline: Deadline | None = None) -> Any:
            raise AssertionError("asked for")

    fake: Callable[[], Any] = lambda: Missing(ModelUnavailable("Its origin answered 503."))  # noqa: E731
    with pytest.raises(Redeliver, match="model-unavailable"):
        serve(Words(), ["s3://b/1"], Service(fake, OutputSink([].append), [].append), Deadline(5))
