"""Pieces, lines and blocks of what an origin sends, and how much of it is read."""

import socket
from collections.abc import Iterator

import pytest

from mlserverless.deadline import Deadline
from mlserverless.errors import ImageTooLarge
from mlserverless.net.buffered import AHEAD, Buffered
from mlserverless.net.head import Improper
from mlserverless.net.timed import TimedSocket

Pair = tuple[Buffered, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield Buffered(TimedSocket(ours, Deadline(5)), 1000, "image"), theirs


def test_lines_blocks_and_pieces_follow_one_another(pair: Pair) -> None:
    read, theirs = pair
    theirs.sendall(b"one\r\ntwo\r\n\r\n3\r\n\r\nrest")
    assert read.block(8, b"on") == b"one\r\ntwo"
    assert (read.line(1), read.line(0)) == (b"3", b"")
    assert (read.some(3), read.empty, read.some(3), read.empty) == (b"res", False, b"t", True)
    theirs.sendall(b"more")
    assert (read.some(2), read.taken(9), read.taken(9)) == (b"mo", b"re", b"")
    theirs.close()
    assert (read.some(9), read.some(AHEAD), read.into(bytearray(9))) == (b"", b"", 0)


def test_what_is_wanted_by_the_piece_is_not_read_ahead() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(bytes(AHEAD + 5))
        read = Buffered(TimedSocket(ours, Deadline(5)), 1 << 20, "image")
        assert (len(read.some(AHEAD)), read.empty) == (AHEAD, True)
        assert (read.some(0), read.empty) == (b"", True)
        assert (read.some(2), read.empty) == (bytes(2), False)


@pytest.mark.parametrize("sent", [b"a\r\nb\r\n\r\n", b"a\r\n\r\n"])
def test_marks_are_found_however_they_are_cut(pair: Pair, sent: bytes) -> None:
    read, theirs = pair
    for at in range(len(sent)):
        theirs.sendall(sent[at : at + 1])
        if at + 1 < len(sent):
            assert read._more() == 1
    assert read.block(9, b"") == sent[:-4]
    assert read.empty


@pytest.mark.parametrize("most", [0, 1, 5])
def test_lines_are_as_long_as_they_may_be(pair: Pair, most: int) -> None:
    read, theirs = pair
    theirs.sendall(b"x" * most + b"\r\n" + b"x" * (most + 1) + b"\r\n")
    assert read.line(most) == b"x" * most
    with pytest.raises(Improper, match="its head, or a line between its chunks, is too long"):
        read.line(most)


def test_line_that_never_ends_is_given_up(pair: Pair) -> None:
    read, theirs = pair
    theirs.sendall(b"x" * 12)
    with pytest.raises(Improper, match="too long"):
        read.line(10)


def test_end_in_a_line_is_told(pair: Pair) -> None:
    read, theirs = pair
    theirs.sendall(b"HTTP/1.1 200 OK\r\n")
    theirs.close()
    with pytest.raises(Improper, match=r"^did not answer in proper HTTP: it ended before its end$"):
        read.block(1000, b"HTTP/1.")


# None of these waits for more: what has come can become no answer.
@pytest.mark.parametrize(
    "sent", [b"HTTP/1.1 200 OK\n", b"HTTP/1.1 200 OK\r\nX: y\n", b"\n", b"HTTP/1.1 200\r\n\n"]
)
def test_bare_line_feed_is_refused_as_it_comes(pair: Pair, sent: bytes) -> None:
    read, theirs = pair
    for at in range(len(sent)):
        theirs.sendall(sent[at : at + 1])
        read._more()
    with pytest.raises(Improper, match="a line of it ends with a bare line feed"):
        read.block(1000, b"HTTP/1.")


def test_bare_line_feed_that_comes_later_is_refused_too(pair: Pair) -> None:
    read, theirs = pair
    theirs.sendall(b"\r")
    read._more()
    theirs.sendall(b"x\n")
    with pytest.raises(Improper, match="bare line feed"):
        read.line(1000)


@pytest.mark.parametrize("sent", [b"SSH-2.0-OpenSSH_9.6\r\n", b"220 smtp.example\r\n", b"\r\nHTTP/1.1 200 OK\r\n"])
def test_another_protocol_is_refused_at_its_first_line(pair: Pair, sent: bytes) -> None:
    read, theirs = pair
    theirs.sendall(sent)
    with pytest.raises(Improper, match=r"it does not begin as HTTP/1\.1 or 1\.0"):
        read.block(1000, b"HTTP/1.")


def test_all_bytes_are_counted(pair: Pair) -> None:
    read, theirs = pair
    theirs.sendall(bytes(1000))
    assert sum(len(read.some(400)) for _ in range(3)) == 1000
    theirs.sendall(b"x")
    with pytest.raises(
        ImageTooLarge, match=r"^The image's origin sent more than [\d,]+ bytes, over twice of what is accepted\.$"
    ):
        read.into(bytearray(1))
