"""A timer's tick: it warms up, or classifies what a list names, each time anew and no line twice."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from helpers import tls
from helpers.origin import response, serving
from helpers.services import PREDICTION, FakeService
from helpers.sinks import MemorySink
from mlserverless import stores
from mlserverless.deadline import Deadline
from mlserverless.errors import Overloaded, SourceError, SourceNotFound
from mlserverless.events.schedule import MAX_LIST_BYTES, Schedule, Tick
from mlserverless.net import client
from mlserverless.serving import Redeliver, Service
from mlserverless.types import Options, Request

TICK = Tick("t-1", "2026-11-25T02:00:00Z")
LIST = "s3://lists/photos.txt"


class Stored:
    """Stands in for the store: hands out ``data``, and keeps what it was asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, data: str | bytes | Exception) -> None:
        self.data, self.asked, self.left = data, list[str](), list[float]()
        monkeypatch.setattr(stores, "stream", self._stream)

    def _stream(
        self, url: str, deadline: Deadline, take: Callable[[bytes], object], *, max_bytes: int, what: str
    ) -> None:
        assert (max_bytes, what) == (MAX_LIST_BYTES, "list")
        self.asked.append(url)
        self.left.append(deadline.remaining())
        if isinstance(self.data, Exception):
            raise self.data
        data = self.data.encode() if isinstance(self.data, str) else self.data
        for at in range(0, len(data), 7):
            take(data[at : at + 7])


def service(answer: Any = PREDICTION, **settings: Any) -> FakeService:
    return FakeService(answer, MemorySink(), **{"schedule_source": LIST, **settings})


def requests(monkeypatch: pytest.MonkeyPatch, listed: str | bytes) -> list[Request]:
    """Return the requests that a tick makes of the list."""
    Stored(monkeypatch, listed)
    made = service()
    try:
        Schedule(made)(TICK, Deadline())
    except Redeliver:
        raise AssertionError(made.lines) from None
    return made.requests


def test_without_a_list_it_warms_up() -> None:
    warm = FakeService()
    assert Schedule(warm)(TICK, Deadline()) == {"warm": True}
    assert (warm.fake.warmed, warm.requests, warm.lines) == (1, [], [])


def test_a_list_is_classified_and_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    stored, made = Stored(monkeypatch, "s3://b/1\nhttps://h.example/2\n"), service()
    assert Schedule(made)(TICK, Deadline()) == {"recorded": 2}
    assert stored.asked == [LIST]
    assert [record["source"] for record in made.sink.records.values()] == ["s3://b/1", "https://h.example/2"]
    assert made.fake.warmed == 0


def test_a_lines_version_is_the_time_that_the_tick_was_due(monkeypatch: pytest.MonkeyPatch) -> None:
    assert requests(monkeypatch, "s3://b/1\ngs://b/2") == [
        Request("t-1/0", url="s3://b/1", version=TICK.time),
        Request("t-1/1", url="gs://b/2", version=TICK.time),
    ]


def test_empty_lines_and_comments_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    listed = "# all of them\r\n\r\n  s3://b/1  \r\n\t# not this: s3://b/2\n\n s3://b/3#part\n"
    assert [request.url for request in requests(monkeypatch, listed)] == ["s3://b/1", "s3://b/3#part"]


def test_a_line_may_have_options(monkeypatch: pytest.MonkeyPatch) -> None:
    (plain, chosen) = requests(monkeypatch, 's3://b/1\n{"url": "s3://b/1", "top_k": 2}\n')
    assert (plain.options, chosen.options) == (Options(), Options(top_k=2))


@pytest.mark.parametrize("before", ["", " \n", "\ufeff"])
def test_a_list_may_be_one_of_json(monkeypatch: pytest.MonkeyPatch, before: str) -> None:
    listed = before + json.dumps(["s3://b/1", {"url": "s3://b/2"}, {"urls": ["s3://b/3"]}], indent=1)
    assert [request.url for request in requests(monkeypatch, listed)] == ["s3://b/1", "s3://b/2", "s3://b/3"]


@pytest.mark.parametrize("listed", ["", "\n", "# nothing yet\n", "[]"])
def test_an_empty_list_asks_for_nothing(monkeypatch: pytest.MonkeyPatch, listed: str) -> None:
    assert requests(monkeypatch, listed) == []


def test_a_list_may_have_more_than_one_message_may(monkeypatch: pytest.MonkeyPatch) -> None:
    urls = [f"s3://b/{number}" for number in range(1500)]
    assert [request.url for request in requests(monkeypatch, json.dumps(urls))] == urls


@pytest.mark.parametrize(
    ("listed", "count"),
    [("s3://b/1\nnot a url\ns3://b/2", 2), ('["s3://b/1", 5]', 1), ("[s3://b/1]", 0), ("\xff", 0)],
)
def test_a_line_that_is_wrong_is_recorded_and_takes_no_other_along(
    monkeypatch: pytest.MonkeyPatch, listed: str, count: int
) -> None:
    """It will never pass, so that it does not bring the tick back."""
    Stored(monkeypatch, listed)
    made = service()
    assert Schedule(made)(TICK, Deadline()) == {"recorded": count + 1}
    assert len(made.requests) == count
    told = [record["problem"]["code"] for record in made.sink.records.values() if "problem" in record]
    assert told == ["invalid-request"]


def test_a_line_that_names_a_stores_own_version_is_read_as_the_object_is_now(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A listing in JSON has generations; the tick's time is none, and no store has such a version."""
    listed = json.dumps({"kind": "storage#object", "bucket": "b", "name": "k", "generation": "158"})
    (request,) = requests(monkeypatch, listed)
    assert (request.url, request.version) == ("gs://b/k", TICK.time)
    assert request.pin == ""


def test_the_next_tick_scores_all_of_it_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    Stored(monkeypatch, "s3://b/1")
    made = service()
    for due in ("2026-11-25T02:00:00Z", "2026-11-25T03:00:00Z"):
        Schedule(made)(Tick("t", due), Deadline())
    assert [record["version"] for record in made.sink.records.values()] == [
        "2026-11-25T02:00:00Z",
        "2026-11-25T03:00:00Z",
    ]


def test_a_second_delivery_goes_on_where_the_first_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever its id, and though the list grew at its head meanwhile."""
    stored = Stored(monkeypatch, "s3://b/1\ns3://b/2\ns3://b/3")
    answers: list[Any] = [PREDICTION, Overloaded("busy"), PREDICTION, PREDICTION, PREDICTION]
    made = service(lambda _: answers.pop(0))
    with pytest.raises(Redeliver, match=r"^1 of 3 items failed: s3://b/2: overloaded: busy$"):
        Schedule(made)(TICK, Deadline())
    stored.data = "s3://b/0\n" + str(stored.data)
    assert Schedule(made)(TICK._replace(id="t-2"), Deadline()) == {"recorded": 2}
    assert [request.url for request in made.requests[3:]] == ["s3://b/0", "s3://b/2"]
    assert Schedule(made)(TICK, Deadline()) == {"recorded": 0}


@pytest.mark.parametrize("error", [SourceNotFound("There is no object."), SourceError("It answered 503.")])
def test_a_list_that_cannot_be_read_fails_the_tick(monkeypatch: pytest.MonkeyPatch, error: SourceError) -> None:
    Stored(monkeypatch, error)
    made = service()
    with pytest.raises(SourceError, match=str(error)):
        Schedule(made)(TICK, Deadline())
    assert (made.requests, made.sink.records) == ([], {})


@pytest.mark.parametrize(("granted", "timeout", "left"), [(60, 3, 3), (2, 3, 2)])
def test_the_list_is_read_within_the_downloads_time(
    monkeypatch: pytest.MonkeyPatch, granted: float, timeout: float, left: float
) -> None:
    stored, made = Stored(monkeypatch, "s3://b/1"), service(download_timeout=timeout)
    Schedule(made)(TICK, Deadline(granted))
    assert left - 0.5 < stored.left[0] <= left


def test_a_log_is_not_asked_what_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    Stored(monkeypatch, "s3://b/1")
    made = FakeService(schedule_source=LIST)
    for _ in range(2):
        Schedule(made)(TICK, Deadline())
    keys = [json.loads(line)["key"] for line in made.lines]
    assert len(keys) == 2
    assert len(set(keys)) == 1


def test_wrong_settings_fail_the_tick() -> None:
    from mlserverless.errors import ConfigError
    from mlserverless.predictor import Predictor

    with pytest.raises(ConfigError, match="top_k is 'many'"):
        Schedule(Service(lambda: Predictor(top_k="many")))(TICK, Deadline())


# --- a list on the web ---


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tls.certificate(tmp_path_factory.mktemp("tls"))


def test_a_list_may_lie_in_a_private_network(shown: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The deployment named it, as it names the model; what it lists is held to the function's rules."""
    tls.trust(monkeypatch, shown)
    with serving({"/list": response(b"\xef\xbb\xbfs3://b/1\n")}, tls.server(shown)) as origin:
        made = service(schedule_source=origin.url("/list", "localhost"))
        assert Schedule(made)(TICK, Deadline(10)) == {"recorded": 1}
    assert [request.url for request in made.requests] == ["s3://b/1"]


def test_a_list_on_the_web_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[client.Limits] = []

    def stream(url: str, deadline: Deadline, take: Callable[[bytes], object], limits: client.Limits) -> None:
        given.append(limits)
        take(b"s3://b/1")

    monkeypatch.setattr(client, "stream", stream)
    Schedule(service(schedule_source="https://h.example/list"))(TICK, Deadline())
    assert given[0].max_bytes == MAX_LIST_BYTES
    assert given[0].allow_private
    assert given[0].what == "list"


def test_a_list_that_is_not_there_on_the_web_fails_the_tick(shown: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tls.trust(monkeypatch, shown)
    with serving({"/list": response(b"", "404 Not Found")}, tls.server(shown)) as origin:
        made = service(schedule_source=origin.url("/list", "localhost"))
        with pytest.raises(SourceNotFound):
            Schedule(made)(TICK, Deadline(10))


def test_a_broken_line_of_another_tick_is_another_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cloud Scheduler's ticks have one name, the job's."""
    Stored(monkeypatch, "Hello!")
    made = service()
    for due in ("2026-11-24", "2026-11-25", "2026-11-25"):
        Schedule(made)(Tick("nightly", due), Deadline())
    assert len(made.sink.records) == 2
