"""Heads: what is proper, what it says, and what is refused because another reader could read it differently."""

import pytest

from mlserverless.net.head import MAX_DIGITS, MOST_FIELDS, Head, Improper, parse

OK = b"HTTP/1.1 200 OK"


def read(*fields: bytes, status: bytes = OK) -> Head:
    return parse(b"\r\n".join((status, *fields)))


def says(head: Head) -> list[object]:
    return [getattr(head, name) for name in Head.__slots__]


@pytest.mark.parametrize(
    ("fields", "head"),
    [
        ((), Head(200, keeps=True)),
        ((b"Content-Length: 5",), Head(200, 5, keeps=True)),
        ((b"CONTENT-LENGTH:\t 05 \t",), Head(200, 5, keeps=True)),
        ((b"Content-Length: 5", b"Content-Length:5"), Head(200, 5, keeps=True)),
        ((b"Content-Length: 0",), Head(200, 0, keeps=True)),
        ((b"Transfer-Encoding: Chunked",), Head(200, chunked=True, keeps=True)),
        ((b"Connection: close",), Head(200)),
        ((b"connection: keep-alive, Close",), Head(200)),
        ((b"Connection: keep-alive", b"Connection: x,\tclose"), Head(200)),
        ((b"Connection: closed",), Head(200, keeps=True)),
        ((b"Location: /a",), Head(200, keeps=True, location=b"/a")),
        ((b"Location: /a", b"Location: /a"), Head(200, keeps=True, location=b"/a")),
        ((b"Content-Encoding: gzip", b"Content-Encoding: x"), Head(200, keeps=True, encodings=(b"gzip", b"x"))),
        ((b"Retry-After: 5", b"retry-after: 9"), Head(200, keeps=True, after=b"5")),
        ((b"X-Length: 5", b"!#$%&'*+-.^_`|~9: \xff\t~", b"Empty:"), Head(200, keeps=True)),
    ],
)
def test_what_a_head_says(fields: tuple[bytes, ...], head: Head) -> None:
    assert says(read(*fields)) == says(head)


@pytest.mark.parametrize(
    ("status", "head"),
    [
        (b"HTTP/1.1 200", Head(200, keeps=True)),
        (b"HTTP/1.1 200 ", Head(200, keeps=True)),
        (b"HTTP/1.1 204 No\tContent \xff", Head(204, keeps=True)),
        (b"HTTP/1.0 404 Not Found", Head(404)),
        (b"HTTP/1.1 100 Continue", Head(100, keeps=True)),
        (b"HTTP/1.1 999 ", Head(999, keeps=True)),
    ],
)
def test_status_line(status: bytes, head: Head) -> None:
    assert says(read(status=status)) == says(head)


def refuses(said: str, *fields: bytes, status: bytes = OK) -> None:
    with pytest.raises(Improper) as caught:
        read(*fields, status=status)
    assert str(caught.value) == f"did not answer in proper HTTP: {said}"


@pytest.mark.parametrize(
    "status",
    [
        *(
            b"",
            b"HTTP/1.1",
            b"HTTP/1.1 ",
            b"HTTP/2 200",
            b"HTTP/1.2 200 OK",
            b"HTTP/1.1  200 OK",
            b" HTTP/1.1 200 OK",
        ),
        *(b"http/1.1 200 OK", b"HTTP/1.1\t200 OK", b"HTTP/01.1 200 OK", b"HTTP/1.1 2000 OK", b"HTTP/1.1 200OK"),
        *(
            b"HTTP/1.1 20",
            b"HTTP/1.1 abc OK",
            b"HTTP/1.1 099 Low",
            b"HTTP/1.1 -20 OK",
            b"HTTP/1.1 \xb2\xb2\xb2 OK",
        ),
        *(b"HTTP/1.1 2 0 OK", b"HTTP/1.1 +20 OK", b"ICY 200 OK"),
    ],
)
def test_other_status_lines_are_refused(status: bytes) -> None:
    with pytest.raises(Improper, match="its status"):
        read(status=status)


@pytest.mark.parametrize(
    "value", [b"", b"-1", b"+1", b"1_0", b"0x1", b"1.0", b"1e3", b"5, 5", b"5 5", b"\xb2", b"9" * (MAX_DIGITS + 1)]
)
def test_length_that_is_not_a_number_is_refused(value: bytes) -> None:
    refuses("its length is not a number", b"Content-Length: " + value)


@pytest.mark.parametrize(
    "fields",
    [
        (b"Content-Length: 5", b"Content-Length: 6"),
        (b"Content-Length: 5", b"Content-Length: 05"),
        (b"Content-Length: 5", b"Transfer-Encoding: chunked"),
        (b"Transfer-Encoding: gzip", b"Content-Length: 5"),
    ],
)
def test_two_ways_to_find_the_end_are_refused(fields: tuple[bytes, ...]) -> None:
    refuses("it says two things of its length", *fields)


@pytest.mark.parametrize(
    "values",
    [
        *((b"",), (b"identity",), (b"gzip",), (b"gzip, chunked",), (b"chunked, gzip",), (b"chunked, chunked",)),
        *((b"chunked", b"chunked"), (b"chunked;a=b",), (b"xchunked",), (b'"chunked"',), (b"chunked,",)),
    ],
)
def test_other_transfer_codings_are_refused(values: tuple[bytes, ...]) -> None:
    refuses("its transfer coding is not chunked", *(b"Transfer-Encoding: " + value for value in values))


def test_chunks_in_http_1_0_are_refused() -> None:
    refuses("chunks are not of HTTP/1.0", b"Transfer-Encoding: chunked", status=b"HTTP/1.0 200 OK")


@pytest.mark.parametrize(
    "line",
    [
        *(b"", b"no colon", b": no name", b" folded: x", b"\tfolded", b"Space : x", b"Two words: x", b"X-\xff: y"),
        *(b"X(: y", b'"X": y', b"X/Y: z", b"X@: y"),
    ],
)
def test_line_that_is_no_header_is_refused(line: bytes) -> None:
    refuses("a line of its head is no header", b"X: y", line)


@pytest.mark.parametrize("byte", [bytes([byte]) for byte in (*range(9), *range(10, 0x20), 0x7F)])
def test_control_characters_and_bare_line_breaks_are_refused(byte: bytes) -> None:
    said = "its head has control characters or bare line breaks"
    refuses(said, b"X: a" + byte + b"b")
    refuses(said, b"X" + byte + b": y")
    refuses(said, status=OK + byte)


def test_headers_are_counted() -> None:
    assert read(*[b"X: y"] * MOST_FIELDS).status == 200
    refuses("it has more than 100 headers", *[b"X: y"] * (MOST_FIELDS + 1))


def test_two_places_to_go_to_are_refused() -> None:
    refuses("it leads to two places", b"Location: /a", b"Location: /b")
