"""The suite's origin does what its description says; else a case could pass for the wrong reason."""

from collections.abc import Iterator
from http.client import HTTPConnection
from urllib.parse import urlsplit

import pytest

from mlserverless.testing.world import ACCOUNT, TEXT, World, photo, tag_of


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with World() as running:
        yield running


def ask(url: str, **headers: str) -> tuple[int, bytes, str]:
    at = urlsplit(url)
    connection = HTTPConnection(at.hostname or "", at.port, timeout=10)
    try:
        connection.request(
            "GET", at.path, headers={name.replace("_", "-"): value for name, value in headers.items()}
        )
        answer = connection.getresponse()
        return answer.status, answer.read(), answer.headers["ETag"]
    finally:
        connection.close()


def test_each_kind_of_object(world: World) -> None:
    assert ask(world.at("photo-1.jpg")) == (200, photo(), f'"{tag_of(photo())}"')
    assert ask(world.at("text-1"))[:2] == (200, TEXT)
    assert ask(world.at("nowhere"))[0] == 404
    assert [ask(world.at("busy-1"))[0] for _ in range(3)] == [503] * 3
    assert [ask(world.at("flaky-1"))[0] for _ in range(3)] == [503, 200, 200]
    assert ask(world.at("flaky-2"))[0] == 503, "each name has a first time of its own"


def test_an_object_that_is_another_is_not_given(world: World) -> None:
    assert ask(world.at("photo-1"), If_Match=f'"{tag_of(photo())}"')[0] == 200
    assert ask(world.at("photo-1"), If_Match='"other"')[0] == 412


def test_azures_address_is_the_same_object(world: World) -> None:
    assert ask(f"{world.origin}/{ACCOUNT}/images/photo-1")[0] == 200


def test_the_photo_is_always_the_same() -> None:
    assert photo()[:2] == b"\xff\xd8"
    assert photo() is photo()


def test_the_sink_is_read(world: World) -> None:
    assert world.records() == {}
    folder = world.folder / "results"
    folder.mkdir()
    (folder / "k1.json").write_text('{"key": "k1"}')
    (folder / "k1.json.part").write_text("{")
    assert world.records() == {"k1": {"key": "k1"}}
    assert world.sink == f"file://{folder}"
