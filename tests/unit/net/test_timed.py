"""A socket held to a deadline and to a number of bytes."""

import socket

import pytest

from helpers.origin import response, serving
from mlserverless.deadline import Deadline
from mlserverless.errors import ImageTooLarge, SourceError
from mlserverless.net.client import get
from mlserverless.net.timed import HEAD, HeadTooLarge, TimedSocket, time_left


def test_no_time_left_is_a_timeout() -> None:
    with pytest.raises(TimeoutError):
        time_left(Deadline(0))
    assert time_left(Deadline(None)) > 1e6
    assert 0 < time_left(Deadline(1)) <= 1


def test_neither_sends_nor_reads_without_time() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        timed = TimedSocket(ours, Deadline(0))
        with pytest.raises(TimeoutError):
            timed.sendall(b"x")
        with pytest.raises(TimeoutError):
            timed.makefile("rb").read(1)


def test_bytes_before_the_body_are_limited_and_so_are_all() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(bytes(10))
        timed = TimedSocket(ours, Deadline(5))
        timed.received = HEAD - 5
        with pytest.raises(HeadTooLarge):
            timed.receive(bytearray(10))
        theirs.sendall(bytes(10))
        timed.received, timed.left = 0, 9
        with pytest.raises(ImageTooLarge, match="far more bytes than are accepted"):
            timed.receive(bytearray(10))


def test_bytes_past_the_answer_are_told_without_reading_on() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        timed = TimedSocket(ours, Deadline(5))
        for sent, read, over in ((b"abc", 3, False), (b"abcd", 3, True)):
            theirs.sendall(sent)
            file = timed.makefile("rb")
            assert file.read(read) == sent[:read]
            file.close()
            assert timed.left_over is over
        theirs.sendall(b"more")  # was not there yet, and is not waited for
        assert timed.received == 7


@pytest.mark.parametrize(("lines", "fits"), [(60, True), (70, False)])
def test_many_small_headers_are_limited_together(lines: int, fits: bool) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n" + b"".join(
        b"X-%d: " % i + b"x" * 1100 + b"\r\n" for i in range(lines)
    )
    with serving({"/": head + b"\r\nok", "/short": response(b"")}) as origin:

        def fetch() -> bytes:
            return get(origin.url(), Deadline(5), max_bytes=10, allow_private=True)

        if fits:
            assert fetch() == b"ok"
        else:
            with pytest.raises(SourceError, match=r"proper HTTP, or not to the end \(HeadTooLarge\)"):
                fetch()
