"""One GET against origins on 127.0.0.1 that behave, misbehave and attack."""

from http.client import responses
from typing import Any

import pytest

from helpers import hostile
from helpers.hostile import Case, Sequence
from helpers.origin import Reply, drip, flood, response, serving, silence
from mlserverless.deadline import Deadline
from mlserverless.errors import ImageTooLarge, MlserverlessError, SourceError, SourceNotFound, SourceTimeout
from mlserverless.net import dial, pool
from mlserverless.net.client import get

BODY = b"\x89PNG and the rest of it"
HEAD = b"HTTP/1.1 200 OK\r\n"
WAIT_S = 0.3  # for what comes too late in any case


@pytest.mark.parametrize("case", hostile.CASES, ids=lambda case: case.name)
def test_hostile_origin(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    if case.guarded:  # nothing but this machine is public, and the case leads to what is not
        monkeypatch.setattr(dial, "is_public", lambda text: text == "127.0.0.1")
    assert hostile.faults(case, hostile.run(case, WAIT_S), WAIT_S) == []


@pytest.mark.parametrize("sequence", hostile.SEQUENCES, ids=lambda sequence: sequence.name)
def test_origin_that_keeps_connections(sequence: Sequence) -> None:
    pool.clear()
    told, opened = hostile.run_sequence(sequence)
    assert hostile.sequence_faults(sequence, told, opened) == []


def test_names_of_the_cases_differ() -> None:
    names = [case.name for case in hostile.CASES] + [sequence.name for sequence in hostile.SEQUENCES]
    assert len(set(names)) == len(names)


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
            "Accept: image/*\r\nAccept-Encoding: identity\r\nUser-Agent: mlserverless\r\n\r\n"
        ]


TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def test_the_urls_own_host_is_told_the_trace() -> None:
    with serving({"/image": response(BODY)}) as origin:
        for trace in (TRACE, ""):
            get(origin.url("/image"), Deadline(5), max_bytes=1000, allow_private=True, trace=trace)
    traced, plain = (head.split("\r\n") for head in origin.requests)
    assert [line for line in traced if line not in plain] == [f"traceparent: {TRACE}"]


@pytest.mark.parametrize("trace", [f"{TRACE}\r\nX-Evil: 1", "\r\n\r\nGET /", "00-é", "a b", TRACE.upper()])
def test_a_trace_that_may_break_a_line_is_not_sent(trace: str) -> None:
    with serving({"/image": response(BODY)}) as origin:
        get(origin.url("/image"), Deadline(5), max_bytes=1000, allow_private=True, trace=trace)
    assert "traceparent" not in origin.requests[0]
    assert "Evil" not in origin.requests[0]


def test_a_redirect_is_told_the_trace_on_the_same_host_only() -> None:
    """The caller named the first host; whom that one sends us to is nobody that the caller chose."""
    with serving({}) as origin:
        there = origin.url("/there", host="localhost")
        origin.replies |= {
            "/image": response(b"", "302 Found", Location="/here"),
            "/here": response(b"", "302 Found", Location=there),
            "/there": response(b"", "302 Found", Location=origin.url("/back")),
            "/back": response(BODY),
        }
        get(origin.url("/image"), Deadline(5), max_bytes=1000, allow_private=True, trace=TRACE)
    assert ["traceparent" in head for head in origin.requests] == [True, True, False, False]


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
    error = fails(SourceError, flood(hostile.CHUNKED + size + b"\r\n", bytes(1 << 16), 1000))
    assert str(error) == "127.0.0.1 did not answer in proper HTTP: a chunk's size is not a hexadecimal number."


def test_late_answer_says_how_late() -> None:
    error = fails(SourceTimeout, silence, seconds=0.3)
    assert str(error) == "127.0.0.1 did not deliver the image within 0.3 s."


def test_short_body_names_both_lengths() -> None:
    error = fails(SourceError, HEAD + b"Content-Length: 1000\r\n\r\n" + BODY)
    assert str(error) == "127.0.0.1 announced 1,000 bytes and sent 23."


@pytest.mark.parametrize(("status", "said"), [("404 Nope", "404 Not Found"), ("410", "410 Gone")])
def test_missing_image(status: str, said: str) -> None:
    error = fails(SourceNotFound, response(b"no", status))
    assert str(error) == f"127.0.0.1 answered {said}: there is no image at this address."
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
    assert str(error) == f"127.0.0.1 answered {status} {responses.get(status, '')}".rstrip() + "."
    assert error.retryable is retryable


@pytest.mark.parametrize("words", ["x" * 60_000, "see /cat.jpg?sig=c4n4ry"])
def test_origins_own_words_are_not_repeated(words: str) -> None:
    error = fails(SourceError, response(b"", f"500 {words}"))
    assert str(error) == "127.0.0.1 answered 500 Internal Server Error."


@pytest.mark.parametrize("encoding", ["gzip", "br", "GZIP ", "deflate", "x"])
def test_encoded_body_is_refused_for_good(encoding: str) -> None:
    error = fails(SourceError, response(b"\x1f\x8b", Content_Encoding=encoding))
    assert str(error) == f"127.0.0.1 sent the image encoded as {encoding.strip().lower()}, unasked."
    assert not error.retryable
