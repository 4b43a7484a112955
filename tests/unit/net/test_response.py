"""Responses: heads, bodies in every framing, whole and in pieces, and what is left on the connection."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from helpers.replies import Sent, response
from mlserverless.deadline import Deadline
from mlserverless.errors import ImageTooLarge
from mlserverless.net.head import HEAD, Improper
from mlserverless.net.response import FRAMING, MOST_INTERIM, MOST_LINE, MOST_TRAILERS, PIECE, Response
from mlserverless.net.timed import TimedSocket

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
Read = Callable[[Response], bytes]


def in_pieces(found: Response) -> bytes:
    return b"".join(found.pieces())


@pytest.fixture(params=[Response.whole, in_pieces], ids=["whole", "pieces"])
def read(request: pytest.FixtureRequest) -> Read:
    return request.param  # type: ignore[no-any-return]


def sized(body: bytes, more: bytes = b"") -> bytes:
    return OK + b"Content-Length: %d\r\n\r\n" % len(body) + body + more


def chunked(*chunks: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    return CHUNKED + b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + end


@pytest.mark.parametrize(
    ("sent", "body", "clean"),
    [
        (sized(b"image"), b"image", True),
        (sized(b""), b"", True),
        (sized(b"image", b"x"), b"image", False),
        (OK + b"Connection: close\r\nContent-Length: 2\r\n\r\nab", b"ab", False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nab", b"ab", False),
        (b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nab", b"ab", False),
        (OK + b"\r\nuntil the end", b"until the end", True),  # nothing can be asked over what has ended
        (chunked(b"ima", b"ge"), b"image", True),
        (chunked(b"image", end=b"000\r\n\r\n"), b"image", True),
        (chunked(b"image", end=b"0;a=b;c\r\nTrailer: x\r\nY: z\r\n\r\n"), b"image", True),
        (chunked(b"image", end=b"0\r\n\r\nx"), b"image", False),
        (chunked(), b"", True),
        (CHUNKED + b"A;x\r\n0123456789\r\n0a\r\n0123456789\r\n0\r\n\r\n", b"01234567890123456789", True),
        (CONTINUE * 2 + sized(b"image"), b"image", True),
    ],
)
def test_bodies(sent: bytes, body: bytes, clean: bool, read: Read) -> None:
    for cuts in ((), range(len(sent))):
        found = response(sent, cuts)
        assert found.head().status == 200
        assert not found.clean
        assert read(found) == body
        if not cuts:  # one byte at a time, what comes after the end is not read
            assert found.clean is clean


def fails(read: Read, sent: bytes, said: str, **limits: int) -> None:
    for cuts in ((), range(len(sent))):
        found = response(sent, cuts, **limits)
        with pytest.raises((Improper, ImageTooLarge)) as caught:
            (found.head(), read(found))
        assert str(caught.value) == said
        assert not found.clean


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (b"", "it ended before its end"),
        (CHUNKED, "it ended before its end"),
        (chunked(b"image", end=b""), "it ended before its end"),
        (chunked(b"image", end=b"0\r\n"), "it ended before its end"),
        (chunked(b"image", end=b"5\r\nab"), "it ended before its end"),
        (chunked(b"image", end=b"0\r\nTrailer: x"), "it ended before its end"),
        (chunked(end=b"\r\n"), "a chunk's size is not a hexadecimal number"),
        (chunked(end=b";x\r\n"), "a chunk's size is not a hexadecimal number"),
        (chunked(end=b"5 \r\nimage\r\n0\r\n\r\n"), "a chunk's size is not a hexadecimal number"),
        (chunked(end=b" 5\r\nimage\r\n0\r\n\r\n"), "a chunk's size is not a hexadecimal number"),
        (chunked(end=b"+5\r\nimage\r\n0\r\n\r\n"), "a chunk's size is not a hexadecimal number"),
        (chunked(end=b"-5\r\nimage\r\n0\r\n\r\n"), "a chunk's size is not a hexadecimal number"),
        (chunked(end=b"0x5\r\nimage\r\n0\r\n\r\n"), "a chunk's size is not a hexadecimal number"),
        (chunked(end=b"1_0\r\nimage\r\n0\r\n\r\n"), "a chunk's size is not a hexadecimal number"),
        (chunked(end=b"f" * 17 + b"\r\nimage"), "a chunk's size is not a hexadecimal number"),
        (chunked(end=b"5;a\rb\r\nimage\r\n0\r\n\r\n"), "its head has control characters or bare line breaks"),
        (chunked(end=b"5;\0\r\nimage\r\n0\r\n\r\n"), "its head has control characters or bare line breaks"),
        (chunked(end=b"0\r\nX: a\rb\r\n\r\n"), "its head has control characters or bare line breaks"),
        (chunked(end=b"0\r\nno trailer\r\n\r\n"), "a line of its head is no header"),
        (chunked(end=b"0\r\nX: a\r\n b\r\n\r\n"), "a line of its head is no header"),
        (chunked(end=b"0\r\ncontent-length: 5\r\n\r\n"), "it speaks of its length after its end"),
        (chunked(end=b"0\r\nTransfer-Encoding: chunked\r\n\r\n"), "it speaks of its length after its end"),
        (chunked(end=b"0\r\n" + b"X: y\r\n" * 101 + b"\r\n"), "it has more than 100 headers"),
        (CONTINUE * (MOST_INTERIM + 1) + sized(b"x"), f"it has more than {MOST_INTERIM} interim responses"),
        (b"HTTP/1.1 103 Hints\r\nContent-Length: 5\r\n\r\nimage", "an interim response has a body"),
        (b"HTTP/1.1 102 Wait\r\nTransfer-Encoding: chunked\r\n\r\n", "an interim response has a body"),
    ],
)
def test_improper_answers(sent: bytes, said: str, read: Read) -> None:
    fails(read, sent, f"did not answer in proper HTTP: {said}")


@pytest.mark.parametrize(
    "end",
    [
        b"1;" + b"x" * MOST_LINE + b"\r\n",
        b"0\r\nX: " + b"x" * MOST_TRAILERS + b"\r\n\r\n",
        b"0\r\n" + (b"X: " + b"x" * 200 + b"\r\n") * (MOST_TRAILERS // 200) + b"\r\n",
        b"5\r\nimages\r\n0\r\n\r\n",
        b"5\r\nimage0\r\n\r\n",
    ],
)
def test_lines_between_chunks_are_limited(end: bytes, read: Read) -> None:
    said = "did not answer in proper HTTP: its head, or a line between its chunks, is too long"
    fails(read, CHUNKED + end, said)


def test_size_that_ends_with_a_bare_line_feed_is_not_waited_for(read: Read) -> None:
    fails(read, CHUNKED + b"5\nimage", "did not answer in proper HTTP: a line of it ends with a bare line feed")


def test_body_that_breaks_off_says_how_much_came(read: Read) -> None:
    fails(read, OK + b"Content-Length: 900\r\n\r\nimage", "announced 900 bytes and sent 5")


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (OK + b"Content-Length: 1,001\r\n\r\n".replace(b",", b""), "has 1,001 bytes; at most 1,000 are accepted"),
        (OK + b"\r\n" + bytes(1001), "has more than the 1,000 bytes that are accepted"),
        (chunked(bytes(1000), b"x"), "has more than the 1,000 bytes that are accepted"),
        (CHUNKED + b"3e9\r\n", "has more than the 1,000 bytes that are accepted"),
        (CHUNKED + b"f" * 16 + b"\r\n", "has more than the 1,000 bytes that are accepted"),
    ],
)
def test_larger_bodies_are_refused_as_early_as_they_show(sent: bytes, said: str, read: Read) -> None:
    fails(read, sent, f"The image {said}.")


def test_as_large_as_is_accepted(read: Read) -> None:
    for sent in (sized(bytes(1000)), chunked(bytes(500), bytes(500)), OK + b"\r\n" + bytes(1000)):
        found = response(sent)
        found.head()
        assert len(read(found)) == 1000


def test_framing_is_limited_too(read: Read) -> None:
    chunk = b"1;" + b"x" * (MOST_LINE - 2) + b"\r\n.\r\n"
    found = response(CHUNKED + chunk * (2 * (FRAMING + 20_000) // len(chunk)), max_bytes=10_000)
    found.head()
    with pytest.raises(ImageTooLarge, match=r"origin sent more than [\d,]+ bytes, over twice"):
        read(found)


@pytest.mark.parametrize("interim", [b"", CONTINUE * 3])
def test_heads_are_limited_together(interim: bytes) -> None:
    line = b"X: %s\r\n" % (b"x" * 1000)
    most = (HEAD - len(interim) - 100) // len(line)
    tail = b"Content-Length: 2\r\n\r\nok"
    assert response(interim + OK + line * most + tail).head().length == 2
    with pytest.raises(Improper, match="its head, or a line between its chunks, is too long"):
        response(interim + OK + line * (most + 1) + tail).head()


def test_interim_heads_count_with_the_last() -> None:
    hints = b"HTTP/1.1 103 Hints\r\nX: " + b"x" * (HEAD // 2) + b"\r\n\r\n"
    assert response(hints + sized(b"image")).head().length == 5
    with pytest.raises(Improper, match="its head, or a line between its chunks, is too long"):
        response(hints * 2 + sized(b"image")).head()


def test_large_body_comes_in_pieces_and_nothing_is_read_past_it() -> None:
    body = bytes(range(256)) * 1000
    found = response(sized(body, b"HTTP/1.1 200 OK"), max_bytes=len(body))
    found.head()
    pieces = list(found.pieces())
    assert max(map(len, pieces)) <= PIECE
    assert b"".join(pieces) == body
    sent = Sent(sized(body, b"HTTP/1.1 200 OK"))
    whole = Response(TimedSocket(sent, Deadline(5)), len(body))
    whole.head()
    assert whole.whole() == body
    assert (
        sent.data[sent.at :] == b"HTTP/1.1 200 OK"
    )  # the pool finds that it can be read, and drops the connection


def test_another_protocol_is_an_answer_that_nobody_asked_for() -> None:
    assert response(b"HTTP/1.1 101 Switching Protocols\r\n\r\n").head().status == 101


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is counted as Linux tells it")
def test_announced_body_that_never_comes_takes_no_memory() -> None:
    """What is announced is address space; pages are taken as bytes come."""
    length, taken = 100_000_000, list[int]()

    class Announced(Sent):
        def recv_into(self, buffer: Any) -> int:
            taken.append(int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE"))
            return super().recv_into(buffer)

    sent = Announced(OK + b"Content-Length: %d\r\n\r\nimage" % length)
    found = Response(TimedSocket(sent, Deadline(5)), length)
    found.head()
    with pytest.raises(Improper, match=r"^announced 100,000,000 bytes and sent 5$"):
        found.whole()
    assert len(taken) == 2
    assert taken[1] - taken[0] < length // 10
