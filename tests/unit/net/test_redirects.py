"""Redirects: each hop is a URL like the first, checked anew. The allowed hosts. TLS."""

import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from helpers import tls
from helpers.origin import Origin, Reply, response, serving
from mlserverless.deadline import Deadline
from mlserverless.errors import SourceBlocked, SourceError
from mlserverless.net import connection, dial
from mlserverless.net.client import get


def fetch(url: str, *, private: bool = True, **options: Any) -> bytes:
    return get(url, Deadline(5), max_bytes=1000, allow_private=private, **options)


def onward(location: str, status: str = "302 Found") -> bytes:
    return response(b"moved", status, Location=location)


@pytest.fixture
def origin() -> Iterator[Origin]:
    with serving({"/end": response(b"image")}) as running:
        yield running


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See", "307 Temporary", "308 Permanent"])
@pytest.mark.parametrize(
    "location", ["/end", "end", "./x/../end", "{}/end", "//127.0.0.1:{port}/end", "/end#frag"]
)
def test_redirects_are_followed(origin: Origin, status: str, location: str) -> None:
    origin.replies["/start"] = onward(location.format(origin.url(""), port=origin.port), status)
    assert fetch(origin.url("/start")) == b"image"
    assert origin.paths == ["/start", "/end"]


@pytest.mark.parametrize(("hops", "most"), [(3, 3), (1, 1), (0, 0)])
def test_up_to_so_many_redirects(origin: Origin, hops: int, most: int) -> None:
    for hop in range(hops):
        origin.replies[f"/{hop}"] = onward(f"/{hop + 1}" if hop + 1 < hops else "/end")
    assert fetch(origin.url("/0" if hops else "/end"), max_redirects=most) == b"image"


@pytest.mark.parametrize("most", [0, 1, 3])
def test_more_redirects_are_refused_for_good(origin: Origin, most: int) -> None:
    origin.replies["/loop"] = onward("/loop")
    with pytest.raises(SourceError, match=rf"^127\.0\.0\.1 redirects more than {most} times\.$") as caught:
        fetch(origin.url("/loop"), max_redirects=most)
    assert not caught.value.retryable
    assert origin.paths == ["/loop"] * (most + 1)


@pytest.mark.parametrize("status", ["302 Found", "304 Not Modified"])
def test_redirect_to_nowhere_is_an_answer_that_is_no_image(origin: Origin, status: str) -> None:
    origin.replies["/start"] = response(b"", status)
    with pytest.raises(SourceError, match=f"answered {status}") as caught:
        fetch(origin.url("/start"))
    assert not caught.value.retryable


@pytest.mark.parametrize(
    "location", ["http://[bad", "http://h.example:99999/", "/a b", "/a\\b", "/caf\xe9", "http:x", "http://./"]
)
def test_redirect_to_no_url_is_the_origins_fault(origin: Origin, location: str) -> None:
    origin.replies["/start"] = onward(location)
    with pytest.raises(SourceError, match=r"^127\.0\.0\.1 redirects to something that is no URL\.$") as caught:
        fetch(origin.url("/start"))
    assert not caught.value.retryable


def test_redirect_with_a_control_character_is_no_proper_answer(origin: Origin) -> None:
    origin.replies["/start"] = onward("http://h\x00/")
    with pytest.raises(SourceError, match="proper HTTP: its head has control characters or bare line breaks"):
        fetch(origin.url("/start"))


def test_redirect_in_utf_8_is_followed(origin: Origin) -> None:
    origin.replies["/start"] = onward("/é?ü".encode().decode("latin-1"))
    origin.replies["/%C3%A9?%C3%BC"] = response(b"image")
    assert fetch(origin.url("/start")) == b"image"


@pytest.mark.parametrize(
    "location",
    ["file:///etc/passwd", "ftp://h.example/", "data:image/png,x", "s3://bucket/key", "http://a:b@h.example/"],
)
def test_redirect_to_another_scheme_or_with_credentials_is_blocked(origin: Origin, location: str) -> None:
    origin.replies["/start"] = onward(location)
    with pytest.raises(SourceBlocked):
        fetch(origin.url("/start"))


@pytest.mark.parametrize("address", ["169.254.169.254", "10.0.0.1", "::1", "100.64.0.1"])
def test_redirect_to_a_private_address_is_blocked(
    origin: Origin, monkeypatch: pytest.MonkeyPatch, connected: list[Any], address: str
) -> None:
    # this machine stands in for the public origin: it alone counts as public
    monkeypatch.setattr(dial, "is_public", lambda text: text == "127.0.0.1")

    def getaddrinfo(host: bytes, port: int, **_: Any) -> list[Any]:
        place = "127.0.0.1" if host == b"first.example" else address
        return [(socket.AF_INET6 if ":" in place else socket.AF_INET, 1, 6, "", (place, port))]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    origin.replies["/start"] = onward("http://second.example/latest/meta-data/")
    with pytest.raises(SourceBlocked, match=r"^second\.example leads to an address that is not on the public"):
        fetch(origin.url("/start", host="first.example"), private=False)
    assert len(connected) == 1


def test_allowed_hosts_hold_for_the_first_url_and_for_each_hop(origin: Origin, connected: list[Any]) -> None:
    origin.replies["/start"] = onward("http://evil.example/")
    assert fetch(origin.url("/end"), allowed_hosts=("127.0.0.1",)) == b"image"
    with pytest.raises(SourceBlocked, match=r"^The host evil\.example is not among the hosts this function reads"):
        fetch(origin.url("/start"), allowed_hosts=("127.0.0.1",))
    tried = len(connected)
    with pytest.raises(SourceBlocked, match=r"^The host 127\.0\.0\.1 is not among the hosts"):
        fetch(origin.url("/end"), allowed_hosts=("*.example.com",))
    assert len(connected) == tried


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tls.certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def secure(certificate: Path) -> Iterator[Origin]:
    replies: dict[str, Reply] = {"/end": response(b"secret image")}
    with serving(replies, tls.server(certificate)) as running:
        yield running


@pytest.fixture
def _trusted(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tls.trust(monkeypatch, certificate)


def local(origin: Origin, path: str) -> str:
    return origin.url(path, host="localhost")


def only_v4(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda _, port, **__: [(2, 1, 6, "", ("127.0.0.1", port))])


def test_self_signed_certificate_is_a_lasting_error(secure: Origin, monkeypatch: pytest.MonkeyPatch) -> None:
    only_v4(monkeypatch)
    with pytest.raises(SourceError, match=r"^localhost cannot be read: its certificate is not valid\.$") as caught:
        fetch(local(secure, "/end"))
    assert not caught.value.retryable
    assert secure.requests == []


@pytest.mark.usefixtures("_trusted")
def test_trusted_certificate_of_the_host_is_accepted(secure: Origin, monkeypatch: pytest.MonkeyPatch) -> None:
    only_v4(monkeypatch)
    assert fetch(local(secure, "/end")) == b"secret image"


@pytest.mark.usefixtures("_trusted")
def test_trusted_certificate_of_another_host_is_a_lasting_error(
    secure: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    only_v4(monkeypatch)
    with pytest.raises(SourceError, match="its certificate is not valid") as caught:
        fetch(secure.url("/end", host="other.example"))
    assert not caught.value.retryable


@pytest.mark.usefixtures("_trusted")
@pytest.mark.parametrize("location", ["http://localhost/end", "HTTP://localhost/end"])
def test_https_does_not_lead_to_http(secure: Origin, monkeypatch: pytest.MonkeyPatch, location: str) -> None:
    only_v4(monkeypatch)
    secure.replies["/start"] = onward(location)
    with pytest.raises(SourceBlocked, match=r"^localhost redirects from https to a URL that is not; that is not"):
        fetch(local(secure, "/start"))


@pytest.mark.usefixtures("_trusted")
def test_https_leads_to_https_and_http_to_https(
    secure: Origin, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    only_v4(monkeypatch)
    secure.replies["/start"] = onward("/end")
    origin.replies["/up"] = onward(local(secure, "/start"))
    assert fetch(local(origin, "/up")) == b"secret image"


def test_context_is_made_once_and_verifies(secure: Origin, monkeypatch: pytest.MonkeyPatch) -> None:
    only_v4(monkeypatch)
    monkeypatch.setattr(connection, "_contexts", [])
    for _ in range(2):
        with pytest.raises(SourceError, match="certificate"):
            fetch(local(secure, "/end"))
    (context,) = connection._contexts
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
