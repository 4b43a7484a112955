"""Connections kept between requests: lent only to whom they are for, and never read stale."""

import os
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from helpers import origin as origins
from helpers.origin import Origin, Reply, reset, response, silence
from mlserverless import overlap
from mlserverless.deadline import Deadline
from mlserverless.errors import SourceError, SourceTimeout
from mlserverless.net import pool
from mlserverless.net.client import get
from mlserverless.net.pool import Key

KEY = Key("http", "h.example", 80, False)


@pytest.fixture(autouse=True)
def _empty() -> Iterator[None]:
    pool.clear()
    yield
    pool.clear()


@contextmanager
def serving(replies: dict[str, Reply]) -> Iterator[Origin]:
    with origins.serving(replies) as origin:
        try:
            yield origin
        finally:
            pool.clear()  # the origin waits for its connections to end


def then(first: bytes, *replies: Reply) -> Reply:
    """Answer ``first``, then each further request on the same connection with the next of ``replies``."""

    def reply(origin: Any, connection: socket.socket) -> None:
        connection.sendall(first)
        for following in replies:
            head = b""
            while b"\r\n\r\n" not in head and (more := connection.recv(65536)):
                head += more
            if not head:
                return
            origin.requests.append("kept " + head.decode("latin-1"))
            if isinstance(following, bytes):
                connection.sendall(following)
            else:
                following(origin, connection)

    return reply


def fetch(url: str, seconds: float = 5) -> bytes:
    return get(url, Deadline(seconds), max_bytes=1000, allow_private=True)


def pair() -> tuple[socket.socket, socket.socket]:
    return socket.socketpair()


def test_second_request_goes_over_the_same_connection(connected: list[Any]) -> None:
    with serving({"/": then(response(b"one"), response(b"two"))}) as origin:
        assert (fetch(origin.url()), fetch(origin.url())) == (b"one", b"two")
        assert len(connected) == 1
        assert [request[:5] for request in origin.requests] == ["GET /", "kept "]


@pytest.mark.parametrize(
    "first",
    [
        response(b"one", Connection="close"),
        b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\none",
        response(b"one") + b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison",
        response(b"one") + b"x",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n0\r\n\r\npoison",
    ],
    ids=["close", "1.0", "a second answer", "a byte more", "after the chunks"],
)
def test_connection_that_is_not_clean_is_not_kept(first: bytes, connected: list[Any]) -> None:
    with serving({"/": then(first, response(b"poison"))}) as origin:
        assert (fetch(origin.url()), fetch(origin.url())) == (b"one", b"one")
        assert len(connected) == 2


@pytest.mark.parametrize("status", ["404 Not Found", "500 Oh", "302 Found"])
def test_connection_with_an_unread_body_is_not_kept(status: str, connected: list[Any]) -> None:
    with serving({"/": then(response(b"no", status), response(b"two"))}) as origin:
        for _ in range(2):
            with pytest.raises(SourceError):
                fetch(origin.url())
        assert len(connected) == 2


@pytest.mark.parametrize("end", [reset, silence], ids=["reset", "silence"])
def test_stale_connection_is_replaced_once(end: Reply, connected: list[Any]) -> None:
    with serving({"/": then(response(b"one"), end)}) as origin:
        assert fetch(origin.url()) == b"one"
        assert fetch(origin.url(), 2) == b"one"  # of the second connection
        assert len(connected) == 2


def test_new_connection_is_not_tried_twice(connected: list[Any]) -> None:
    replies: dict[str, Reply] = {"/": then(response(b"one"), reset)}
    with serving(replies) as origin:
        fetch(origin.url())
        replies["/"] = reset
        with pytest.raises(SourceError):
            fetch(origin.url())
        assert len(connected) == 2


def test_answer_that_has_begun_is_not_asked_for_again(connected: list[Any]) -> None:
    half = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"
    with serving({"/": then(response(b"one"), half)}) as origin:
        fetch(origin.url())
        with pytest.raises(SourceError, match="announced 100 bytes and sent 4"):
            fetch(origin.url())
        assert len(connected) == 1


def test_kept_connection_leaves_time_for_a_new_one(connected: list[Any]) -> None:
    replies: dict[str, Reply] = {"/": then(response(b"one"), silence)}
    with serving(replies) as origin:
        fetch(origin.url())
        replies["/"] = silence
        with pytest.raises(SourceTimeout, match=r"within 0\.6 s"):
            fetch(origin.url(), 0.6)
        assert len(connected) == 2


def test_what_comes_unasked_is_never_an_answer() -> None:
    for unasked in (b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison", b""):
        ours, theirs = pair()
        pool.put(KEY, ours)
        theirs.sendall(unasked)
        theirs.close()
        assert pool.take(KEY) is None
        assert ours.fileno() == -1


def test_bytes_that_tls_has_read_already_count_as_unasked() -> None:
    ours, theirs = pair()

    class Pending:
        fileno, close = ours.fileno, ours.close

        def pending(self) -> int:
            return 1

    pool.put(KEY, Pending())
    assert pool.take(KEY) is None
    theirs.close()


@pytest.mark.parametrize(
    "other",
    [
        KEY._replace(scheme="https"),
        KEY._replace(host="g.example"),
        KEY._replace(port=81),
        KEY._replace(allow_private=True),
    ],
    ids=["scheme", "host", "port", "policy"],
)
def test_connection_is_lent_for_its_own_key_only(other: Key) -> None:
    ours, theirs = pair()
    with ours, theirs:
        pool.put(KEY, ours)
        assert pool.take(other) is None
        assert pool.take(KEY) is ours
        assert pool.take(KEY) is None


@pytest.mark.parametrize("later", [pool.IDLE_S, 10 * pool.IDLE_S, -1.0])
def test_connection_that_was_idle_too_long_is_closed(later: float, monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = pair()
    monkeypatch.setattr(pool, "time", lambda: 1000.0)
    pool.put(KEY, ours)
    monkeypatch.setattr(pool, "time", lambda: 1000.0 + later)
    assert pool.take(KEY) is None
    assert ours.fileno() == -1
    theirs.close()


def test_as_many_are_kept_as_a_batch_has_under_way() -> None:
    """Or each batch would connect anew."""
    assert pool.MOST >= overlap.MOST


def test_so_many_are_kept_and_the_oldest_goes_first() -> None:
    pairs = [pair() for _ in range(pool.MOST + 1)]
    for ours, _ in pairs:
        pool.put(KEY, ours)
    assert [ours.fileno() == -1 for ours, _ in pairs] == [True] + [False] * pool.MOST
    assert pool.take(KEY) is pairs[-1][0]
    pairs[-1][0].close()
    for _, theirs in pairs:
        theirs.close()


# From Python 3.12 on; the child does nothing that another thread could have locked.
@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_forked_process_keeps_none() -> None:
    ours, theirs = pair()
    pool.put(KEY, ours)
    with theirs:
        child = os.fork()
        if not child:
            os._exit(0 if pool.take(KEY) is None else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert pool.take(KEY) is ours
        ours.close()


def test_threads_never_share_a_connection(connected: list[Any]) -> None:
    many = [response(str(i).encode()) for i in range(50)]
    with serving({"/": then(response(b"first"), *many)}) as origin:
        answers: list[bytes] = []

        def ask() -> None:
            answers.extend(fetch(origin.url()) for _ in range(10))

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert len(answers) == 80
        assert answers.count(b"first") == len(connected) <= 8


def test_tls_connection_is_kept_too(connected: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """The handshake is the dear part; it is made once. The socket is what ``ssl`` gave."""
    made: list[ssl.SSLSocket] = []
    monkeypatch.setattr(
        "mlserverless.net.connection.GuardedConnection._secure", lambda _, raw: (made.append(raw), raw)[1]
    )
    with serving({"/": then(response(b"one"), response(b"two"))}) as origin:
        url = origin.url().replace("http:", "https:")
        assert (fetch(url), fetch(url)) == (b"one", b"two")
        assert (len(made), len(connected)) == (1, 1)
