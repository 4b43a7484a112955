"""One GET against origins on 127.0.0.1 that behave, misbehave and attack."""

import time
from typing import Any

import pytest

from helpers.origin import Reply, drip, flood, reset, response, serving, silence
from mlserverless.deadline import Deadline
from mlserverless.errors import ImageTooLarge, MlserverlessError, SourceError, SourceNotFound, SourceTimeout
from mlserverless.net.client import get

BODY = b"\x89PNG and the rest of it"
HEAD = b"HTTP/1.1 200 OK\r\n"


def fetch(reply: Reply, seconds: float = 5, max_bytes: int = 1000, **options: Any) -> bytes:
    with serving({"/image": reply}) as origin:
        return get(origin.url("/image"), Deadline(seconds), max_bytes=max_bytes, allow_private=True, **options)


def fails(kind: type[MlserverlessError], reply: Reply, **options: Any) -> MlserverlessError:
    with pytest.raises(kind) as caught:
        fetch(reply, **options)
    assert type(caught.value) is kind
    return caught.value


def chunked(*chunks: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    framed = b"".join(f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n" for chunk in chunks)
    return HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + framed + end


@pytest.mark.parametrize(
    "reply",
    [
        response(BODY),
        HEAD + b"\r\n" + BODY,
        b"HTTP/1.0 200 OK\r\n\r\n" + BODY,
        chunked(BODY[:5], BODY[5:]),
        chunked(*(BODY[i : i + 1] for i in range(len(BODY)))),
        chunked(BODY, end=b"0\r\nTrailer: x\r\n\r\n"),
        response(BODY, Content_Encoding="identity"),
        response(BODY, Content_Type="text/html"),
        b"HTTP/1.1 100 Continue\r\n\r\n" + response(BODY),
        HEAD + b"content-length:  23 \r\n\r\n" + BODY,
    ],
    ids=range(10),
)
def test_whole_answers_in_every_framing(reply: bytes) -> None:
    assert len(BODY) == 23
    assert fetch(reply) == BODY


def test_request_asks_for_an_unencoded_image_and_nothing_else() -> None:
    with serving({"/a%20b?c=d": response(BODY)}) as origin:
        get(origin.url("/a%20b?c=d#frag"), Deadline(5), max_bytes=100, allow_private=True)
        assert origin.requests == [
            "GET /a%20b?c=d HTTP/1.1\r\n"
            f"Host: 127.0.0.1:{origin.port}\r\n"
            "Accept: image/*\r\nAccept-Encoding: identity\r\nUser-Agent: mlserverless\r\nConnection: close\r\n\r\n"
        ]


def test_empty_body_is_an_empty_image() -> None:
    assert fetch(response(b"")) == b""


def test_announced_length_over_the_cap_is_refused_before_the_body() -> None:
    error = fails(ImageTooLarge, drip(HEAD + b"Content-Length: 1001\r\n\r\n", b"x"))
    assert str(error) == "The image has 1,001 bytes; at most 1,000 are accepted."


@pytest.mark.parametrize("length", [1000, 1])
def test_exactly_the_cap_is_accepted(length: int) -> None:
    assert len(fetch(response(bytes(length)), max_bytes=length)) == length
    assert len(fetch(chunked(bytes(length)), max_bytes=length)) == length


@pytest.mark.parametrize(
    "reply",
    [chunked(bytes(1001)), HEAD + b"\r\n" + bytes(1001), flood(HEAD + b"\r\n", bytes(1 << 16), 1000)],
    ids=["chunked", "until close", "endless"],
)
def test_bytes_over_the_cap_are_refused_as_they_come(reply: Reply) -> None:
    assert str(fails(ImageTooLarge, reply)) == "The image has more than the 1,000 bytes that are accepted."


@pytest.mark.parametrize("size", [b"-1", b"-0x1", b" -1 "])
def test_chunk_of_a_negative_size_does_not_open_the_gates(size: bytes) -> None:
    endless = flood(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + size + b"\r\n", bytes(1 << 16), 1000)
    error = fails(ImageTooLarge, endless)
    assert str(error) == "The image's origin sent far more bytes than are accepted."


def test_chunks_that_are_all_framing_end_too() -> None:
    piece = b"1;" + b"x" * 60_000 + b"\r\n.\r\n"
    error = fails(ImageTooLarge, flood(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", piece, 1000))
    assert "far more bytes" in str(error)


@pytest.mark.parametrize(
    "reply",
    [
        HEAD + b"Content-Length: 100\r\n\r\n" + BODY,
        chunked(BODY, end=b""),
        chunked(BODY, end=b"64\r\nshort"),
        chunked(BODY, end=b"zz\r\n"),
        chunked(BODY, end=b"-5\r\nabc\r\n"),
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n",
    ],
    ids=["length", "no end", "short chunk", "no size", "negative", "nothing"],
)
def test_body_that_ends_early_is_a_retryable_error(reply: bytes) -> None:
    error = fails(SourceError, reply)
    assert error.retryable
    assert str(error).startswith("127.0.0.1 ")


def test_short_body_names_both_lengths() -> None:
    error = fails(SourceError, HEAD + b"Content-Length: 1000\r\n\r\n" + BODY)
    assert str(error) == "127.0.0.1 announced 1,000 bytes and sent 23."


@pytest.mark.parametrize(
    "reply",
    [
        b"",
        b"\r\n\r\n",
        b"hello\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/9.9.9\r\n\r\n",
        b"HTTP/1.1 99 Low\r\n\r\n",
        HEAD + b"X: " + b"x" * 70_000 + b"\r\n\r\n",
        b"HTTP/1.1 " + b"2" * 70_000,
        HEAD + b"X: y\r\n" * 101 + b"\r\n",
        bytes(range(256)) * 4,
    ],
    ids=range(11),
)
def test_what_is_not_http_is_a_retryable_error(reply: bytes) -> None:
    error = fails(SourceError, reply)
    assert "did not answer in proper HTTP" in str(error)
    assert error.retryable


def test_flood_of_headers_ends() -> None:
    error = fails(SourceError, flood(HEAD, b"X-Flood: " + b"y" * 1000 + b"\r\n", 5000))
    assert "did not answer in proper HTTP" in str(error)


def test_flood_of_continues_ends() -> None:
    start = time.monotonic()
    with pytest.raises((ImageTooLarge, SourceError)):
        fetch(flood(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100, 100_000), seconds=2)
    assert time.monotonic() - start < 3


def test_reset_is_a_retryable_error() -> None:
    error = fails(SourceError, reset)
    assert error.retryable
    assert "Connection reset by peer" in str(error) or "RemoteDisconnected" in str(error)


@pytest.mark.parametrize(
    "reply",
    [
        silence,
        drip(b"", b"H"),
        drip(HEAD, b"X: y\r\n"),
        drip(HEAD + b"X: ", b"y"),
        drip(HEAD + b"Content-Length: 900\r\n\r\n", b"x"),
        drip(HEAD + b"\r\n", b"x"),
        drip(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
        drip(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1"),
        drip(chunked(BODY, end=b"0\r\n"), b"Trailer: x\r\n"),
        drip(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    ],
    ids=["silence", "status", "headers", "header", "length", "close", "chunks", "size", "trailers", "continues"],
)
def test_origin_that_drips_is_cut_off_at_the_deadline(reply: Reply) -> None:
    start = time.monotonic()
    error = fails(SourceTimeout, reply, seconds=0.5)
    assert 0.4 < time.monotonic() - start < 1.5
    assert str(error) == "127.0.0.1 did not deliver the image within 0.5 s."
    assert error.retryable


@pytest.mark.parametrize("status", ["404 Not Found", "410 Gone", "404"])
def test_missing_image(status: str) -> None:
    error = fails(SourceNotFound, response(b"no", status))
    assert str(error) == f"127.0.0.1 answered {status}: there is no image at this address."
    assert not error.retryable


@pytest.mark.parametrize(
    ("status", "retryable"),
    [
        *((status, False) for status in (201, 204, 206, 300, 304, 400, 401, 402, 403, 405, 406, 416, 418, 451)),
        *((status, True) for status in (408, 425, 429, 500, 501, 502, 503, 504, 507, 599)),
    ],
)
def test_other_answers(status: int, retryable: bool) -> None:
    error = fails(SourceError, response(b"", f"{status} As it is"))
    assert str(error) == f"127.0.0.1 answered {status} As it is."
    assert error.retryable is retryable


def test_origins_own_words_are_shortened() -> None:
    error = fails(SourceError, response(b"", "500 " + "x" * 60_000))
    assert len(str(error)) < 150


@pytest.mark.parametrize("encoding", ["gzip", "br", "GZIP ", "deflate", "x"])
def test_encoded_body_is_refused_for_good(encoding: str) -> None:
    error = fails(SourceError, response(b"\x1f\x8b", Content_Encoding=encoding))
    assert str(error) == f"127.0.0.1 sent the image encoded as {encoding.strip().lower()}, unasked."
    assert not error.retryable
