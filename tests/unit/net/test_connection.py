"""The connect step: one resolution, all of its answers checked, and the peer is one of them."""

import socket
import ssl
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from helpers.origin import response, serving, silence
from helpers.pools import in_threads
from mlserverless.deadline import Deadline
from mlserverless.errors import SourceBlocked, SourceError, SourceNotFound, SourceTimeout
from mlserverless.net import connection, dial
from mlserverless.net.client import get
from mlserverless.net.connection import GuardedConnection, trust
from mlserverless.net.url import parse

Resolve = Callable[..., None]
PUBLIC, OTHER = "93.184.215.14", "2606:4700::1111"


def fetch(url: str, seconds: float = 5, *, private: bool = False) -> bytes:
    return get(url, Deadline(seconds), max_bytes=1000, allow_private=private)


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.0.0.1", "169.254.169.254", "168.63.129.16", "::1", "::ffff:10.0.0.1", "64:ff9b::1"],
)
@pytest.mark.parametrize("others", [(), (PUBLIC,), (PUBLIC, OTHER)])
def test_one_denied_address_blocks_the_host(
    resolve: Resolve, connected: list[Any], address: str, others: tuple[str, ...]
) -> None:
    for addresses in ((address, *others), (*others, address)):
        resolve(*addresses)
        with pytest.raises(SourceBlocked) as caught:
            fetch("http://h.example/")
        assert str(caught.value) == "h.example leads to an address that is not on the public internet."
    assert connected == []


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "[::1]", "2130706433", "0x7f.1", "127.1", "0.0.0.0", "[::ffff:127.0.0.1]"]
)
def test_spellings_of_this_machine_are_blocked_or_unknown(connected: list[Any], host: str) -> None:
    with pytest.raises((SourceBlocked, SourceNotFound)):
        fetch(f"http://{host}/")
    assert connected == []


def test_connection_goes_to_the_address_that_was_checked(
    resolve: Resolve, monkeypatch: pytest.MonkeyPatch, connected: list[Any]
) -> None:
    answers = iter([["127.0.0.1"], ["10.0.0.1"]])  # a second question would be answered otherwise

    with serving({"/": response(b"once")}) as origin:

        def getaddrinfo(host: bytes, port: int, **_: Any) -> list[Any]:
            return [(socket.AF_INET, 1, 6, "", (address, origin.port)) for address in next(answers)]

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
        assert fetch("http://h.example/", private=True) == b"once"
        assert connected == [("127.0.0.1", origin.port)]
        assert "Host: h.example\r\n" in origin.requests[0]


def test_peer_is_checked_after_connecting(resolve: Resolve, monkeypatch: pytest.MonkeyPatch) -> None:
    """A public address that a translator turns into a private peer: the socket's own peer is what counts."""
    with serving({"/": response(b"x")}) as origin:
        resolve("127.0.0.1", port=origin.port)
        asked: list[str] = []

        def only_the_peer_is_private(address: str) -> bool:
            asked.append(address)
            return len(asked) == 1

        monkeypatch.setattr(dial, "is_public", only_the_peer_is_private)
        with pytest.raises(
            SourceBlocked, match=r"^h\.example led to an address that is not on the public internet"
        ):
            fetch("http://h.example/")
        assert asked == ["127.0.0.1", "127.0.0.1"]
    assert origin.requests == []  # nothing was sent


def test_next_address_is_tried_where_one_refuses(
    resolve: Resolve, monkeypatch: pytest.MonkeyPatch, connected: list[Any]
) -> None:
    with serving({"/": response(b"second")}) as origin:
        refusing = socket.socket()
        refusing.bind(("127.0.0.1", 0))  # bound and not listening: it refuses
        places = [refusing.getsockname(), ("127.0.0.1", origin.port)]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [(2, 1, 6, "", place) for place in places])
        assert fetch("http://h.example/", private=True) == b"second"
        assert connected == places
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [(2, 1, 6, "", place) for place in places[:1]])
        with pytest.raises(SourceError, match=r"the connection failed \(Connection refused\)") as caught:
            fetch("http://h.example/", private=True)
        assert caught.value.retryable
        refusing.close()


def test_name_without_any_address_is_a_timeout_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [])
    with pytest.raises(SourceTimeout):
        fetch("http://h.example/")


@pytest.mark.parametrize("error", [socket.EAI_NONAME, socket.EAI_NODATA])
def test_unknown_name_is_not_found(monkeypatch: pytest.MonkeyPatch, error: int) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", failing(socket.gaierror(error, "unknown")))
    with pytest.raises(SourceNotFound, match=r"^There is no host named h\.example\.$"):
        fetch("http://h.example/")


@pytest.mark.parametrize("error", [socket.EAI_AGAIN, socket.EAI_FAIL])
def test_resolver_that_fails_for_now_is_retryable(monkeypatch: pytest.MonkeyPatch, error: int) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", failing(socket.gaierror(error, "try again")))
    with pytest.raises(SourceError, match=r"^The name h\.example cannot be resolved just now\.$") as caught:
        fetch("http://h.example/")
    assert caught.value.retryable


def failing(error: Exception) -> Callable[..., Any]:
    def getaddrinfo(*_: Any, **__: Any) -> Any:
        raise error

    return getaddrinfo


@pytest.mark.parametrize("host", ["a..b.example", ".example", "a" * 64 + ".example", "a." * 126 + "aa"])
def test_name_that_dns_cannot_hold_is_not_asked_for(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", failing(AssertionError("asked")))
    with pytest.raises(SourceNotFound, match="There is no host named"):
        fetch(f"http://{host}/")


@pytest.mark.parametrize("host", ["a" * 63 + ".example", "a." * 126 + "a"])
def test_longest_names_are_asked_for_in_bytes(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    monkeypatch.setattr(socket, "getaddrinfo", lambda name, *_, **__: asked.append(name) or [])
    with pytest.raises(SourceTimeout):
        fetch(f"http://{host}/")
    assert asked == [host.encode()]


def test_resolver_that_stalls_ends_at_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    go_on = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: go_on.wait(20) and [])
    start = time.monotonic()
    with pytest.raises(SourceTimeout, match=r"^The name h\.example was not resolved within 0\.3 s\.$"):
        fetch("http://h.example/", 0.3)
    assert time.monotonic() - start < 1.3
    go_on.set()


def test_no_time_left_means_no_connection(connected: list[Any]) -> None:
    with pytest.raises(SourceTimeout, match="within 0 s"):
        fetch("http://127.0.0.1:1/", 0, private=True)
    assert connected == []


def test_tls_handshake_that_stalls_ends_at_the_deadline() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        start = time.monotonic()
        with pytest.raises(SourceTimeout, match=r"did not deliver the image within 0\.4 s"):
            fetch(f"https://127.0.0.1:{listener.getsockname()[1]}/", 0.4, private=True)
        assert time.monotonic() - start < 1.4


def test_plain_http_answer_to_tls_is_an_error_and_retryable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            accepted, _ = listener.accept()
            with accepted:
                accepted.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                accepted.recv(65536)

        answering = threading.Thread(target=answer)
        answering.start()
        with pytest.raises(SourceError, match=r"cannot be read: the connection failed") as caught:
            fetch(f"https://127.0.0.1:{listener.getsockname()[1]}/", 3, private=True)
        assert caught.value.retryable
        answering.join(10)


def test_sockets_are_closed_whatever_happens(resolve: Resolve) -> None:
    # Python warns of sockets that are left open, and warnings are errors here
    with serving({"/": response(b"x"), "/silent": silence}) as origin:
        for _ in range(3):
            fetch(origin.url(), private=True)
            with pytest.raises(SourceTimeout):
                fetch(origin.url("/silent"), 0.1, private=True)


def test_connection_that_fails_in_tls_closes_its_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving({}) as origin:
        guarded = GuardedConnection(parse(f"https://127.0.0.1:{origin.port}/"), Deadline(5), allow_private=True)

        def fail(self: GuardedConnection, raw: socket.socket) -> ssl.SSLSocket:
            opened.append(raw)
            raise ssl.SSLError("no")

        opened: list[socket.socket] = []
        monkeypatch.setattr(GuardedConnection, "_secure", fail)
        with pytest.raises(ssl.SSLError):
            guarded.connect()
        assert opened[0].fileno() == -1


def test_address_of_a_family_that_this_machine_lacks_is_passed_over(
    resolve: Resolve, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving({"/": response(b"x")}) as origin:
        places = [(99, ("::1", origin.port)), (socket.AF_INET, ("127.0.0.1", origin.port))]
        found = [(family, 1, 6, "", place) for family, place in places]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
        assert fetch("http://h.example/", private=True) == b"x"


def test_machine_without_another_thread_may_have_one_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threading.Thread, "start", refuse)
    with pytest.raises(SourceError, match="cannot be resolved just now") as caught:
        fetch("http://h.example/")
    assert caught.value.retryable


def refuse(_: threading.Thread) -> None:
    raise RuntimeError("can't start new thread")


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]"])
def test_address_is_not_resolved(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a thread nor a question to anybody."""
    asked, getaddrinfo = list[tuple[bytes, int]](), socket.getaddrinfo

    def noted(name: bytes, *given: Any, flags: int = 0, **more: Any) -> Any:
        asked.append((name, flags))
        return getaddrinfo(name, *given, flags=flags, **more)

    monkeypatch.setattr(socket, "getaddrinfo", noted)
    monkeypatch.setattr(threading.Thread, "start", refuse)
    with pytest.raises(SourceBlocked):
        fetch(f"http://{host}/")
    assert asked == [(host.strip("[]").encode(), socket.AI_NUMERICHOST)]


@pytest.mark.parametrize("host", ["1.2.3.4.5", "999.1.1.1", "99999999999"])
def test_what_looks_like_an_address_and_is_none_is_not_found(
    host: str, monkeypatch: pytest.MonkeyPatch, connected: list[Any]
) -> None:
    monkeypatch.setattr(threading.Thread, "start", refuse)
    with pytest.raises(SourceNotFound) as caught:
        fetch(f"http://{host}/")
    assert (str(caught.value), connected) == (f"There is no host named {host}.", [])


def test_several_threads_read_the_certificates_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the slowest step of a first download over TLS, and a batch's first requests come together."""
    made, together, found = list[int](), threading.Barrier(8), list[Any]()

    def create() -> object:
        made.append(1)
        time.sleep(0.02)  # long enough for all the others to come
        return object()

    def ask() -> None:
        together.wait(10)
        found.append(trust())

    monkeypatch.setattr(connection, "_contexts", [])
    monkeypatch.setattr(ssl, "create_default_context", create)
    in_threads(8, ask)
    assert (len(made), len(found), len(set(map(id, found)))) == (1, 8, 1)


def test_certificates_that_cannot_be_read_are_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> object:
        raise ssl.SSLError("no CA file")

    monkeypatch.setattr(connection, "_contexts", [])
    monkeypatch.setattr(ssl, "create_default_context", fail)
    for _ in range(2):
        with pytest.raises(ssl.SSLError):
            trust()
    monkeypatch.setattr(ssl, "create_default_context", object)
    assert trust() is trust()
