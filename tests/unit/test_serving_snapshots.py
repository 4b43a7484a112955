"""A service around a snapshot: warm in it, and with nothing of it that copies cannot share."""

import logging
import random
import socket
import sys
from pathlib import Path
from typing import Any

import pytest

from helpers.child import run
from helpers.services import FakeService
from mlserverless import serving, stores
from mlserverless.errors import ConfigError, ModelUnavailable
from mlserverless.net import connection, pool
from mlserverless.predictor import Predictor
from mlserverless.serving import Service
from mlserverless.sinks import LogSink, Sink


class Opened(LogSink):
    """A sink that the settings name, as a client with a connection would be."""


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[Sink]:
    """Return the sinks that services open."""
    sinks: list[Sink] = []

    def open_sink(url: str, write: Any) -> Sink:
        sinks.append(Opened(write))
        return sinks[-1]

    monkeypatch.setattr(serving, "open_sink", open_sink)
    return sinks


@pytest.fixture
def kept() -> Any:
    """Return a kept connection's socket."""
    ours, theirs = socket.socketpair()
    pool.put(pool.Key("http", "example.com", 80, False), ours)
    with theirs:
        yield ours
    pool.clear()


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a store that is kept, with credentials of the time before."""
    pytest.importorskip("obstore")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "before")
    yield stores._store("s3://bucket", 1)
    stores.forget()


def test_a_copy_finds_in_memory_what_a_first_request_would_load(
    opened: list[Sink], monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared: list[str] = []
    monkeypatch.setattr(connection, "trust", lambda: prepared.append("certificates"))
    monkeypatch.setattr(stores, "prepare", lambda: prepared.append("stores"))
    service = FakeService()
    service.suspend()
    assert service.fake.warmed == 1
    assert prepared == ["certificates", "stores"]
    assert opened == [], "the sink that was given is the one"


def test_a_snapshot_holds_what_the_formats_need(tmp_path: Path, models: Path) -> None:
    code = f"""
import sys
from mlserverless.predictor import Predictor
from mlserverless.serving import Service
service = Service(lambda: Predictor({str(models / "dogs-vs-cats")!r}, formats="gif,jpeg,png,webp"))
service.suspend()
from mlserverless.net import connection
plugins = [name for name in ("Gif", "Jpeg", "Png", "WebP") if f"PIL.{{name}}ImagePlugin" in sys.modules]
told = [plugins, len(connection._contexts), "mlserverless.net.client" in sys.modules, "obstore" in sys.modules]
import json
print(json.dumps(told))
"""
    assert run(code, tmp_path) == [["Gif", "Jpeg", "Png", "WebP"], 1, True, True]


def test_the_real_model_is_ready_in_the_snapshot() -> None:
    service = Service()
    service.suspend()
    assert service.model().name == "efficientnet-lite0"
    loaded = service.predictor.loaded
    assert loaded is not None
    assert loaded.pool.made == 1
    service.resume()
    assert service.predictor.loaded is loaded, "the model is what a snapshot is for"


@pytest.mark.parametrize("step", ["suspend", "resume"])
def test_no_connection_goes_through_a_snapshot(step: str, kept: socket.socket) -> None:
    getattr(FakeService(), step)()
    assert kept.fileno() == -1, "it is closed"
    assert pool._idle == []


@pytest.mark.parametrize("step", ["suspend", "resume"])
def test_no_stores_client_goes_through_a_snapshot(step: str, store: Any) -> None:
    assert stores._store("s3://bucket", 1) is store
    getattr(FakeService(), step)()
    assert stores._store("s3://bucket", 1) is not store


def test_no_sinks_client_goes_through_a_snapshot(opened: list[Sink]) -> None:
    predictor: Any = FakeService().fake
    service = Service(lambda: predictor)
    service.suspend()
    assert len(opened) == 1, "what it imports is in the snapshot"
    assert service.sink is opened[1]
    service.resume()
    assert service.sink is opened[2]
    assert service.sink is opened[2], "and kept from then on"


def test_a_sink_that_was_given_is_kept(opened: list[Sink]) -> None:
    given = LogSink()
    service = FakeService(sink=given)
    service.suspend()
    service.resume()
    assert service.sink is given


def test_copies_do_not_throw_the_same_dice() -> None:
    snapshot, service = random.getstate(), FakeService()
    thrown = []
    for _ in range(3):
        random.setstate(snapshot)
        service.resume()
        thrown.append(random.random())
    assert len(set(thrown)) == 3


def test_copies_stir_what_makes_tls_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    import ssl

    stirred: list[tuple[bytes, float]] = []
    monkeypatch.setattr(ssl, "RAND_add", lambda data, entropy: stirred.append((data, entropy)))
    service = FakeService()
    service.resume()
    service.resume()
    (first, bits), (second, _) = stirred
    assert first != second
    assert bits == len(first) == 48


def test_resuming_imports_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("random", "ssl", "mlserverless.net.pool", "mlserverless.stores"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    before = set(sys.modules)
    FakeService().resume()
    assert set(sys.modules) == before


@pytest.mark.parametrize(
    ("settings", "error"), [({"model": "no-such-model"}, ModelUnavailable), ({"top_k": "many"}, ConfigError)]
)
def test_no_snapshot_is_taken_of_what_cannot_answer(settings: dict[str, str], error: type[Exception]) -> None:
    with pytest.raises(error):
        Service(lambda: Predictor(**settings)).suspend()


def test_no_snapshot_is_taken_where_the_sink_cannot_be_opened() -> None:
    with pytest.raises(ConfigError, match="bigquery"):
        Service(lambda: Predictor(sink="bigquery://table")).suspend()


def test_a_service_may_be_suspended_again(caplog: pytest.LogCaptureFixture) -> None:
    service = FakeService()
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            service.suspend()
            service.resume()
    assert service.fake.warmed == 2
    assert caplog.text == ""
