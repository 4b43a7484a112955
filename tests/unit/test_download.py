"""Which reader a URL goes to, and with which limits."""

import threading
from typing import Any

import pytest

from helpers.images import encode, gradient
from helpers.origin import drip, response, serving
from mlserverless import stores
from mlserverless.config import Settings
from mlserverless.deadline import Deadline
from mlserverless.download import download, download_image
from mlserverless.errors import (
    ConfigError,
    ImageTooLarge,
    InvalidRequest,
    SourceBlocked,
    SourceError,
    SourceTimeout,
    UnsupportedMediaType,
)
from mlserverless.net import client

HERE = Settings(allow_private_addresses=True)
PNG = encode(gradient(8, 6))


def test_web_url_is_read_from_the_web() -> None:
    with serving({"/a.png": response(PNG)}) as origin:
        assert download(origin.url("/a.png"), HERE, Deadline(5)) == PNG


def test_private_addresses_are_blocked_by_default() -> None:
    with (
        serving({"/a.png": response(PNG)}) as origin,
        pytest.raises(SourceBlocked, match="not on the public internet"),
    ):
        download(origin.url("/a.png"), Settings(), Deadline(5))
    assert origin.requests == []


@pytest.mark.parametrize("url", ["s3://b/k", "gs://b/k", "az://b/k", "S3://b/k", "GS://b/k"])
def test_store_url_goes_to_its_store_with_the_limits(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    given: dict[str, Any] = {}

    def read(where: str, deadline: Deadline, **limits: Any) -> bytes:
        given.update(limits, url=where, seconds=deadline.seconds)
        return b"object"

    monkeypatch.setattr(stores, "read", read)
    settings = Settings(max_bytes=7, allowed_hosts=("s3://b",), download_timeout=3)
    assert download(url, settings, Deadline(60)) == b"object"
    limits = {"url": url, "max_bytes": 7, "allowed_hosts": ("s3://b",), "seconds": 3}
    assert given == {**limits, "version": "", "pin": ""}
    download(url, settings, Deadline(60), "0x8D", "etag")
    assert given == {**limits, "version": "0x8D", "pin": "etag"}


def test_every_limit_reaches_the_client(monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, Any] = {}

    def get(url: str, deadline: Deadline, **limits: Any) -> bytes:
        given.update(limits)
        return b""

    monkeypatch.setattr(client, "get", get)
    settings = Settings(max_bytes=7, max_redirects=2, allowed_hosts=("h",), allow_private_addresses=True)
    download("http://h/", settings, Deadline())
    limits = {"max_bytes": 7, "max_redirects": 2, "allowed_hosts": ("h",), "allow_private": True}
    assert given == {**limits, "meanwhile": None, "trace": ""}


def test_meanwhile_is_called_when_the_web_is_waited_for() -> None:
    called = threading.Event()

    def reply(_: Any, connection: Any) -> None:
        if called.wait(10):
            connection.sendall(response(PNG))

    with serving({"/a.png": reply}) as origin:
        assert download(origin.url("/a.png"), HERE, Deadline(20), meanwhile=called.set) == PNG


def test_meanwhile_is_called_before_a_store_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    monkeypatch.setattr(stores, "read", lambda *_, **__: order.append("read") or b"object")
    assert download("s3://b/k", Settings(), Deadline(5), meanwhile=lambda: order.append("meanwhile")) == b"object"
    assert order == ["meanwhile", "read"]


@pytest.mark.parametrize("url", ["no url", "ftp://h.example/", "http://h.example/", 5])
def test_meanwhile_is_not_called_where_nothing_is_waited_for(url: Any) -> None:
    with pytest.raises((InvalidRequest, SourceBlocked)):
        download(
            url, HERE._replace(allowed_hosts=("other",)), Deadline(5), meanwhile=lambda: pytest.fail("called")
        )


@pytest.mark.parametrize(("timeout", "granted"), [(0.4, 60), (60, 0.4), (0.4, None)])
def test_nearer_of_timeout_and_deadline_ends_it(timeout: float, granted: float | None) -> None:
    slow = drip(b"HTTP/1.1 200 OK\r\n\r\n", b"x")
    with (
        serving({"/": slow}) as origin,
        pytest.raises(SourceTimeout, match=r"within 0\.4 s"),
    ):
        download(origin.url(), HERE._replace(download_timeout=timeout), Deadline(granted))


def test_byte_cap_and_redirects_hold() -> None:
    moved = response(b"", "302 Found", Location="/")
    with serving({"/": moved, "/big": response(bytes(11))}) as origin:
        with pytest.raises(SourceError, match="redirects more than 0 times"):
            download(origin.url(), HERE._replace(max_redirects=0), Deadline(5))
        with pytest.raises(ImageTooLarge, match="has 11 bytes; at most 10 are accepted"):
            download(origin.url("/big"), HERE._replace(max_bytes=10), Deadline(5))


@pytest.mark.parametrize("url", [None, 5, b"http://h.example/", ["http://h.example/"]])
def test_url_of_another_type_is_named(url: Any) -> None:
    with pytest.raises(InvalidRequest, match=rf"^The url is {type(url).__name__}, not a text\.$"):
        download(url, HERE, Deadline())


def test_download_image_opens_and_does_not_decode() -> None:
    with serving({"/a.png": response(PNG)}) as origin:
        image = download_image(origin.url("/a.png"), allow_private_addresses=True)
    assert (image.size, image.format) == ((8, 6), "PNG")
    assert image.tobytes() == gradient(8, 6).tobytes()


def test_download_image_takes_settings() -> None:
    with serving({"/a.png": response(PNG), "/t": response(b"text, really")}) as origin:
        with pytest.raises(ImageTooLarge, match="8 × 6 pixels; at most 47 are accepted"):
            download_image(origin.url("/a.png"), allow_private_addresses=True, max_pixels=47)
        with pytest.raises(UnsupportedMediaType, match="accepted are jpeg"):
            download_image(origin.url("/t"), allow_private_addresses=True, formats="jpeg")
    with pytest.raises(ConfigError, match="max_pixel is not a setting"):
        download_image("http://h.example/", max_pixel=1)


def test_download_image_reads_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLSERVERLESS_ALLOWED_HOSTS", "images.example")
    with pytest.raises(SourceBlocked, match=r"The host h\.example is not among the hosts"):
        download_image("http://h.example/")
