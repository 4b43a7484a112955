"""Origins that lie, drip, flood, stall or break off: each with the problem code that a caller is to get.

One table for every suite that runs it: against the client alone, and through the platforms' runtimes. There,
private addresses are allowed and 127.0.0.1 is the only allowed host, so that no case can lead anywhere else.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from helpers.images import encode, gradient
from helpers.origin import Reply, by_connection, drip, each, ended, flood, keep, reset, response, serving, silence
from mlserverless.config import Settings
from mlserverless.deadline import Deadline
from mlserverless.download import download
from mlserverless.errors import MlserverlessError
from mlserverless.formats import open_image

MAX_BYTES, TIMEOUT_S = 100_000, 0.6
PATIENCE_S = 5.0  # for the cases that do not wait: a slow machine is no timeout
SLACK_S = 1.0  # past the timeout, for a machine that has other things to do
MOST_SAID = 300  # characters of an error's text, much of which an origin may write
IMAGE = encode(gradient(8, 6))
LENGTH = str(len(IMAGE)).encode()
HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
CHUNK = f"{len(IMAGE):x}\r\n".encode() + IMAGE + b"\r\n"
SMUGGLED = response(b"smuggled")


class Case(NamedTuple):
    """What the origin does at ``/image``, and what the caller is told: one of ``codes``, "ok" for the whole image.

    ``retryable`` is None where either will do. A case that ``waits`` ends at the deadline and not before.
    ``speaks`` is the URL's scheme; where that is "https", ``reply`` is sent at once, by an origin that knows no
    TLS. What is ``guarded`` leads to a private address.
    """

    name: str
    reply: Reply | dict[str, Reply]
    codes: tuple[str, ...]
    retryable: bool | None = None
    waits: bool = False
    speaks: str = "http"
    guarded: bool = False


class Told(NamedTuple):
    """What came of one download."""

    code: str
    retryable: bool | None
    seconds: float
    text: str = ""


def fine(name: str, reply: Reply | dict[str, Reply], *or_else: str) -> Case:
    return Case(name, reply, ("ok", *or_else))


def broken(name: str, reply: Reply | dict[str, Reply], *or_else: str, **more: Any) -> Case:
    """An answer that is none; the next may be."""
    return Case(name, reply, ("source-error", *or_else), True if not or_else else None, **more)


def refused(name: str, reply: Reply | dict[str, Reply], **more: Any) -> Case:
    """An answer that will not get better."""
    return Case(name, reply, ("source-error",), False, **more)


def blocked(name: str, location: str, *, guarded: bool = False) -> Case:
    return Case(name, onward(location), ("source-blocked",), False, guarded=guarded)


def large(name: str, reply: Reply) -> Case:
    return Case(name, reply, ("image-too-large",), False)


def late(name: str, reply: Reply | dict[str, Reply], **more: Any) -> Case:
    return Case(name, reply, ("source-timeout",), True, waits=True, **more)


def onward(location: str, status: str = "302 Found") -> bytes:
    return response(b"", status, Location=location)


def lengths(*values: bytes, more: bytes = b"", body: bytes = IMAGE) -> bytes:
    """Return an answer with these Content-Length headers."""
    return HEAD + more + b"".join(b"Content-Length: " + value + b"\r\n" for value in values) + b"\r\n" + body


def coded(transfer: bytes) -> bytes:
    return HEAD + b"Transfer-Encoding: " + transfer + b"\r\n\r\n" + CHUNK + b"0\r\n\r\n"


def encoded(content: str, body: bytes = b"\x1f\x8b\x08 and so on") -> bytes:
    return response(body, Content_Encoding=content)


def slow(reply: Reply) -> Reply:
    """Wait before each hop, so that a deadline which began anew with each of them would be told from one."""

    def reply_later(origin: Any, connection: Any) -> None:
        origin.stopped.wait(0.5)
        origin.send(connection, reply)

    return reply_later


REDIRECTS = [
    refused("redirect to itself", onward("/image")),
    refused(
        "redirects, one too many",
        {"/image": onward("/a"), **{f"/{a}": onward(f"/{a}{a}") for a in ("a", "aa", "aaaa")}},
    ),
    fine(
        "redirects, as many as are followed",
        {"/image": onward("/a"), "/a": onward("/b"), "/b": onward("/c"), "/c": response(IMAGE)},
    ),
    late(
        "redirects share one deadline",
        {"/image": slow(onward("/a")), "/a": slow(onward("/b")), "/b": slow(onward("/c")), "/c": silence},
    ),
    *(
        blocked(f"redirect to {place}", f"http://{place}/latest/meta-data/", guarded=True)
        for place in (
            "169.254.169.254",
            "10.0.0.1",
            "[fd00:ec2::254]",
            "2852039166",
            "0xa9.0xfe.43518",
            "[::ffff:169.254.169.254]",
        )
    ),
    *(
        blocked(f"redirect to {url.partition(':')[0]}:", url)
        for url in (
            "file:///etc/passwd",
            "ftp://127.0.0.1/",
            "data:image/png;base64,AAAA",
            "s3://bucket/key",
            "gs://bucket/key",
        )
    ),
    *(
        blocked(f"redirect to {url}", url)
        for url in ("javascript:alert(1)", "gopher://127.0.0.1:25/_HELO", "unix:///run/x")
    ),
    blocked("redirect with credentials", "http://user:secret@127.0.0.1/"),
    blocked("redirect with a public name before the @", "http://images.example@127.0.0.1/"),
    broken("redirect with control characters", onward("http://127.0.0.1\x01/\x7f")),
    refused("redirect to what is not UTF-8", onward("/\xe9")),
    refused("redirect with a backslash", onward("http:\\\\127.0.0.1/")),
    broken("redirect that is folded", onward("/a\r\n b")),
    refused("redirect of 9,000 characters", onward("/" + "a" * 9000)),
    refused("redirect to nowhere", onward("")),
    refused("redirect without Location", response(b"", "307 Temporary Redirect")),
    refused("redirect to port 0", onward("http://127.0.0.1:0/")),
    refused("redirect to port 99999", onward("http://127.0.0.1:99999/")),
    refused("redirect to half a bracket", onward("http://[::1/")),
    broken("redirect to a port where nobody listens", onward("http://127.0.0.1:1/")),
    fine(
        "redirect with an endless body",
        {
            "/image": flood(b"HTTP/1.1 302 Found\r\nLocation: /a\r\n\r\n", bytes(65536), 1000),
            "/a": response(IMAGE),
        },
    ),
]
SLOW = [
    late("drip of the status line", drip(b"", b"H")),
    late("drip of a header's name", drip(HEAD, b"X")),
    late("drip of a header's value", drip(HEAD + b"X: ", b"y")),
    late("drip of headers", drip(HEAD, b"X: y\r\n")),
    late("drip of a body with a length", drip(HEAD + b"Content-Length: 900\r\n\r\n", b"x")),
    late("drip of a body until close", drip(HEAD + b"\r\n", b"x")),
    late("drip of a chunk's size", drip(CHUNKED, b"0")),
    late("drip of a chunk's extension", drip(CHUNKED + b"1;", b"x")),
    late("drip of a chunk", drip(CHUNKED + b"fff\r\n", b"x")),
    late("drip of chunks", drip(CHUNKED, b"1\r\nx\r\n")),
    late("drip of trailers", drip(CHUNKED + CHUNK + b"0\r\n", b"Trailer: x\r\n")),
    late("drip of 100 Continue", drip(b"", CONTINUE)),
    late("silence", silence),
    late("silence after the status line", each(HEAD, silence)),
    late("silence after the headers", each(HEAD + b"Content-Length: 900\r\n\r\n", silence)),
    late("silence in the body", each(lengths(b"1000"), silence)),
    late("silence after a chunk", each(CHUNKED + CHUNK, silence)),
    late("silence after a body of no known length", each(HEAD + b"\r\n" + IMAGE, silence)),
    late("TLS: silence", silence, speaks="https"),
    late("TLS: drip of a record", drip(b"\x16\x03\x03\x40\x00", b"\x02"), speaks="https"),
    late("TLS: drip of a record's head", drip(b"\x16", b"\x03", seconds=0.4), speaks="https"),
]
LENGTHS = [
    broken("length: too long", lengths(b"1000")),
    broken("length: nothing comes", lengths(LENGTH, body=b"")),
    fine("length: bytes past the end", response(IMAGE) + b"x" * 1000),
    fine("length: a second answer past the end", response(IMAGE) + SMUGGLED),
    Case("length: 0", response(b""), ("undecodable-image",), False),
    large("length: over the limit by one", drip(HEAD + b"Content-Length: 100001\r\n\r\n", b"x")),
    large("length: 10**30", lengths(b"1" + b"0" * 30)),
    broken("length: 5,000 digits", lengths(b"9" * 5000)),
    broken("length: negative", lengths(b"-1")),
    broken("length: a word", lengths(b"many")),
    broken("length: hexadecimal", lengths(b"0x10")),
    broken("length: empty", lengths(b"")),
    broken("length: +", lengths(b"+" + LENGTH)),
    broken("length: _", lengths(LENGTH[:1] + b"_" + LENGTH[1:])),
    broken("length: two that differ", lengths(LENGTH, b"5")),
    broken("length: two that differ, in one header", lengths(LENGTH + b", 5")),
    fine("length: the same twice", lengths(LENGTH, LENGTH)),
    broken("length: the same twice, in one header", lengths(LENGTH + b", " + LENGTH)),
    fine("length: spaces around it", lengths(b" \t" + LENGTH + b" \t")),
    broken(
        "length: with chunks",
        lengths(b"5", more=b"Transfer-Encoding: chunked\r\n", body=CHUNK + b"0\r\n\r\n"),
    ),
]
CHUNKS = [
    broken("chunk of a negative size, endless", flood(CHUNKED + b"-1\r\n", bytes(65536), 1000)),
    broken("chunk of a negative size", CHUNKED + b"-5\r\nabc\r\n"),
    broken("chunk of a huge size", CHUNKED + b"f" * 30 + b"\r\n" + IMAGE),
    broken("chunk of a huge size, endless", flood(CHUNKED + b"f" * 30 + b"\r\n", bytes(65536), 1000)),
    broken("chunk of no size", CHUNKED + b"zz\r\n"),
    broken("chunk of an empty size", CHUNKED + b"\r\n"),
    broken("chunk that breaks off", CHUNKED + b"fff\r\nshort"),
    broken("chunks without an end", CHUNKED + CHUNK),
    broken("chunks without a chunk", CHUNKED),
    large("chunks over the limit", flood(CHUNKED, b"ffff\r\n" + bytes(65535) + b"\r\n", 1000)),
    large("chunk over the limit, announced", each(CHUNKED + b"186a1\r\n", ended)),
    large("chunk over the limit, of 16 digits", each(CHUNKED + b"f" * 16 + b"\r\n", ended)),
    broken("chunk with a space after its size", CHUNKED + CHUNK.replace(b"\r\n", b" \r\n", 1) + b"0\r\n\r\n"),
    broken("chunk with 0x before its size", CHUNKED + b"0x" + CHUNK + b"0\r\n\r\n"),
    broken("chunk with a bare line feed", each(CHUNKED + CHUNK.replace(b"\r\n", b"\n", 1), ended)),
    broken("chunk with a bare carriage return in its extension", CHUNKED + b"5;a\rb\r\nabcde\r\n0\r\n\r\n"),
    broken("chunk longer than its size", CHUNKED + b"5\r\n" + IMAGE + b"\r\n0\r\n\r\n"),
    large("chunks that are all framing", flood(CHUNKED, b"1;" + b"x" * 250 + b"\r\n.\r\n", 100_000)),
    broken("chunk with a long extension", CHUNKED + b"1;" + b"x" * 300 + b"\r\n.\r\n0\r\n\r\n"),
    broken("trailers with a length", CHUNKED + CHUNK + b"0\r\nContent-Length: 5\r\n\r\n"),
    broken("trailers that are folded", CHUNKED + CHUNK + b"0\r\nT: a\r\n b\r\n\r\n"),
    broken("chunk with an endless extension", flood(CHUNKED + b"1;", b"x" * 60_000, 1000)),
    Case(
        "trailers without end",
        flood(CHUNKED + CHUNK + b"0\r\n", b"T: " + b"x" * 60_000 + b"\r\n", 1000),
        ("image-too-large", "source-error"),
    ),
    fine("chunks with a second answer behind", CHUNKED + CHUNK + b"0\r\n\r\n" + SMUGGLED),
    fine(
        "chunks with extensions and trailers",
        CHUNKED + CHUNK.replace(b"\r\n", b";a=b\r\n", 1) + b"0;c\r\nT: x\r\n\r\n",
    ),
]
CODINGS = [
    *(
        refused(f"encoding: {name}", encoded(name))
        for name in ("gzip", "br", "deflate", "zstd", "x", "gzip, identity", "GZIP")
    ),
    refused("encoding: a gzip bomb", flood(HEAD + b"Content-Encoding: gzip\r\n\r\n", bytes(65536), 1000)),
    refused("encoding: a name of 60,000 letters", encoded("x" * 60_000)),
    broken("encoding: a name with a line break", encoded("x\r\n forged: log line")),
    refused(
        "encoding: identity, then gzip", HEAD + b"Content-Encoding: identity\r\nContent-Encoding: gzip\r\n\r\nx"
    ),
    fine("encoding: identity", encoded("identity", IMAGE)),
    *(
        broken(f"transfer: {name.decode()}", coded(name))
        for name in (b"gzip, chunked", b"chunked, chunked", b"xchunked", b"gzip", b"chunked\x0b")
    ),
    fine("transfer: CHUNKED", coded(b"CHUNKED")),
    broken("transfer: chunked, in HTTP/1.0", coded(b"chunked").replace(b"/1.1", b"/1.0", 1)),
    broken("transfer: chunked, twice", coded(b"chunked\r\nTransfer-Encoding: chunked")),
    broken("transfer: empty", coded(b"")),
]
HEADERS = [
    broken("headers: 101", HEAD + b"X: y\r\n" * 101 + lengths(LENGTH)[len(HEAD) :]),
    broken("headers: one of 70,000 bytes", HEAD + b"X: " + b"x" * 70_000 + b"\r\n\r\n"),
    broken("headers: 90 of 1,000 bytes", HEAD + (b"X: " + b"x" * 1000 + b"\r\n") * 90 + b"\r\n" + IMAGE),
    broken("headers: no end", flood(HEAD, b"X-Flood: " + b"y" * 1000 + b"\r\n", 5000)),
    broken("headers: cut off after the status line", HEAD),
    broken("headers: cut off between two", HEAD + b"Content-Type: image/png\r\n"),
    broken("headers: cut off in one", HEAD + b"Content-Len"),
    broken("headers: one without a colon", HEAD + b"no colon\r\nContent-Length: " + LENGTH + b"\r\n\r\n" + IMAGE),
    broken(
        "headers: the first is folded", HEAD + b" folded: x\r\nContent-Length: " + LENGTH + b"\r\n\r\n" + IMAGE
    ),
    broken("headers: a space before the colon", HEAD + b"Content-Length : 5\r\n\r\n" + IMAGE),
    broken("headers: NUL in one", HEAD + b"X: a\0b\r\n" + lengths(LENGTH)[len(HEAD) :]),
    broken("headers: a folded one", HEAD + b"X: a\r\n b\r\n" + lengths(LENGTH)[len(HEAD) :]),
    broken("headers: bare line feeds", each(lengths(LENGTH, body=b"").replace(b"\r\n", b"\n") + IMAGE, ended)),
    broken("headers: one bare line feed", HEAD + b"X: a\nY: b\r\n" + lengths(LENGTH)[len(HEAD) :]),
    broken("headers: a bare carriage return", HEAD + b"X: a\rY: b\r\n" + lengths(LENGTH)[len(HEAD) :]),
    broken("headers: one without a name", HEAD + b": b\r\n" + lengths(LENGTH)[len(HEAD) :]),
    broken("headers: two places to go to", onward("/a\r\nLocation: /b")),
    fine("headers: a value that is not ASCII", HEAD + b"X: \xff\r\n" + lengths(LENGTH)[len(HEAD) :]),
    broken("headers: a name that is not ASCII", HEAD + b"X-\xff: y\r\n" + lengths(LENGTH)[len(HEAD) :]),
    broken("status line of 70,000 bytes", b"HTTP/1.1 " + b"2" * 70_000),
    broken("flood of 100 Continue", flood(b"", CONTINUE * 100, 100_000)),
    broken("flood of empty lines", flood(b"", b"\r\n" * 1000, 1000)),
]
ENDS = [
    broken("reset before the answer", reset),
    broken("reset in the headers", each(HEAD + b"X: ", reset)),
    broken("reset in the body", each(lengths(b"1000"), reset)),
    broken("reset in a chunk", each(CHUNKED + b"fff\r\nshort", reset)),
    broken("closed before the answer", b""),
    broken("TLS: closed at once", b"", speaks="https"),
    broken("TLS: reset at once", reset, speaks="https"),
    broken("TLS: an answer in plain HTTP", each(response(IMAGE), ended), speaks="https"),
    broken("TLS: garbage", each(bytes(range(256)), ended), speaks="https"),
    broken("TLS: a fatal alert", each(b"\x15\x03\x03\x00\x02\x02\x28", ended), speaks="https"),
    broken("TLS: a flood of warnings", flood(b"", b"\x15\x03\x03\x00\x02\x01\x5a" * 100, 1000), speaks="https"),
    broken("TLS: records of nothing", flood(b"", b"\x16\x03\x03\x00\x00" * 100, 1000), speaks="https"),
]
GARBAGE = [
    broken("garbage: bytes", bytes(range(256)) * 4),
    broken("garbage: zeros without end", flood(b"", bytes(65536), 1000)),
    broken("garbage: an SSH banner", b"SSH-2.0-OpenSSH_9.6\r\n"),
    broken("garbage: an SSH banner, and then silence", each(b"SSH-2.0-OpenSSH_9.6\r\n", ended)),
    broken("garbage: an empty line before the answer", b"\r\n" + response(IMAGE)),
    broken("garbage: http/1.1", response(IMAGE).replace(b"HTTP/1.1", b"http/1.1", 1)),
    broken("garbage: HTTP/1.2", response(IMAGE).replace(b"/1.1", b"/1.2", 1)),
    broken("garbage: two spaces before the status", response(IMAGE).replace(b" 200", b"  200", 1)),
    broken("garbage: HTTP/0.9", IMAGE),
    broken("garbage: an HTML page without a head", b"<html></html>\r\n"),
    broken("garbage: HTTP/2's preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0"),
    broken("garbage: HTTP/9.9", response(IMAGE).replace(b"/1.1", b"/9.9", 1)),
    broken("garbage: ICY", response(IMAGE).replace(b"HTTP/1.1", b"ICY", 1)),
    broken("garbage: a TLS alert", b"\x15\x03\x03\x00\x02\x02\x28"),
    broken("status: a word", response(IMAGE, "abc OK")),
    broken("status: 000", response(IMAGE, "000 Nothing")),
    broken("status: 99", response(IMAGE, "99 Low")),
    broken("status: 999", response(IMAGE, "999 Denied")),
    broken("status: 500 with terminal codes", response(IMAGE, "500 \x1b[2J\x1b[31mforged\x00")),
    broken("status: 503 with 60,000 letters", response(IMAGE, "503 " + "x" * 60_000)),
    *(
        refused(f"status: {line}", response(IMAGE, line))
        for line in ("101 Switching Protocols", "204 No Content", "206 Partial Content")
    ),
    *(
        refused(f"status: {line}", response(IMAGE, line))
        for line in ("304 Not Modified", "203 Altered", "300 Choices", "418 Teapot")
    ),
    fine("status: 103 before the answer", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + response(IMAGE)),
    broken("status: 100 with a body before the answer", response(b"body", "100 Continue") + response(IMAGE)),
    broken("status: 33 times 100 before the answer", CONTINUE * 33 + response(IMAGE)),
    fine("status: 100 before the answer", CONTINUE + response(IMAGE)),
    Case(
        "status: 404 with an endless body",
        flood(b"HTTP/1.1 404 Not Found\r\n\r\n", bytes(65536), 1000),
        ("source-not-found",),
        False,
    ),
    large("body: over the limit until close", flood(HEAD + b"\r\n", bytes(65536), 1000)),
    fine("body: until close", HEAD + b"\r\n" + IMAGE),
    fine("answer of HTTP/1.0", b"HTTP/1.0 200 OK\r\n\r\n" + IMAGE),
]
CASES = [*REDIRECTS, *SLOW, *LENGTHS, *CHUNKS, *CODINGS, *HEADERS, *ENDS, *GARBAGE]


class Sequence(NamedTuple):
    """Requests one after the other, to an origin that may keep its connections: the code that each ends with.

    ``opened`` is how many connections they take. ``pause`` is between them, in seconds.
    """

    name: str
    reply: Reply
    codes: tuple[str, ...]
    opened: int
    pause: float = 0.05


GOOD = response(IMAGE)
HALF = each(lengths(b"1000"), b"")  # ends there
SEQUENCES = [
    Sequence("kept", by_connection(keep(GOOD, GOOD, GOOD), silence), ("ok",) * 3, 1),
    Sequence(
        "kept, in chunks", by_connection(keep(CHUNKED + CHUNK + b"0\r\n\r\n", GOOD), silence), ("ok",) * 2, 1
    ),
    Sequence("closes when asked again", by_connection(keep(GOOD, b""), GOOD), ("ok", "ok"), 2),
    Sequence("resets when asked again", by_connection(keep(GOOD, reset), GOOD), ("ok", "ok"), 2),
    Sequence("has closed before it is asked again", by_connection(GOOD), ("ok", "ok"), 2, 0.2),
    Sequence("says what nobody asked for", by_connection(each(GOOD, SMUGGLED, ended), GOOD), ("ok", "ok"), 2, 0.3),
    Sequence(
        "says that it closes",
        by_connection(each(GOOD, response(b"", "408 Request Timeout", Connection="close")), GOOD),
        ("ok", "ok"),
        2,
        0.3,
    ),
    Sequence("says more than the length", by_connection(keep(GOOD + SMUGGLED, GOOD), GOOD), ("ok", "ok"), 2),
    Sequence(
        "says more than the chunks",
        by_connection(keep(CHUNKED + CHUNK + b"0\r\n\r\n" + SMUGGLED, GOOD), GOOD),
        ("ok", "ok"),
        2,
    ),
    Sequence("goes silent", by_connection(keep(GOOD, silence), GOOD), ("ok", "ok"), 2),
    Sequence(
        "goes silent on every connection", by_connection(keep(GOOD, silence), silence), ("ok", "source-timeout"), 2
    ),
    Sequence("closes in the second answer", by_connection(keep(GOOD, HALF), GOOD), ("ok", "source-error"), 1),
    Sequence(
        "resets in the second answer",
        by_connection(keep(GOOD, each(HEAD + b"X: ", reset)), GOOD),
        ("ok", "source-error"),
        1,
    ),
    Sequence(
        "closes in a chunk of the second answer",
        by_connection(keep(GOOD, CHUNKED + b"fff\r\nshort"), GOOD),
        ("ok", "source-error"),
        1,
    ),
    Sequence(
        "drips the second answer", by_connection(keep(GOOD, drip(b"", b"H")), GOOD), ("ok", "source-timeout"), 1
    ),
    Sequence(
        "answers the second with 500",
        by_connection(keep(GOOD, response(b"", "500 Oops")), GOOD),
        ("ok", "source-error"),
        1,
    ),
    Sequence("never answers again", by_connection(keep(GOOD, b""), b""), ("ok", "source-error"), 2),
    Sequence("resets ever after", by_connection(keep(GOOD, reset), reset), ("ok", "source-error"), 2),
    Sequence(
        "says close", by_connection(keep(response(IMAGE, Connection="close"), silence), GOOD), ("ok", "ok"), 2
    ),
    Sequence(
        "speaks HTTP/1.0", by_connection(keep(GOOD.replace(b"/1.1", b"/1.0", 1), silence), GOOD), ("ok", "ok"), 2
    ),
    Sequence(
        "errs, then is asked again",
        by_connection(keep(response(b"", "500 Oops"), silence), GOOD),
        ("source-error", "ok"),
        2,
    ),
]


@contextmanager
def served(case: Case) -> Iterator[str]:
    """Run the origin of ``case``, and yield the URL to ask for."""
    replies = case.reply if isinstance(case.reply, dict) else {"/image": case.reply}
    greeting = replies["/image"] if case.speaks == "https" else None
    with serving(replies, greeting=greeting) as origin:
        yield origin.url("/image").replace("http", case.speaks, 1)


def limit(case: Case | Sequence, wait: float = TIMEOUT_S) -> float:
    """Return the timeout for ``case``: ``wait`` where it is waited for."""
    return wait if "source-timeout" in case.codes else PATIENCE_S


def run(case: Case, wait: float = TIMEOUT_S) -> Told:
    """Download what ``case`` serves, and open it. For a guarded case 127.0.0.1 must count as public."""
    settings = Settings.load(
        {}, allow_private_addresses=not case.guarded, max_bytes=MAX_BYTES, download_timeout=limit(case, wait)
    )
    with served(case) as url:
        return fetch(url, settings)


def run_sequence(sequence: Sequence) -> tuple[list[Told], int]:
    """Return what came of each request, and how many connections they took."""
    settings = Settings.load(
        {}, allow_private_addresses=True, max_bytes=MAX_BYTES, download_timeout=limit(sequence)
    )
    with serving({"/image": sequence.reply}) as origin:
        told = []
        for _ in sequence.codes:
            told.append(fetch(origin.url("/image"), settings))
            time.sleep(sequence.pause)
        return told, origin.accepted


def fetch(url: str, settings: Settings) -> Told:
    """Return what came of ``url``; "altered" where it is another image than the one that was sent."""
    start = time.monotonic()
    try:
        data = download(url, settings, Deadline(60))
        open_image(data).close()
    except MlserverlessError as error:
        return Told(error.code, error.retryable, time.monotonic() - start, str(error))
    return Told("ok" if data == IMAGE else "altered", None, time.monotonic() - start)


def faults(case: Case, told: Told, wait: float = TIMEOUT_S) -> list[str]:
    """Return what is wrong with what was ``told`` of ``case``."""
    found, timeout = [], limit(case, wait)
    if told.code not in case.codes:
        found.append(f"{told.code} instead of {' or '.join(case.codes)}: {told.text[:200]}")
    if case.retryable is not None and told.retryable is not case.retryable:
        found.append(f"retryable is {told.retryable}")
    if told.seconds > timeout + SLACK_S or (case.waits and told.seconds < timeout * 0.9):
        found.append(f"{told.seconds:.2f} s of {timeout} s")
    if len(told.text) > MOST_SAID or not told.text.isprintable():
        found.append(f"says {len(told.text)} characters: {told.text[:100]!r}")
    return found


def sequence_faults(sequence: Sequence, told: list[Told], opened: int) -> list[str]:
    """Return what is wrong with what was ``told`` of ``sequence``."""
    codes, late_by = tuple(one.code for one in told), max(one.seconds for one in told) - limit(sequence)
    found = [] if codes == sequence.codes else [f"{codes} instead of {sequence.codes}"]
    if opened != sequence.opened:
        found.append(f"{opened} connections instead of {sequence.opened}")
    return found + ([f"{late_by:.2f} s too late"] if late_by > SLACK_S else [])
